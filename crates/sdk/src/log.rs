//! Log records and events: a line of JSON for people and shippers, a `LogRecord` for the server.

use std::borrow::Cow;

use crate::client::Client;
use crate::clock::push_rfc3339;
use crate::ids::push_hex;
use crate::proto::Message;
use crate::ring::Lane;
use crate::value::{Value, write_json_text};

/// One record. Its caller has redacted it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LogRecord<'a> {
    /// Nanoseconds since 1970.
    pub nanos: u64,
    /// As Python calls it: `INFO`.
    pub level: &'a str,
    /// Who says it.
    pub logger: &'a str,
    /// What is said.
    pub message: &'a str,
    /// Beside it.
    pub attributes: &'a [(Cow<'a, str>, Value)],
    /// Whom the request is of, unless the attributes say that.
    pub user_id: Option<&'a Value>,
    /// Type, message and stack of an exception.
    pub exception: Option<&'a Thrown>,
    /// The span in which it was said.
    pub span: Option<(u128, u64)>,
    /// The request in which it was said.
    pub request_id: Option<RequestId<'a>>,
    /// What runs; a resource says it where records are exported.
    pub release: Option<&'a str>,
    /// The name of an event, which is no log line.
    pub event: Option<&'a str>,
}

/// What a request is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestId<'a> {
    /// As it came or was set.
    Given(&'a str),
    /// Nobody named it: its span does.
    OfSpan(u64),
}

/// An exception.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Thrown {
    /// The name of its class.
    pub kind: String,
    /// Its text.
    pub message: String,
    /// Where it came from, as Python prints it.
    pub stack: String,
}

impl LogRecord<'_> {
    /// One line of JSON, and `end` behind it.
    #[must_use]
    pub fn to_json(&self, end: &str) -> String {
        let mut out = String::with_capacity(384 + self.message.len());
        out.push_str("{\"timestamp\":\"");
        push_rfc3339(self.nanos, &mut out);
        out.push_str("\",\"level\":");
        write_json_text(self.level, &mut out);
        out.push_str(",\"logger\":");
        write_json_text(self.logger, &mut out);
        out.push_str(",\"message\":");
        write_json_text(self.message, &mut out);
        if let Some((trace_id, span_id)) = self.span {
            out.push_str(",\"trace_id\":\"");
            push_hex::<32>(trace_id, &mut out);
            out.push_str("\",\"span_id\":\"");
            push_hex::<16>(span_id.into(), &mut out);
            out.push('"');
        }
        match self.request_id {
            Some(RequestId::Given(id)) => {
                out.push_str(",\"request_id\":");
                write_json_text(id, &mut out);
            }
            Some(RequestId::OfSpan(id)) => {
                out.push_str(",\"request_id\":\"");
                push_hex::<16>(id.into(), &mut out);
                out.push('"');
            }
            None => {}
        }
        if let Some(release) = self.release {
            out.push_str(",\"release\":");
            write_json_text(release, &mut out);
        }
        for (key, value) in self.attributes {
            out.push(',');
            match OWN_KEYS.contains(&&**key) {
                true => write_json_text(&format!("{key}_"), &mut out),
                false => write_json_text(key, &mut out),
            }
            out.push(':');
            value.write_json(&mut out);
        }
        if let Some(user_id) = self.user_id() {
            out.push_str(",\"user.id\":");
            user_id.write_json(&mut out);
        }
        if let Some(thrown) = self.exception {
            let fields = [
                ("type", &thrown.kind),
                ("message", &thrown.message),
                ("stacktrace", &thrown.stack),
            ];
            let map = fields.map(|(key, it)| (key.to_owned(), Value::Text(it.clone())));
            out.push_str(",\"exception\":");
            Value::Map(map.into()).write_json(&mut out);
        }
        out.push('}');
        out.push_str(end);
        out
    }

    /// What the app says itself goes before.
    fn user_id(&self) -> Option<&Value> {
        let mut said = self.attributes.iter();
        self.user_id.filter(|_| said.all(|(key, _)| key != USER_ID))
    }

    /// Keeps it for the server.
    pub fn record(&self, client: &'static Client) {
        let mut it = Message::with_capacity(192 + self.message.len());
        it.fixed64(1, self.nanos);
        it.varint(2, severity(self.level));
        it.text(3, self.level);
        it.message(5, |it| it.text(1, self.message));
        let mut attribute = |key: &str, text: &str| {
            if !text.is_empty() {
                it.message(6, |it| {
                    it.text(1, key);
                    it.message(2, |it| it.text(1, text));
                });
            }
        };
        attribute("logger.name", self.logger);
        match self.request_id {
            Some(RequestId::Given(id)) => attribute("request.id", id),
            Some(RequestId::OfSpan(id)) => {
                let mut text = String::with_capacity(16);
                push_hex::<16>(id.into(), &mut text);
                attribute("request.id", &text);
            }
            None => {}
        }
        if let Some(thrown) = self.exception {
            attribute("exception.type", &thrown.kind);
            attribute("exception.message", &thrown.message);
            attribute("exception.stacktrace", &thrown.stack);
        }
        for (key, value) in self.attributes {
            it.attribute(6, key, value);
        }
        if let Some(user_id) = self.user_id() {
            it.attribute(6, USER_ID, user_id);
        }
        if let Some((trace_id, span_id)) = self.span {
            it.bytes(9, &trace_id.to_be_bytes());
            it.bytes(10, &span_id.to_be_bytes());
        }
        it.fixed64(11, self.nanos);
        if let Some(event) = self.event {
            it.text(12, event);
        }
        client.record(Lane::Logs, it.as_bytes());
    }
}

