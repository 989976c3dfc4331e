//! The Go-template language, as Prometheus uses it in annotations and labels and Alertmanager in
//! notifications.
//!
//! *Invariants*: a text is parsed once and run often; unknown functions and variables are found
//! when it is parsed. A run is bounded in steps, bytes and depth, reads no clock, and never panics,
//! whatever the text.
//!
//! *Not here*: scripts and style sheets of `html/template`; `html` knows tags, attributes, addresses.
//!
//! *Sources*: Go, `text/template`, `fmt`, `time`; Prometheus, `template/template.go`; Alertmanager,
//! `template/template.go`.

mod error;

mod ast;
mod lexer;
mod parser;

mod value;

mod exec;
mod html;
mod methods;

mod print;
mod printf;
mod route_labels;
mod time;

mod circumstances;
mod functions;
mod glance;
mod histogram;

mod alert;
mod mention;
mod notification;

pub use crate::alert::{AlertData, Query, QuerySample, Template};
pub use crate::error::TemplateError;
pub use crate::mention::{Mention, Mentioned};
pub use crate::notification::{
    Messages, NotificationData, NotificationTemplates, NotificationText, ends_at, quote_meta,
    reason_name, status_name,
};
