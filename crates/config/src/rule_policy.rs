//! Firebell's own keys of an alerting rule, and what `rule_defaults` of firebell.yml says of all.

use firebell_model::Duration;
use firebell_promql::Plan;
use firebell_rules::{
    AnomalyOptions, DetectorKind, Direction, FLAP_CHANGES_MAX, FailingAlert, FlapLimit, Mode,
    Policy, Reaction, WINDOW_MAX, WINDOW_MIN,
};

use crate::fields::Fields;
use crate::rule_files::parsed_expr;
use crate::yaml::{Node, Value};

/// `rule_defaults`: what holds for every rule unless it says otherwise.
#[derive(Clone, Debug)]
pub(crate) struct RuleDefaults {
    /// When an alert flaps; upstream does not look.
    pub(crate) flapping: Option<FlapLimit>,
    /// The alert about rules that fail.
    pub(crate) failing_alert: Option<FailingAlert>,
}

impl Default for RuleDefaults {
    fn default() -> Self {
        Self {
            flapping: None,
            failing_alert: Some(FailingAlert::default()),
        }
    }
}

impl RuleDefaults {
    /// Reads the section; defaults when it is absent.
    pub(crate) fn read(parent: &Fields<'_, '_>) -> Self {
        let default = Self::default();
        let Some(node) = parent.get("rule_defaults") else {
            return default;
        };
        let fields = parent.doc.fields(node, "`rule_defaults`");
        let read = Self {
            flapping: flapping(&fields).unwrap_or(default.flapping),
            failing_alert: failing_alert(&fields),
        };
        fields.finish();
        read
    }
}

fn failing_alert(parent: &Fields<'_, '_>) -> Option<FailingAlert> {
    let default = FailingAlert::default();
    let Some(node) = parent.get("failing_alert") else {
        return Some(default);
    };
    if is_off(node) {
        return None;
    }
    let fields = parent.doc.fields(node, "`failing_alert`");
    let labels = fields.get("labels").map(|_| fields.labels("labels"));
    let read = FailingAlert {
        hold_for: fields.duration("for").unwrap_or(default.hold_for),
        labels: labels.unwrap_or(default.labels),
    };
    fields.finish();
    Some(read)
}

/// Reads the own keys of an alerting rule, whose `for` is given.
pub(crate) fn read(
    fields: &Fields<'_, '_>,
    hold_for: Duration,
    default: Option<FlapLimit>,
) -> Policy {
    let mode = fields.parsed("mode", |text| match text {
        "live" => Ok(Mode::Live),
        "shadow" => Ok(Mode::Shadow),
        _ => Err(format!("has to be `live` or `shadow`, not `{text}`")),
    });
    let anomaly = anomaly(fields);
    if anomaly.is_some() && fields.get("clear").is_some() {
        let message = "`clear` and `anomaly` do not go together: the detector says when it is over";
        fields.doc.problem(fields.at("clear"), message, None);
    }
    Policy {
        anomaly,
        mode: mode.unwrap_or_default(),
        no_data: reaction(fields, "no_data", hold_for, |text| match text {
            "ok" => Some(Reaction::Upstream),
            "keep" => Some(Reaction::Keep),
            _ => None,
        }),
        on_error: reaction(fields, "on_error", hold_for, |text| match text {
            "ok" => Some(Reaction::End),
            "keep" => Some(Reaction::Upstream),
            _ => None,
        }),
        clear: clear(fields),
        flapping: flapping(fields).unwrap_or(default),
    }
}

/// The names of the own keys, which only an alerting rule has.
pub(crate) const OWN_KEYS: [&str; 6] = [
    "mode", "no_data", "on_error", "clear", "flapping", "anomaly",
];

/// `no_data: alert`, or `no_data: {policy: alert, for: 10m}`; `alert` waits as long as the rule.
fn reaction(
    parent: &Fields<'_, '_>,
    name: &'static str,
    hold_for: Duration,
    plain: impl Fn(&str) -> Option<Reaction>,
) -> Reaction {
    let read = |text: &str, hold_for: Duration| match text {
        "alert" => Ok(Reaction::Alert { hold_for }),
        _ => plain(text).ok_or_else(|| format!("has to be `ok`, `alert` or `keep`, not `{text}`")),
    };
    let read = match parent.get(name) {
        Some(node) if matches!(node.value, Value::Map(_)) => {
            let fields = parent.doc.fields(node, "a map of `policy` and `for`");
            let own_for = fields.duration("for");
            let read = |text: &str| read(text, own_for.unwrap_or(hold_for));
            let reaction = fields.parsed("policy", read);
            if fields.get("policy").is_none() {
                fields.missing("policy");
            }
            let is_alert = matches!(reaction, Some(Reaction::Alert { .. }));
            if own_for.is_some() && reaction.is_some() && !is_alert {
                let message = format!("`for` is there for `{name}` with the policy `alert` only");
                fields.doc.problem(fields.at("for"), message, None);
            }
            fields.finish();
            reaction
        }
        _ => parent.parsed(name, |text| read(text, hold_for)),
    };
    read.unwrap_or_default()
}

