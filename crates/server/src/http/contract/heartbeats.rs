//! What jobs say over HTTP, and what they are told.

use expect_test::expect_file;

use super::Bell;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats() {
    let bell = Bell::start().await;
    let transcript = bell
        .transcript(
            "
        POST /api/firebell/v1/heartbeats/nightly
        POST /api/firebell/v1/heartbeats/nightly?service=shop every=1d&grace=30m&severity=critical
        POST /api/firebell/v1/heartbeats/nightly?every=daily
        GET /api/firebell/v1/heartbeats
        GET /api/firebell/v1/heartbeats/nightly?service=cart
        DELETE /api/firebell/v1/heartbeats/nightly?service=shop
        DELETE /api/firebell/v1/heartbeats/nightly?service=shop
        DELETE /api/firebell/v1/heartbeats/report
        ",
        )
        .await;
    expect_file!["heartbeats.txt"].assert_eq(&transcript);
    bell.server.stop().await.unwrap();
}
