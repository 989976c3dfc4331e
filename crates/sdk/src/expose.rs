//! Metrics in the text format of OpenMetrics, for those who scrape: of this process, or of all
//! processes of its service, whichever of them is asked.
//!
//! *Sources*: OpenMetrics 1.0.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::cells::{Exemplar, Kind, upper_bound};
use crate::client::Client;
use crate::definition::Definition;
use crate::sums::{self, Part, Sum, Totals};

/// Families by their names, in them series by their labels.
type Families = BTreeMap<String, Family>;

struct Family {
    kind: Kind,
    unit: String,
    description: String,
    series: BTreeMap<Vec<(String, String)>, Sum>,
}

/// What this process has, sorted by name and labels, with `# EOF` at its end.
#[must_use]
pub fn expose(client: &'static Client) -> String {
    let mut families = Families::new();
    let own = Part {
        pid: None,
        series: client.metrics.totals(),
    };
    insert(&mut families, own, false);
    write(&families)
}

/// What all processes of this one's service have that share its folder, those included that are no
/// more: counters and histograms are added up, gauges of several have a label `pid`.
///
/// Where no file can be had it is what this process has.
#[must_use]
pub fn expose_all(client: &'static Client) -> String {
    let Some((folder, instance_id)) = client.folder() else {
        return expose(client);
    };
    let own = Part {
        pid: Some(u64::from(std::process::id())),
        series: client.metrics.totals(),
    };
    let service = &client.settings().service;
    let mut parts = match sums::others(folder, service, instance_id) {
        Ok(parts) => parts,
        Err(error) => {
            client.say(&format!(
                "only this process is told of, the others' files cannot be read: {error}"
            ));
            Vec::new()
        }
    };
    parts.push(own);
    let is_one_of_several = parts.iter().filter(|it| it.pid.is_some()).count() > 1;
    let mut summed = Totals::new();
    let mut families = Families::new();
    for part in parts {
        let (held, counted): (Totals, Totals) = part
            .series
            .into_iter()
            .partition(|((kind, _), _)| *kind == Kind::Gauge);
        for (key, sum) in counted {
            sums::add(&mut summed, key, sum);
        }
        let held = Part {
            pid: part.pid,
            series: held,
        };
        insert(&mut families, held, is_one_of_several);
    }
    let all = Part {
        pid: None,
        series: summed,
    };
    insert(&mut families, all, false);
    write(&families)
}

/// What cannot be told beside what is there already, a family of another kind, is left out.
fn insert(families: &mut Families, part: Part, with_pid: bool) {
    for ((kind, encoded), sum) in part.series {
        let Some(definition) = Definition::parse(kind, &encoded) else {
            continue;
        };
        let family = families
            .entry(family(&definition, kind))
            .or_insert_with(|| Family {
                kind,
                unit: definition.unit,
                description: definition.description,
                series: BTreeMap::new(),
            });
        if family.kind != kind {
            continue;
        }
        let mut labels = definition.labels;
        if let Some(pid) = part.pid.filter(|_| with_pid) {
            let is_taken = labels.iter().any(|(name, _)| name == "pid");
            let name = if is_taken { "process_pid" } else { "pid" };
            labels.push((name.to_owned(), pid.to_string()));
        }
        family.series.insert(labels, sum);
    }
}

fn write(families: &Families) -> String {
    let mut out = String::new();
    for (name, family) in families {
        write_head(family, name, &mut out);
        for (labels, sum) in &family.series {
            write_series(name, family.kind, &written(labels), sum, &mut out);
        }
    }
    out.push_str("# EOF\n");
    out
}

fn write_head(family: &Family, name: &str, out: &mut String) {
    let description = family
        .description
        .replace('\\', "\\\\")
        .replace('\n', "\\n");
    let _ = writeln!(out, "# TYPE {name} {}", family.kind.name());
    let unit = unit_word(&family.unit);
    if !unit.is_empty() {
        let _ = writeln!(out, "# UNIT {name} {unit}");
    }
    if !description.is_empty() {
        let _ = writeln!(out, "# HELP {name} {description}");
    }
}

/// An exemplar stands with the first bucket that its value is in, and with a counter's total.
fn write_series(name: &str, kind: Kind, labels: &str, sum: &Sum, out: &mut String) {
    let total = &sum.total;
    let mut line = |ending: &str, bound: &str, value: f64, exemplar: Option<&Exemplar>| {
        let comma = if labels.is_empty() || bound.is_empty() {
            ""
        } else {
            ","
        };
        let _ = match labels.len() + bound.len() {
            0 => write!(out, "{name}{ending} {value:?}"),
            _ => write!(out, "{name}{ending}{{{labels}{comma}{bound}}} {value:?}"),
        };
        if let Some(it) = exemplar {
            let _ = write!(
                out,
                " # {{trace_id=\"{:032x}\",span_id=\"{:016x}\"}} {:?} {:?}",
                it.trace_id,
                it.span_id,
                it.value,
                it.nanos as f64 / 1e9
            );
        }
        out.push('\n');
    };
    match kind {
        Kind::Counter => line("_total", "", total.value, sum.exemplar.as_ref()),
        Kind::Gauge => line("", "", total.value, None),
        Kind::Histogram => {
            let mut count = total.n_zeros;
            let mut exemplar = sum.exemplar.as_ref();
            for (bucket, n) in &total.buckets {
                count = count.saturating_add(*n);
                let upper = upper_bound(*bucket);
                let here = exemplar.take_if(|it| it.value <= upper);
                line("_bucket", &format!("le=\"{upper:?}\""), count as f64, here);
            }
            line("_bucket", "le=\"+Inf\"", count as f64, exemplar);
            line("_count", "", count as f64, None);
            line("_sum", "", total.value, None);
        }
    }
}

/// `http.server.request.duration` in `s` is `http_server_request_duration_seconds`, as the server
/// names it.
fn family(definition: &Definition, kind: Kind) -> String {
    let mut name = plain(&definition.name);
    let unit = unit_word(&definition.unit);
    if !unit.is_empty() && !name.ends_with(unit) {
        name = format!("{name}_{unit}");
    }
    match name.strip_suffix("_total") {
        Some(short) if kind == Kind::Counter => short.to_owned(),
        _ => name,
    }
}

fn unit_word(unit: &str) -> &str {
    match unit {
        "s" => "seconds",
        "ms" => "milliseconds",
        "By" => "bytes",
        _ => "",
    }
}

fn plain(name: &str) -> String {
    let is_fine = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let mut plain: String = name
        .chars()
        .map(|it| if is_fine(it) { it } else { '_' })
        .collect();
    if plain.starts_with(|it: char| it.is_ascii_digit()) {
        plain.insert(0, '_');
    }
    plain
}

fn written(labels: &[(String, String)]) -> String {
    let pairs = labels.iter().map(|(name, value)| {
        let value = value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        format!("{}=\"{value}\"", plain(name))
    });
    pairs.collect::<Vec<_>>().join(",")
}
