//! Postmortems over HTTP: what is known and written, and freezing samples for one.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use firebell_engine::Engine;
use firebell_incident::{
    GRAPH_POINTS_MAX, GRAPH_SERIES_MAX, GRAPHS_MAX, Graph, GraphSeries, Hint, Incident, Part,
    Person, Refusal, hints,
};
use firebell_model::{ALERT_NAME, Duration, Timestamp};
use firebell_promql::MatrixSeries;
use firebell_wire::prometheus_json::ErrorKind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{parse_id, read_body, refusal, refused};
use crate::http::{App, prometheus, stopped, unrecorded, written};

/// What is posted to have samples frozen.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `by`")]
struct Asked {
    #[serde(default)]
    by: String,
}

/// What is to be asked of the store for an incident.
struct Wanted {
    /// Names of rules with their expressions.
    rules: Vec<(String, String)>,
    from: Timestamp,
    to: Timestamp,
    step: Duration,
}

/// `GET /api/firebell/v1/incidents/{id}/postmortem`.
pub(in crate::http) async fn show(State(app): State<App>, Path(id): Path<String>) -> Response {
    let id = match parse_id(&id) {
        Ok(id) => id,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let found = app
        .handle
        .read(move |engine, _| engine.incidents().get(id).cloned());
    match found.await {
        Ok(Some(found)) => answer(&app, found).await,
        Ok(None) => refusal(&Refusal::Unknown(id)),
        Err(_) => stopped(),
    }
}

/// `POST /api/firebell/v1/incidents/{id}/postmortem`.
pub(in crate::http) async fn draft(
    State(app): State<App>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let read = || {
        let asked: Asked = read_body(&body)?;
        Ok::<_, String>((parse_id(&id)?, Person::new(&asked.by)?))
    };
    let (id, by) = match read() {
        Ok(read) => read,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let wanted = app.handle.read(move |engine, now| {
        let incident = engine.incidents().get(id)?;
        Some(Wanted::of(engine, incident, now))
    });
    let wanted = match wanted.await {
        Ok(Some(wanted)) => wanted,
        Ok(None) => return refusal(&Refusal::Unknown(id)),
        Err(_) => return stopped(),
    };
    let graphs = wanted.graphs(&app).await;
    let drafted = app.handle.command(move |engine, now, step| {
        engine.draft_postmortem(now, id, by, graphs, step)?;
        Ok(engine.incidents().get(id).cloned())
    });
    match drafted.await {
        Ok(Ok(Some(drafted))) => answer(&app, drafted).await,
        Ok(Ok(None)) => refusal(&Refusal::Unknown(id)),
        Ok(Err(why)) => refusal(&why),
        Err(error) => unrecorded(&error),
    }
}

/// Written out beside the driver, which has other things to do.
async fn answer(app: &App, incident: Incident) -> Response {
    let external_url = app.live.config().external_url.clone();
    let (own, id) = ("api/firebell/v1/incidents", incident.id);
    let pictures = format!("{external_url}/{own}/{id}/pictures");
    written(move || postmortem_json(&incident, &pictures)).await
}

impl Wanted {
    fn of(engine: &Engine, incident: &Incident, now: Timestamp) -> Self {
        let joined = incident.alerts.values().map(|it| it.joined_at).min();
        let began = joined.map_or(incident.opened_at, |it| it.min(incident.opened_at));
        let ended = incident.resolved_at.unwrap_or(now);
        let from = began - BEFORE;
        let to = (ended + AFTER).min(now).min(from + SPAN_MAX).max(from);
        let n_steps = i64::try_from(GRAPH_POINTS_MAX - 1).unwrap_or(1);
        // A whole number of steps fits in.
        let step = Duration(((to - from).0 / n_steps + 1).max(STEP_MIN.0));
        let names = incident.alerts.values();
        let names = names.map(|it| it.labels.value(ALERT_NAME));
        let rules = engine.rules().groups().flat_map(|group| group.rules());
        let rules = rules.map(|it| (it.rule.name.as_str(), it.rule.expr.text()));
        Self {
            rules: named_rules(names, rules),
            from,
            to,
            step,
        }
    }

    /// One after the other: they share their places with queries.
    async fn graphs(self, app: &App) -> Vec<Graph> {
        let mut graphs = Vec::with_capacity(self.rules.len());
        for (name, expr) in self.rules {
            let span = (self.from, self.to, self.step);
            let queried = prometheus::over(app, &expr, span).await;
            let mut graph = Graph {
                name,
                expr,
                from: self.from,
                step: self.step,
                series: Vec::new(),
                n_left_out: 0,
                error: None,
            };
            match queried {
                Ok(all) => {
                    graph.n_left_out = all.len().saturating_sub(GRAPH_SERIES_MAX);
                    let kept = all.into_iter().take(GRAPH_SERIES_MAX);
                    graph.series = kept.map(|it| on_grid(it, span)).collect();
                }
                Err(error) => graph.error = Some(error.message),
            }
            graphs.push(graph);
        }
        graphs
    }
}

/// The first rule of each name, in the order of the names, as far as there is room for graphs. Costs a
/// look at each name and each rule.
fn named_rules<'a>(
    names: impl Iterator<Item = &'a str>,
    rules: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<(String, String)> {
    let mut exprs: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    let mut in_order = Vec::new();
    for name in names {
        exprs.entry(name).or_insert_with(|| {
            in_order.push(name);
            None
        });
    }
    for (name, expr) in rules {
        if let Some(found @ None) = exprs.get_mut(name) {
            *found = Some(expr);
        }
    }
    let known = in_order.into_iter().filter_map(|name| {
        let expr = (*exprs.get(name)?)?;
        Some((name.to_owned(), expr.to_owned()))
    });
    known.take(GRAPHS_MAX).collect()
}

fn on_grid(
    series: MatrixSeries,
    (from, to, step): (Timestamp, Timestamp, Duration),
) -> GraphSeries {
    let place = |at: Timestamp| usize::try_from((at - from).0 / step.0.max(1)).ok();
    let n_values = place(to).map_or(0, |last| last + 1).min(GRAPH_POINTS_MAX);
    let mut values = vec![None; n_values];
    for sample in &series.samples {
        if let Some(value) = place(sample.at).and_then(|idx| values.get_mut(idx)) {
            *value = Some(sample.value).filter(|it| it.is_finite());
        }
    }
    GraphSeries {
        labels: series.labels,
        values,
    }
}

/// Its pictures have their addresses below `pictures`.
fn postmortem_json(incident: &Incident, pictures: &str) -> Value {
    let written = incident.postmortem.as_deref();
    let drafted = written.and_then(|it| it.drafted.as_ref());
    let people = incident.people();
    let names: Vec<&str> = people.iter().map(|it| it.name()).collect();
    let mut before: Option<Timestamp> = None;
    let moments = incident.moments().named().map(|(name, at)| {
        let after = at
            .zip(before)
            .map(|(at, before): (Timestamp, _)| (at - before).as_secs_f64());
        before = at.or(before);
        json!({ "name": name, "at": at.map(|it| it.to_string()), "afterSeconds": after })
    });
    let parts = Part::ALL.map(|part| {
        let text = written.and_then(|it| it.parts.get(&part));
        let hints = text.map_or(Vec::new(), |it| hints(it, &names));
        json!({
            "part": part.name(),
            "title": part.title(),
            "prompt": part.prompt(),
            "text": text,
            "hints": hints.iter().map(hint_json).collect::<Vec<_>>(),
        })
    });
    let follow_ups = written.map_or(&[][..], |it| &it.follow_ups).iter();
    let follow_ups = follow_ups.enumerate().map(|(idx, it)| {
        let day = it.due.to_string();
        json!({
            "n": idx + 1,
            "text": it.text,
            "owner": it.owner,
            "due": day.get(..10),
            "proof": it.proof.as_ref().map(|proof| json!({
                "text": proof.text,
                "by": proof.by,
                "at": proof.at.to_string(),
            })),
        })
    });
    json!({
        "version": written.map_or(firebell_incident::POSTMORTEM_VERSION, |it| it.version),
        "incident": incident.id.to_string(),
        "title": incident.title,
        "drafted": drafted.map(|(by, at)| json!({ "by": by, "at": at.to_string() })),
        "moments": moments,
        "parts": parts,
        "followUps": follow_ups.collect::<Vec<_>>(),
        "graphs": incident.graphs.iter().map(graph_json).collect::<Vec<_>>(),
        "markdown": incident.postmortem_markdown(pictures),
    })
}

fn hint_json(hint: &Hint) -> Value {
    json!({
        "line": hint.line,
        "column": hint.column,
        "words": hint.words,
        "why": hint.why,
    })
}

fn graph_json(graph: &Graph) -> Value {
    let series = graph
        .series
        .iter()
        .map(|it| json!({ "labels": it.labels, "values": it.values }));
    json!({
        "name": graph.name,
        "expr": graph.expr,
        "from": graph.from.to_string(),
        "stepSeconds": graph.step.as_secs_f64(),
        "series": series.collect::<Vec<_>>(),
        "leftOut": graph.n_left_out,
        "error": graph.error,
    })
}

/// What was before it began, and what came after its end, belongs to the picture.
const BEFORE: Duration = Duration::from_mins(30);
const AFTER: Duration = Duration::from_mins(10);
/// Of one that lasts longer the beginning is kept.
const SPAN_MAX: Duration = Duration::from_hours(7 * 24);
const STEP_MIN: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_looked_for_once_however_many_alerts_it_has() {
        let names = ["B", "A", "B", "Posted", "A"].into_iter();
        let looked = std::cell::Cell::new(0);
        let rules = [("A", "a"), ("B", "b"), ("A", "other"), ("C", "c")].into_iter();
        let rules = rules.inspect(|_| looked.set(looked.get() + 1));
        let found = named_rules(names, rules);
        let expected = [("B", "b"), ("A", "a")].map(|(name, expr)| (name.into(), expr.into()));
        assert_eq!(found, expected);
        assert_eq!(looked.get(), 4);
        let many: Vec<String> = (0..50).map(|n| format!("R{n}")).collect();
        let rules = many.iter().map(|it| (it.as_str(), "up"));
        assert_eq!(
            named_rules(many.iter().map(String::as_str), rules).len(),
            GRAPHS_MAX
        );
    }
}
