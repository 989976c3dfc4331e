//! Results as JUnit XML, in the form that promtool writes.
//!
//! *Sources*: Prometheus, `util/junitxml`; Go, `encoding/xml` for what is escaped.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use firebell_model::Timestamp;

/// A file.
pub(super) struct Suite {
    pub(super) name: String,
    /// Why none of its tests was run.
    pub(super) abort: Option<String>,
    pub(super) cases: Vec<Case>,
}

/// A test.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) failures: Vec<String>,
}

/// The whole document.
pub(super) fn xml(suites: &[Suite]) -> String {
    let at = now().to_rfc3339_millis();
    let at = at.get(..SECONDS_LEN).unwrap_or(&at);
    let mut xml = String::from("<testsuites>");
    for suite in suites {
        suite.write(at, &mut xml);
    }
    xml.push_str("</testsuites>");
    xml
}

impl Suite {
    fn write(&self, at: &str, xml: &mut String) {
        let n_failures: usize = self.cases.iter().map(|case| case.failures.len()).sum();
        // What ended the file before its tests is told of a test that nobody wrote.
        let unknown = self.abort.is_some() && self.cases.is_empty();
        let n_tests = self.cases.len() + usize::from(unknown);
        let n_errors = usize::from(self.abort.is_some());
        let at = if self.abort.is_some() { "" } else { at };
        // Writing to a string does not fail.
        let _ = write!(
            xml,
            "<testsuite name=\"{}\" tests=\"{n_tests}\" failures=\"{n_failures}\" \
             errors=\"{n_errors}\" skipped=\"0\" timestamp=\"{at}\">",
            escaped(&self.name)
        );
        for case in &self.cases {
            let _ = write!(xml, "<testcase name=\"{}\">", escaped(&case.name));
            for failure in &case.failures {
                let _ = write!(xml, "<failure>{}</failure>", escaped(failure));
            }
            xml.push_str("</testcase>");
        }
        if let (true, Some(abort)) = (unknown, &self.abort) {
            let abort = escaped(abort);
            let _ = write!(
                xml,
                "<testcase name=\"unknown\"><error>{abort}</error></testcase>"
            );
        }
        xml.push_str("</testsuite>");
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\t' => escaped.push_str("&#x9;"),
            '\n' => escaped.push_str("&#xA;"),
            '\r' => escaped.push_str("&#xD;"),
            // XML has no way to write these.
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[expect(
    clippy::disallowed_methods,
    reason = "a report says when it was made; nothing is decided by it"
)]
fn now() -> Timestamp {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// `2026-01-01T00:00:00`
const SECONDS_LEN: usize = 19;
