//! Firebell's own messages: what a person reads who has just been woken.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use firebell_model::{Alert, Labels, Notification, NotificationReason, Timestamp};
use firebell_template::{Messages, NotificationData, NotificationTemplates, NotificationText};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn alert(labels: &[(&'static str, &str)], annotations: &[(&'static str, &str)]) -> Alert {
    Alert {
        labels: Labels::from_pairs(labels.iter().copied()),
        annotations: Labels::from_pairs(annotations.iter().copied()),
        starts_at: at("2026-01-02T03:04:05.678Z"),
        ends_at: None,
        generator_url: "http://fire.example/graph?g0.expr=x+%3E+0.05".to_owned(),
        updated_at: at("2026-01-02T03:04:05Z"),
        is_timeout: false,
    }
}

fn checkout(region: &str) -> Alert {
    let labels = [
        ("alertname", "CheckoutFailing"),
        ("owner", "payments"),
        ("region", region),
        ("service", "checkout"),
        ("severity", "critical"),
    ];
    let annotations = [
        ("summary", "Customers cannot pay"),
        ("impact", "Each minute costs about 40 orders."),
        ("runbook_url", "https://wiki.example/checkout"),
    ];
    alert(&labels, &annotations)
}

fn notification(alerts: Vec<Alert>) -> Notification {
    Notification {
        at: at("2026-01-02T03:10:00Z"),
        receiver: "payments".to_owned(),
        group_key: "{}:{}".to_owned(),
        group_labels: Labels::from_pairs([("alertname", "CheckoutFailing")]),
        route_labels: Labels::empty(),
        reason: NotificationReason::First,
        alerts,
        measured: BTreeMap::new(),
    }
}

fn measured(mut notification: Notification, text: &str) -> Notification {
    let alerts = notification.alerts.iter();
    let values = alerts.map(|alert| (alert.labels.fingerprint(), text.to_owned()));
    notification.measured = values.collect();
    notification
}

fn resolved(alert: Alert) -> Alert {
    let ends_at = Some(at("2026-01-02T03:09:00Z"));
    Alert { ends_at, ..alert }
}

