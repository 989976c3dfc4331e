//! What a notification says at one glance: what, where, since when, how far beyond the threshold,
//! why it matters, whose it is, and where to go. Facts only; `messages.tmpl` gives them their forms.
//!
//! *Invariants*: what all alerts share is said once; what tells them apart stands in a table, of
//! bounded size.

use std::collections::{BTreeMap, BTreeSet};

use firebell_model::{Duration, Labels};

use crate::circumstances;
use crate::exec::Context;
use crate::functions::query_escape;
use crate::time::format_moment;
use crate::value::{ListKind, Moment, Value};

/// The facts of one notification.
pub(crate) struct Glance {
    title: String,
    /// Paragraphs.
    why: Vec<String>,
    /// Names and texts.
    facts: Vec<(&'static str, String)>,
    tables: Vec<Table>,
    /// Names and addresses.
    links: Vec<(&'static str, String)>,
    pub(crate) n_alerts: usize,
}

/// What tells alerts apart, or what happened before.
pub(crate) struct Table {
    name: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Alerts that no row tells of.
    n_more: usize,
}

/// An alert, as templates see it.
struct AlertFacts<'a> {
    labels: &'a Labels,
    annotations: &'a Labels,
    starts_at: &'a Moment,
    ends_at: &'a Moment,
    is_firing: bool,
    fingerprint: &'a str,
    generator_url: &'a str,
}

/// Reads the data of a notification.
///
/// # Errors
/// When `dot` is none.
pub(crate) fn glance(context: &Context<'_>, dot: &Value) -> Result<Glance, String> {
    let whole = Whole::of(context, dot).ok_or("glance takes the data of a notification: `.`")?;
    Ok(Glance {
        title: whole.title(),
        why: whole.why(),
        facts: whole.facts(),
        tables: whole.tables(),
        links: whole.links(),
        n_alerts: whole.alerts.len(),
    })
}

/// The notification, taken apart.
struct Whole<'a> {
    context: &'a Context<'a>,
    alerts: Vec<AlertFacts<'a>>,
    group: &'a Labels,
    common: &'a Labels,
    annotations: &'a Labels,
    receiver: &'a str,
    external_url: &'a str,
}

impl<'a> Whole<'a> {
    fn of(context: &'a Context<'a>, dot: &'a Value) -> Option<Self> {
        let Value::List(alerts) = field(dot, "Alerts")? else {
            return None;
        };
        let alerts: Option<Vec<_>> = alerts.items.iter().map(AlertFacts::of).collect();
        Some(Self {
            context,
            alerts: alerts.filter(|alerts| !alerts.is_empty())?,
            group: labels(dot, "GroupLabels")?,
            common: labels(dot, "CommonLabels")?,
            annotations: labels(dot, "CommonAnnotations")?,
            receiver: field(dot, "Receiver")?.as_text()?,
            external_url: field(dot, "ExternalURL")?.as_text()?,
        })
    }

    fn title(&self) -> String {
        let n_firing = self.alerts.iter().filter(|alert| alert.is_firing).count();
        let status = match n_firing {
            0 => "RESOLVED".to_owned(),
            1 => "FIRING".to_owned(),
            n => format!("FIRING:{n}"),
        };
        let mut title = format!("[{status}] {}", self.name());
        if let Some(severity) = said(self.common, &["severity"]) {
            title.push_str(&format!(" ({severity})"));
        }
        let place: Vec<&str> = self.place().map(|(_, value)| value).collect();
        let place = Some(place.join(", ")).filter(|it| !it.is_empty());
        let summary = said(self.annotations, &["summary"]).map(str::to_owned);
        if let Some(what) = summary.or(place) {
            title.push_str(&format!(": {what}"));
        }
        title
    }

    fn name(&self) -> String {
        match said(self.common, &["alertname"]) {
            Some(name) => name.to_owned(),
            None if self.group.is_empty() => format!("{} alerts", self.alerts.len()),
            None => {
                let values: Vec<&str> = self.group.iter().map(|label| &*label.value).collect();
                values.join(", ")
            }
        }
    }

    /// The labels that say where, rather than what, how bad and whose.
    fn place(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let is_place = |name: &str| !["alertname", "severity", "owner", "team"].contains(&name);
        let pairs = self.common.iter().map(|it| (&*it.name, &*it.value));
        pairs.filter(move |(name, _)| is_place(name))
    }

