//! Templates of notifications. What is expected was compared with amtool, text by text.

use expect_test::expect;
use firebell_model::{Alert, Labels, Notification, NotificationReason, Timestamp};
use firebell_template::{NotificationData, NotificationTemplates, NotificationText, TemplateError};
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn alert(instance: &str, ends_at: Option<&str>) -> Alert {
    Alert {
        labels: Labels::from_pairs([
            ("alertname", "Down"),
            ("cluster", "eu"),
            ("instance", instance),
            ("job", "node"),
        ]),
        annotations: Labels::from_pairs([("summary", "it is down")]),
        starts_at: at("2026-01-02T03:04:05.678Z"),
        ends_at: ends_at.map(at),
        generator_url: "http://prom/graph?g0".to_owned(),
        updated_at: at("2026-01-02T03:04:05Z"),
        is_timeout: false,
    }
}

fn notification() -> Notification {
    Notification {
        at: at("2026-01-02T04:00:00Z"),
        receiver: "team.x+y".to_owned(),
        group_key: "{}:{alertname=\"Down\", job=\"node\"}".to_owned(),
        group_labels: Labels::from_pairs([("alertname", "Down"), ("job", "node")]),
        route_labels: Labels::empty(),
        reason: NotificationReason::NewAlerts,
        alerts: vec![alert("a", None), alert("b", Some("2026-01-02T03:30:00Z"))],
        measured: Default::default(),
    }
}

fn expand_with(templates: &NotificationTemplates, text: &str) -> Result<String, TemplateError> {
    let text = NotificationText::compile(text)?;
    templates.expand(&text, &notification(), "http://am.example")
}

fn expand(text: &str) -> Result<String, TemplateError> {
    expand_with(&NotificationTemplates::default(), text)
}

