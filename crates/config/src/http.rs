//! How an HTTP request is made: credentials, TLS, headers; the same for scrapes and receivers.
//!
//! *Sources*: `prometheus/common`, `config/http_config.go`.

use std::collections::BTreeMap;

use firebell_model::Secret;
use firebell_notify::{
    Assertion, ClientProof, HttpConfig, JWT_BEARER, OAuth2, ProxyConfig, SignatureAlgorithm, Tls,
    TlsVersion, Tree, basic, claim,
};

use crate::fields::{Doc, Fields};
use crate::load::Loader;
use crate::problem::Pos;
use crate::tree::of_node;

/// Reads the fields of a client that stand among others.
pub(crate) fn read(loader: &Loader<'_>, fields: &Fields<'_, '_>) -> HttpConfig {
    fields.refuse("oauth2");
    read_all_but_oauth2(loader, fields)
}

/// As [`read`], with `oauth2`, which receivers know.
pub(crate) fn read_with_oauth2(loader: &Loader<'_>, fields: &Fields<'_, '_>) -> HttpConfig {
    let mut http = read_all_but_oauth2(loader, fields);
    http.oauth2 = oauth2(loader, fields);
    if http.oauth2.is_some() && http.authorization.is_some() {
        let message = "only one of `oauth2`, `basic_auth` and `authorization` may be there";
        fields.doc.problem(fields.at("oauth2"), message, None);
    }
    http
}

fn read_all_but_oauth2(loader: &Loader<'_>, fields: &Fields<'_, '_>) -> HttpConfig {
    // Whether HTTP/2 may be spoken changes nothing: it is not.
    fields.ignore(&["enable_http2"]);
    let basic = basic_auth(loader, fields);
    let scheme = authorization(loader, fields);
    let bearer = loader.secret(fields, "bearer_token", "bearer_token_file");
    check_credentials(fields, "bearer_token", bearer.as_ref());
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
        proxy: proxy(fields),
        oauth2: None,
    }
}

/// Source: `prometheus/common`, `ProxyConfig.Validate`.
fn proxy(fields: &Fields<'_, '_>) -> ProxyConfig {
    let url = fields.text("proxy_url").filter(|url| !url.is_empty());
    let is_spoken = |url: &String| PROXY_SCHEMES.iter().any(|scheme| url.starts_with(scheme));
    let no_proxy = fields.text("no_proxy").unwrap_or_default();
    let from_environment = fields.bool("proxy_from_environment").unwrap_or(false);
    let node = fields.get("proxy_connect_header");
    let entries = node.map(|node| fields.doc.entries(node, "proxy_connect_header"));
    let mut connect_headers = Vec::new();
    for (name, node) in entries.into_iter().flatten() {
        check_header_name(fields.doc, node.at, name);
        for value in fields.doc.items(node, name) {
            let text = fields.doc.text(value, name).map(Secret::new);
            text.iter()
                .for_each(|text| check_header_value(fields.doc, value.at, name, text));
            connect_headers.extend(text.map(|text| (name.to_owned(), text)));
        }
    }
    for (is_wrong, name, message) in [
        (
            url.as_ref().is_some_and(|url| !is_spoken(url)),
            "proxy_url",
            "`proxy_url` has to begin with http://, https://, socks5:// or socks5h://",
        ),
        (
            from_environment && url.is_some(),
            "proxy_url",
            "`proxy_url` and `proxy_from_environment` exclude each other",
        ),
        (
            from_environment && !no_proxy.is_empty(),
            "no_proxy",
            "`no_proxy` and `proxy_from_environment` exclude each other",
        ),
        (
            !from_environment && url.is_none() && !no_proxy.is_empty(),
            "no_proxy",
            "`no_proxy` needs `proxy_url`",
        ),
        (
            url.is_none() && !connect_headers.is_empty(),
            "proxy_connect_header",
            "`proxy_connect_header` needs `proxy_url`",
        ),
    ] {
        if is_wrong {
            fields.doc.problem(fields.at(name), message, None);
        }
    }
    ProxyConfig {
        url: url.map(Secret::new),
        no_proxy,
        from_environment,
        connect_headers,
    }
}