    fn why(&self) -> Vec<String> {
        let given = [
            said(self.annotations, &["impact"]),
            said(self.annotations, &["description", "message"]),
        ];
        given.into_iter().flatten().map(str::to_owned).collect()
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let pairs: Vec<String> = self
            .place()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let owner = said(self.common, OWNER).or_else(|| said(self.annotations, OWNER));
        let mut facts = vec![("Where", pairs.join(", "))];
        if let [alert] = &*self.alerts {
            facts.push(("Since", alert.since(self.context)));
            let measured = self.context.measured(alert.fingerprint);
            facts.push(("Value", measured.to_owned()));
        }
        facts.push(("Owner", owner.unwrap_or_default().to_owned()));
        let each: Vec<&Labels> = self.alerts.iter().map(|it| it.annotations).collect();
        facts.extend(circumstances::facts(self.annotations, &each));
        facts.retain(|(_, text)| !text.is_empty());
        facts
    }

    fn tables(&self) -> Vec<Table> {
        if self.alerts.len() == 1 {
            return self.breadcrumbs().into_iter().collect();
        }
        let all: Vec<&Labels> = self.alerts.iter().map(|alert| alert.labels).collect();
        let columns = differing(&all);
        let sections = [(true, "Firing"), (false, "Resolved")];
        let tables = sections.map(|(is_firing, name)| {
            let alerts = self.alerts.iter();
            let alerts: Vec<_> = alerts.filter(|it| it.is_firing == is_firing).collect();
            self.table(name, &columns, &alerts)
        });
        let requests = self.requests(columns.first().copied());
        tables.into_iter().flatten().chain(requests).collect()
    }

    /// The requests in which the first of several alerts arose, where they do not share them: what to
    /// look for. `column` is a label that tells the alerts apart.
    fn requests(&self, column: Option<&str>) -> Option<Table> {
        let shared = [circumstances::request, circumstances::trace].map(|of| of(self.annotations));
        let row = |alert: &AlertFacts<'_>| {
            let request = circumstances::request(alert.annotations);
            let trace = circumstances::trace(alert.annotations);
            let tells = [&request, &trace]
                .iter()
                .zip(&shared)
                .any(|(own, all)| *own != all);
            let name = column.map(|name| alert.labels.value(name).to_owned());
            tells.then(|| name.into_iter().chain([request, trace]).collect())
        };
        let rows: Vec<Vec<String>> = self.alerts.iter().filter_map(row).collect();
        let n_more = rows.len().saturating_sub(REQUESTS_MAX);
        (!rows.is_empty()).then(|| Table {
            name: "Requests".to_owned(),
            head: column
                .into_iter()
                .chain(["request", "trace"])
                .map(str::to_owned)
                .collect(),
            rows: rows.into_iter().take(REQUESTS_MAX).collect(),
            n_more,
        })
    }

    fn breadcrumbs(&self) -> Option<Table> {
        let rows = circumstances::breadcrumbs(self.annotations);
        (!rows.is_empty()).then(|| Table {
            name: "Breadcrumbs".to_owned(),
            head: ["at", "from", "what"].map(str::to_owned).into(),
            rows: rows.into_iter().map(Vec::from).collect(),
            n_more: 0,
        })
    }

    fn table(&self, name: &str, columns: &[&str], alerts: &[&AlertFacts<'_>]) -> Option<Table> {
        let shown = &alerts[..alerts.len().min(ROWS_MAX)];
        let measured: Vec<&str> = shown
            .iter()
            .map(|alert| self.context.measured(alert.fingerprint))
            .collect();
        let has_values = measured.iter().any(|text| !text.is_empty());
        let rows = shown.iter().zip(measured).map(|(alert, measured)| {
            let cells = columns.iter().map(|name| alert.labels.value(name));
            let mut row: Vec<String> = cells.map(str::to_owned).collect();
            row.push(format_moment(alert.starts_at, "15:04"));
            row.extend(has_values.then(|| measured.to_owned()));
            row
        });
        let head = columns.iter().copied().chain(["since"]);
        let head = head.chain(has_values.then_some("value"));
        (!alerts.is_empty()).then(|| Table {
            name: format!("{name}: {}", alerts.len()),
            head: head.map(str::to_owned).collect(),
            rows: rows.collect(),
            n_more: alerts.len() - shown.len(),
        })
    }

    fn links(&self) -> Vec<(&'static str, String)> {
        let annotation = |names| said(self.annotations, names).unwrap_or_default().to_owned();
        let page = match &*self.alerts {
            [alert] => format!("{}/#/alerts/{}", self.external_url, alert.fingerprint),
            _ => {
                let receiver = query_escape(self.receiver);
                format!("{}/#/alerts?receiver={receiver}", self.external_url)
            }
        };
        let mut links = vec![
            ("Runbook", annotation(&["runbook_url", "runbook"])),
            ("Dashboard", annotation(&["dashboard_url", "dashboard"])),
            ("Graph", self.graph().to_owned()),
            ("Alert", page),
        ];
        // Where they share nothing, the link would mute everything.
        if !self.common.is_empty() && self.alerts.iter().any(|alert| alert.is_firing) {
            links.push(("Silence", self.silence_link()));
        }
        links.retain(|(_, address)| !address.is_empty());
        let clean = |(name, address): (_, String)| (name, clean_address(&address));
        links.into_iter().map(clean).collect()
    }

    /// The graph that all alerts share; a link to one of several would mislead.
    fn graph(&self) -> &'a str {
        let first = self.alerts[0].generator_url;
        let are_same = self.alerts.iter().all(|alert| alert.generator_url == first);
        if are_same { first } else { "" }
    }

    /// Where one may mute what all the alerts share.
    fn silence_link(&self) -> String {
        let filter = query_escape(&self.common.to_string());
        format!("{}/#/silences/new?filter={filter}", self.external_url)
    }
}

