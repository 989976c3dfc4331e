//! How an HTTP request is made: credentials, TLS, headers; the same for scrapes and receivers.
//!
//! *Sources*: `prometheus/common`, `config/http_config.go`.

use firebell_model::Secret;
use firebell_notify::{HttpConfig, Tls, base64};

use crate::fields::Fields;
use crate::load::Loader;

/// Reads the fields of a client that stand among others.
pub(crate) fn read(loader: &Loader<'_>, fields: &Fields<'_, '_>) -> HttpConfig {
    for name in [
        "oauth2",
        "proxy_url",
        "proxy_from_environment",
        "proxy_connect_header",
    ] {
        fields.refuse(name);
    }
    fields.ignore(&["enable_http2", "no_proxy"]);
    let basic = basic_auth(loader, fields);
    let scheme = authorization(loader, fields);
    let bearer = loader.secret(fields, "bearer_token", "bearer_token_file");
    let bearer = bearer.map(|token| with_scheme("Bearer", &token));
    let given = [
        ("basic_auth", basic),
        ("authorization", scheme),
        ("bearer_token", bearer),
    ];
    let mut given = given.into_iter().filter(|(_, value)| value.is_some());
    let first = given.next();
    if let (Some((one, _)), Some((other, _))) = (&first, given.next()) {
        let message = format!("only one of `{one}` and `{other}` may be there");
        fields.doc.problem(fields.at(other), message, None);
    }
    HttpConfig {
        authorization: first.and_then(|(_, value)| value),
        headers: headers(loader, fields),
        follow_redirects: fields.bool("follow_redirects").unwrap_or(true),
        tls: tls_config(loader, fields, "tls_config").unwrap_or_default(),
    }
}

fn basic_auth(loader: &Loader<'_>, fields: &Fields<'_, '_>) -> Option<Secret> {
    let auth = fields.doc.fields(fields.get("basic_auth")?, "`basic_auth`");
    let username = loader
        .secret(&auth, "username", "username_file")
        .unwrap_or_default();
    let password = loader
        .secret(&auth, "password", "password_file")
        .unwrap_or_default();
    auth.finish();
    let pair = format!("{}:{}", username.reveal(), password.reveal());
    Some(Secret::new(format!("Basic {}", base64(pair.as_bytes()))))
}

fn authorization(loader: &Loader<'_>, fields: &Fields<'_, '_>) -> Option<Secret> {
    let auth = fields
        .doc
        .fields(fields.get("authorization")?, "`authorization`");
    let scheme = auth.text("type").unwrap_or_else(|| "Bearer".to_owned());
    let credentials = loader.secret(&auth, "credentials", "credentials_file");
    if scheme.eq_ignore_ascii_case("basic") {
        let hint = Some("use `basic_auth`".to_owned());
        let message = "`type` of `authorization` cannot be `basic`";
        auth.doc.problem(auth.at("type"), message, hint);
    }
    auth.finish();
    Some(with_scheme(scheme.trim(), &credentials.unwrap_or_default()))
}

fn with_scheme(scheme: &str, credentials: &Secret) -> Secret {
    Secret::new(format!("{scheme} {}", credentials.reveal()))
}

/// Reads a section such as `tls_config`.
pub(crate) fn tls_config(
    loader: &Loader<'_>,
    fields: &Fields<'_, '_>,
    name: &'static str,
) -> Option<Tls> {
    let tls = fields.doc.fields(fields.get(name)?, "`tls_config`");
    for name in [
        "cert",
        "cert_file",
        "key",
        "key_file",
        "server_name",
        "max_version",
    ] {
        tls.refuse(name);
    }
    tls.ignore(&["min_version"]);
    let ca_pem = loader
        .secret(&tls, "ca", "ca_file")
        .map(|pem| pem.reveal().to_owned());
    let insecure_skip_verify = tls.bool("insecure_skip_verify").unwrap_or(false);
    tls.finish();
    Some(Tls {
        ca_pem,
        insecure_skip_verify,
    })
}

fn headers(loader: &Loader<'_>, fields: &Fields<'_, '_>) -> Vec<(String, Secret)> {
    let Some(node) = fields.get("http_headers") else {
        return Vec::new();
    };
    let mut headers = Vec::new();
    for (name, node) in fields.doc.entries(node, "http_headers") {
        let header = fields.doc.fields(node, "a header of `http_headers`");
        let plain = header.texts("values").into_iter().map(Secret::new);
        let secret = header.texts("secrets").into_iter().map(Secret::new);
        let files = header.texts("files");
        let files = files
            .iter()
            .filter_map(|file| loader.secret_file(&header, "files", file));
        let values: Vec<Secret> = plain.chain(secret).chain(files).collect();
        headers.extend(values.into_iter().map(|value| (name.to_owned(), value)));
        header.finish();
    }
    headers.sort_by(|a, b| a.0.cmp(&b.0));
    headers
}
