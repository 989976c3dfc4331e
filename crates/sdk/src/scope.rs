//! What is known of the request, the task or the process in which something is recorded.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::clock::{push_rfc3339, rfc3339};
use crate::ids::push_hex;
use crate::value::{Value, write_json_text};

/// It is filled as the work goes on, and goes with every alert and log line.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// A map of `id` and whatever is known of the user.
    pub user: Option<Value>,
    /// By name; the last of a name holds.
    pub tags: Vec<(String, Value)>,
    /// Maps by name; the last of a name holds.
    pub contexts: Vec<(String, Value)>,
    /// Oldest first.
    pub breadcrumbs: VecDeque<Crumb>,
    /// Of the request, as it came or was set.
    pub request_id: Option<String>,
    /// Of the request: its trace, and its server span.
    pub span: Option<(u128, u64)>,
    /// Of the request: when it began, in nanoseconds since 1970, which is its first breadcrumb.
    pub begun_at: Option<u64>,
    /// Of the request.
    pub method: Option<&'static str>,
    /// Of the request.
    pub path: Option<String>,
    /// Of the request, once it is known.
    pub route: Option<String>,
}

/// A breadcrumb: something that happened. There is one for most log lines, and hardly ever anybody
/// who looks.
#[derive(Clone, PartialEq, Debug)]
pub struct Crumb {
    /// Since 1970.
    pub nanos: u64,
    /// Who says it.
    pub category: String,
    /// In small letters.
    pub level: Cow<'static, str>,
    /// What is said.
    pub message: String,
    /// Of the request.
    pub trace_id: Option<u128>,
    /// Beside it.
    pub data: Option<Value>,
}

impl Crumb {
    /// As JSON; of each text so many bytes that `cut` leaves.
    pub fn write_json(&self, cut: impl Fn(&str) -> &str, has_data: bool, out: &mut String) {
        out.push_str("{\"timestamp\":\"");
        push_rfc3339(self.nanos, out);
        out.push('"');
        let texts = [
            (",\"category\":", &*self.category),
            (",\"level\":", &*self.level),
            (",\"message\":", &*self.message),
        ];
        for (key, text) in texts {
            out.push_str(key);
            write_json_text(cut(text), out);
        }
        if let Some(trace_id) = self.trace_id {
            out.push_str(",\"trace_id\":\"");
            push_hex::<32>(trace_id, out);
            out.push('"');
        }
        if let Some(data) = self.data.as_ref().filter(|_| has_data) {
            out.push_str(",\"data\":");
            data.write_json(out);
        }
        out.push('}');
    }

    fn to_value(&self) -> Value {
        let texts = [
            ("timestamp", rfc3339(self.nanos)),
            ("category", self.category.clone()),
            ("level", self.level.clone().into_owned()),
            ("message", self.message.clone()),
        ];
        let trace_id = self.trace_id.map(|it| ("trace_id", format!("{it:032x}")));
        let texts = texts.into_iter().chain(trace_id);
        let texts = texts.map(|(key, text)| (key.to_owned(), Value::Text(text)));
        let data = self.data.clone().map(|data| ("data".to_owned(), data));
        Value::Map(texts.chain(data).collect())
    }
}

impl Scope {
    /// Sets one of the tags.
    pub fn set_tag(&mut self, key: String, value: Value) {
        set(&mut self.tags, key, value);
    }

    /// Sets one of the contexts.
    pub fn set_context(&mut self, name: String, value: Value) {
        set(&mut self.contexts, name, value);
    }

    /// Adds a breadcrumb; the oldest makes room for it.
    pub fn add_breadcrumb(&mut self, crumb: Crumb, n_max: usize) {
        let n_now = self.breadcrumbs.len() + usize::from(self.begun_at.is_some());
        for _ in n_max.max(1)..=n_now {
            if self.begun_at.take().is_none() {
                self.breadcrumbs.pop_front();
            }
        }
        if n_max > 0 {
            self.breadcrumbs.push_back(crumb);
        }
    }

    /// Of the request; where none came it is the id of its span.
    #[must_use]
    pub fn request_id(&self) -> Option<String> {
        self.request_id.clone().or_else(|| self.span_id())
    }

    /// Who the user is, as the app says it.
    #[must_use]
    pub fn user_id(&self) -> Option<&Value> {
        let Some(Value::Map(pairs)) = &self.user else {
            return None;
        };
        let found = pairs.iter().find(|(key, _)| key == "id");
        found.map(|(_, id)| id)
    }

    /// Of the request.
    #[must_use]
    pub fn trace_id(&self) -> Option<String> {
        self.span.map(|(trace, _)| format!("{trace:032x}"))
    }

    fn span_id(&self) -> Option<String> {
        self.span.map(|(_, span)| format!("{span:016x}"))
    }

    /// That the request came. Put together only when somebody looks.
    fn first_breadcrumb(&self) -> Option<Crumb> {
        let (method, path) = (self.method?, self.path.as_deref()?);
        Some(Crumb {
            nanos: self.begun_at?,
            category: "http".to_owned(),
            level: Cow::Borrowed("info"),
            message: format!("{method} {path}"),
            trace_id: Some(self.span?.0),
            data: None,
        })
    }

    /// All of it, as a map.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        let text = |it: &Option<String>| it.clone().map(Value::Text);
        let some_map = |it: &[(String, Value)]| (!it.is_empty()).then(|| Value::Map(it.to_vec()));
        let first = self.first_breadcrumb();
        let crumbs = first.iter().chain(&self.breadcrumbs);
        let crumbs: Vec<Value> = crumbs.map(Crumb::to_value).collect();
        let some_list = |it: Vec<Value>| (!it.is_empty()).then_some(Value::List(it));
        let some_text = |it: Option<String>| it.map(Value::Text);
        let fields = [
            ("user", self.user.clone()),
            ("tags", some_map(&self.tags)),
            ("contexts", some_map(&self.contexts)),
            ("breadcrumbs", some_list(crumbs)),
            ("request_id", some_text(self.request_id())),
            ("trace_id", some_text(self.trace_id())),
            ("span_id", some_text(self.span_id())),
            ("method", some_text(self.method.map(str::to_owned))),
            ("path", text(&self.path)),
            ("route", text(&self.route)),
        ];
        let known = fields
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)));
        Value::Map(known.collect())
    }
}

fn set(pairs: &mut Vec<(String, Value)>, key: String, value: Value) {
    let n_pairs = pairs.len();
    match pairs.iter_mut().find(|(known, _)| *known == key) {
        Some((_, place)) => *place = value,
        None if n_pairs < PAIRS_MAX => pairs.push((key, value)),
        None => {}
    }
}

const PAIRS_MAX: usize = 64;
