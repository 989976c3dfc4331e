//! What is known of the request, the task or the process in which something is recorded.

use std::collections::VecDeque;

use crate::clock::rfc3339;
use crate::value::Value;

/// It is filled as the work goes on, and goes with every alert and log line.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// A map of `id` and whatever is known of the user.
    pub user: Option<Value>,
    /// By name; the last of a name holds.
    pub tags: Vec<(String, Value)>,
    /// Maps by name; the last of a name holds.
    pub contexts: Vec<(String, Value)>,
    /// Maps; oldest first.
    pub breadcrumbs: VecDeque<Value>,
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
    pub fn add_breadcrumb(&mut self, crumb: Value, n_max: usize) {
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
    pub fn user_id(&self) -> Option<Value> {
        let Some(Value::Map(pairs)) = &self.user else {
            return None;
        };
        let found = pairs.iter().find(|(key, _)| key == "id");
        found.map(|(_, id)| id.clone())
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
    fn first_breadcrumb(&self) -> Option<Value> {
        let (method, path) = (self.method?, self.path.as_deref()?);
        let fields = [
            ("timestamp", rfc3339(self.begun_at?)),
            ("category", "http".to_owned()),
            ("level", "info".to_owned()),
            ("message", format!("{method} {path}")),
            ("trace_id", self.trace_id()?),
        ];
        let fields = fields.map(|(key, text)| (key.to_owned(), Value::Text(text)));
        Some(Value::Map(fields.into()))
    }

    /// All of it, as a map.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        let text = |it: &Option<String>| it.clone().map(Value::Text);
        let some_map = |it: &[(String, Value)]| (!it.is_empty()).then(|| Value::Map(it.to_vec()));
        let crumbs = self.first_breadcrumb().into_iter();
        let crumbs: Vec<Value> = crumbs.chain(self.breadcrumbs.iter().cloned()).collect();
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
