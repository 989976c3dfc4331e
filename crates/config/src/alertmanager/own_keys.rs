//! Keys of alertmanager.yml that upstream does not know; each is off unless it is there.

use firebell_dispatch::{
    FIRINGS_MAX, FlapDamping, OwnKeys, RateLimit, Receivers, RepeatBackoff, RouteSpec,
    SILENCE_EXPIRES,
};
use firebell_model::{ALERT_NAME, Duration, MatchOp, Matcher};

use crate::fields::{Doc, Fields};
use crate::problem::did_you_mean;
use crate::yaml::Node;

/// `silence_warnings`, checked.
#[derive(Default)]
pub(super) struct SilenceWarnings {
    /// How long before its end a silence is warned of, if at all.
    pub(super) before: Option<Duration>,
    /// Where the warnings go, if not where the routes lead them.
    pub(super) route: Option<RouteSpec>,
}

const FACTOR_DEFAULT: f64 = 2.0;
const FACTOR_MAX: f64 = 100.0;
/// Resolved alerts that flapped are kept for twice the window.
const FLAP_WINDOW_MAX: Duration = Duration::from_hours(24);

/// The own keys of a route.
pub(super) fn of_route(fields: &Fields<'_, '_>) -> OwnKeys {
    let doc = fields.doc;
    OwnKeys {
        resolve_through_mute: fields.bool("resolve_through_mute"),
        repeat_backoff: fields.get("repeat_backoff").and_then(|it| backoff(doc, it)),
        flap_damping: fields.get("flap_damping").and_then(|it| damping(doc, it)),
    }
}

fn backoff(doc: &Doc<'_>, node: &Node) -> Option<RepeatBackoff> {
    let fields = doc.fields(node, "`repeat_backoff`");
    let factor = fields.parsed("factor", |text| {
        let factor = text.parse::<f64>().ok();
        let factor = factor.filter(|it| (1.0..=FACTOR_MAX).contains(it));
        factor.ok_or_else(|| format!("`{text}` is no number from 1 to {FACTOR_MAX}"))
    });
    let max = positive(&fields, "max");
    fields.finish();
    Some(RepeatBackoff {
        factor: factor.unwrap_or(FACTOR_DEFAULT),
        max: max?,
    })
}

fn damping(doc: &Doc<'_>, node: &Node) -> Option<FlapDamping> {
    let fields = doc.fields(node, "`flap_damping`");
    let firings_max = count(&fields, "firings", FIRINGS_MAX as u64);
    let window = positive(&fields, "window");
    if window.is_some_and(|it| it > FLAP_WINDOW_MAX) {
        let message = format!("`window`: has to be {FLAP_WINDOW_MAX} at most");
        doc.problem(fields.at("window"), message, None);
    }
    fields.finish();
    Some(FlapDamping {
        firings_max: usize::try_from(firings_max?).ok()?,
        window: window?,
    })
}

/// The limit of a receiver.
pub(super) fn rate_limit(fields: &Fields<'_, '_>) -> Option<RateLimit> {
    let fields = fields.doc.fields(fields.get("rate_limit")?, "`rate_limit`");
    let notifications = count(&fields, "notifications", u32::MAX.into());
    let period = positive(&fields, "period");
    fields.finish();
    Some(RateLimit {
        notifications_max: u32::try_from(notifications?).ok()?,
        period: period?,
    })
}

/// `silence_warnings` of the file.
pub(super) fn silence_warnings(fields: &Fields<'_, '_>, receivers: &Receivers) -> SilenceWarnings {
    let Some(node) = fields.get("silence_warnings") else {
        return SilenceWarnings::default();
    };
    let fields = fields.doc.fields(node, "`silence_warnings`");
    let before = positive(&fields, "before");
    let receiver = fields.scalar("receiver").and_then(|(at, name)| {
        let found = receivers.resolve(&name.text);
        if found.is_none() {
            let message = format!("no receiver has the name `{}`", name.text);
            let hint = did_you_mean(&name.text, receivers.iter().map(|it| &**it.name()));
            fields.doc.problem(at, message, hint);
        }
        found
    });
    fields.finish();
    let is_warning = Matcher::alertmanager(ALERT_NAME, MatchOp::Equal, SILENCE_EXPIRES);
    let route = receiver.map(|receiver| RouteSpec {
        receiver: Some(receiver),
        matchers: is_warning.into_iter().collect(),
        ..RouteSpec::default()
    });
    SilenceWarnings { before, route }
}

// A duration that has to be there and longer than nothing.
fn positive(fields: &Fields<'_, '_>, name: &'static str) -> Option<Duration> {
    if fields.get(name).is_none() {
        fields.missing(name);
        return None;
    }
    let duration = fields.duration(name)?;
    if duration <= Duration::ZERO {
        let message = format!("`{name}`: has to be longer than zero");
        fields.doc.problem(fields.at(name), message, None);
        return None;
    }
    Some(duration)
}

// A number from 1 that has to be there.
fn count(fields: &Fields<'_, '_>, name: &'static str, max: u64) -> Option<u64> {
    if fields.get(name).is_none() {
        fields.missing(name);
        return None;
    }
    let number = fields.number(name)?;
    if !(1..=max).contains(&number) {
        let message = format!("`{name}`: has to be from 1 to {max}");
        fields.doc.problem(fields.at(name), message, None);
        return None;
    }
    Some(number)
}
