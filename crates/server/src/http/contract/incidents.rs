//! What people do with incidents over HTTP, and what they are told when it does not work.

use expect_test::expect_file;
use serde_json::Value;

use super::Bell;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn incidents_are_opened_worked_on_and_judged() {
    let bell = Bell::start().await;
    let acts = "/api/firebell/v1/incidents/INC-1/acts";
    let transcript = bell
        .transcript(&format!(
            r#"
        GET /api/firebell/v1/incidents
        POST /api/firebell/v1/incidents {{"by":"ada","title":"nobody can pay","severity":"sev1","service":"pay"}}
        POST /api/firebell/v1/incidents {{"by":"ada","title":"nobody can pay","severity":"sev1","service":"pay"}}
        POST /api/firebell/v1/incidents {{"title":"nobody says who"}}
        POST /api/firebell/v1/incidents {{"by":"ada","title":" "}}
        POST /api/firebell/v1/incidents {{"by":"ada","title":"x","severity":"sev9"}}
        POST /api/firebell/v1/incidents {{"by":"ada","title":"x","alerts":["0000000000000000"]}}
        POST /api/firebell/v1/incidents {{"by":"ada","title":"x","alerts":["none"]}}
        POST /api/firebell/v1/incidents {{"by":"ada","title":"x","more":1}}
        POST /api/firebell/v1/incidents []
        POST {acts} {{"do":"ack","by":"ada"}}
        POST {acts} {{"do":"ack","by":"ben"}}
        POST {acts} {{"do":"note","by":"ben","text":"restarted the database"}}
        POST {acts} {{"do":"note","by":"ben","text":"restarted the database"}}
        POST {acts} {{"do":"task","by":"ada","text":"fail over","owner":"ben"}}
        POST {acts} {{"do":"task_done","by":"ben","task":1}}
        POST {acts} {{"do":"task_done","by":"ben","task":9}}
        POST {acts} {{"do":"role","by":"ada","role":"commander","person":"ada"}}
        POST {acts} {{"do":"link","by":"ada","url":"https://graphs.example/1","title":"graph"}}
        POST {acts} {{"do":"link","by":"ada","url":"javascript:alert(1)"}}
        POST {acts} {{"do":"impact","by":"ada","text":"cards are refused","users":300}}
        POST {acts} {{"do":"components","by":"ada","names":["db","cart"]}}
        POST {acts} {{"do":"data","by":"ada","state":"at_risk"}}
        POST {acts} {{"do":"state","by":"ada","to":"mitigated","from":"triage"}}
        POST {acts} {{"do":"state","by":"ben","to":"closed"}}
        POST {acts} {{"do":"state","by":"ben","to":"resolved"}}
        POST {acts} {{"do":"state","by":"ben","to":"closed"}}
        POST {acts} {{"do":"state","by":"ben","to":"closed","verdict":"acted"}}
        POST {acts} {{"do":"state","by":"ben","to":"closed","verdict":"acted"}}
        POST {acts} {{"do":"merge","by":"ada","into":"INC-7"}}
        POST {acts} {{"do":"dance","by":"ada"}}
        POST {acts} {{"do":"note","text":"nobody says who"}}
        POST {acts} {{"do":"note","by":7,"text":"x"}}
        POST {acts} nonsense
        POST /api/firebell/v1/incidents/INC-9/acts {{"do":"ack","by":"ada"}}
        POST /api/firebell/v1/incidents/x/acts {{"do":"ack","by":"ada"}}
        GET /api/firebell/v1/incidents/1
        GET /api/firebell/v1/incidents/1?before=2
        GET /api/firebell/v1/incidents/1?before=x
        GET /api/firebell/v1/incidents/9
        GET /api/firebell/v1/incidents/0
        GET /api/firebell/v1/incidents?status=open
        GET /api/firebell/v1/incidents?status=over&severity=sev1&service=pay&limit=1
        GET /api/firebell/v1/incidents?status=gone
        GET /api/firebell/v1/incidents?severity=bad
        GET /api/firebell/v1/incidents?limit=0
        GET /api/firebell/v1/incidents?page=x
        GET /api/firebell/v1/incidents?from=yesterday
        DELETE /api/firebell/v1/incidents/1
        POST {acts} {{"do":"part","by":"ada","part":"cause","text":"Ada should have looked."}}
        POST {acts} {{"do":"part","by":"ada","part":"blame","text":"x"}}
        POST {acts} {{"do":"follow_up","by":"ada","text":"a drill","owner":"ben","due":"2026-12-01"}}
        POST {acts} {{"do":"proven","by":"ben","follow_up":2,"proof":"drill 7"}}
        POST {acts} {{"do":"proven","by":"ben","follow_up":1,"proof":"drill 7"}}
        GET /api/firebell/v1/incidents/9/postmortem
        POST /api/firebell/v1/incidents/1/postmortem {{}}
        GET /api/firebell/v1/quality?month=2020-02
        GET /api/firebell/v1/quality?month=2020-13
        GET /api/firebell/v1/review?month=2020-02
        GET /api/firebell/v1/review?month=x
        "#
        ))
        .await;
    expect_file!["incidents.txt"].assert_eq(&transcript);
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runbooks_are_shown_where_they_are_for_and_their_steps_are_ticked() {
    let bell = Bell::start().await;
    bell.write_down().await;
    let acts = "/api/firebell/v1/incidents/INC-1/acts";
    let transcript = bell
        .transcript(&format!(
            r#"
        POST /api/firebell/v1/incidents {{"by":"ada","title":"nobody can pay","severity":"sev2"}}
        GET /api/firebell/v1/incidents/INC-1/runbooks
        POST {acts} {{"do":"step","by":"ada","runbook":"triage","step":2}}
        POST {acts} {{"do":"step","by":"ada","runbook":"triage","step":2}}
        POST {acts} {{"do":"step","by":"ben","runbook":"triage","step":2}}
        POST {acts} {{"do":"step","by":"ben","runbook":"triage","step":9}}
        POST {acts} {{"do":"step","by":"ben","runbook":"worst","step":1}}
        GET /api/firebell/v1/incidents/1/runbooks
        GET /api/firebell/v1/incidents/9/runbooks
        GET /api/firebell/v1/incidents/x/runbooks
        "#
        ))
        .await;
    expect_file!["runbooks.txt"].assert_eq(&transcript);
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_of_a_review_are_noted_once_and_read() {
    let bell = Bell::start().await;
    let transcript = bell
        .transcript(
            r#"
        POST /api/firebell/v1/review/decisions {"by":"ada","month":"2020-02","about":"Down","decision":"delete it"}
        POST /api/firebell/v1/review/decisions {"by":"ada","month":"2020-02","about":"Down","decision":"delete it"}
        POST /api/firebell/v1/review/decisions {"by":"ada","month":"2020-13","about":"Down","decision":"delete it"}
        POST /api/firebell/v1/review/decisions {"by":"","month":"2020-02","about":"Down","decision":"delete it"}
        POST /api/firebell/v1/review/decisions {"by":"ada"}
        GET /api/firebell/v1/quality?month=2020-02
        "#,
        )
        .await;
    expect_file!["decisions.txt"].assert_eq(&transcript);
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_knows_the_error_budget_of_its_service_and_a_review_the_business() {
    let bell = Bell::start().await;
    bell.promise().await;
    let opened = bell.client.post(bell.url("/api/firebell/v1/incidents"));
    let body = r#"{"by":"ada","title":"it is slow","service":"shop","severity":"sev2"}"#;
    let (status, _, answer) = bell.send(opened.body(body)).await;
    assert_eq!(status, 201, "{answer}");
    let opened: Value = serde_json::from_str(&answer).unwrap();
    let id = opened["incident"]["id"].as_str().unwrap();
    let path = format!("/api/firebell/v1/incidents/{id}");
    bell.wait_for(&path, r#""objective":"shop/answers""#).await;
    let (_, _, incident) = bell.get(&path).await;
    let incident: Value = serde_json::from_str(&incident).unwrap();
    // The target has been down ever since.
    assert!(incident["budget"]["left"].as_f64().unwrap() < 0.0);
    let (_, _, review) = bell.get("/api/firebell/v1/review").await;
    assert!(review.contains("| targets | "), "{review}");
    bell.server.stop().await.unwrap();
}

/// Its Markdown has moments in it: it is looked at here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postmortem_is_drafted_filled_in_and_read() {
    let bell = Bell::start().await;
    let post = async |path: &str, body: &'static str| {
        let path = bell.url(&format!("/api/firebell/v1/incidents{path}"));
        let (status, _, body) = bell.send(bell.client.post(path).body(body)).await;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        (status, body)
    };
    post("", r#"{"by":"ada","title":"nobody can pay"}"#).await;
    let cause = r#"{"by":"ada","do":"part","part":"cause","text":"It was\nhuman error."}"#;
    assert_eq!(post("/1/acts", cause).await.0, 200);
    let (status, drafted) = post("/1/postmortem", r#"{"by":"ben"}"#).await;
    assert_eq!((status, &drafted["drafted"]["by"]), (200, &"ben".into()));
    let hint = &drafted["parts"][1]["hints"][0];
    assert_eq!((&hint["line"], &hint["column"]), (&2.into(), &1.into()));
    let (_, _, read) = bell.get("/api/firebell/v1/incidents/1/postmortem").await;
    let read: serde_json::Value = serde_json::from_str(&read).unwrap();
    assert_eq!(read, drafted);
    let markdown = read["markdown"].as_str().unwrap();
    assert!(
        markdown.contains("## Cause\n\nIt was\nhuman error."),
        "{markdown}"
    );
    bell.server.stop().await.unwrap();
}

/// Pages of a list name each incident once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_read_in_pages() {
    let bell = Bell::start().await;
    for nth in 1..=5 {
        let body = format!(r#"{{"by":"ada","title":"number {nth}"}}"#);
        let opened = bell.client.post(bell.url("/api/firebell/v1/incidents"));
        assert_eq!(bell.send(opened.body(body)).await.0, 201);
    }
    let mut seen = Vec::new();
    let mut page = String::new();
    loop {
        let path = format!("/api/firebell/v1/incidents?limit=2&page={page}");
        let (_, _, body) = bell.get(&path).await;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let listed = body["incidents"].as_array().unwrap();
        seen.extend(
            listed
                .iter()
                .map(|it| it["id"].as_str().unwrap().to_owned()),
        );
        match body["next"].as_str() {
            Some(next) => next.clone_into(&mut page),
            None => break,
        }
    }
    assert_eq!(seen, ["INC-5", "INC-4", "INC-3", "INC-2", "INC-1"]);
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_listed_and_answered() {
    let bell = Bell::start().await;
    let page = "/api/firebell/v1/pages/INC-1";
    let transcript = bell
        .transcript(&format!(
            r#"
        GET /api/firebell/v1/pages
        POST /api/firebell/v1/incidents {{"by":"ada","title":"nobody can <pay>","severity":"sev1","service":"pay"}}
        GET /api/firebell/v1/pages?limit=1
        GET {page}
        POST {page}/snooze {{"by":"ana","for":"30m"}}
        POST {page}/snooze {{"by":"ana","for":"30d"}}
        POST {page}/snooze {{"by":"ana","for":"soon"}}
        POST {page}/snooze {{"by":"ana"}}
        POST {page}/hand-over {{"by":"ana","to":"nobody"}}
        POST {page}/hand-over {{"by":"ana","to":"person:mute"}}
        POST {page}/hand-over {{"by":"ana"}}
        POST {page}/acknowledge {{"by":"ana"}}
        POST {page}/acknowledge {{"by":"ben"}}
        POST {page}/acknowledge {{"by":" "}}
        POST {page}/acknowledge {{"who":"ben"}}
        POST {page}/acknowledge nonsense
        POST {page}/dance {{"by":"ana"}}
        POST {page}/resolve {{"by":"ana"}}
        POST {page}/resolve {{"by":"ana"}}
        POST /api/firebell/v1/pages/9/acknowledge {{"by":"ana"}}
        POST /api/firebell/v1/pages/x/acknowledge {{"by":"ana"}}
        GET /api/firebell/v1/pages/9
        GET /api/firebell/v1/pages
        GET /api/firebell/v1/pages?status=all
        GET /api/firebell/v1/pages?status=gone
        GET /api/firebell/v1/pages?limit=0
        GET /api/firebell/v1/pages?page=x
        GET /a/1.1.a.1790000000.ana.0
        POST /a/x
        "#
        ))
        .await;
    expect_file!["pages.txt"].assert_eq(&transcript);
    bell.server.stop().await.unwrap();
}
