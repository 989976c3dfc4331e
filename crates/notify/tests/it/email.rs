//! `email_configs`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use expect_test::{Expect, expect};
use firebell_model::{Notification, ReceiverData, Secret};
use firebell_notify::{
    Context, EmailConfig, EmailThreads, Integration, SmtpAct, SmtpDialogue, SmtpEncryption,
    SmtpMail, SmtpReply, SmtpServer, Step, Tls,
};
use firebell_template::NotificationTemplates;

use crate::harness::{begin, both, context, plain, said, text};

fn server() -> SmtpServer {
    SmtpServer {
        host: "mail.example".to_owned(),
        port: 587,
        encryption: SmtpEncryption::StartTls,
        tls: Tls::default(),
        hello: "localhost".to_owned(),
        username: "user".to_owned(),
        identity: String::new(),
        password: Secret::new("p4ss"),
        secret: Secret::default(),
    }
}

fn email() -> EmailConfig {
    EmailConfig {
        from: text("Alerts <alerts@example.org>"),
        to: text("ops@example.org, \"On Call\" <oncall@example.org>"),
        html: text("<b>{{ .CommonAnnotations.summary }}</b>"),
        text: text(".{{ range .Alerts }}{{ .Labels.instance }}\n{{ end }}é="),
        ..EmailConfig::new(server())
    }
}

fn mail(config: EmailConfig, notification: &Notification) -> Result<SmtpMail, String> {
    match begin(&plain(config), notification, &[])? {
        Step::Smtp(mail, _) => Ok(mail),
        step => panic!("{step:?}"),
    }
}

/// As another `email_configs` of the receiver than the first.
fn mail_of(config: EmailConfig, notification: &Notification, idx: usize) -> Option<SmtpMail> {
    let templates = NotificationTemplates::default();
    let context = Context {
        idx,
        ..context(&templates)
    };
    let step = plain(config).begin(notification, &ReceiverData::new(), &context);
    match step.ok()? {
        Step::Smtp(mail, _) => Some(mail),
        _ => None,
    }
}