fn clear(fields: &Fields<'_, '_>) -> Option<Plan> {
    let text = fields.text("clear")?;
    if text.trim().is_empty() {
        fields
            .doc
            .problem(fields.at("clear"), "`clear` is empty", None);
        return None;
    }
    parsed_expr(fields, "clear", &text)
}

/// `None` when the key is absent, `Some(None)` for `off`.
fn flapping(parent: &Fields<'_, '_>) -> Option<Option<FlapLimit>> {
    let node = parent.get("flapping")?;
    if is_off(node) {
        return Some(None);
    }
    let fields = parent.doc.fields(node, "`flapping`");
    let changes = fields.parsed("changes", |text| {
        let parsed = text
            .parse()
            .ok()
            .filter(|n| (1..=FLAP_CHANGES_MAX).contains(n));
        parsed
            .ok_or_else(|| format!("has to be a number from 1 to {FLAP_CHANGES_MAX}, not `{text}`"))
    });
    let within = fields.parsed("within", |text| match text.parse::<Duration>() {
        Ok(within) if within > Duration::ZERO => Ok(within),
        Ok(_) => Err("has to be longer than 0s".to_owned()),
        Err(error) => Err(error.to_string()),
    });
    for name in ["changes", "within"] {
        if fields.get(name).is_none() {
            fields.missing(name);
        }
    }
    fields.finish();
    let (changes, within) = (changes?, within?);
    Some(Some(FlapLimit { changes, within }))
}

/// `anomaly: robust`, or a map.
fn anomaly(parent: &Fields<'_, '_>) -> Option<AnomalyOptions> {
    let default = AnomalyOptions::default();
    let node = parent.get("anomaly")?;
    if !matches!(node.value, Value::Map(_)) {
        let detector = parent.parsed("anomaly", detector)?;
        return Some(AnomalyOptions {
            detector,
            ..default
        });
    }
    let fields = parent.doc.fields(node, "`anomaly`");
    let whole = |name, range: std::ops::RangeInclusive<usize>| {
        fields.parsed(name, |text| {
            let parsed = text.parse().ok().filter(|n| range.contains(n));
            let (least, most) = (range.start(), range.end());
            parsed.ok_or_else(|| {
                format!("has to be a number of values from {least} to {most}, not `{text}`")
            })
        })
    };
    let number = |name| {
        fields.parsed(name, |text| {
            let parsed =
                firebell_model::parse_float(text).filter(|it| it.is_finite() && *it >= 0.0);
            parsed.ok_or_else(|| format!("has to be a number from 0 on, not `{text}`"))
        })
    };
    let window = whole("window", WINDOW_MIN..=WINDOW_MAX).unwrap_or(default.window);
    let read = AnomalyOptions {
        detector: fields
            .parsed("detector", detector)
            .unwrap_or(default.detector),
        window,
        warm_up: whole("warm_up", 2..=window).unwrap_or(default.warm_up.min(window)),
        sensitivity: number("sensitivity").unwrap_or(default.sensitivity),
        direction: fields
            .parsed("direction", direction)
            .unwrap_or(default.direction),
        min_deviation: number("min_deviation").unwrap_or(default.min_deviation),
        min_deviation_ratio: number("min_deviation_ratio").unwrap_or(default.min_deviation_ratio),
    };
    fields.finish();
    Some(read)
}

fn detector(text: &str) -> Result<DetectorKind, String> {
    match text {
        "robust" => Ok(DetectorKind::Robust),
        "zscore" => Ok(DetectorKind::ZScore),
        _ => Err(format!("has to be `robust` or `zscore`, not `{text}`")),
    }
}

fn direction(text: &str) -> Result<Direction, String> {
    match text {
        "up" => Ok(Direction::Up),
        "down" => Ok(Direction::Down),
        "both" => Ok(Direction::Both),
        _ => Err(format!("has to be `up`, `down` or `both`, not `{text}`")),
    }
}

/// YAML 1.1's and people's word for no.
pub(crate) fn is_off(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar(scalar) if ["off", "false", "no"].contains(&&*scalar.text))
}
