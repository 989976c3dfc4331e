//! The text format 0.0.4, written: untyped samples with their times, as `/federate` gives them.
//!
//! *Sources*: `prometheus/common`, `expfmt/text_create.go`; Prometheus, `web/federate.go`.

use std::fmt::Write as _;

use firebell_model::{
    Labels, Sample, format_float, format_float_exponent, is_valid_label_name, is_valid_metric_name,
};

use crate::names::Escaping;

/// Writes samples, family by family.
#[derive(Debug)]
pub struct TextWriter {
    text: String,
    family: Option<String>,
    /// How names are written; those of any characters are quoted.
    escaping: Escaping,
}

impl TextWriter {
    /// An empty text.
    #[must_use]
    pub fn new(escaping: Escaping) -> Self {
        Self {
            text: String::new(),
            family: None,
            escaping,
        }
    }

    /// Adds a sample; samples of one metric have to follow each other. `extra` labels, sorted, are
    /// added where the series has none of the name. A series without a metric name is left out.
    pub fn sample(&mut self, labels: &Labels, extra: &[(&str, &str)], sample: Sample) {
        let metric = labels.metric_name();
        if metric.is_empty() {
            return;
        }
        if self.family.as_deref() != Some(metric) {
            self.text.push_str("# TYPE ");
            self.name(metric, true);
            self.text.push_str(" untyped\n");
            self.family = Some(metric.to_owned());
        }
        let is_quoted = self.escaping == Escaping::AllowUtf8 && !is_valid_metric_name(metric);
        if is_quoted {
            self.text.push('{');
        }
        self.name(metric, true);
        let mut separator = if is_quoted { "," } else { "{" };
        let own = labels.iter().map(|label| (&*label.name, &*label.value));
        let own = own.filter(|(name, _)| *name != firebell_model::METRIC_NAME);
        let extra = extra.iter().filter(|(name, _)| labels.get(name).is_none());
        for (name, value) in own.chain(extra.copied()) {
            self.text.push_str(separator);
            self.name(name, false);
            self.text.push_str("=\"");
            escape(value, &mut self.text);
            self.text.push('"');
            separator = ",";
        }
        let end = if separator == "," { "}" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{end} {} {}", number(sample.value), sample.at.0);
    }

    fn name(&mut self, name: &str, is_metric: bool) {
        let is_plain = match is_metric {
            true => is_valid_metric_name(name),
            false => is_valid_label_name(name),
        };
        if is_plain {
            self.text.push_str(name);
        } else if self.escaping == Escaping::AllowUtf8 {
            self.text.push('"');
            escape(name, &mut self.text);
            self.text.push('"');
        } else {
            self.text.push_str(&self.escaping.write(name, is_metric));
        }
    }

    /// How much text there is since the last time.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.text.len()
    }

    /// The text since the last time.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str(r"\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

/// A number as Go's `%g` with the fewest digits.
fn number(value: f64) -> String {
    if value == 0.0 {
        // Also where it is negative.
        return "0".to_owned();
    }
    let text = format_float_exponent(value);
    let exponent = text
        .split_once('e')
        .and_then(|(_, it)| it.parse::<i32>().ok());
    match exponent {
        None | Some(-4..=5) => format_float(value),
        Some(_) => text,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use firebell_model::Timestamp;

    use super::*;

    fn check(escaping: Escaping, expected: &Expect) {
        let mut writer = TextWriter::new(escaping);
        let mut add = |pairs: &[(&str, &str)], value| {
            let labels = Labels::from_pairs(pairs.iter().copied());
            let at = Timestamp(7);
            writer.sample(
                &labels,
                &[("instance", ""), ("site", "a")],
                Sample { at, value },
            );
        };
        add(
            &[("__name__", "up"), ("job", "a\"\\\n"), ("site", "b")],
            1.0,
        );
        add(&[("__name__", "up"), ("instance", "i")], 1_234_567.0);
        add(&[("__name__", "a.b"), ("c.d", "€")], 0.000_01);
        add(&[("job", "nameless")], 1.0);
        expected.assert_eq(&writer.take());
    }

    #[test]
    fn samples_are_written_as_upstream_writes_them() {
        check(
            Escaping::Underscores,
            &expect![[r#"
                # TYPE up untyped
                up{job="a\"\\\n",site="b",instance=""} 1 7
                up{instance="i",site="a"} 1.234567e+06 7
                # TYPE a_b untyped
                a_b{c_d="€",instance="",site="a"} 1e-05 7
            "#]],
        );
        check(
            Escaping::AllowUtf8,
            &expect![[r#"
                # TYPE up untyped
                up{job="a\"\\\n",site="b",instance=""} 1 7
                up{instance="i",site="a"} 1.234567e+06 7
                # TYPE "a.b" untyped
                {"a.b","c.d"="€",instance="",site="a"} 1e-05 7
            "#]],
        );
    }
}
