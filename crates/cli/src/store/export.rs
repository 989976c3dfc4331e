//! `firebell store export`: what is in a store, for other stores.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use firebell_model::{
    Exemplar, Labels, METRIC_NAME, Matcher, TimeRange, Timestamp, format_float, is_stale,
};
use firebell_tsdb::{Salvaged, Store};
use firebell_wire::export::{ExportWriter, MAGIC};
use firebell_wire::row::Row;

use super::{Failed, Folder, look};

#[derive(Args)]
pub(crate) struct Export {
    #[command(flatten)]
    folder: Folder,
    /// `openmetrics`: floats as text, which `firebell import` and promtool read; it has no form for
    /// native histograms, exemplars and stale markers. `firebell`: all there is, with what metrics
    /// are, which `firebell import` reads.
    #[arg(long, value_enum, default_value_t = Format::Openmetrics)]
    format: Format,
    /// Only series that satisfy this selector; may be given several times.
    #[arg(long = "match", value_name = "SELECTOR")]
    selectors: Vec<String>,
    /// Only samples from this time on.
    #[arg(long, value_name = "TIME")]
    start: Option<Timestamp>,
    /// Only samples up to this time.
    #[arg(long, value_name = "TIME")]
    end: Option<Timestamp>,
}

/// How an export is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    Openmetrics,
    Firebell,
}

pub(super) fn export(export: &Export) -> Result<ExitCode, Failed> {
    let mut selectors: Vec<Vec<Matcher>> = Vec::new();
    for text in &export.selectors {
        let selector = firebell_promql::parse_selector(text);
        selectors.push(selector.map_err(|error| error.to_string())?.matchers);
    }
    let (store, report) = look(&export.folder.data)?;
    report
        .damage
        .iter()
        .for_each(|what| eprintln!("firebell: {what}"));
    let mut n_damaged = report.damage.len();
    let before = |start: Timestamp| Timestamp(start.0.saturating_sub(1));
    let range = TimeRange {
        after: export.start.map_or(Timestamp::MIN, before),
        until: export.end.unwrap_or(Timestamp::MAX),
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut target: Box<dyn Target> = match export.format {
        Format::Openmetrics => Box::new(Text::default()),
        Format::Firebell => Box::new(Whole::of(&store, &selectors, range, &mut out)?),
    };
    store.salvage(|mut series| {
        let matches =
            |matchers: &Vec<Matcher>| matchers.iter().all(|it| it.matches(&series.labels));
        if !selectors.is_empty() && !selectors.iter().any(matches) {
            return Ok(());
        }
        n_damaged += series.damage.len();
        series
            .damage
            .iter()
            .for_each(|what| eprintln!("firebell: {what}"));
        series.samples.retain(|it| range.contains(it.at));
        series.histograms.retain(|it| range.contains(it.at));
        target.series(&series, &mut out)
    })?;
    target.finish(&mut out)?;
    out.flush()?;
    Ok(ExitCode::from(u8::from(n_damaged > 0)))
}

/// What an export is written to.
trait Target {
    fn series(&mut self, series: &Salvaged, out: &mut dyn Write) -> Result<(), Failed>;

    fn finish(self: Box<Self>, out: &mut dyn Write) -> Result<(), Failed>;
}

/// OpenMetrics.
#[derive(Default)]
struct Text {
    n_histograms: usize,
}

impl Target for Text {
    fn series(&mut self, series: &Salvaged, out: &mut dyn Write) -> Result<(), Failed> {
        self.n_histograms += series.histograms.len();
        let name = series_text(&series.labels);
        for sample in series.samples.iter().filter(|it| !is_stale(it.value)) {
            let value = format_float(sample.value);
            writeln!(out, "{name} {value} {}", seconds(sample.at))?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>, out: &mut dyn Write) -> Result<(), Failed> {
        writeln!(out, "# EOF")?;
        if self.n_histograms > 0 {
            eprintln!(
                "firebell: {} native histograms are left out: OpenMetrics text has none; \
                 `--format firebell` has",
                self.n_histograms
            );
        }
        Ok(())
    }
}

/// All there is.
struct Whole {
    writer: ExportWriter,
    /// Those of series that are still to come.
    exemplars: BTreeMap<Labels, Vec<Exemplar>>,
}

impl Whole {
    fn of(
        store: &Store,
        selectors: &[Vec<Matcher>],
        range: TimeRange,
        out: &mut dyn Write,
    ) -> Result<Self, Failed> {
        let all = [Vec::new()];
        let selectors = if selectors.is_empty() {
            &all
        } else {
            selectors
        };
        out.write_all(&MAGIC)?;
        let mut writer = ExportWriter::default();
        for (metric, metadata) in store.all_metadata() {
            writer.metadata(&metric, &metadata);
        }
        let exemplars = store.exemplars(selectors, range).into_iter().collect();
        Ok(Self { writer, exemplars })
    }
}

impl Target for Whole {
    fn series(&mut self, series: &Salvaged, out: &mut dyn Write) -> Result<(), Failed> {
        let exemplars = self.exemplars.remove(&series.labels).unwrap_or_default();
        let row = Row {
            labels: &series.labels,
            samples: &series.samples,
            histograms: &series.histograms,
            exemplars: &exemplars,
        };
        Ok(self.writer.series(&row, out)?)
    }

    fn finish(mut self: Box<Self>, out: &mut dyn Write) -> Result<(), Failed> {
        for (labels, exemplars) in std::mem::take(&mut self.exemplars) {
            let row = Row {
                exemplars: &exemplars,
                ..Row::of(&labels)
            };
            self.writer.series(&row, out)?;
        }
        Ok(self.writer.finish(out)?)
    }
}

/// A time as OpenMetrics spells it: the sign holds for the fraction too.
fn seconds(at: Timestamp) -> String {
    let sign = if at.0 < 0 { "-" } else { "" };
    let ms = at.0.unsigned_abs();
    format!("{sign}{}.{:03}", ms / 1000, ms % 1000)
}

/// A series as OpenMetrics spells it.
fn series_text(labels: &Labels) -> String {
    let metric = labels.metric_name();
    let is_plain = firebell_model::is_valid_metric_name(metric);
    let mut pairs = Vec::new();
    if !is_plain {
        pairs.push(quoted(metric));
    }
    for label in labels.iter().filter(|label| &*label.name != METRIC_NAME) {
        let value = quoted(&label.value);
        pairs.push(if firebell_model::is_valid_label_name(&label.name) {
            format!("{}={value}", label.name)
        } else {
            format!("{}={value}", quoted(&label.name))
        });
    }
    let name = if is_plain { metric } else { "" };
    if pairs.is_empty() {
        return name.to_owned();
    }
    format!("{name}{{{}}}", pairs.join(","))
}

/// A string as OpenMetrics quotes it: readers know these three escapes and take the rest as it is.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', r"\\");
    let escaped = escaped.replace('"', "\\\"").replace('\n', r"\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_keep_their_fraction() {
        for (ms, expected) in [
            (1_700_000_000_007, "1700000000.007"),
            (0, "0.000"),
            (-7, "-0.007"),
            (-5500, "-5.500"),
            (-6000, "-6.000"),
            (i64::MIN, "-9223372036854775.808"),
        ] {
            assert_eq!(seconds(Timestamp(ms)), expected);
        }
    }
}
