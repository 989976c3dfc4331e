//! What is known of the request, the task or the process in which something is recorded.

use std::collections::VecDeque;

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
    /// Of the request.
    pub request_id: Option<String>,
    /// Of the request.
    pub trace_id: Option<String>,
    /// Of the request: its server span.
    pub span_id: Option<String>,
    /// Of the request.
    pub method: Option<String>,
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
        while self.breadcrumbs.len() >= n_max.max(1) {
            self.breadcrumbs.pop_front();
        }
        if n_max > 0 {
            self.breadcrumbs.push_back(crumb);
        }
    }

    /// All of it, as a map.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        let text = |it: &Option<String>| it.clone().map(Value::Text);
        let some_map = |it: &[(String, Value)]| (!it.is_empty()).then(|| Value::Map(it.to_vec()));
        let crumbs = || Value::List(self.breadcrumbs.iter().cloned().collect());
        let fields = [
            ("user", self.user.clone()),
            ("tags", some_map(&self.tags)),
            ("contexts", some_map(&self.contexts)),
            ("breadcrumbs", (!self.breadcrumbs.is_empty()).then(crumbs)),
            ("request_id", text(&self.request_id)),
            ("trace_id", text(&self.trace_id)),
            ("span_id", text(&self.span_id)),
            ("method", text(&self.method)),
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
