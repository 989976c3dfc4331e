//! `email_configs`, over what `global` says in fields that begin with `smtp_`.

use std::collections::BTreeMap;

use firebell_notify::{EmailConfig, EmailThreads, SmtpEncryption, SmtpServer};
use firebell_template::NotificationText;

use super::options::Options;
use crate::http::{is_header_name, tls_config};

pub(super) fn read(options: &Options<'_, '_>) -> Option<EmailConfig> {
    options.has_no_http();
    let server = server(options);
    let is_complete = server.is_some();
    let mut config = EmailConfig::new(server.unwrap_or_else(nowhere));
    options.set_needed("to", &mut config.to);
    match options.own_or_global_plain("from", "smtp_from") {
        from if from.is_empty() => options.in_neither("from", "smtp_from"),
        from => options.set_to("from", &from, &mut config.from),
    }
    options.set_all([("html", &mut config.html), ("text", &mut config.text)]);
    config.headers = headers(options);
    config.threads = threads(options, &config.headers);
    is_complete.then_some(config)
}

fn server(options: &Options<'_, '_>) -> Option<SmtpServer> {
    let global = options.global;
    let own = options.parsed("smarthost", smarthost);
    let address = own.flatten().or_else(|| {
        let of_global = global.text("smtp_smarthost").map(smarthost);
        // What is wrong with that is noted where it stands.
        of_global.and_then(Result::ok).flatten()
    });
    if address.is_none() && options.get("smarthost").is_none() {
        options.in_neither("smarthost", "smtp_smarthost");
    }
    let is_required = options.bool("require_tls").or(global.smtp_requires_tls);
    let is_implicit = options
        .bool("force_implicit_tls")
        .or(global.smtp_implicit_tls);
    let own_tls = tls_config(options.loader, &options.fields, "tls_config");
    let text = |name, global_name| options.own_or_global_plain(name, global_name);
    let secret = |name, file_name, global_name| {
        let secret = options.own_or_global_if_any(name, file_name, global_name);
        secret.unwrap_or_default()
    };
    let (username, identity) = (
        text("auth_username", "smtp_auth_username"),
        text("auth_identity", "smtp_auth_identity"),
    );
    let password = secret("auth_password", "auth_password_file", "smtp_auth_password");
    let secret = secret("auth_secret", "auth_secret_file", "smtp_auth_secret");
    let mut hello = text("hello", "smtp_hello");
    if hello.is_empty() {
        hello = "localhost".to_owned();
    }
    if hello.contains(|c: char| c.is_control() || c == ' ') {
        let message = "`hello` has to be one word";
        options.doc.problem(options.at("hello"), message, None);
    }
    let (host, port) = address?;
    Some(SmtpServer {
        encryption: match (is_implicit, is_required) {
            (Some(true), _) => SmtpEncryption::Implicit,
            (None, _) if port == IMPLICIT_TLS_PORT => SmtpEncryption::Implicit,
            (_, Some(false)) => SmtpEncryption::Never,
            _ => SmtpEncryption::StartTls,
        },
        host,
        port,
        tls: own_tls
            .or_else(|| global.smtp_tls.clone())
            .unwrap_or_default(),
        hello,
        username,
        identity,
        password,
        secret,
    })
}

/// A host and its port; `None` for the empty text.
pub(super) fn smarthost(text: &str) -> Result<Option<(String, u16)>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || format!("`{text}` is no address such as mail.example.org:587");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or_else(wrong)?,
        None if host.contains(':') => return Err(wrong()),
        // As upstream: no host is this machine.
        None if host.is_empty() => "localhost",
        None => host,
    };
    let mut services = SERVICES.iter();
    let of_name = services.find_map(|(name, number)| (*name == port).then_some(*number));
    let port = of_name.or_else(|| port.parse().ok()).ok_or_else(wrong)?;
    Ok(Some((host.to_owned(), port)))
}

/// By names as `Content-Language`, whatever case they are written in.
fn headers(options: &Options<'_, '_>) -> BTreeMap<String, NotificationText> {
    let mut headers = BTreeMap::new();
    for (name, text) in options.texts_by_name("headers") {
        let canonical = canonical_name(&name);
        if !is_header_name(&name) {
            let message = format!("{name:?} is not a name of a header");
            options.doc.problem(options.at("headers"), message, None);
        } else if headers.insert(canonical.clone(), text).is_some() {
            let message = format!("duplicate header {canonical:?} in email config");
            options.doc.problem(options.at("headers"), message, None);
        }
    }
    headers
}

fn canonical_name(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        first.to_ascii_uppercase() + &rest.to_ascii_lowercase()
    });
    words.collect::<Vec<_>>().join("-")
}

fn threads(
    options: &Options<'_, '_>,
    headers: &BTreeMap<String, NotificationText>,
) -> Option<EmailThreads> {
    let part = options.part(options.get("threading")?, "`threading`");
    let is_enabled = part.bool("enabled").unwrap_or(false);
    let by_date = part.text("thread_by_date").unwrap_or_default();
    let at = part.at("thread_by_date");
    part.fields.finish();
    if !is_enabled {
        return None;
    }
    for name in ["References", "In-Reply-To"] {
        if headers.contains_key(name) {
            let message = format!(
                "conflicting configuration: threading.enabled conflicts with custom {name} header"
            );
            options.doc.problem(options.at("headers"), message, None);
        }
    }
    match by_date.as_str() {
        "none" => Some(EmailThreads::Group),
        "daily" => Some(EmailThreads::Day),
        _ => {
            let message = "threading.thread_by_date must be either 'none' or 'daily'";
            options.doc.problem(at, message, None);
            None
        }
    }
}

fn nowhere() -> SmtpServer {
    SmtpServer {
        host: String::new(),
        port: 0,
        encryption: SmtpEncryption::StartTls,
        tls: firebell_notify::Tls::default(),
        hello: String::new(),
        username: String::new(),
        identity: String::new(),
        password: firebell_model::Secret::default(),
        secret: firebell_model::Secret::default(),
    }
}

/// Where mail is encrypted from the first byte when nothing else is said.
const IMPLICIT_TLS_PORT: u16 = 465;
/// Ports may be written as names.
const SERVICES: [(&str, u16); 4] = [
    ("smtp", 25),
    ("submission", 587),
    ("submissions", IMPLICIT_TLS_PORT),
    ("smtps", IMPLICIT_TLS_PORT),
];
