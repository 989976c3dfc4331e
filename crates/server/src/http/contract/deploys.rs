//! Alerts are told with the deploy before them, whoever told of it.

use serde_json::{Value, json};

use super::{Bell, options_in};
use crate::serve::{Options, Server};

/// What the annotation `deploy` of an alert says, by the label `n`.
async fn deploy_of(client: &reqwest::Client, url: &str, n: &str) -> Value {
    let body = json!([{
        "labels": {"alertname": "Broken", "service": "shop", "environment": "prod", "n": n},
        "startsAt": format!("2026-01-01T00:{n}:00Z"),
    }]);
    let posted = client.post(format!("{url}/api/v2/alerts"));
    let posted = posted.header("content-type", "application/json");
    let posted = posted.body(body.to_string()).send().await.unwrap();
    assert_eq!(posted.status(), 200);
    let listed = client.get(format!("{url}/api/firebell/v1/alerts"));
    let listed = listed.send().await.unwrap().text().await.unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let mut alerts = listed["alerts"].as_array().unwrap().iter();
    let alert = alerts.find(|it| it["labels"]["n"] == n).unwrap();
    match alert["annotations"]["deploy"].as_str() {
        Some(text) => serde_json::from_str(text).unwrap(),
        None => Value::Null,
    }
}

/// Tells of a deploy at ten past midnight, as the Python package does.
async fn tell(bell: &Bell, resource: Value, deploy: &str) {
    let attributes = resource.as_object().unwrap().iter();
    let attributes =
        attributes.map(|(key, value)| json!({"key": key, "value": {"stringValue": value}}));
    let resource = json!({"attributes": attributes.collect::<Vec<_>>()});
    let record = json!({"timeUnixNano": "1767226200000000000", "eventName": "firebell.deploy",
        "attributes": [{"key": "deploy", "value": {"stringValue": deploy}}]});
    let logs =
        json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]});
    let sent = bell
        .client
        .post(bell.url("/v1/logs"))
        .body(logs.to_string());
    let sent = sent.header("content-type", "application/json");
    assert_eq!(bell.send(sent).await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_with_a_namespace_is_found_as_its_job_names_it() {
    let bell = Bell::start().await;
    for (namespace, version) in [("eu", "e1"), ("us", "u1")] {
        let resource = json!({"service.name": "shop", "service.namespace": namespace});
        let told = json!({ "version": version }).to_string();
        // A worker that begins tells it again.
        tell(&bell, resource.clone(), &told).await;
        tell(&bell, resource, &told).await;
    }
    let told = bell.client.post(bell.url("/api/firebell/v1/deploys"));
    let told = told
        .body(r#"{"service":"cart","namespace":"eu","version":"c1","at":"2026-01-01T00:00:00Z"}"#);
    assert_eq!(bell.send(told).await.0, 201);
    for (query, expected) in [
        ("", 3),
        ("?service=shop", 2),
        ("?service=us/shop", 1),
        ("?service=us/cart", 0),
    ] {
        let (.., listed) = bell.get(&format!("/api/firebell/v1/deploys{query}")).await;
        let listed: Value = serde_json::from_str(&listed).unwrap();
        assert_eq!(
            listed["deploys"].as_array().unwrap().len(),
            expected,
            "{query}"
        );
    }
    let jobs = ["eu/shop", "us/shop", "eu/cart", "us/cart"];
    let alerts = jobs.map(|job| {
        json!({"labels": {"alertname": "Broken", "job": job}, "startsAt": "2026-01-01T00:20:00Z"})
    });
    let posted = bell.client.post(bell.url("/api/v2/alerts"));
    let posted = posted.header("content-type", "application/json");
    let posted = posted.body(json!(alerts).to_string());
    assert_eq!(bell.send(posted).await.0, 200);
    let (.., listed) = bell.get("/api/firebell/v1/alerts").await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let of = |job: &str| {
        let mut alerts = listed["alerts"].as_array().unwrap().iter();
        let alert = alerts.find(|it| it["labels"]["job"] == job).unwrap();
        alert["annotations"]["deploy"].as_str().unwrap_or_default()
    };
    assert_eq!(of("eu/shop"), r#"{"version":"e1","age_s":600}"#);
    assert_eq!(of("us/shop"), r#"{"version":"u1","age_s":600}"#);
    assert_eq!(of("eu/cart"), r#"{"version":"c1","age_s":1200}"#);
    assert_eq!(of("us/cart"), "");
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_have_the_deploy_before_them_also_after_a_restart() {
    let bell = Bell::start().await;
    let (client, url) = (&bell.client, bell.url(""));
    let told =
        r#"{"service":"shop","version":"v42","at":"2026-01-01T00:00:00Z","url":"https://x/1"}"#;
    let (status, ..) = bell
        .send(client.post(bell.url("/api/firebell/v1/deploys")).body(told))
        .await;
    assert_eq!(status, 201);
    let v42 = json!({"version": "v42", "url": "https://x/1", "age_s": 360});
    assert_eq!(deploy_of(client, &url, "06").await, v42);
    let told = r#"{"version":"v43","environment":"prod"}"#;
    tell(&bell, json!({"service.name": "shop"}), told).await;
    let v43 = json!({"version": "v43", "environment": "prod", "age_s": 60});
    assert_eq!(deploy_of(client, &url, "11").await, v43);
    assert_eq!(deploy_of(client, &url, "09").await["version"], "v42");
    // The inbox keeps what was told, here of the first of the group.
    bell.wait_for("/api/firebell/v1/inbox", "v42").await;
    let cart = json!([{"labels": {"alertname": "Broken", "service": "cart", "n": "12"}}]);
    let posted = client
        .post(bell.url("/api/v2/alerts"))
        .body(cart.to_string());
    let posted = posted.header("content-type", "application/json");
    assert_eq!(bell.send(posted).await.0, 200);
    let (.., listed) = bell.get("/api/firebell/v1/alerts").await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let mut listed = listed["alerts"].as_array().unwrap().iter();
    let cart = listed.find(|it| it["labels"]["n"] == "12").unwrap();
    assert_eq!(cart["annotations"], json!({}));
    let (.., listed) = bell.get("/api/v2/alerts?filter=n=11").await;
    assert!(!listed.contains("v43"), "as it came: {listed}");

    // Tasks of this process still hold the folder: another server gets a copy of it.
    let options = Options {
        data_dir: bell.folder.path().join("copy"),
        ..options_in(bell.folder.path())
    };
    let [from, to] =
        [&bell.folder.path().join("data"), &options.data_dir].map(|it| it.join("deploys"));
    std::fs::create_dir_all(&to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    let again = Server::start(&options).await.unwrap();
    let url = format!("http://{}", again.address);
    assert_eq!(deploy_of(client, &url, "11").await, v43);
    again.stop().await.unwrap();
    bell.server.stop().await.unwrap();
}
