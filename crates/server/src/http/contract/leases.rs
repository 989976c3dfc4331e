//! What hosts that ask for leases are told.

use expect_test::expect;

use super::Bell;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases() {
    let bell = Bell::start().await;
    let transcript = bell
        .transcript(
            "
        POST /api/firebell/v1/leases/queue-depth?service=shop holder=a&for=1h
        POST /api/firebell/v1/leases/queue-depth?service=shop&holder=b&for=1h
        GET /api/firebell/v1/leases
        DELETE /api/firebell/v1/leases/queue-depth?service=shop&holder=b
        DELETE /api/firebell/v1/leases/queue-depth?service=shop&holder=a
        GET /api/firebell/v1/leases
        POST /api/firebell/v1/leases/queue-depth?holder=a&for=soon
        POST /api/firebell/v1/leases/queue-depth?for=45s
        ",
        )
        .await;
    expect![[r#"
        POST /api/firebell/v1/leases/queue-depth?service=shop holder=a&for=1h
          200 application/json
          {"holder":"a","name":"queue-depth","service":"shop","until":"TIME"}
        POST /api/firebell/v1/leases/queue-depth?service=shop&holder=b&for=1h
          200 application/json
          {"holder":"a","name":"queue-depth","service":"shop","until":"TIME"}
        GET /api/firebell/v1/leases
          200 application/json
          {"leases":[{"holder":"a","name":"queue-depth","service":"shop","until":"TIME"}]}
        DELETE /api/firebell/v1/leases/queue-depth?service=shop&holder=b
          404 application/json
          {"error":"`queue-depth of shop` is not held by `b`","errorType":"not_found","status":"error"}
        DELETE /api/firebell/v1/leases/queue-depth?service=shop&holder=a
          200 application/json
          {}
        GET /api/firebell/v1/leases
          200 application/json
          {"leases":[]}
        POST /api/firebell/v1/leases/queue-depth?holder=a&for=soon
          400 application/json
          {"error":"`for` is a duration, such as 45s, not `soon`","errorType":"bad_data","status":"error"}
        POST /api/firebell/v1/leases/queue-depth?for=45s
          400 application/json
          {"error":"`holder` of a lease is a text of 1 to 200 characters without line breaks","errorType":"bad_data","status":"error"}
    "#]].assert_eq(&transcript);
    bell.server.stop().await.unwrap();
}