fn render(name: &str, notification: &Notification) -> String {
    let templates = NotificationTemplates::default();
    let text = NotificationText::calling(name);
    let data = NotificationData::new(notification, "http://fire.example");
    let rendered = match name.ends_with("html") {
        true => templates.expand_html_with(&text, &data),
        false => templates.expand_with(&text, &data),
    };
    rendered.unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn check(notification: &Notification, expected: &Expect) {
    let title = render("firebell.title", notification);
    let text = render("firebell.text", notification);
    expected.assert_eq(&format!("{title}\n----\n{text}\n"));
}

#[test]
fn one_alert_is_told_in_the_order_of_the_questions() {
    let one = measured(notification(vec![checkout("eu")]), "0.2 > 0.05");
    check(
        &one,
        &expect![[r#"
            [FIRING] CheckoutFailing (critical): Customers cannot pay
            ----
            Each minute costs about 40 orders.
            Where: region=eu, service=checkout
            Since: 2026-01-02 03:04 UTC, 5m ago
            Value: 0.2 > 0.05
            Owner: payments
            Runbook: https://wiki.example/checkout
            Graph: http://fire.example/graph?g0.expr=x+%3E+0.05
            Alert: http://fire.example/#/alerts/e32de50f952e4f11
            Silence: http://fire.example/#/silences/new?filter=%7Balertname%3D%22CheckoutFailing%22%2C+owner%3D%22payments%22%2C+region%3D%22eu%22%2C+service%3D%22checkout%22%2C+severity%3D%22critical%22%7D
        "#]],
    );
    let ended = notification(vec![resolved(checkout("eu"))]);
    check(
        &ended,
        &expect![[r#"
        [RESOLVED] CheckoutFailing (critical): Customers cannot pay
        ----
        Each minute costs about 40 orders.
        Where: region=eu, service=checkout
        Since: 2026-01-02 03:04 UTC, for 4m
        Owner: payments
        Runbook: https://wiki.example/checkout
        Graph: http://fire.example/graph?g0.expr=x+%3E+0.05
        Alert: http://fire.example/#/alerts/e32de50f952e4f11
    "#]],
    );
}

#[test]
fn what_a_python_app_says_of_the_request_is_told_and_odd_annotations_say_nothing() {
    let labels = [("alertname", "Exception"), ("service", "shop")];
    let crumb = r#"{"timestamp":"2026-01-02T03:03:59.1Z","category":"bank","message":"asked"}"#;
    let crumbs = format!("[{crumb}, 7, {crumb}]");
    let said = [
        ("summary", "BankError in pay"),
        ("method", "POST"),
        ("path", "/orders/77/pay"),
        ("route", "/orders/{order}/pay"),
        ("trace_id", "0af7651916cd43dd8448eb211c80319c"),
        ("user", r#"{"id":7,"plan":"gold"}"#),
        ("deploy", r#"{"version":"v42","age_s":360}"#),
        ("breadcrumbs", &crumbs),
    ];
    check(
        &notification(vec![resolved(alert(&labels, &said))]),
        &expect![[r#"
            [RESOLVED] Exception: BankError in pay
            ----
            Where: service=shop
            Since: 2026-01-02 03:04 UTC, for 4m
            Request: POST /orders/{order}/pay
            User: 7, plan=gold
            Deploy: v42, 6m before
            Trace: 0af7651916cd43dd8448eb211c80319c

            Breadcrumbs
            at        from  what
            03:03:59  bank  asked
            03:03:59  bank  asked

            Graph: http://fire.example/graph?g0.expr=x+%3E+0.05
            Alert: http://fire.example/#/alerts/7461b40e8fe0d40e
        "#]],
    );
    let odd = [
        ("user", "ada"),
        ("deploy", r#"{"age_s":9223372036854775807}"#),
        ("breadcrumbs", r#"[{"message":"cut o"#),
    ];
    check(
        &notification(vec![resolved(alert(&labels, &odd))]),
        &expect![[r#"
            [RESOLVED] Exception: shop
            ----
            Where: service=shop
            Since: 2026-01-02 03:04 UTC, for 4m
            Graph: http://fire.example/graph?g0.expr=x+%3E+0.05
            Alert: http://fire.example/#/alerts/7461b40e8fe0d40e
        "#]],
    );
}

#[test]
fn the_deploy_before_several_alerts_is_told_once() {
    let check = |deploys: &[&str], expected: &str| {
        let alerts = deploys.iter().enumerate().map(|(n, deploy)| {
            let labels = [("alertname", "Exception"), ("where", &*n.to_string())];
            alert(&labels, &[("deploy", deploy)])
        });
        let text = render("firebell.text", &notification(alerts.collect()));
        let line = text.lines().find(|it| it.starts_with("Deploy"));
        assert_eq!(line.unwrap_or_default(), expected);
    };
    let old = r#"{"version":"v42","age_s":7200}"#;
    let new = r#"{"version":"v42","age_s":360}"#;
    let other = r#"{"version":"v41","age_s":60}"#;
    check(&[old], "Deploy: v42, 2h before");
    check(&[old, new], "Deploy: v42, 6m before the first");
    check(&["", new], "Deploy: v42, 6m before the first");
    check(&[old, other, new], "Deploy: v42, v41");
    check(&["", "by hand"], "");
}

#[test]
fn several_alerts_stand_in_a_table_of_what_tells_them_apart() {
    let alerts = vec![checkout("eu"), checkout("us"), resolved(checkout("asia"))];
    check(
        &measured(notification(alerts.clone()), "0.2 > 0.05"),
        &expect![[r#"
            [FIRING:2] CheckoutFailing (critical): Customers cannot pay
            ----
            Each minute costs about 40 orders.
            Where: service=checkout
            Owner: payments

            Firing: 2
            region  since  value
            eu      03:04  0.2 > 0.05
            us      03:04  0.2 > 0.05

            Resolved: 1
            region  since  value
            asia    03:04  0.2 > 0.05

            Runbook: https://wiki.example/checkout
            Graph: http://fire.example/graph?g0.expr=x+%3E+0.05
            Alert: http://fire.example/#/alerts?receiver=payments
            Silence: http://fire.example/#/silences/new?filter=%7Balertname%3D%22CheckoutFailing%22%2C+owner%3D%22payments%22%2C+service%3D%22checkout%22%2C+severity%3D%22critical%22%7D
        "#]],
    );
    check(
        &notification(alerts),
        &expect![[r#"
            [FIRING:2] CheckoutFailing (critical): Customers cannot pay
            ----
            Each minute costs about 40 orders.
            Where: service=checkout
            Owner: payments

            Firing: 2
            region  since
            eu      03:04
            us      03:04

            Resolved: 1
            region  since
            asia    03:04

            Runbook: https://wiki.example/checkout
            Graph: http://fire.example/graph?g0.expr=x+%3E+0.05
            Alert: http://fire.example/#/alerts?receiver=payments
            Silence: http://fire.example/#/silences/new?filter=%7Balertname%3D%22CheckoutFailing%22%2C+owner%3D%22payments%22%2C+service%3D%22checkout%22%2C+severity%3D%22critical%22%7D
        "#]],
    );
}

#[test]
fn of_several_alerts_the_first_say_in_which_request_they_arose() {
    let raised = |exception: &str, path: &str, trace: &str| {
        let labels = [("alertname", "Exception"), ("exception", exception)];
        let said = [("method", "GET"), ("path", path), ("trace_id", trace)];
        alert(&labels, &said)
    };
    let mut alerts = vec![
        raised("BankError", "/pay/77", "0af7651916cd43dd8448eb211c80319c"),
        raised("KeyError", "/cart/7", "1af7651916cd43dd8448eb211c80319c"),
        raised("OSError", "", ""),
        raised("TypeError", &"/long".repeat(100), ""),
    ];
    alerts.extend((0..4).map(|n| raised(&format!("V{n}"), &format!("/{n}"), "")));
    check(
        &notification(alerts),
        &expect![[r#"
        [FIRING:8] Exception
        ----
        Firing: 8
        exception  since
        BankError  03:04
        KeyError   03:04
        OSError    03:04
        TypeError  03:04
        V0         03:04
        V1         03:04
        V2         03:04
        V3         03:04

        Requests
        exception  request                                   trace
        BankError  GET /pay/77                               0af7651916cd43dd8448eb211c80319c
        KeyError   GET /cart/7                               1af7651916cd43dd8448eb211c80319c
        TypeError  GET /long/long/long/long/long/long/long…
        and 4 more

        Graph: http://fire.example/graph?g0.expr=x+%3E+0.05
        Alert: http://fire.example/#/alerts?receiver=payments
        Silence: http://fire.example/#/silences/new?filter=%7Balertname%3D%22Exception%22%7D
    "#]],
    );
    // What they share stands above, once.
    let shared = ["BankError", "KeyError"].map(|it| raised(it, "/pay/77", "0af7"));
    check(
        &notification(shared.to_vec()),
        &expect![[r#"
        [FIRING:2] Exception
        ----
        Request: GET /pay/77
        Trace: 0af7

        Firing: 2
        exception  since
        BankError  03:04
        KeyError   03:04

        Graph: http://fire.example/graph?g0.expr=x+%3E+0.05
        Alert: http://fire.example/#/alerts?receiver=payments
        Silence: http://fire.example/#/silences/new?filter=%7Balertname%3D%22Exception%22%7D
    "#]],
    );
}

#[test]
fn a_hundred_alerts_are_no_wall() {
    let regions: Vec<String> = (0..100).map(|n| format!("region-{n:03}")).collect();
    let alerts = regions.iter().map(|region| checkout(region)).collect();
    check(
        &notification(alerts),
        &expect![[r#"
            [FIRING:100] CheckoutFailing (critical): Customers cannot pay
            ----
            Each minute costs about 40 orders.
            Where: service=checkout
            Owner: payments

            Firing: 100
            region      since
            region-000  03:04
            region-001  03:04
            region-002  03:04
            region-003  03:04
            region-004  03:04
            region-005  03:04
            region-006  03:04
            region-007  03:04
            region-008  03:04
            region-009  03:04
            region-010  03:04
            region-011  03:04
            and 88 more

            Runbook: https://wiki.example/checkout
            Graph: http://fire.example/graph?g0.expr=x+%3E+0.05
            Alert: http://fire.example/#/alerts?receiver=payments
            Silence: http://fire.example/#/silences/new?filter=%7Balertname%3D%22CheckoutFailing%22%2C+owner%3D%22payments%22%2C+service%3D%22checkout%22%2C+severity%3D%22critical%22%7D
        "#]],
    );
}

#[test]
fn a_bare_alert_is_told_as_well() {
    let bare = alert(&[("alertname", "Down"), ("instance", "a:9090")], &[]);
    check(
        &notification(vec![bare.clone()]),
        &expect![[r#"
            [FIRING] Down: a:9090
            ----
            Where: instance=a:9090
            Since: 2026-01-02 03:04 UTC, 5m ago
            Graph: http://fire.example/graph?g0.expr=x+%3E+0.05
            Alert: http://fire.example/#/alerts/1c673340ace38674
            Silence: http://fire.example/#/silences/new?filter=%7Balertname%3D%22Down%22%2C+instance%3D%22a%3A9090%22%7D
        "#]],
    );
    let other = alert(&[("alertname", "Slow")], &[]);
    check(
        &notification(vec![bare, other]),
        &expect![[r#"
        [FIRING:2] CheckoutFailing
        ----
        Firing: 2
        alertname  instance  since
        Down       a:9090    03:04
        Slow                 03:04

        Graph: http://fire.example/graph?g0.expr=x+%3E+0.05
        Alert: http://fire.example/#/alerts?receiver=payments
    "#]],
    );
}

#[test]
fn what_people_wrote_cannot_break_the_form() {
    let labels = [("alertname", "<b>"), ("path", "/a|b\n`c`")];
    let annotations = [
        ("summary", "a < b & \"c\""),
        ("description", "<script>x</script>"),
    ];
    let hostile = notification(vec![
        alert(&labels, &annotations),
        alert(
            &[("alertname", "<b>"), ("path", &"x".repeat(100))],
            &annotations,
        ),
    ]);
    let forms = ["firebell.slack", "firebell.markdown", "firebell.html"];
    let texts = forms.map(|form| format!("{form}\n{}\n", render(form, &hostile)));
    expect![[r#"
        firebell.slack
        &lt;script&gt;x&lt;/script&gt;
        *Firing: 2*
        ```
        path                                      since
        /a|b `c`                                  03:04
        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…  03:04
        ```
        <http://fire.example/graph?g0.expr=x+%3E+0.05|Graph> | <http://fire.example/#/alerts?receiver=payments|Alert> | <http://fire.example/#/silences/new?filter=%7Balertname%3D%22%3Cb%3E%22%7D|Silence>

        firebell.markdown
        \<script\>x\</script\>

        **Firing: 2**
        ```
        path                                      since
        /a|b `c`                                  03:04
        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…  03:04
        ```
        [Graph](http://fire.example/graph?g0.expr=x+%3E+0.05) | [Alert](http://fire.example/#/alerts?receiver=payments) | [Silence](http://fire.example/#/silences/new?filter=%7Balertname%3D%22%3Cb%3E%22%7D)

        firebell.html
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="UTF-8">
        <meta name="viewport" content="width=device-width">
        <meta name="color-scheme" content="light dark">
        <title>[FIRING:2] &lt;b&gt;: a &lt; b &amp; &#34;c&#34;</title>
        </head>
        <body style="margin:0;padding:16px;background:#f4f4f2;font:14px/1.5 Helvetica,Arial,sans-serif;color:#222">
        <div style="max-width:640px;margin:0 auto;background:#fff;border:1px solid #ddd;border-left:6px solid #c62828;padding:16px 24px">
        <p style="margin:0 0 8px;font-size:17px"><b>[FIRING:2] &lt;b&gt;: a &lt; b &amp; &#34;c&#34;</b></p>
        <p style="margin:0 0 8px">&lt;script&gt;x&lt;/script&gt;</p>
        <table cellpadding="0" cellspacing="0">
        </table>
        <p style="margin:16px 0 4px"><b>Firing: 2</b></p>
        <table cellpadding="0" cellspacing="0" style="border-collapse:collapse;font-size:13px">
        <tr><th align="left" style="padding:4px 16px 4px 0;border-bottom:1px solid #ddd;color:#666">path</th><th align="left" style="padding:4px 16px 4px 0;border-bottom:1px solid #ddd;color:#666">since</th></tr>
        <tr><td style="padding:4px 16px 4px 0;border-bottom:1px solid #eee">/a|b
        `c`</td><td style="padding:4px 16px 4px 0;border-bottom:1px solid #eee">03:04</td></tr>
        <tr><td style="padding:4px 16px 4px 0;border-bottom:1px solid #eee">xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx</td><td style="padding:4px 16px 4px 0;border-bottom:1px solid #eee">03:04</td></tr>
        </table>
        <p style="margin:16px 0 0"><a href="http://fire.example/graph?g0.expr=x&#43;%3E&#43;0.05">Graph</a> &middot; <a href="http://fire.example/#/alerts?receiver=payments">Alert</a> &middot; <a href="http://fire.example/#/silences/new?filter=%7Balertname%3D%22%3Cb%3E%22%7D">Silence</a></p>
        </div>
        </body>
        </html>
    "#]].assert_eq(&texts.join("\n"));
}

#[test]
fn names_of_upstream_lead_to_these_messages_when_they_are_chosen() {
    let told = notification(vec![checkout("eu")]);
    let with = |messages, text: &str, files: &[(&str, &str)]| {
        let templates = NotificationTemplates::with(messages, files.iter().copied()).unwrap();
        let text = NotificationText::compile(text).unwrap();
        templates
            .expand(&text, &told, "http://fire.example")
            .unwrap()
    };
    let subject = "{{ template \"slack.default.title\" . }}";
    let upstream = with(Messages::Upstream, subject, &[]);
    assert_eq!(
        upstream,
        "[FIRING:1] CheckoutFailing (payments eu checkout critical)"
    );
    let own = with(Messages::Firebell, subject, &[]);
    assert_eq!(
        own,
        "[FIRING] CheckoutFailing (critical): Customers cannot pay"
    );
    for kind in [
        "slack.default.text",
        "discord.default.message",
        "email.default.html",
    ] {
        let text = format!("{{{{ template \"{kind}\" . }}}}");
        assert!(
            with(Messages::Firebell, &text, &[]).contains("Each minute costs"),
            "{kind}"
        );
    }
    // What people define themselves wins.
    let theirs = [(
        "t.tmpl",
        "{{ define \"slack.default.title\" }}mine{{ end }}",
    )];
    assert_eq!(with(Messages::Firebell, subject, &theirs), "mine");
}