fn oauth2(loader: &Loader<'_>, fields: &Fields<'_, '_>) -> Option<OAuth2> {
    let oauth2 = fields.doc.fields(fields.get("oauth2")?, "`oauth2`");
    for name in [
        "tls_config",
        "proxy_url",
        "proxy_from_environment",
        "proxy_connect_header",
        "no_proxy",
    ] {
        oauth2.refuse(name);
    }
    let is_signed = oauth2.parsed("grant_type", |text| match text {
        "" | "client_credentials" => Ok(false),
        JWT_BEARER => Ok(true),
        _ => Err(format!(
            "`{text}` is neither `client_credentials` nor `{JWT_BEARER}`"
        )),
    });
    let client_id = oauth2.needed_text("client_id");
    let password = loader.secret(&oauth2, "client_secret", "client_secret_file");
    let scopes = oauth2.texts("scopes");
    let token_url = oauth2.needed_text("token_url");
    let node = oauth2.get("endpoint_params");
    let params = node.map(|node| oauth2.doc.text_map(node, "endpoint_params"));
    let params = params.into_iter().flatten();
    let params = params
        .map(|(entry, value)| (entry.key.clone(), value))
        .collect();
    let (id, url) = (client_id.as_deref(), token_url.as_deref());
    let signed = assertion(loader, &oauth2, id.unwrap_or_default(), url, &scopes);
    let proof = match is_signed {
        Some(true) => {
            if signed.is_none() {
                oauth2.missing("client_certificate_key");
            }
            signed.map(ClientProof::Signed)
        }
        _ => Some(ClientProof::Password(password.unwrap_or_default())),
    };
    oauth2.finish();
    Some(OAuth2 {
        client_id: client_id?,
        proof: proof?,
        scopes,
        token_url: Secret::new(token_url?),
        params,
    })
}

/// What a key signs, if there is one. All of its options are read, whatever the grant is.
fn assertion(
    loader: &Loader<'_>,
    oauth2: &Fields<'_, '_>,
    client_id: &str,
    token_url: Option<&str>,
    scopes: &[String],
) -> Option<Assertion> {
    let key = loader.secret(
        oauth2,
        "client_certificate_key",
        "client_certificate_key_file",
    );
    let key_id = oauth2.text("client_certificate_key_id");
    let algorithm = oauth2.parsed("signature_algorithm", |text| {
        let mut known = SignatureAlgorithm::ALL.into_iter();
        let found = known.find(|(name, _)| *name == text || text.is_empty());
        found.map(|(_, it)| it).ok_or("it is RS256, RS384 or RS512")
    });
    let given = |name: &'static str| oauth2.text(name).filter(|it| !it.is_empty());
    let issuer = given("iss").unwrap_or_else(|| client_id.to_owned());
    let audience = given("audience").unwrap_or_else(|| token_url.unwrap_or_default().to_owned());
    let mut claims: BTreeMap<String, String> = [
        ("iss", issuer),
        ("sub", client_id.to_owned()),
        ("aud", audience),
    ]
    .into_iter()
    .map(|(name, text)| (name.to_owned(), claim(&Tree::Text(text))))
    .collect();
    if !scopes.is_empty() {
        claims.insert("scope".to_owned(), claim(&Tree::Text(scopes.join(" "))));
    }
    if let Some(node) = oauth2.get("claims") {
        for (name, value) in oauth2.doc.entries(node, "claims") {
            let value = of_node(value, &mut |scalar| Some(scalar.text.to_string()));
            claims.insert(name.to_owned(), claim(&value.unwrap_or(Tree::Null)));
        }
    }
    Some(Assertion {
        key: key?,
        key_id: key_id.unwrap_or_default(),
        algorithm: algorithm.unwrap_or_default(),
        claims,
    })
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
    Some(basic(username.reveal(), password.reveal()))
}

fn authorization(loader: &Loader<'_>, fields: &Fields<'_, '_>) -> Option<Secret> {
    let auth = fields
        .doc
        .fields(fields.get("authorization")?, "`authorization`");
    let scheme = auth.text("type").unwrap_or_default();
    let scheme = match scheme.trim() {
        "" => "Bearer",
        scheme => scheme,
    };
    let credentials = loader.secret(&auth, "credentials", "credentials_file");
    check_credentials(&auth, "credentials", credentials.as_ref());
    if scheme.eq_ignore_ascii_case("basic") {
        let hint = Some("use `basic_auth`".to_owned());
        let message = "`type` of `authorization` cannot be `basic`";
        auth.doc.problem(auth.at("type"), message, hint);
    }
    auth.finish();
    Some(with_scheme(scheme, &credentials.unwrap_or_default()))
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
    let server_name = tls.text("server_name").filter(|name| !name.is_empty());
    let cert = loader.secret(&tls, "cert", "cert_file");
    let key = loader.secret(&tls, "key", "key_file");
    if cert.is_some() != key.is_some() {
        let message = "`cert` and `key` belong together: one is missing";
        tls.doc.problem(tls.at, message, None);
    }
    let client_pem = cert
        .zip(key)
        .map(|(cert, key)| Secret::new(format!("{}\n{}\n", cert.reveal(), key.reveal())));
    let version_min = tls.parsed("min_version", tls_version);
    let version_max = tls.parsed("max_version", tls_version);
    if version_max == Some(TlsVersion::Older) {
        let message = "`max_version` has to be TLS12 or TLS13: older versions are not spoken";
        tls.doc.problem(tls.at("max_version"), message, None);
    }
    if let (Some(min), Some(max)) = (version_min, version_max)
        && min > max
    {
        let message = "`min_version` is above `max_version`";
        tls.doc.problem(tls.at("min_version"), message, None);
    }
    let ca_pem = loader
        .secret(&tls, "ca", "ca_file")
        .map(|pem| pem.reveal().to_owned());
    let insecure_skip_verify = tls.bool("insecure_skip_verify").unwrap_or(false);
    tls.finish();
    Some(Tls {
        ca_pem,
        client_pem,
        version_min,
        version_max,
        server_name,
        insecure_skip_verify,
    })
}