impl<'a> AlertFacts<'a> {
    fn of(alert: &'a Value) -> Option<Self> {
        let moment = |name| match field(alert, name)? {
            Value::Time(moment) => Some(&**moment),
            _ => None,
        };
        let text = |name| field(alert, name)?.as_text();
        Some(Self {
            labels: labels(alert, "Labels")?,
            annotations: labels(alert, "Annotations")?,
            starts_at: moment("StartsAt")?,
            ends_at: moment("EndsAt")?,
            is_firing: text("Status")? == "firing",
            fingerprint: text("Fingerprint")?,
            generator_url: text("GeneratorURL")?,
        })
    }

    fn since(&self, context: &Context<'_>) -> String {
        let began = format_moment(self.starts_at, "2006-01-02 15:04 MST");
        if self.is_firing {
            let lasts = span(context.now - self.starts_at.at);
            return format!("{began}, {lasts} ago");
        }
        let lasted = span(self.ends_at.at - self.starts_at.at);
        format!("{began}, for {lasted}")
    }
}

fn field<'a>(of: &'a Value, name: &str) -> Option<&'a Value> {
    match of {
        Value::Struct(it) => it.field(name),
        _ => None,
    }
}

fn labels<'a>(of: &'a Value, name: &str) -> Option<&'a Labels> {
    match field(of, name)? {
        Value::Kv(labels) => Some(labels),
        _ => None,
    }
}

/// The first of the names that has a value.
fn said<'a>(labels: &'a Labels, names: &[&str]) -> Option<&'a str> {
    let values = names.iter().map(|name| labels.value(name).trim());
    values.into_iter().find(|value| !value.is_empty())
}

/// The names of labels that the sets do not share, in order; the first few are what there is room
/// for.
fn differing<'a>(sets: &[&'a Labels]) -> Vec<&'a str> {
    let mut seen: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
    let mut differing = BTreeSet::new();
    for set in sets {
        for label in set.iter() {
            let (value, n) = seen.entry(&label.name).or_insert((&label.value, 0));
            *n += 1;
            if *value != &*label.value {
                differing.insert(&*label.name);
            }
        }
    }
    let some_lack_it = seen.iter().filter(|(_, (_, n))| *n < sets.len());
    differing.extend(some_lack_it.map(|(name, _)| *name));
    differing.into_iter().take(COLUMNS_MAX).collect()
}

/// An address without what would end a link in some markup; values of labels may stand in it.
fn clean_address(address: &str) -> String {
    let mut clean = String::with_capacity(address.len());
    for c in address.chars() {
        match c {
            ' ' | '<' | '>' | '|' | '(' | ')' | '"' | '`' | '\0'..='\x1f' | '\x7f' => {
                clean.push_str(&format!("%{:02X}", u32::from(c)));
            }
            c => clean.push(c),
        }
    }
    clean
}

/// A time in two units at most: `45s`, `3m`, `2h 5m`, `3d 4h`.
pub(crate) fn span(elapsed: Duration) -> String {
    let secs = elapsed.0.max(0) / 1000;
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let first = units.iter().position(|(_, size)| secs >= *size);
    let first = first.unwrap_or(units.len() - 1);
    let (name, size) = units[first];
    let whole = format!("{}{name}", secs / size);
    // Seconds matter in the first minute only.
    match units.get(first + 1) {
        Some((name, smaller)) if *smaller > 1 && secs % size >= *smaller => {
            format!("{whole} {}{name}", secs % size / smaller)
        }
        _ => whole,
    }
}