/// `SeverityNumber`.
fn severity(level: &str) -> u64 {
    let is = |name: &str| level.eq_ignore_ascii_case(name);
    if is("debug") {
        5
    } else if is("warning") || is("warn") {
        13
    } else if is("error") || is("exception") {
        17
    } else if is("critical") || is("fatal") {
        21
    } else {
        9
    }
}

const USER_ID: &str = "user.id";
/// Attributes of these names get a `_` behind them.
const OWN_KEYS: [&str; 9] = [
    "timestamp",
    "level",
    "logger",
    "message",
    "trace_id",
    "span_id",
    "request_id",
    "release",
    "exception",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_what_and_in_which_trace() {
        let record = LogRecord {
            nanos: 1_795_348_805_123_456_789,
            level: "ERROR",
            logger: "shop",
            message: "no \"luck\"",
            attributes: &[
                ("order".into(), Value::Int(7)),
                ("level".into(), Value::Bool(true)),
            ],
            exception: Some(&Thrown {
                kind: "ValueError".into(),
                ..Thrown::default()
            }),
            span: Some((1, 2)),
            user_id: Some(&Value::Int(9)),
            request_id: Some(RequestId::Given("r-1")),
            release: Some("v1"),
            event: None,
        };
        assert_eq!(
            record.to_json("\n"),
            concat!(
                r#"{"timestamp":"2026-11-22T12:00:05.123456Z","level":"ERROR","logger":"shop","message":"no \"luck\"","trace_id":"00000000000000000000000000000001","span_id":"0000000000000002","request_id":"r-1","release":"v1","order":7,"level_":true,"user.id":9,"exception":{"type":"ValueError","message":"","stacktrace":""}}"#,
                "\n"
            )
        );
        let said = LogRecord {
            attributes: &[("user.id".into(), Value::Text("ana".into()))],
            request_id: Some(RequestId::OfSpan(0xab)),
            user_id: record.user_id,
            ..LogRecord::default()
        };
        let line = said.to_json("");
        let ends = r#""request_id":"00000000000000ab","user.id":"ana"}"#;
        assert!(line.ends_with(ends), "{line}");
    }
}
