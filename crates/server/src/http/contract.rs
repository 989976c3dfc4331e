//! What the HTTP APIs answer, endpoint by endpoint, of a server that runs in this process.

mod deploys;
mod heartbeats;
mod incidents;
mod leases;
mod oncall;
mod pictures;
mod schema;
mod telemetry;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use expect_test::{Expect, expect, expect_file};
use serde_json::{Value, json};

use self::schema::{examples, validate};
use crate::serve::{Options, Server};

/// A server over a folder of its own, with an alert that fires and one that waits.
struct Bell {
    server: Server,
    folder: tempfile::TempDir,
    client: reqwest::Client,
}

impl Bell {
    async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap()).await
    }

    async fn start_in(folder: tempfile::TempDir) -> Self {
        for (name, text) in [("firebell.yml", CONFIG), ("shop.rules.yml", RULES)] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        let bell = Self {
            server: Server::start(&options_in(folder.path())).await.unwrap(),
            folder,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        bell.wait_for("/api/v1/rules", "\"state\":\"firing\"").await;
        bell.wait_for("/api/v1/targets", r#""health":"down""#).await;
        bell.wait_for("/api/firebell/v1/inbox", "Burning").await;
        bell
    }

    /// Puts an objective and a figure in force, besides all the rest.
    async fn promise(&self) {
        let own = "slo_files: [slo.yml]\nquality: {figures: {targets: sum(up)}}";
        let config = format!("{CONFIG}\n{own}\n");
        for (name, text) in [("firebell.yml", &*config), ("slo.yml", SLO)] {
            std::fs::write(self.folder.path().join(name), text).unwrap();
        }
        let (status, ..) = self.send(self.client.post(self.url("/-/reload"))).await;
        assert_eq!(status, 200);
        self.wait_for("/api/firebell/v1/slos", "\"badRatio\"").await;
    }

    /// Puts runbooks in force, besides all the rest.
    async fn write_down(&self) {
        let text = "# Triage\n\n- [ ] who is hit?\n- [ ] is it growing?\n";
        let own = "escalation: later, runbooks: {triage: {severity: sev2, file: triage.md}, \
                   worst: {severity: sev1, steps: [call ada]}}";
        let config = CONFIG.replace("escalation: later", own);
        for (name, text) in [("firebell.yml", &*config), ("triage.md", text)] {
            std::fs::write(self.folder.path().join(name), text).unwrap();
        }
        let (status, ..) = self.send(self.client.post(self.url("/-/reload"))).await;
        assert_eq!(status, 200);
    }

    async fn wait_for(&self, path: &str, text: &str) {
        for _ in 0..200 {
            if self.get(path).await.2.contains(text) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{path} never said {text}: {}", self.get(path).await.2);
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    /// Status, content type and body.
    async fn get(&self, path: &str) -> (u16, String, String) {
        self.send(self.client.get(self.url(path))).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, String, String) {
        let response = request.send().await.unwrap();
        let kind = response.headers().get("content-type");
        let kind = kind.map_or("", |kind| kind.to_str().unwrap()).to_owned();
        let status = response.status().as_u16();
        (status, kind, response.text().await.unwrap())
    }

    async fn check(&self, requests: &str, expected: &Expect) {
        expected.assert_eq(&self.transcript(requests).await);
    }

    /// Sends `METHOD /path body`, line by line; prints what is answered.
    async fn transcript(&self, requests: &str) -> String {
        let mut transcript = String::new();
        for line in requests.lines().map(str::trim).filter(|it| !it.is_empty()) {
            let mut words = line.splitn(3, ' ');
            let method = words.next().unwrap().parse().unwrap();
            let path = words.next().unwrap();
            let mut request = self.client.request(method, self.url(path));
            if let Some(body) = words.next() {
                let kind = match body.starts_with(['{', '[']) {
                    true => "application/json",
                    false => "application/x-www-form-urlencoded",
                };
                request = request.header("content-type", kind).body(body.to_owned());
            }
            let (status, kind, body) = self.send(request).await;
            let kind = kind.split(';').next().unwrap_or_default();
            writeln!(transcript, "{line}\n  {status} {kind}").unwrap();
            for line in self.readable(&body).lines() {
                writeln!(transcript, "  {line}").unwrap();
            }
        }
        transcript
    }

    /// A body without what differs from run to run.
    fn readable(&self, body: &str) -> String {
        let body = body.replace(&*self.folder.path().to_string_lossy(), "DIR");
        let body = body.replace(&self.server.address.to_string(), "ADDR");
        match serde_json::from_str(&body) {
            Ok(value) => steady(&value).to_string(),
            Err(_) => body,
        }
    }
}

fn options_in(folder: &Path) -> Options {
    Options {
        config_file: Some(folder.join("firebell.yml")),
        listen: Some(([127, 0, 0, 1], 0).into()),
        data_dir: folder.join("data"),
        external_url: None,
        flags: crate::flags::Flags::default(),
    }
}

fn steady(value: &Value) -> Value {
    match value {
        Value::Number(_) => json!("N"),
        Value::String(text) if is_time(text) => json!("TIME"),
        Value::String(text) if text.len() == 36 && text.split('-').count() == 5 => json!("UUID"),
        Value::Array(items) => items.iter().map(steady).collect(),
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|(name, value)| (name.clone(), steady(value)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

fn is_time(text: &str) -> bool {
    let text = text.as_bytes();
    text.len() >= 20 && text[4] == b'-' && text[10] == b'T' && text.ends_with(b"Z")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_api() {
    let bell = Bell::start().await;
    let transcript = bell.transcript(PROMETHEUS_REQUESTS).await;
    expect_file!["contract/prometheus.txt"].assert_eq(&transcript);
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alertmanager_api() {
    let bell = Bell::start().await;
    let ends = "\"endsAt\":\"2999-01-01T00:00:00Z\"";
    let starts = "\"startsAt\":\"2026-01-01T00:00:00Z\"";
    let who = "\"createdBy\":\"me\",\"comment\":\"why\"";
    let matcher = "\"matchers\":[{\"name\":\"alertname\",\"value\":\"Posted\",\"isRegex\":false}]";
    let transcript = bell
        .transcript(&format!(
            "
        GET /api/v2/status
        GET /api/v2/receivers
        POST /api/v2/alerts [{{\"labels\":{{\"alertname\":\"Posted\",\"empty\":\"\"}},{starts}}}]
        POST /api/v2/alerts [{{\"labels\":{{}}}}]
        POST /api/v2/alerts {{
        POST /api/v2/silences {{{matcher},{starts},{ends},{who}}}
        POST /api/v2/silences {{{matcher},{ends},{starts},\"createdBy\":\"me\"}}
        POST /api/v2/silences {{\"id\":\"x\",{matcher},{starts},{ends},{who}}}
        POST /api/v2/silences {{\"matchers\":[],{starts},{ends},{who}}}
        GET /api/v2/silences
        GET /api/v2/silences?filter=alertname=Other
        GET /api/v2/silences?filter=alertname
        GET /api/v2/silences?active=false
        GET /api/v2/receivers?receiver_matchers=name=~\"n.*\"
        GET /api/v2/receivers?receiver_matchers=name
        GET /api/v2/silence/none
        GET /api/v2/silence/00000000-0000-4000-8000-000000000000
        DELETE /api/v2/silence/00000000-0000-4000-8000-000000000000
        GET /api/v2/alerts?filter=alertname=Posted
        GET /api/v2/alerts?active=maybe
        GET /api/v2/alerts?silenced=false&filter=alertname=Posted
        GET /api/v2/alerts/groups?filter=alertname=~\"P.*\"&receiver=night
        GET /api/v2/alerts/groups?receiver_matchers=name=inbox&filter=alertname=Posted
        GET /api/v2/none
        DELETE /api/v2/alerts
        "
        ))
        .await;
    expect_file!["contract/alertmanager.txt"].assert_eq(&transcript);
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_over_http_are_checked_kept_and_can_be_taken_back() {
    let bell = Bell::start().await;
    let rules = r#""rules":[{"alert":"New","expr":"vector(1)","labels":{"team":"shop"}}]"#;
    let transcript = bell
        .transcript(&format!(
            r#"
        GET /config/v1/rules
        POST /config/v1/rules/a%2Fb {{"name":"g","interval":"100ms",{rules}}}
        POST /prometheus/config/v1/rules/a%2Fb {{"name":"h",{rules}}}
        POST /config/v1/rules/a%2Fb {{"name":"g","intervall":"1m","rules":[{{"alert":"New","expr":"vector("}}]}}
        POST /config/v1/rules/a%2Fb {{"name":"","rules":[]}}
        POST /config/v1/rules/a%2Fb []
        GET /prometheus/config/v1/rules
        GET /config/v1/rules/a%2Fb
        GET /config/v1/rules/none
        GET /config/v1/rules/a%2Fb/g
        GET /config/v1/rules/a%2Fb/none
        DELETE /config/v1/rules/a%2Fb/none
        DELETE /config/v1/rules/none
        DELETE /config/v1/rules/a%2Fb/h
        POST /api/firebell/v1/rules/changes/1/revert
        DELETE /config/v1/rules/a%2Fb
        GET /config/v1/rules
        POST /api/firebell/v1/rules/changes/2/revert
        POST /api/firebell/v1/rules/changes/4/revert
        POST /api/firebell/v1/rules/changes/99/revert
        GET /api/firebell/v1/rules/changes
        POST /api/firebell/v1/rules/preview query=vector(1)>bool+0&for=2m&start=0&end=600&step=60
        POST /api/firebell/v1/rules/preview query=vector(1)&for=x
        GET /api/firebell/v1/rules/preview?query=vector(
        "#
        ))
        .await;
    expect_file!["contract/ruler.txt"].assert_eq(&transcript);
    bell.wait_for("/api/v1/alerts", r#""alertname":"New""#)
        .await;
    // Tasks of this process still hold the folder: another server gets a copy of it.
    let options = Options {
        data_dir: bell.folder.path().join("copy"),
        ..options_in(bell.folder.path())
    };
    let (from, to) = (
        bell.folder.path().join("data/rules"),
        options.data_dir.join("rules"),
    );
    std::fs::create_dir_all(&to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    bell.server.stop().await.unwrap();

    let again = Server::start(&options).await.unwrap();
    let url = format!("http://{}/config/v1/rules/a%2Fb/g", again.address);
    let kept = bell.client.get(url).send().await.unwrap();
    assert_eq!(kept.status(), 200);
    let text = kept.text().await.unwrap();
    assert!(text.contains("alert: \"New\""), "{text}");
    again.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_api_has_the_paths_and_methods_of_its_document() {
    let bell = Bell::start().await;
    let (status, kind, text) = bell.get("/api/v1/openapi.yaml").await;
    assert_eq!((status, &*kind), (200, "application/yaml; charset=utf-8"));
    let mut told: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines() {
        let key = line.trim_end_matches(':');
        match key.trim_start() {
            path if path.starts_with('/') => told.push((path.to_owned(), Vec::new())),
            method if key.len() == method.len() + 4 && METHODS.contains(&method) => {
                told.last_mut().unwrap().1.push(method.to_owned());
            }
            _ => {}
        }
    }
    let known: Vec<(String, Vec<String>)> = super::prometheus::paths().collect();
    assert_eq!(told, known);
    for (path, methods) in known {
        let url = bell.url(&format!("/api/v1{}", path.replace("{name}", "job")));
        for method in METHODS {
            let asked = bell
                .client
                .request(method.to_uppercase().parse().unwrap(), &url);
            let status = asked.send().await.unwrap().status().as_u16();
            let is_there = methods.iter().any(|it| it == method);
            assert_eq!(status != 405, is_there, "{method} {path}: {status}");
        }
    }
    assert!(
        bell.get("/api/v1/openapi.yaml?openapi_version=3.2")
            .await
            .2
            .starts_with("openapi: 3.2.0")
    );
    bell.server.stop().await.unwrap();
}

/// The methods that a path may have.
const METHODS: [&str; 4] = ["get", "post", "put", "delete"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_api_is_as_its_document_says() {
    let bell = Bell::start().await;
    bell.promise().await;
    telemetry::send(&bell).await;
    let opened = bell.client.post(bell.url("/api/firebell/v1/incidents"));
    let opened = opened.body(r#"{"by":"ada","title":"it burns","service":"shop"}"#);
    assert_eq!(bell.send(opened).await.0, 201);
    let deploy = r#"{"service":"shop","version":"v1","at":"2026-01-01T00:00:00Z"#;
    bell.check(
        &format!(
            r#"
        POST /api/firebell/v1/deploys {deploy}","url":"https://ci.example/1"}}
        POST /api/firebell/v1/deploys {deploy}","url":"https://ci.example/1"}}
        POST /api/firebell/v1/deploys {{"service":"cart","version":"v2","environment":"staging"}}
        POST /api/firebell/v1/deploys {{"service":"cart"}}
        POST /api/firebell/v1/deploys []
        GET /api/firebell/v1/deploys?service=cart
        GET /api/firebell/v1/slos/spending?id=none
        "#
        ),
        &expect![[r#"
            POST /api/firebell/v1/deploys {"service":"shop","version":"v1","at":"2026-01-01T00:00:00Z","url":"https://ci.example/1"}
              201 application/json
              {"at":"TIME","environment":"","namespace":"","service":"shop","url":"https://ci.example/1","version":"v1"}
            POST /api/firebell/v1/deploys {"service":"shop","version":"v1","at":"2026-01-01T00:00:00Z","url":"https://ci.example/1"}
              200 application/json
              {"at":"TIME","environment":"","namespace":"","service":"shop","url":"https://ci.example/1","version":"v1"}
            POST /api/firebell/v1/deploys {"service":"cart","version":"v2","environment":"staging"}
              201 application/json
              {"at":"TIME","environment":"staging","namespace":"","service":"cart","url":"","version":"v2"}
            POST /api/firebell/v1/deploys {"service":"cart"}
              400 application/json
              {"error":"the body is no deploy: missing field `version` at line 1 column 18","errorType":"bad_data","status":"error"}
            POST /api/firebell/v1/deploys []
              400 application/json
              {"error":"the body is no deploy: invalid length 0, expected an object with `service` and `version` at line 1 column 2","errorType":"bad_data","status":"error"}
            GET /api/firebell/v1/deploys?service=cart
              200 application/json
              {"deploys":[{"at":"TIME","environment":"staging","namespace":"","service":"cart","url":"","version":"v2"}]}
            GET /api/firebell/v1/slos/spending?id=none
              404 application/json
              {"error":"there is no objective `none`","errorType":"not_found","status":"error"}
        "#]],
    )
    .await;
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let document: Value = serde_json::from_slice(&std::fs::read(document).unwrap()).unwrap();
    let listed = bell.get("/api/firebell/v1/alerts").await.2;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let mut listed = listed["alerts"].as_array().unwrap().iter();
    let burning = listed.find(|it| it["labels"]["alertname"] == "Burning");
    let burning = burning.unwrap()["fingerprint"].as_str().unwrap().to_owned();
    let mut problems = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let content = &operations["get"]["responses"]["200"]["content"];
        let Some(answer) = content.get("application/json") else {
            continue;
        };
        let path = path.replace("{fingerprint}", &burning).replace("{id}", "1");
        let path = path
            .replace("{trace}", telemetry::TRACE)
            .replace("{name}", "report");
        let asked = format!("{path}{}", examples(&operations["get"]["parameters"]));
        let (status, kind, body) = bell.get(&asked).await;
        let found = (status, &*kind);
        assert_eq!(found, (200, "application/json"), "{path}: {body}");
        let body = serde_json::from_str(&body).unwrap();
        validate(&document, &answer["schema"], &body, &path, &mut problems);
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_answers_for_alerts_that_fire_wait_or_are_unknown() {
    let bell = Bell::start().await;
    for (asked, parts) in [
        (
            "Burning",
            &["rule Burning of group shop", "tells inbox", "told "][..],
        ),
        (
            "Smouldering",
            &["pending since", "it fires", "(in 59m", "is not handed over"],
        ),
        ("{severity=\"low\"}", &["alertname=\"Smouldering\""]),
        ("Burnin", &["no alert `Burnin`", "did you mean `Burning`?"]),
        ("{severity=~\"(\"}", &["bad_data"]),
        ("0123456789abcdef", &["not_found"]),
        ("", &["`alert` is missing"]),
    ] {
        let url = reqwest::Url::parse_with_params(
            &bell.url("/api/firebell/v1/why"),
            [("alert", asked), ("format", "text")],
        );
        let (_, _, text) = bell.send(bell.client.get(url.unwrap())).await;
        for part in parts {
            assert!(text.contains(part), "{asked}: {part} is not in\n{text}");
        }
    }
    let (status, _, _) = bell.get("/api/firebell/v1/alerts/none/why").await;
    assert_eq!(status, 400);
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_shown_nowhere() {
    let bell = Bell::start().await;
    let paths = [
        "/api/v2/status",
        "/api/v2/receivers",
        "/api/v1/targets",
        "/api/v1/rules",
        "/api/firebell/v1/status",
        "/api/firebell/v1/inbox",
        "/api/firebell/v1/oncall",
        "/metrics",
    ];
    for path in paths {
        let (_, _, body) = bell.get(path).await;
        assert!(!body.contains("s3cret"), "{path}: {body}");
    }
    let journal = bell.folder.path().join("data/journal");
    for file in std::fs::read_dir(journal).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("s3cret"));
    }
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_metrics_are_read_by_our_own_parser_in_both_formats() {
    use firebell_wire::exposition::{BodyFormat, Entry, Format, Parser};
    let bell = Bell::start().await;
    let mut counts = Vec::new();
    for accept in ["", "application/openmetrics-text;version=1.0.0"] {
        let request = bell
            .client
            .get(bell.url("/metrics"))
            .header("accept", accept);
        let (status, kind, body) = bell.send(request).await;
        let BodyFormat::Text(format) = BodyFormat::of_content_type(&kind).unwrap() else {
            panic!("{kind}");
        };
        assert_eq!((status, format == Format::Text), (200, accept.is_empty()));
        let mut parser = Parser::new(body.as_bytes(), format).unwrap();
        let mut n_samples = 0;
        while let Some(entry) = parser.next_entry().unwrap() {
            n_samples += usize::from(matches!(entry, Entry::Sample(_)));
        }
        counts.push(n_samples);
    }
    assert!(counts[0] > 20 && counts[0] == counts[1], "{counts:?}");
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_that_is_refused_says_why_and_one_that_is_fine_counts() {
    let bell = Bell::start().await;
    let rules = bell.folder.path().join("shop.rules.yml");
    std::fs::write(&rules, "groups: [{name: shop, rulez: []}]").unwrap();
    bell.check(
        "POST /-/reload",
        &expect![[r#"
        POST /-/reload
          500 text/plain
          the new configuration was refused; the old one stays:
          DIR/shop.rules.yml:1:23: a rule group has no field `rulez`
            1 | groups: [{name: shop, rulez: []}]
              |                       ^
              = did you mean `rules`?
    "#]],
    )
    .await;
    bell.wait_for("/api/firebell/v1/status", "rulez").await;
    bell.wait_for("/api/v1/rules", "Burning").await;
    std::fs::write(&rules, "groups: []").unwrap();
    bell.check(
        "POST /-/reload\nGET /api/v1/rules",
        &expect![[r#"
        POST /-/reload
          200 
        GET /api/v1/rules
          200 application/json
          {"data":{"groups":[]},"status":"success"}
    "#]],
    )
    .await;
    bell.server.stop().await.unwrap();
}

/// An objective that is broken: the target is down.
const SLO: &str = "service: shop
flows: [{name: buy}, {name: pay}]
slos:
  - {name: answers, flow: buy, objective: 99, indicator: {up: up}}
";
const CONFIG: &str = "
heartbeats: [{name: report, every: 1h}]
oncall:
  people: {ana: {phone: +34600000001}, ben: {email: ben@s3cret.example}}
  schedules: {night: {every: 1w, start: 2026-01-05, people: [ana, ben]}}
incidents: {escalation: later}
escalation: {later: [{notify: 'receiver:inbox'}]}
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [shop.rules.yml]
scrape_configs:
  - job_name: shop
    scheme: http
    basic_auth: {username: bell, password: s3cret}
    static_configs: [{targets: ['127.0.0.1:1']}]
alertmanager:
  global: {slack_api_url: 'https://hooks.slack.example/s3cret'}
  route:
    receiver: night
    group_wait: 1s
    routes: [{matchers: [alertname=Burning], receiver: inbox, group_wait: 0s}]
  receivers:
    - name: night
      webhook_configs: [{url: 'http://127.0.0.1:1/s3cret'}]
      slack_configs: [{channel: night}]
    - name: inbox
";

const RULES: &str = "
groups:
  - name: shop
    rules:
      - {record: one, expr: vector(1), labels: {kind: constant}}
      - {alert: Burning, expr: vector(1) > 0, annotations: {summary: 'It is {{ $value }}'}}
      - {alert: Smouldering, expr: vector(1), for: 1h, labels: {severity: low}}
";

const PROMETHEUS_REQUESTS: &str = "
GET /api/v1/query?query=vector(1)
POST /api/v1/query query=1%2B1
GET /api/v1/query?query=sum(
GET /api/v1/query?query=1&time=never
GET /api/v1/query_range?query=vector(2)&start=0&end=60&step=60
GET /api/v1/query_range?query=vector(2)&start=60&end=0&step=60
GET /api/v1/query_range?query=vector(2)&start=0&end=1000000&step=1
GET /api/v1/query_range?query=vector(2)&start=-9e18&end=9e18&step=9e17
GET /api/v1/series?match[]=up
POST /api/v1/series match[]=ALERTS{alertname=\"Burning\"}
GET /api/v1/series
GET /api/v1/labels?match[]=up
GET /api/v1/label/__name__/values
GET /api/v1/label/job/values?match[]=up{job=\"none\"}
GET /api/v1/label/bad-name/values?match[]=up{
GET /api/v1/rules?type=alert&rule_name[]=Burning
GET /api/v1/rules?type=other
GET /api/v1/alerts
GET /api/v1/targets
GET /api/v1/targets?state=dropped
GET /api/v1/targets?state=other
GET /api/v1/targets/metadata?match_target={job=
GET /api/v1/targets/relabel_steps?scrapePool=shop&labels={\"__address__\":\"a:1\",\"job\":\"shop\"}
GET /api/v1/targets/relabel_steps?scrapePool=none&labels={}
GET /api/v1/targets/relabel_steps?labels={}
GET /api/v1/scrape_pools
GET /api/v1/scrape_pools/config?scrapePool=shop
GET /api/v1/scrape_pools/config?scrapePool=none
GET /api/v1/metadata
GET /api/v1/metadata?limit=x
GET /api/v1/query_exemplars?query=up
GET /api/v1/query_exemplars?query=1
GET /api/v1/query_exemplars?query=up&start=5&end=1
GET /api/v1/format_query?query=foo%2Fbar
POST /api/v1/parse_query query=up%2Bsum
GET /api/v1/parse_query?query=-up
GET /api/v1/query?query=up&lookback_delta=x
GET /api/v1/query?query=ALERTS&limit=1
GET /api/v1/query_range?query=sum(&start=0&end=1&step=1
GET /api/v1/label/U__job/values?limit=1
GET /api/v1/labels?limit=x
GET /api/v1/labels?match[]={}
GET /api/v1/labels?match[]=rate(up[5m])
GET /api/v1/labels?match[]=
GET /api/v1/labels?match[]=up-1
GET /api/v1/query?query=
DELETE /api/v1/series?match[]=up
GET /api/v1/rules?group_limit=1&rule_name[]=one
GET /api/v1/rules?group_limit=0
GET /api/v1/rules?group_next_token=x
GET /api/v1/rules?group_limit=1&group_next_token=x
GET /api/v1/rules?match[]={severity=\"low\"}&exclude_alerts=1
GET /api/v1/rules?match[]={}
GET /api/v1/rules?exclude_alerts=x
GET /api/v1/alertmanagers
GET /api/v1/status/config
GET /api/v1/status/tsdb?limit=2
GET /api/v1/status/tsdb?limit=0
GET /api/v1/status/tsdb?limit=10001
GET /api/v1/status/self_metrics?metric_name_pattern=firebell_(series|notifications.*)
GET /api/v1/status/self_metrics?metric_name_pattern=[
GET /api/v1/query?query=vector(1)&stats=yes
GET /api/v1/query_range?query=count_over_time(ALERTS[1s])&start=0&end=60&step=60&stats=all
GET /api/v1/status/tsdb/blocks
GET /api/v1/status/walreplay
GET /api/v1/status/flags
GET /api/v1/status/buildinfo
GET /api/v1/notifications
GET /api/v1/search/metric_names
POST /api/v1/admin/tsdb/delete_series match[]=up
GET /api/v1/none
GET /federate?match[]=none
GET /federate?match[]=up{
GET /version
GET /-/reload
POST /-/quit
DELETE /api/v1/query
HEAD /-/ready
GET /-/healthy
POST /api/v1/write nonsense
";