impl Glance {
    pub(crate) fn into_value(self) -> Result<Value, String> {
        let named = |field: &'static str, pairs: Vec<(&'static str, String)>| {
            let pair = |(name, text)| {
                let fields = vec![("Name", Value::text(name)), (field, Value::text(text))];
                Value::structure("glance", fields)
            };
            Value::list(pairs.into_iter().map(pair).collect())
        };
        let why = self.why.into_iter().map(Value::text).collect();
        let tables = self.tables.into_iter().map(Table::into_value);
        let tables = tables.collect::<Result<_, _>>()?;
        let fields = vec![
            ("Title", Value::text(self.title)),
            ("Why", Value::shallow(ListKind::Texts, why)),
            ("Facts", named("Text", self.facts)?),
            ("Tables", Value::list(tables)?),
            ("Links", named("URL", self.links)?),
        ];
        Ok(Value::structure("glance", fields))
    }
}

impl Table {
    fn into_value(self) -> Result<Value, String> {
        let texts = |texts: Vec<String>| {
            let texts = texts.into_iter().map(Value::text).collect();
            Value::shallow(ListKind::Texts, texts)
        };
        let rows = self.rows.into_iter().map(texts).collect();
        let fields = vec![
            ("Name", Value::text(self.name)),
            ("Head", texts(self.head)),
            ("Rows", Value::list(rows)?),
            (
                "More",
                Value::Int(i64::try_from(self.n_more).unwrap_or(i64::MAX)),
            ),
        ];
        Ok(Value::structure("table", fields))
    }

    pub(crate) fn from_value(value: &Value) -> Option<Self> {
        let list = |value: &Value| match value {
            Value::List(list) => Some(list.clone()),
            _ => None,
        };
        let texts = |value: &Value| -> Option<Vec<String>> {
            let list = list(value)?;
            let texts = list.items.iter().map(|it| it.as_text().map(str::to_owned));
            texts.collect()
        };
        let rows = list(field(value, "Rows")?)?;
        Some(Self {
            name: field(value, "Name")?.as_text()?.to_owned(),
            head: texts(field(value, "Head")?)?,
            rows: rows.items.iter().map(texts).collect::<Option<_>>()?,
            n_more: match field(value, "More")? {
                Value::Int(n) => usize::try_from(*n).unwrap_or(0),
                _ => return None,
            },
        })
    }

    /// A line for the head and for each row, with the columns under each other.
    pub(crate) fn aligned(&self) -> String {
        let lines = [&self.head].into_iter().chain(&self.rows);
        let lines = lines.map(|line| line.iter().map(|cell| shortened(cell)).collect());
        let lines: Vec<Vec<String>> = lines.collect();
        let mut widths = vec![0; self.head.len()];
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut out = String::new();
        for line in &lines {
            let cells = widths.iter().zip(line);
            let text: String = cells
                .map(|(width, cell)| format!("{cell:width$}  "))
                .collect();
            out.push_str(text.trim_end());
            out.push('\n');
        }
        if self.n_more > 0 {
            out.push_str(&format!("and {} more\n", self.n_more));
        }
        out
    }
}

fn shortened(cell: &str) -> String {
    // Three backticks would end the block in which tables stand.
    let one_line = cell.replace(['\r', '\n'], " ").replace("```", "'''");
    if one_line.chars().count() <= CELL_CHARS_MAX {
        return one_line;
    }
    let kept: String = one_line.chars().take(CELL_CHARS_MAX - 1).collect();
    format!("{kept}…")
}

/// Labels or annotations that say whose an alert is.
const OWNER: &[&str] = &["owner", "team"];
/// Labels in a table of alerts.
const COLUMNS_MAX: usize = 4;
/// Alerts in a table: what is read at a glance.
const ROWS_MAX: usize = 12;
/// Requests of several alerts: enough to begin with.
const REQUESTS_MAX: usize = 3;
/// Characters of a cell of an aligned table.
const CELL_CHARS_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_two_units_at_most() {
        for (secs, expected) in [
            (-5, "0s"),
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_599, "59m"),
            (3_600, "1h"),
            (7_500, "2h 5m"),
            (86_400, "1d"),
            (86_400 * 3 + 4 * 3600 + 59, "3d 4h"),
        ] {
            assert_eq!(span(Duration::from_secs(secs)), expected, "{secs}");
        }
    }
}