fn tls_version(text: &str) -> Result<TlsVersion, String> {
    match text {
        "TLS10" | "TLS11" => Ok(TlsVersion::Older),
        "TLS12" => Ok(TlsVersion::V12),
        "TLS13" => Ok(TlsVersion::V13),
        _ => Err(format!("`{text}` is none of TLS10, TLS11, TLS12, TLS13")),
    }
}

fn headers(loader: &Loader<'_>, fields: &Fields<'_, '_>) -> Vec<(String, Secret)> {
    let Some(node) = fields.get("http_headers") else {
        return Vec::new();
    };
    let mut headers = Vec::new();
    for (name, node) in fields.doc.entries(node, "http_headers") {
        let header = fields.doc.fields(node, "a header of `http_headers`");
        if RESERVED_HEADERS
            .iter()
            .any(|it| it.eq_ignore_ascii_case(name))
        {
            let message = format!("setting header {name:?} is not allowed");
            let hint = Some("Firebell sets it itself".to_owned());
            header.doc.problem(header.at, message, hint);
        } else {
            check_header_name(header.doc, header.at, name);
        }
        let plain = header.texts("values").into_iter().map(Secret::new);
        let secret = header.texts("secrets").into_iter().map(Secret::new);
        let files = header.texts("files");
        let files = files
            .iter()
            .filter_map(|file| loader.secret_file(&header, "files", file));
        let values: Vec<Secret> = plain.chain(secret).chain(files).collect();
        for value in &values {
            check_header_value(header.doc, header.at, name, value);
        }
        headers.extend(values.into_iter().map(|value| (name.to_owned(), value)));
        header.finish();
    }
    headers.sort_by(|a, b| a.0.cmp(&b.0));
    headers
}

/// Notes a name that no header can have: each request would fail.
pub(crate) fn check_header_name(doc: &Doc<'_>, at: Pos, name: &str) {
    if !is_header_name(name) {
        doc.problem(at, format!("{name:?} is not a name of a header"), None);
    }
}

/// Notes a value that no header can have, without showing it.
pub(crate) fn check_header_value(doc: &Doc<'_>, at: Pos, name: &str, value: &Secret) {
    if !is_header_value(value.reveal()) {
        let message = format!("the value of {name:?} has a character that no header may have");
        doc.problem(at, message, Some(VALUE_HINT.to_owned()));
    }
}

fn check_credentials(fields: &Fields<'_, '_>, name: &'static str, value: Option<&Secret>) {
    if value.is_some_and(|value| !is_header_value(value.reveal())) {
        let message = format!("`{name}` has a character that no header may have");
        let hint = Some(VALUE_HINT.to_owned());
        fields.doc.problem(fields.at(name), message, hint);
    }
}

/// Whether it may stand in a header. Source: RFC 9110, 5.5.
fn is_header_value(value: &str) -> bool {
    value.chars().all(|c| c == '\t' || !c.is_ascii_control())
}

/// Whether it is a token of HTTP. Source: RFC 9110, 5.6.2.
pub(crate) fn is_header_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

const VALUE_HINT: &str = "such as a line feed";
const PROXY_SCHEMES: [&str; 4] = ["http://", "https://", "socks5://", "socks5h://"];
/// What `http_headers` may not set. Source: prometheus/common, `config/headers.go`.
const RESERVED_HEADERS: [&str; 18] = [
    "Authorization",
    "Host",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "User-Agent",
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Www-Authenticate",
    "Accept-Encoding",
    "X-Prometheus-Remote-Write-Version",
    "X-Prometheus-Remote-Read-Version",
    "X-Prometheus-Scrape-Timeout-Seconds",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Amz-Content-Sha256",
];
