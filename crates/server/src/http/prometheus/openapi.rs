//! `/openapi.yaml`: the API of `endpoints`, described.
//!
//! *Sources*: the OpenAPI specification, 3.1 and 3.2; Prometheus, `web/api/v1/openapi.go`, for where
//! it is served, and how it is asked for.

use std::fmt::Write as _;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};

use super::endpoints::{ENDPOINTS, Endpoint};
use super::status::UPSTREAM;
use crate::http::{App, params};

/// A parameter.
#[derive(Clone, Copy)]
pub(super) struct Param {
    pub name: &'static str,
    pub about: &'static str,
    pub kind: ParamKind,
    pub example: &'static str,
    pub is_needed: bool,
}

/// What a parameter is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ParamKind {
    Text,
    Number,
    /// Texts: it may be given several times.
    List,
    /// A part of the path.
    Path,
}

impl Param {
    /// The same, without which a request is refused.
    pub(super) const fn needed(self) -> Self {
        Self {
            is_needed: true,
            ..self
        }
    }

    fn schema(&self) -> &'static str {
        match self.kind {
            ParamKind::Text | ParamKind::Path => "{type: string}",
            ParamKind::Number => "{type: integer, minimum: 0}",
            ParamKind::List => "{type: array, items: {type: string}}",
        }
    }

    fn example(&self) -> String {
        match self.kind {
            ParamKind::Number => self.example.to_owned(),
            ParamKind::List => format!("[{}]", quoted(self.example)),
            ParamKind::Text | ParamKind::Path => quoted(self.example),
        }
    }
}

/// What an endpoint answers when all is well.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The frame with `status` and `data`.
    Json,
    /// 204.
    Nothing,
    /// Something of another kind.
    Bytes(&'static str),
}

/// `GET /api/v1/openapi.yaml`.
pub(super) async fn document(State(app): State<App>, uri: Uri) -> Response {
    let params = params(&uri, &Bytes::new());
    let version = match params.get("openapi_version") {
        Some("3.2" | "3.2.0") => "3.2.0",
        _ => "3.1.0",
    };
    let url = format!("{}/api/v1", app.live.config().external_url);
    let headers = [
        (header::CONTENT_TYPE, "application/yaml; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache, no-store, must-revalidate"),
    ];
    (headers, text(version, &url)).into_response()
}

/// The whole document.
pub(super) fn text(version: &str, url: &str) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "openapi: {version}\n\
         info:\n\
         \x20 title: Prometheus's HTTP API, served by Firebell\n\
         \x20 description: {}\n\
         \x20 version: {}\n\
         servers:\n\
         \x20 - url: {}\n\
         paths:\n",
        quoted(ABOUT),
        quoted(UPSTREAM),
        quoted(url),
    );
    for endpoint in ENDPOINTS {
        let _ = writeln!(out, "  {}:", endpoint.path);
        for method in endpoint.methods {
            operation(endpoint, method, &mut out);
        }
    }
    out.push_str(COMPONENTS);
    out
}

fn operation(endpoint: &Endpoint, method: &str, out: &mut String) {
    let words = endpoint.path.replace(['{', '}'], "");
    let words = words.replace(['/', '_', '.'], "-");
    let _ = write!(
        out,
        "    {method}:\n      operationId: {method}{words}\n      tags: [{}]\n      summary: {}\n",
        endpoint.tag,
        quoted(endpoint.summary),
    );
    // A form has its parameters in the body.
    let is_form = method == "post" && endpoint.methods.contains(&"get");
    let is_inside = |param: &&Param| !is_form || param.kind == ParamKind::Path;
    let shown: Vec<&Param> = endpoint.params.iter().filter(is_inside).collect();
    if !shown.is_empty() {
        out.push_str("      parameters:\n");
    }
    for param in shown {
        let place = match param.kind {
            ParamKind::Path => "path",
            _ => "query",
        };
        let _ = write!(
            out,
            "        - name: {}\n          in: {place}\n          required: {}\n          description: {}\n          schema: {}\n          example: {}\n",
            quoted(param.name),
            param.is_needed,
            quoted(param.about),
            param.schema(),
            param.example(),
        );
    }
    if is_form {
        form(endpoint, out);
    }
    out.push_str("      responses:\n");
    let _ = match endpoint.answer {
        Answer::Json => writeln!(
            out,
            "        \"200\": {{$ref: \"#/components/responses/Success\"}}"
        ),
        Answer::Nothing => writeln!(out, "        \"204\": {{description: Done.}}"),
        Answer::Bytes(kind) => writeln!(
            out,
            "        \"200\": {{description: Done., content: {{{kind}: {{}}}}}}"
        ),
    };
    out.push_str("        default: {$ref: \"#/components/responses/Error\"}\n");
}

fn form(endpoint: &Endpoint, out: &mut String) {
    out.push_str(
        "      requestBody:\n        content:\n          application/x-www-form-urlencoded:\n            schema:\n              type: object\n              properties:\n",
    );
    for param in endpoint.params {
        let (name, schema) = (quoted(param.name), param.schema());
        let _ = writeln!(out, "                {name}: {schema}");
    }
    let needed = endpoint.params.iter().filter(|it| it.is_needed);
    let needed: Vec<String> = needed.map(|it| quoted(it.name)).collect();
    if !needed.is_empty() {
        let _ = writeln!(out, "              required: [{}]", needed.join(", "));
    }
}

/// A text in double quotes, which YAML reads as JSON does.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

const ABOUT: &str = "Queries, series, rules, targets and state in the form of Prometheus's API. \
    Firebell's own API is described in docs/openapi.json of its sources, Alertmanager's is served \
    under /api/v2.";

const COMPONENTS: &str = r##"components:
  responses:
    Success:
      description: What was asked for.
      content:
        application/json:
          schema: {$ref: "#/components/schemas/Success"}
    Error:
      description: Why there is no answer.
      content:
        application/json:
          schema: {$ref: "#/components/schemas/Error"}
  schemas:
    Success:
      type: object
      required: [status, data]
      properties:
        status: {type: string, enum: [success]}
        data: {description: Depends on the endpoint.}
        warnings: {type: array, items: {type: string}}
        infos: {type: array, items: {type: string}}
    Error:
      type: object
      required: [status, errorType, error]
      properties:
        status: {type: string, enum: [error]}
        errorType:
          type: string
          enum: [bad_data, execution, timeout, canceled, internal, not_found, unavailable, not_acceptable]
        error: {type: string}
        data: {description: What there is all the same.}
"##;
