//! What `/metrics` says of rules and their groups.
//!
//! Written as text at once: with thousands of groups it is most of the page, and read every few
//! seconds.
//!
//! *Sources*: Prometheus, `rules/group.go`, `NewGroupMetrics`, for names, labels and meanings. Of the
//! summaries there are sum and count; the quantiles are left out.

use std::fmt::Write as _;
use std::time::Duration;

use firebell_engine::Engine;
use firebell_model::format_float;
use firebell_rules::GroupView;

use crate::metrics::Format;

/// Figures of all groups at one moment.
#[derive(Default)]
pub(crate) struct RuleFigures {
    groups: Vec<GroupFigures>,
    /// Of each group, escaped, one behind the other.
    labels: String,
    took: Duration,
    n_iterations: u64,
}

/// One group: where its label ends, and a value for each of [`FAMILIES`].
struct GroupFigures {
    label_end: usize,
    values: [f64; FAMILIES.len()],
}

/// A metric with a value for each group.
struct Family {
    name: &'static str,
    help: &'static str,
    is_counter: bool,
    value: fn(&GroupView<'_>) -> f64,
}

impl RuleFigures {
    /// The figures as they are now. Costs as much as there are groups.
    pub(crate) fn of(engine: &Engine) -> Self {
        let mut figures = Self::default();
        let bytes = |group: GroupView<'_>| group.group.file.len() + group.group.name.len() + 1;
        // The driver waits for this: the text is made elsewhere, and nothing here grows by steps.
        let groups = engine.rules().groups();
        figures.labels.reserve(groups.map(bytes).sum());
        figures.groups.reserve(engine.rules().set().groups().len());
        for group in engine.rules().groups() {
            figures.took += group.took_in_all();
            figures.n_iterations += group.n_iterations();
            let labels = &mut figures.labels;
            escape(&group.group.file, labels);
            labels.push(';');
            escape(&group.group.name, labels);
            let label_end = labels.len();
            let values = FAMILIES.each_ref().map(|family| (family.value)(&group));
            figures.groups.push(GroupFigures { label_end, values });
        }
        figures
    }

    /// Adds them to a text; `rules` is how often a rule was evaluated, and what that took.
    pub(crate) fn write(&self, rules: (u64, f64), format: Format, out: &mut String) {
        let end = "# EOF\n";
        let has_end = out.ends_with(end);
        out.truncate(out.len() - if has_end { end.len() } else { 0 });
        out.reserve(FAMILIES.len() * (self.labels.len() + self.groups.len() * LINE_BYTES));
        for (idx, family) in FAMILIES.iter().enumerate() {
            self.write_family(idx, family, format, out);
        }
        let groups = (self.n_iterations, self.took.as_secs_f64());
        for (name, help, (count, sum)) in [
            (
                "prometheus_rule_group_duration_seconds",
                "How long evaluations of groups took",
                groups,
            ),
            (
                "prometheus_rule_evaluation_duration_seconds",
                "How long evaluations of rules took",
                rules,
            ),
        ] {
            let sum = format_float(sum);
            // Writing to a string does not fail.
            let _ = writeln!(out, "# HELP {name} {help}.\n# TYPE {name} summary");
            let _ = writeln!(out, "{name}_sum {sum}\n{name}_count {count}");
        }
        if has_end {
            out.push_str(end);
        }
    }