#[test]
fn a_mail_has_its_headers_and_every_form_of_its_body() {
    let mail = mail(email(), &both()).unwrap();
    assert_eq!(mail.from, "alerts@example.org");
    assert_eq!(mail.to, ["ops@example.org", "oncall@example.org"]);
    let without_cr = mail.message.replace("\r\n", "\n");
    assert!(!without_cr.contains('\r'));
    expect![[r#"
        From: Alerts <alerts@example.org>
        Subject: [FIRING:1] Down (node)
        To: ops@example.org, "On Call" <oncall@example.org>
        Message-Id: <1767326400000.b9b995c9e4ab5d7b@host.example>
        Date: Fri, 02 Jan 2026 04:00:00 +0000
        Content-Type: multipart/alternative;  boundary=3dcd2b8bf925914671210d38192494a42546af2c5b8f24439e4cc7c2d9bc
        MIME-Version: 1.0

        --3dcd2b8bf925914671210d38192494a42546af2c5b8f24439e4cc7c2d9bc
        Content-Transfer-Encoding: quoted-printable
        Content-Type: text/plain; charset=UTF-8

        .a
        b
        =C3=A9=3D
        --3dcd2b8bf925914671210d38192494a42546af2c5b8f24439e4cc7c2d9bc
        Content-Transfer-Encoding: quoted-printable
        Content-Type: text/html; charset=UTF-8

        <b>&lt;it&gt; &amp; &#34;more&#34;</b>
        --3dcd2b8bf925914671210d38192494a42546af2c5b8f24439e4cc7c2d9bc--
    "#]].assert_eq(&without_cr);
}

#[test]
fn headers_of_people_win_and_nothing_in_them_begins_another() {
    let headers = [
        ("Subject", "{{ .CommonAnnotations.summary }}\r\nBcc: x@y"),
        ("To", "the team"),
        ("Message-Id", "<own@example.org>"),
        ("Content-Language", "de"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), text(value)));
    let config = EmailConfig {
        headers: BTreeMap::from(headers),
        html: text(""),
        text: text(""),
        threads: Some(EmailThreads::Day),
        ..email()
    };
    let mail = mail(config, &both()).unwrap();
    expect![[r#"
        Content-Language: de
        From: Alerts <alerts@example.org>
        Message-Id: <own@example.org>
        Subject: =?utf-8?q?<it>_&_"more"=0D=0ABcc:_x@y?=
        To: the team
        References: <alert-af94c9e8f6a30436-2026-01-02@alertmanager>
        In-Reply-To: <alert-af94c9e8f6a30436-2026-01-02@alertmanager>
        Date: Fri, 02 Jan 2026 04:00:00 +0000
        Content-Type: multipart/alternative;  boundary=ad69c4fe239963d0e2c0b50a130e416e43075550aefe45097cd714979f0a
        MIME-Version: 1.0


        --ad69c4fe239963d0e2c0b50a130e416e43075550aefe45097cd714979f0a--
    "#]].assert_eq(&mail.message.replace("\r\n", "\n"));
    assert_eq!(mail.to.len(), 2);
}

#[test]
fn what_is_no_address_is_refused() {
    let refused = |from: &str, to: &str| {
        let config = EmailConfig {
            from: text(from),
            to: text(to),
            ..email()
        };
        mail(config, &both()).unwrap_err()
    };
    let mut shown = String::new();
    for (from, to) in [
        ("a@b, c@d", "e@f"),
        ("a", "e@f"),
        ("a@b", "{{ .CommonLabels.nobody }}"),
        ("a@b", "e@f>\r\nRCPT TO:<g@h"),
        ("a@b", "{{ template \"none\" . }}"),
    ] {
        writeln!(shown, "{}", refused(from, to)).unwrap();
    }
    expect![[r#"
        the email notification cannot be sent: must be exactly one 'from' address (got: 2)
        the email notification cannot be sent: parse 'from' addresses: an address lacks its `@`
        the email notification cannot be sent: parse 'to' addresses: no address
        the email notification cannot be sent: parse 'to' addresses: expected a comma after an address
        failed to render `to` of the email notification: 1:4: at <template "none">: template "none" not defined
    "#]].assert_eq(&shown);
}

#[test]
fn the_same_notification_is_the_same_mail_and_other_people_get_another() {
    let one = mail(email(), &both()).unwrap();
    assert_eq!(one, mail(email(), &both()).unwrap());
    let to = text("boss@example.org");
    let other = mail(EmailConfig { to, ..email() }, &both()).unwrap();
    let id = |mail: &SmtpMail| {
        let mut lines = mail.message.lines();
        lines
            .find(|line| line.starts_with("Message-Id"))
            .unwrap()
            .to_owned()
    };
    assert_ne!(id(&one), id(&other));
    // Two `email_configs` that are alike send two mails.
    let second = mail_of(email(), &both(), 1).unwrap();
    assert_ne!(id(&one), id(&second));
}

#[test]
fn a_line_that_begins_with_a_dot_keeps_it() {
    let mail = SmtpMail {
        server: server(),
        from: String::new(),
        to: Vec::new(),
        message: ".a\r\n\r\n..\r\nb".to_owned(),
        texts: Vec::new(),
    };
    assert_eq!(mail.data(), "..a\r\n\r\n...\r\nb\r\n.\r\n");
}

/// The default mail says what fires and what has resolved.
#[test]
fn the_default_body_is_a_page_of_its_alerts() {
    let html = EmailConfig::new(server()).html;
    let config = EmailConfig {
        html,
        text: text(""),
        ..email()
    };
    let mail = mail(config, &both()).unwrap();
    let body = mail.message.split_once("charset=UTF-8").unwrap().1;
    expect![[r#"


        <!DOCTYPE html>
        <html>
        <head>
        <meta charset=3D"UTF-8">
        <meta name=3D"viewport" content=3D"width=3Ddevice-width">
        <title>[FIRING:1] Down (node)</title>
        </head>
        <body style=3D"margin:0;background:#f2f2f2;font:14px/1.5 Helvetica,Arial,sans-serif">
        <table width=3D"100%" cellpadding=3D"0" cellspacing=3D"0" style=3D"max-width:640px;margin:24px auto;background:#fff;border:1px solid #e4e4e4">
        <tr><td style=3D"padding:16px 24px;background:#c62828;color:#fff"><b>2 alerts for  alertname=3DDown </b></td></tr>
        <tr><td style=3D"padding:16px 24px"><a href=3D"http://firebell.example/#/alerts?receiver=3Dteam%5C.x%5C%2By">View in Alertmanager</a></td></tr>
        <tr><td style=3D"padding:12px 24px"><b>[1] Firing</b></td></tr>
        <tr><td style=3D"padding:12px 24px;border-top:1px solid #e4e4e4"><b>Labels</b><br>alertname =3D Down<br>instance =3D a<br>job =3D node<br><b>Annotations</b><br>summary =3D &lt;it&gt; &amp; &#34;more&#34;<br><a href=3D"http://prom/graph?g0.expr=3Dup&amp;g0.tab=3D1">Source</a></td></tr>
        <tr><td style=3D"padding:12px 24px"><b>[1] Resolved</b></td></tr>
        <tr><td style=3D"padding:12px 24px;border-top:1px solid #e4e4e4"><b>Labels</b><br>alertname =3D Down<br>instance =3D b<br>job =3D node<br><b>Annotations</b><br>summary =3D &lt;it&gt; &amp; &#34;more&#34;<br><a href=3D"http://prom/graph?g0.expr=3Dup&amp;g0.tab=3D1">Source</a></td></tr>
        </table>
        <p style=3D"text-align:center"><a href=3D"http://firebell.example" style=3D"color:#777">Sent by Alertmanager</a></p>
        </body>
        </html>
        --d0b1bc9cc392f4e3791f07a26fe247a53642dcfd5b58cc52c574407b2629--
    "#]].assert_eq(&body.replace("=\r\n", "").replace("\r\n", "\n"));
}

/// What we say while a server says so, and how it ends. `!` is a connection that is encrypted.
fn dialogue(change: impl FnOnce(&mut SmtpServer), replies: &str) -> String {
    let mut server = server();
    change(&mut server);
    let config = EmailConfig { server, ..email() };
    let mail = mail(config, &both()).unwrap();
    let mut dialogue = SmtpDialogue::new(&mail);
    let (mut shown, mut reply) = (String::new(), SmtpReply::default());
    for line in replies.lines().map(str::trim) {
        writeln!(shown, "< {line}").unwrap();
        match reply.take(line) {
            Ok(false) => continue,
            Ok(true) => {}
            Err(why) => return format!("{shown}=> {why}\n"),
        }
        let mut act = dialogue.handle_reply(&std::mem::take(&mut reply));
        if act == Ok(SmtpAct::Encrypt) {
            shown.push_str("> !\n");
            act = Ok(dialogue.encrypted());
        }
        match act {
            Ok(SmtpAct::Say(line)) => writeln!(shown, "> {}", line.reveal()).unwrap(),
            Ok(SmtpAct::SendMessage) => shown.push_str("> (the message)\n"),
            Ok(act) => return format!("{shown}=> {act:?}\n"),
            Err(why) => return format!("{shown}=> {why}\n"),
        }
    }
    shown
}

#[test]
fn a_mail_goes_out_encrypted_and_by_the_first_way_to_log_in() {
    let said = dialogue(
        |_| {},
        "220-mail.example
         220 ready
         250-mail.example
         250-STARTTLS
         250 AUTH GSSAPI
         220 go ahead
         250-mail.example
         250-8BITMIME
         250-SMTPUTF8
         250 AUTH CRAM-MD5 LOGIN PLAIN
         334 VXNlcm5hbWU6
         334 UGFzc3dvcmQ6
         235 hello
         250 ok
         250 ok
         251 ok
         354 go on
         250 queued",
    );
    expect![[r#"
        < 220-mail.example
        < 220 ready
        > EHLO localhost
        < 250-mail.example
        < 250-STARTTLS
        < 250 AUTH GSSAPI
        > STARTTLS
        < 220 go ahead
        > !
        > EHLO localhost
        < 250-mail.example
        < 250-8BITMIME
        < 250-SMTPUTF8
        < 250 AUTH CRAM-MD5 LOGIN PLAIN
        > AUTH LOGIN
        < 334 VXNlcm5hbWU6
        > dXNlcg==
        < 334 UGFzc3dvcmQ6
        > cDRzcw==
        < 235 hello
        > MAIL FROM:<alerts@example.org> BODY=8BITMIME SMTPUTF8
        < 250 ok
        > RCPT TO:<ops@example.org>
        < 250 ok
        > RCPT TO:<oncall@example.org>
        < 251 ok
        > DATA
        < 354 go on
        > (the message)
        < 250 queued
        => Done
    "#]]
    .assert_eq(&said);
}

#[test]
fn every_way_to_log_in_is_known_and_bad_ones_are_named() {
    let auth = |offered: &str, replies: &str, change: &dyn Fn(&mut SmtpServer)| {
        let plain = |server: &mut SmtpServer| {
            server.encryption = SmtpEncryption::Never;
            change(server);
        };
        let said = dialogue(
            plain,
            &format!("220 a\n250-a\n250 AUTH {offered}\n{replies}"),
        );
        said.lines()
            .skip(4)
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let with_secret = |server: &mut SmtpServer| server.secret = Secret::new("tanstaaftanstaaf");
    let mut shown = String::new();
    for said in [
        // Source: RFC 2195, section 2.
        auth(
            "LOGIN CRAM-MD5",
            "334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\n235 ok",
            &|server| {
                with_secret(server);
                server.password = Secret::default();
                server.username = "tim".to_owned();
            },
        ),
        auth("CRAM-MD5", "334 ???", &with_secret),
        auth("PLAIN", "235 ok", &|server| {
            server.host = "127.0.0.1".to_owned();
            server.identity = "boss".to_owned();
        }),
        auth("PLAIN", "", &|_| {}),
        auth("LOGIN", "334 V2hvPw==", &|_| {}),
        auth("LOGIN", "535 wrong: p4ss", &|_| {}),
        auth("CRAM-MD5 XOAUTH2", "", &|_| {}),
        auth("CRAM-MD5", "", &|server| server.username = String::new()),
    ] {
        shown.push_str(&said);
        shown.push('\n');
    }
    expect![[r#"
        > AUTH CRAM-MD5
        < 334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+
        > dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw
        < 235 ok
        > MAIL FROM:<alerts@example.org>

        > AUTH CRAM-MD5
        < 334 ???
        => CramMd5 auth: unexpected server challenge

        > AUTH PLAIN Ym9zcwB1c2VyAHA0c3M=
        < 235 ok
        > MAIL FROM:<alerts@example.org>

        => PLAIN auth: unencrypted connection

        > AUTH LOGIN
        < 334 V2hvPw==
        => Login auth: unexpected server challenge

        > AUTH LOGIN
        < 535 wrong: p4ss
        => Login auth: 535 wrong: p4ss

        => find auth mechanism: missing secret for CRAM-MD5 auth mechanism; unknown auth mechanism: XOAUTH2

        > MAIL FROM:<alerts@example.org>

    "#]]
    .assert_eq(&shown);
}

#[test]
fn a_server_that_refuses_or_talks_nonsense_is_quoted() {
    let mut shown = String::new();
    let never = |server: &mut SmtpServer| {
        server.encryption = SmtpEncryption::Never;
        server.username = String::new();
    };
    let up_to_mail = "220 a\n502 what\n250 a\n";
    for replies in [
        "HTTP/1.1 400 Bad Request",
        "554 go away",
        "220 a\n502 what\n500 what",
        &format!("{up_to_mail}550 5.7.1 who are you"),
        &format!("{up_to_mail}250 ok\n250 ok\n450 4.2.0 mailbox busy"),
        &format!("{up_to_mail}250 ok\n250 ok\n250 ok\n451 later"),
        &format!("{up_to_mail}250 ok\n250 ok\n250 ok\n354 go\n554 5.6.0 spam"),
        &format!("220-{}", "x\n220-".repeat(200)),
    ] {
        let said = dialogue(never, replies);
        shown.push_str(said.lines().last().unwrap());
        shown.push('\n');
    }
    shown += dialogue(|_| {}, "220 a\n250 a").lines().last().unwrap();
    shown += "\n";
    shown += dialogue(|_| {}, "220 a\n250-a\n250 STARTTLS\n454 no")
        .lines()
        .last()
        .unwrap();
    check_lines(
        &shown,
        &expect![[r#"
        => this is no reply of SMTP: `HTTP/1.1 400 Bad Request`
        => create SMTP client: 554 go away
        => send EHLO command: 500 what
        => send MAIL command: 550 5.7.1 who are you
        => send RCPT command: 450 4.2.0 mailbox busy
        => send DATA command: 451 later
        => delivery failure: 554 5.6.0 spam
        => a reply has more than 128 lines
        => 'require_tls' is true (default) but "mail.example:587" does not advertise the STARTTLS extension
        => send STARTTLS command: 454 no
    "#]],
    );
}

fn check_lines(shown: &str, expected: &Expect) {
    expected.assert_eq(&format!("{shown}\n"));
}

#[test]
fn what_a_server_echoes_of_a_password_is_not_shown() {
    let integration: Integration = plain(email());
    let Step::Smtp(_, then) = begin(&integration, &both(), &[]).unwrap() else {
        panic!("no mail");
    };
    let step = then(Err("PLAIN auth: 535 no AHVzZXIAcDRzcw== or p4ss".to_owned()));
    expect![[r#"Done(Retry { why: "PLAIN auth: 535 no <secret> or <secret>", after: None })"#]]
        .assert_eq(&format!("{step:?}"));
}

/// As people read it, for tests of templates: nothing is encoded.
#[test]
fn a_mail_says_its_headers_and_its_forms() {
    let mut config = email();
    config.headers = BTreeMap::from([("Subject".to_owned(), text("é {{ .Status }}"))]);
    let places = ["From", "To", "Subject", "text", "html"];
    expect![[r#"
        From: "Alerts <alerts@example.org>"
        Subject: "é firing"
        To: "ops@example.org, \"On Call\" <oncall@example.org>"
        text: ".a\nb\né="
        html: "<b>&lt;it&gt; &amp; &#34;more&#34;</b>"
    "#]]
    .assert_eq(&said(&plain(config), &both(), &places));
}
