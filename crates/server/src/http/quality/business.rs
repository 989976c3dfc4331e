//! What the business did in a month: the expressions of `quality: figures:`, day by day.

use std::sync::Arc;

use firebell_config::BusinessFigure;
use firebell_incident::BusinessMonth;
use firebell_model::{Duration, Timestamp};
use serde_json::{Value, json};

use super::Month;
use crate::http::{App, prometheus};

/// All of them, in the order of the configuration; each waits for its turn among the queries.
pub(super) async fn figures(app: &App, month: &Month) -> Vec<BusinessMonth> {
    let config = app.live.config();
    let figures: Arc<[BusinessFigure]> = Arc::clone(&config.figures);
    let mut all = Vec::with_capacity(figures.len());
    for figure in figures.iter() {
        all.push(of_month(app, month, figure).await);
    }
    all
}

/// A value at the end of each day that has ended; on the first day, of now.
async fn of_month(app: &App, month: &Month, figure: &BusinessFigure) -> BusinessMonth {
    let mut found = BusinessMonth {
        name: figure.name.clone(),
        expr: figure.expr.clone(),
        ..BusinessMonth::default()
    };
    let to = (month.to - Duration(1)).min(app.clock.now());
    let from = month.from + DAY - Duration(1);
    if to < month.from {
        return found;
    }
    // Of a month that is a day old there is no whole day yet.
    let span = (from.min(to), to, DAY);
    match prometheus::over(app, &figure.expr, span).await {
        Ok(all) if all.len() > 1 => {
            let n = all.len();
            found.error = Some(format!(
                "it gives {n} series, and a figure is one: add them up"
            ));
        }
        Ok(all) => {
            let samples = all.into_iter().flat_map(|it| it.samples);
            let finite = samples.filter(|it| it.value.is_finite());
            found.days = finite.map(|it| (it.at, it.value)).collect();
        }
        Err(error) => found.error = Some(error.message),
    }
    found
}

/// As `BusinessFigure` of `docs/openapi.json`.
pub(super) fn json(it: &BusinessMonth) -> Value {
    let day = |(at, value): &(Timestamp, f64)| json!({ "at": at.to_string(), "value": value });
    json!({
        "name": it.name,
        "expr": it.expr,
        "mean": it.mean(),
        "days": it.days.iter().map(day).collect::<Vec<_>>(),
        "error": it.error,
    })
}

const DAY: Duration = Duration::from_hours(24);
