//! Reads a scraped body, in whichever format it came, into the values that [`Taking`] takes.

use firebell_model::{Exemplar, Metadata};
use firebell_wire::exposition::{
    BodyFormat, ClassicCollector, Converted, CreatedTimes, Entry, Format, HistogramOptions, Parser,
    Point, SampleLine, Scraped, read_families,
};

use super::series::{Given, Spelled, Taking};

/// Reads a body.
///
/// # Errors
/// Why the scrape fails.
pub(super) fn read(body: &[u8], format: BodyFormat, taking: &mut Taking<'_>) -> Result<(), String> {
    let wanted = taking.treatment.job.histograms;
    let histograms = HistogramOptions {
        native: wanted.native,
        classic: wanted.classic,
        to_custom: wanted.to_custom,
    };
    match format {
        BodyFormat::Text(format) => read_text(body, format, histograms, taking),
        BodyFormat::Protobuf => read_families(body, histograms, |scraped| match scraped {
            Scraped::Metadata(metric, metadata) => {
                taking.say(|said| said.clone_from(&metadata));
                taking.describe(metric, metadata);
                Ok(())
            }
            Scraped::Point(mut point) => {
                let value = std::mem::replace(&mut point.point, Point::Float(0.0));
                let spelled = Spelled {
                    key: point.key,
                    at: point.at,
                    created: point.created,
                    point: value,
                };
                let exemplars = point.exemplars.iter().cloned();
                let given = || {
                    let (labels, empty_names) = (point.labels()?, point.empty_names());
                    Ok(Given {
                        labels,
                        empty_names,
                    })
                };
                taking.take(spelled, given, exemplars)
            }
        }),
    }
}

fn read_text(
    body: &[u8],
    format: Format,
    histograms: HistogramOptions,
    taking: &mut Taking<'_>,
) -> Result<(), String> {
    let times = match taking.treatment.zero_at_creation {
        true => CreatedTimes::read(body, format).map_err(|error| error.to_string())?,
        false => CreatedTimes::default(),
    };
    let mut described = (String::new(), Metadata::default());
    let read = read_entries(body, (format, histograms), &times, &mut described, taking);
    // Also of a body that turns bad in the middle.
    describe(&mut described, "", taking);
    read
}

fn read_entries(
    body: &[u8],
    (format, histograms): (Format, HistogramOptions),
    times: &CreatedTimes,
    described: &mut (String, Metadata),
    taking: &mut Taking<'_>,
) -> Result<(), String> {
    let drops_created = taking.treatment.zero_at_creation && format == Format::OpenMetrics;
    let mut collector = ClassicCollector::default();
    let mut parser = Parser::new(body, format).map_err(|error| error.to_string())?;
    while let Some(entry) = parser.next_entry().map_err(|error| error.to_string())? {
        match entry {
            Entry::Sample(line) if drops_created && CreatedTimes::is_one(&line) => {}
            Entry::Sample(line) => {
                let mut is_wanted = true;
                if histograms.to_custom {
                    let (is_classic, ended) = collector.add(&line).map_err(twice)?;
                    is_wanted = histograms.classic || !is_classic;
                    take_converted(ended, times, taking)?;
                }
                if is_wanted {
                    take_line(&line, times, taking)?;
                }
            }
            Entry::Help { metric, help } => {
                describe(described, &metric, taking).help = help.as_ref().into();
            }
            Entry::Type { metric, kind } => {
                taking.say(|said| said.kind = kind);
                describe(described, &metric, taking).kind = kind;
            }
            Entry::Unit { metric, unit } => {
                taking.say(|said| said.unit = unit.into());
                describe(described, &metric, taking).unit = unit.into();
            }
        }
    }
    take_converted(collector.finish(), times, taking)
}

fn take_line(
    line: &SampleLine<'_, '_>,
    times: &CreatedTimes,
    taking: &mut Taking<'_>,
) -> Result<(), String> {
    let spelled = Spelled {
        key: line.series.text(),
        at: line.at,
        created: times.of(line),
        point: Point::Float(line.value),
    };
    let exemplar = match &line.exemplar {
        None => None,
        Some(exemplar) => {
            let read = Exemplar {
                labels: exemplar.labels().map_err(twice)?,
                value: exemplar.value,
                at: exemplar.at.unwrap_or_default(),
            };
            Some((read, exemplar.at.is_some()))
        }
    };
    let given = || {
        let labels = line.series.labels().map_err(twice)?;
        let empty_names = line.series.empty_names();
        Ok(Given {
            labels,
            empty_names,
        })
    };
    taking.take(spelled, given, exemplar)
}

fn take_converted(
    converted: Option<Converted>,
    times: &CreatedTimes,
    taking: &mut Taking<'_>,
) -> Result<(), String> {
    let Some(converted) = converted else {
        return Ok(());
    };
    // No series in a text is spelled with a line feed in front.
    let key = format!("\n{}", converted.labels);
    let spelled = Spelled {
        key: &key,
        at: converted.at,
        created: times.of_labels(&converted.labels),
        point: Point::Histogram(Box::new(converted.histogram)),
    };
    let exemplars = converted
        .exemplars
        .into_iter()
        .map(|exemplar| (exemplar, true));
    let given = Given {
        labels: converted.labels,
        // Of what is put together, upstream no longer knows them.
        empty_names: Vec::new(),
    };
    taking.as_histogram(|taking| taking.take(spelled, || Ok(given), exemplars))
}

/// What is known of the metric so far; what was said of the one before is told.
fn describe<'d>(
    described: &'d mut (String, Metadata),
    metric: &str,
    taking: &mut Taking<'_>,
) -> &'d mut Metadata {
    if described.0 != metric {
        let (told, metadata) = std::mem::take(described);
        if !told.is_empty() {
            taking.describe(&told, metadata);
        }
        metric.clone_into(&mut described.0);
    }
    &mut described.1
}

fn twice(name: String) -> String {
    format!("label name `{name}` occurs twice")
}