    fn write_family(&self, idx: usize, family: &Family, format: Format, out: &mut String) {
        let Family { name, help, .. } = family;
        let (kind, suffix) = match family.is_counter {
            true => ("counter", "_total"),
            false => ("gauge", ""),
        };
        let of_name = if format == Format::Text { suffix } else { "" };
        let _ = writeln!(
            out,
            "# HELP {name}{of_name} {help}.\n# TYPE {name}{of_name} {kind}"
        );
        let head = format!("{name}{suffix}{{rule_group=\"");
        let mut label_start = 0;
        for group in &self.groups {
            let value = group.values[idx];
            let label = &self.labels[label_start..group.label_end];
            label_start = group.label_end;
            for text in [&head, label, "\"} "] {
                out.push_str(text);
            }
            // Most are small counts.
            match value as u8 {
                digit if f64::from(digit) == value && digit < 10 => {
                    out.push(char::from(b'0' + digit));
                }
                _ if value.fract() == 0.0 && value.abs() < WHOLE_MAX => {
                    let _ = write!(out, "{}", value as i64);
                }
                _ => out.push_str(&format_float(value)),
            }
            out.push('\n');
        }
    }
}

/// As the text formats want it.
fn escape(text: &str, out: &mut String) {
    if !text.contains(['\\', '"', '\n']) {
        out.push_str(text);
        return;
    }
    for char in text.chars() {
        match char {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            char => out.push(char),
        }
    }
}

const FAMILIES: [Family; 11] = [
    Family {
        name: "prometheus_rule_group_iterations",
        help: "Slots at which the group was evaluated",
        is_counter: true,
        value: |group| group.n_iterations() as f64,
    },
    Family {
        name: "prometheus_rule_group_iterations_missed",
        help: "Slots that passed without an evaluation, because one took too long",
        is_counter: true,
        value: |group| group.n_missed() as f64,
    },
    Family {
        name: "prometheus_rule_evaluations",
        help: "Evaluations of rules",
        is_counter: true,
        value: |group| group.n_evaluations() as f64,
    },
    Family {
        name: "prometheus_rule_evaluation_failures",
        help: "Evaluations of rules that failed",
        is_counter: true,
        value: |group| group.n_failures() as f64,
    },
    Family {
        name: "prometheus_rule_group_last_duration_seconds",
        help: "How long the last evaluation of the group took",
        is_counter: false,
        value: |group| group.took().as_secs_f64(),
    },
    Family {
        name: "prometheus_rule_group_last_rule_duration_sum_seconds",
        help: "How long the rules of the last evaluation took, in sum",
        is_counter: false,
        value: |group| group.rules_took().as_secs_f64(),
    },
    Family {
        name: "prometheus_rule_group_last_restore_duration_seconds",
        help: "How long it took to restore the state of alerts from samples: it never is",
        is_counter: false,
        value: |_| 0.0,
    },
    Family {
        name: "prometheus_rule_group_last_evaluation_timestamp_seconds",
        help: "The slot of the last evaluation",
        is_counter: false,
        value: |group| group.last_evaluation().map_or(0.0, |at| at.as_secs_f64()),
    },
    Family {
        name: "prometheus_rule_group_last_evaluation_samples",
        help: "Samples that the last evaluation wrote",
        is_counter: false,
        value: |group| group.n_last_samples() as f64,
    },
    Family {
        name: "prometheus_rule_group_interval_seconds",
        help: "The interval of the group",
        is_counter: false,
        value: |group| group.group.interval.as_secs_f64(),
    },
    Family {
        name: "prometheus_rule_group_rules",
        help: "Rules of the group",
        is_counter: false,
        value: |group| group.group.rules.len() as f64,
    },
];

/// About what a line takes besides the label.
const LINE_BYTES: usize = 96;
/// Larger numbers are no longer exact.
const WHOLE_MAX: f64 = 1e15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::as_text;

    #[test]
    fn groups_are_written_before_the_end_with_their_labels_escaped() {
        let mut labels = String::new();
        let mut values = [0.0; FAMILIES.len()];
        let mut group = |label: &str| {
            escape(label, &mut labels);
            let label_end = labels.len();
            (values[0], values[4]) = (values[0] + 3.0, 0.25);
            GroupFigures { label_end, values }
        };
        let figures = RuleFigures {
            groups: vec![group("a\"\\\nb"), group("c")],
            labels,
            took: Duration::from_millis(1500),
            n_iterations: 3,
        };
        let mut text = "x 1\n# EOF\n".to_owned();
        figures.write((7, 0.5), Format::OpenMetrics, &mut text);
        let mut older = as_text("x 1\n# EOF\n");
        figures.write((7, 0.5), Format::Text, &mut older);
        assert_eq!(older, as_text(&text));
        for line in [
            "# TYPE prometheus_rule_group_iterations counter",
            "prometheus_rule_group_iterations_total{rule_group=\"a\\\"\\\\\\nb\"} 3",
            "prometheus_rule_group_iterations_total{rule_group=\"c\"} 6",
            "prometheus_rule_group_last_duration_seconds{rule_group=\"a\\\"\\\\\\nb\"} 0.25",
            "prometheus_rule_group_duration_seconds_sum 1.5",
            "prometheus_rule_evaluation_duration_seconds_count 7",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        assert!(text.starts_with("x 1\n# HELP") && text.ends_with("\n# EOF\n"));
    }
}
