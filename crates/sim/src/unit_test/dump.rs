//! Everything that a test put in or its rules wrote, for debugging, as upstream prints it.

use firebell_config::UnitTest;
use firebell_model::{Duration, format_float};
use firebell_promql::{MatrixSeries, Options, Plan, Prepared, Value};

use super::play::Played;
use super::{last_eval_time, start_of, text};

/// The lines of the dump.
pub(super) fn dump(test: &UnitTest, played: &Played) -> Vec<String> {
    let last = last_eval_time(test).0;
    let until = Duration((last + 1000).div_euclid(1000) * 1000);
    let expr = format!("{{__name__=~\".+\"}}[{until}]");
    let result = Plan::new(&expr)
        .map_err(|error| error.to_string())
        .and_then(|plan| {
            let at = start_of(test) + until;
            let value = Prepared::new(plan).instant(&played.memory, at, &Options::default());
            value.map_err(|error| error.to_string())
        });
    let until = text::go_duration(until.0);
    let head = format!("DEBUG: Dump of all data (input_series and rules) at {until}:");
    match result {
        Ok(Value::Matrix(series)) => {
            let series: Vec<String> = series.iter().map(shown).collect();
            vec![head, series.join("\n")]
        }
        Ok(_) => Vec::new(),
        Err(error) => vec![format!(
            "DEBUG: Failed query exec, expr: {expr:?}, err: {error}"
        )],
    }
}

fn shown(series: &MatrixSeries) -> String {
    let floats = series.samples.iter();
    let floats = floats.map(|it| format!("{} @[{}]", format_float(it.value), it.at.0));
    let histograms = series.histograms.iter();
    let histograms = histograms.map(|it| format!("{} @[{}]", it.histogram, it.at.0));
    let points: Vec<String> = floats.chain(histograms).collect();
    format!("{} =>\n{}", text::labels(&series.labels), points.join("\n"))
}
