//! The log of `firebell alertmanager`: logfmt or JSON, as upstream's programs write it.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// How lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Format {
    /// `time=… level=INFO msg="…" key=value`.
    Logfmt,
    /// An object a line.
    Json,
}

/// Logs to standard error from now on.
pub(crate) fn start(level: Level, format: Format) {
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        // When nobody takes the log, such as a full disk, saying that on the same way would panic.
        .log_internal_errors(false)
        .event_format(format)
        .init();
}

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut fields = Fields(vec![
            ("time".to_owned(), time),
            ("level".to_owned(), event.metadata().level().to_string()),
            ("msg".to_owned(), String::new()),
        ]);
        event.record(&mut fields);
        match self {
            Self::Logfmt => writeln!(writer, "{}", fields.logfmt()),
            Self::Json => {
                let fields = fields.0.into_iter();
                let fields: Map<String, Value> =
                    fields.map(|(name, it)| (name, it.into())).collect();
                writeln!(writer, "{}", Value::Object(fields))
            }
        }
    }
}

/// Names and values, the message third.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn add(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.0[2].1 = value,
            name => self.0.push((name.to_owned(), value)),
        }
    }

    fn logfmt(&self) -> String {
        let mut line = String::new();
        for (name, value) in &self.0 {
            let gap = if line.is_empty() { "" } else { " " };
            let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '=' | '\\');
            // Writing to a string cannot fail.
            let _ = match !value.is_empty() && value.chars().all(is_plain) {
                true => write!(line, "{gap}{name}={value}"),
                false => write!(line, "{gap}{name}={value:?}"),
            };
        }
        line
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_spaces_is_quoted() {
        let pairs = [
            ("level", "INFO"),
            ("msg", "Listening on"),
            ("address", "127.0.0.1:1"),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            Fields(pairs.into()).logfmt(),
            r#"level=INFO msg="Listening on" address=127.0.0.1:1"#
        );
    }
}