fn check(table: &[(&str, &str)]) {
    for (text, expected) in table {
        let expanded = expand(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        assert_eq!(expanded, *expected, "{text}");
    }
}

#[test]
fn the_data_is_alertmanager_s() {
    check(&[
        (
            "{{ .Status }} {{ .Receiver }} {{ .NotificationReason }}",
            r"firing team\.x\+y new alerts added",
        ),
        (
            "{{ len .Alerts }} {{ .Alerts.Firing | len }} {{ len .Alerts.Resolved }}",
            "2 1 1",
        ),
        (
            "{{ .GroupLabels }}|{{ .CommonLabels.SortedPairs }}",
            "alertname=Down, job=node|alertname=Down, cluster=eu, job=node",
        ),
        (
            "{{ .CommonLabels.Names }} {{ .CommonLabels.Values | join \",\" }}",
            "[alertname cluster job] Down,eu,node",
        ),
        (
            "{{ .CommonAnnotations.summary }}{{ .CommonLabels.nope }}{{ .RouteLabels.x }}",
            "it is down",
        ),
        (
            "{{ (.CommonLabels.Remove .GroupLabels.Names).Values }}",
            "[eu]",
        ),
        (
            "{{ .GroupLabels.SortedPairs.Names.Join \"+\" }}",
            "alertname+job",
        ),
        (
            "{{ range .GroupLabels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}",
            "alertname=Down;job=node;",
        ),
        (
            "{{ range .Alerts }}{{ .Status }} {{ .Labels.instance }} {{ .Fingerprint }}\n{{ end }}",
            "firing a 449e963d63d12ecf\nresolved b 06ee1e3379337e42\n",
        ),
        (
            "{{ with index .Alerts 0 }}{{ .StartsAt }} {{ .EndsAt }} {{ .GeneratorURL }}{{ end }}",
            "2026-01-02 03:04:05.678 +0000 UTC 0001-01-01 00:00:00 +0000 UTC http://prom/graph?g0",
        ),
        (
            "{{ range .Alerts }}{{ .EndsAt.IsZero }} {{ end }}",
            "true false ",
        ),
        (
            "{{ (index .Alerts 0).StartsAt.Format \"Mon, 02 Jan 2006 3:04PM MST\" }}",
            "Fri, 02 Jan 2026 3:04AM UTC",
        ),
        (
            "{{ (index .Alerts 0).StartsAt.Format \"Jan _2 15:04:05.000 -0700 002\" }}",
            "Jan  2 03:04:05.678 +0000 002",
        ),
        (
            "{{ with index .Alerts 1 }}{{ .EndsAt.Sub .StartsAt }}{{ end }}",
            "25m54.322s",
        ),
    ]);
}

#[test]
fn the_functions_are_alertmanager_s() {
    check(&[
        (
            "{{ title \"hELLO wORLD it's a-b\" }} {{ trimSpace \" x \" }}",
            "Hello World It's A-B x",
        ),
        (
            "{{ stringSlice \"a\" \"b\" | join \"+\" }} {{ urlUnescape \"a%20b+c\" }}",
            "a+b a b c",
        ),
        (
            "{{ (index .Alerts 0).StartsAt | tz \"Europe/Paris\" | date \"15:04 MST -07:00\" }}",
            "04:04 CET +01:00",
        ),
        (
            "{{ now | date \"2006-01-02T15:04:05Z07:00\" }} {{ since (index .Alerts 0).StartsAt }}",
            "2026-01-02T04:00:00Z 55m54.322s",
        ),
        (
            "{{ since (index .Alerts 0).StartsAt | humanizeDuration }}",
            "55m 54s",
        ),
        (
            "{{ toDate \"2006-01-02 15:04\" \"2026-03-04 05:06\" }}",
            "2026-03-04 05:06:00 +0000 UTC",
        ),
        (
            "{{ toDate \"2006-01-02\" \"2026-3-4\" }}",
            "0001-01-01 00:00:00 +0000 UTC",
        ),
        (
            "{{ toDate \"2006\" \"x\" }}",
            "0001-01-01 00:00:00 +0000 UTC",
        ),
        (
            "{{ toJson .GroupLabels }} {{ toJson (list 1 \"a<\" nil 1e21 .Status) }}",
            "{\"alertname\":\"Down\",\"job\":\"node\"} [1,\"a\\u003c\",null,1e+21,\"firing\"]",
        ),
        (
            "{{ base64encode \"hello\" }} {{ base64decode \"aGVsbG8=\" }}",
            "aGVsbG8= hello",
        ),
        (
            "{{ append (list 1) 2 3 }} {{ dict \"a\" 1 \"b\" (list) }}",
            "[1 2 3] map[a:1 b:[]]",
        ),
        (
            "{{ safeUrl \"http://x\" }} {{ match \"D\" \"Down\" }}",
            "http://x true",
        ),
    ]);
}

#[test]
fn the_built_in_templates_say_what_alertmanager_s_say() {
    check(&[
        ("{{ template \"__alertmanager\" . }}", "Alertmanager"),
        (
            "{{ template \"slack.default.title\" . }}",
            "[FIRING:1] Down node (eu)",
        ),
        (
            "{{ template \"slack.default.titlelink\" . }}",
            "http://am.example/#/alerts?receiver=team%5C.x%5C%2By",
        ),
        (
            "{{ template \"slack.default.fallback\" . }}",
            "[FIRING:1] Down node (eu) | http://am.example/#/alerts?receiver=team%5C.x%5C%2By",
        ),
        (
            "{{ template \"slack.default.color\" . }}{{ template \"slack.default.text\" . }}",
            "danger",
        ),
        (
            "{{ template \"__text_alert_list\" .Alerts.Resolved }}",
            "Labels:\n - alertname = Down\n - cluster = eu\n - instance = b\n - job = node\n\
             Annotations:\n - summary = it is down\nSource: http://prom/graph?g0\n",
        ),
        (
            "{{ template \"__text_alert_list_markdown\" .Alerts.Resolved }}",
            "\nLabels:\n  - alertname = Down\n  - cluster = eu\n  - instance = b\n  - job = node\n\
             \nAnnotations:\n  - summary = it is down\n\nSource: http://prom/graph?g0\n\n",
        ),
    ]);
}

#[test]
fn built_in_templates_can_be_looked_up() {
    let templates = NotificationTemplates::default();
    for name in [
        "__subject",
        "__text_alert_list_markdown",
        "email.default.subject",
        "pagerduty.default.instances",
    ] {
        assert!(templates.contains(name), "{name}");
    }
}

#[test]
fn users_replace_and_add_templates() {
    let files = [
        (
            "a.tmpl",
            "{{ define \"__subject\" }}mine: {{ .Status }}{{ end }}{{ define \"slack.default.color\" }} {{ end }}",
        ),
        (
            "b.tmpl",
            "{{ define \"own\" }}{{ template \"__subject\" . }}!{{ end }}",
        ),
    ];
    let templates = NotificationTemplates::new(files).unwrap();
    assert_eq!(
        expand_with(&templates, "{{ template \"own\" . }}").unwrap(),
        "mine: firing!"
    );
    // An empty definition replaces nothing.
    assert_eq!(
        expand_with(&templates, "{{ template \"slack.default.color\" . }}").unwrap(),
        "danger"
    );
    let text = "{{ define \"__subject\" }}here{{ end }}{{ template \"slack.default.title\" . }}";
    assert_eq!(expand_with(&templates, text).unwrap(), "here");
}

#[test]
fn every_bad_file_is_named() {
    let files = [
        ("a.tmpl", "{{ nope }}"),
        ("b.tmpl", "ok"),
        ("c.tmpl", "\n{{ if }}"),
    ];
    let errors = NotificationTemplates::new(files).unwrap_err();
    let lines = errors
        .iter()
        .map(|(name, error)| format!("{name}:{error}\n"));
    expect![[r#"
        a.tmpl:1:4: function "nope" not defined
        c.tmpl:2:7: missing value for if
    "#]]
    .assert_eq(&lines.collect::<String>());
    let error = expand("{{ template \"nope\" . }}").unwrap_err();
    expect![[r#"1:4: at <template "nope">: template "nope" not defined"#]]
        .assert_eq(&error.to_string());
}

#[test]
fn values_nest_only_so_deep() {
    let error =
        expand("{{ $x := 1 }}{{ range 1000 }}{{ $x = list $x }}{{ end }}{{ $x }}").unwrap_err();
    expect!["1:38: at <list $x>: error calling list: values are nested deeper than 100"]
        .assert_eq(&error.to_string());
}

proptest! {
    #[test]
    fn no_layout_makes_it_panic(layout in "[-0-9JanMonPMpmZ_:., é]*", text in "[-0-9JanMonPMpmZ_:., é+]*") {
        _ = expand(&format!("{{{{ now | date `{layout}` }}}}"));
        _ = expand(&format!("{{{{ toDate `{layout}` `{text}` }}}}"));
    }
}

/// What Go's `html/template` makes of the same.
#[test]
fn in_html_a_value_is_escaped_as_its_place_asks() {
    let data = NotificationData::new(&notification(), "http://am.example");
    let expand = |text: &str| {
        let text = NotificationText::compile(text).unwrap();
        let templates = NotificationTemplates::default();
        templates.expand_html_with(&text, &data).unwrap()
    };
    for (text, expected) in [
        (
            r#"<b>{{ "<a & 'b' + \"c\">" }}</b>"#,
            "<b>&lt;a &amp; &#39;b&#39; &#43; &#34;c&#34;&gt;</b>",
        ),
        (r#"<i>{{ safeHtml "<u>1+1</u>" }}</i>"#, "<i><u>1+1</u></i>"),
        (
            r#"<a href="{{ "http://x/a b?c=d&e=\"f" }}">"#,
            r#"<a href="http://x/a%20b?c=d&amp;e=%22f">"#,
        ),
        (
            r#"<a href="{{ "javascript:alert(1)" }}">x</a>"#,
            r##"<a href="#ZgotmplZ">x</a>"##,
        ),
        (
            r#"<a href='/s?q={{ "a b&c/d" }}'>"#,
            "<a href='/s?q=a%20b%26c%2fd'>",
        ),
        (
            r#"<a href='/s?q={{ "a b\\+" | urlquery }}&r={{ urlquery "c'd" }}'>"#,
            "<a href='/s?q=a+b%5C%2B&r=c%27d'>",
        ),
        (
            r#"<p title="{{ "a\"b" }}" class=x>{{ "<" }}"#,
            r#"<p title="a&#34;b" class=x>&lt;"#,
        ),
        (
            r#"<a href="{{ .ExternalURL }}/x?{{ "y z" }}">{{ 1 }} &amp; {{ .Status }}</a>"#,
            r#"<a href="http://am.example/x?y%20z">1 &amp; firing</a>"#,
        ),
    ] {
        assert_eq!(expand(text), expected, "{text}");
    }
}

fn with_route_labels(pairs: &[(&'static str, &'static str)]) -> Notification {
    Notification {
        route_labels: Labels::from_pairs(pairs.iter().copied()),
        ..notification()
    }
}

#[test]
fn route_labels_are_templates_that_may_use_each_other() {
    let templates = NotificationTemplates::default();
    let notification = with_route_labels(&[
        (
            "channel",
            "#{{ routeLabels \"team\" }}-{{ .GroupLabels.job }}",
        ),
        ("plain", "{ as it is }"),
        (
            "team",
            "{{ .CommonLabels.cluster }}{{ .NotificationReason }}",
        ),
        ("none", "{{ routeLabels \"nothing\" }}"),
    ]);
    let (labels, errors) = templates.route_labels(&notification, "http://am.example");
    assert_eq!(errors, [""; 0]);
    assert_eq!(labels.get("channel"), Some("#euunknown-node"));
    assert_eq!(labels.get("plain"), Some("{ as it is }"));
    assert_eq!(labels.value("none"), "");

    // Once rendered they are taken as they are.
    let rendered = with_route_labels(&[("team", "{{ x")]);
    let text = "{{ routeLabels \"team\" }}|{{ .RouteLabels.team }}|{{ routeLabels \"y\" }}";
    let text = NotificationText::compile(text).unwrap();
    let expanded = templates.expand(&text, &rendered, "http://am.example");
    assert_eq!(expanded.unwrap(), "{{ x|{{ x|");
}

#[test]
fn a_route_label_that_fails_is_left_out_and_a_circle_is_no_loop() {
    let notification = with_route_labels(&[
        ("a", "{{ routeLabels \"b\" }}"),
        ("b", "{{ routeLabels \"a\" }}"),
        ("broken", "{{ nothing }}"),
        ("fine", "{{ .Status }}"),
    ]);
    let (labels, errors) = NotificationTemplates::default().route_labels(&notification, "");
    assert_eq!(labels, Labels::from_pairs([("fine", "firing")]));
    assert_eq!(errors.len(), 3);
    let circle = "route label cycle detected: a -> b -> a";
    assert!(errors[0].contains(circle), "{errors:?}");
}
