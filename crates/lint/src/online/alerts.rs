//! What an alert would have done lately: never, now and then, again and again, always.

use firebell_model::{Duration, Labels, Timestamp};
use firebell_promql::{BinaryOp, Threshold, threshold};
use firebell_rules::{Firing, PreviewGrid, firings};

use super::{Online, Question, RANGE_SAMPLES_MAX, Reply, STEPS_MAX, Track, percent, rough};
use crate::catalogue::online as lints;
use crate::checks::{HEARTBEATS, Scope};
use crate::lint::Severity;

/// What an alert would have done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fired {
    /// Over which time it was tried; shorter than asked when the expression is dear.
    pub window: Duration,
    /// Between two evaluations of the trial.
    pub step: Duration,
    /// How often an alert began to fire.
    pub times: u64,
    /// How long alerts fired, all together.
    pub total: Duration,
    /// The longest.
    pub longest: Duration,
    /// The most at the same time.
    pub at_once: u64,
}

/// One alert's firings.
struct Life<'t> {
    labels: &'t Labels,
    firings: Vec<Firing>,
}

pub(super) fn judge(
    scope: &mut Scope<'_>,
    online: &Online<'_>,
    result: Option<&Reply>,
) -> Option<Fired> {
    let samples = match result {
        Some(Reply::Vector(vector)) => vector.samples.unwrap_or(vector.series.len() as u64),
        _ => return None,
    };
    let grid = grid(scope, online, samples)?;
    let reply = online.server.ask(&Question::Range {
        expr: scope.rule.expr.to_string(),
        start: grid.start,
        end: grid.end,
        step: grid.interval,
    });
    let reply = reply.ok()?;
    let Reply::Matrix(tracks) = &*reply else {
        return None;
    };
    let lives: Vec<Life<'_>> = tracks.iter().map(|track| life(grid, track)).collect();
    let fired = fired(grid, &lives);
    let lower = scope.rule.name.to_ascii_lowercase();
    if HEARTBEATS.iter().any(|word| lower.contains(word)) {
        return Some(fired);
    }
    if !always(scope, &fired, &lives, grid) && !flapping(scope, &fired, &lives) {
        count(scope, &fired);
    }
    if tracks.is_empty() {
        distant(scope, online, grid);
    }
    Some(fired)
}

/// The evaluations of the trial: as many of the window as the expression's cost allows.
fn grid(scope: &Scope<'_>, online: &Online<'_>, samples: u64) -> Option<PreviewGrid> {
    let interval = scope.interval().unwrap_or(STEP_MIN).max(STEP_MIN);
    let seconds = online.window.0 / (STEPS_MAX * 1000) + 1;
    let step = interval.max(Duration::from_secs(seconds));
    let n_affordable = (RANGE_SAMPLES_MAX / samples.max(1)).min(STEPS_MAX as u64) as i64;
    let n_steps = (online.window.0 / step.0).min(n_affordable);
    if n_steps * step.0 < WINDOW_MIN.0.min(online.window.0) {
        return None;
    }
    let end = Timestamp(online.now.0 - online.now.0.rem_euclid(step.0));
    Some(PreviewGrid {
        start: end - Duration(n_steps * step.0),
        end,
        interval: step,
        hold_for: scope.rule.hold_for.unwrap_or(Duration::ZERO),
        keep_firing_for: scope.rule.keep_firing_for.unwrap_or(Duration::ZERO),
    })
}

fn life(grid: PreviewGrid, track: &Track) -> Life<'_> {
    let held: Vec<Timestamp> = track.samples.iter().map(|(at, _)| *at).collect();
    Life {
        labels: &track.labels,
        firings: firings(grid, &held),
    }
}

fn length(firing: &Firing, end: Timestamp) -> Duration {
    firing.to.unwrap_or(end) - firing.from
}

fn fired(grid: PreviewGrid, lives: &[Life<'_>]) -> Fired {
    let all: Vec<&Firing> = lives.iter().flat_map(|life| &life.firings).collect();
    let lengths = all.iter().map(|it| length(it, grid.end).0);
    // Who ends at a moment makes room for who begins then.
    let mut moments: Vec<(Timestamp, i64)> = Vec::new();
    for firing in &all {
        moments.push((firing.from, 1));
        moments.extend(firing.to.map(|to| (to, -1)));
    }
    moments.sort_unstable();
    let (mut now, mut most) = (0, 0);
    for (_, change) in moments {
        now += change;
        most = most.max(now);
    }
    Fired {
        window: grid.end - grid.start,
        step: grid.interval,
        times: all.len() as u64,
        total: Duration(lengths.clone().sum()),
        longest: Duration(lengths.max().unwrap_or(0)),
        at_once: most as u64,
    }
}

/// Says that an alert fires all the time.
fn always(scope: &mut Scope<'_>, fired: &Fired, lives: &[Life<'_>], grid: PreviewGrid) -> bool {
    let share = |life: &Life<'_>| {
        let lengths = life.firings.iter().map(|it| length(it, grid.end).0);
        lengths.sum::<i64>() as f64 / fired.window.0.max(1) as f64
    };
    let shares = lives.iter().map(|life| (share(life), life));
    let most = shares.max_by(|a, b| a.0.total_cmp(&b.0));
    let Some((share, life)) = most.filter(|(share, _)| *share >= ALWAYS_SHARE) else {
        return false;
    };
    let message = format!(
        "would have fired for {} of the last {}{}",
        percent(share),
        rough(fired.window),
        of(life.labels)
    );
    let hint = "mend what it is about, or move the threshold: nobody looks at what always fires";
    scope.say(&lints::ALWAYS, scope.name_place(), message, hint);
    true
}

/// Says that an alert resolves and fires again soon, again and again.
fn flapping(scope: &mut Scope<'_>, fired: &Fired, lives: &[Life<'_>]) -> bool {
    let soon = |pair: &[Firing]| {
        let gap = pair[0].to.map(|to| pair[1].from - to);
        gap.is_some_and(|gap| gap <= FLAP_GAP_MAX)
    };
    let n_flaps = |life: &Life<'_>| life.firings.windows(2).filter(|pair| soon(pair)).count();
    let most = lives.iter().map(|life| (n_flaps(life), life));
    let most = most.max_by_key(|(n, _)| *n);
    let Some((n, life)) = most.filter(|(n, _)| *n >= FLAPS_MIN) else {
        return false;
    };
    let message = format!(
        "would have resolved and fired again within {FLAP_GAP_MAX} {n} times in the last {}{}",
        rough(fired.window),
        of(life.labels)
    );
    let hint = "look over a longer range, or set `keep_firing_for`";
    scope.say(&lints::FLAPPING, scope.name_place(), message, hint);
    true
}

fn count(scope: &mut Scope<'_>, fired: &Fired) {
    if fired.times == 0 {
        return;
    }
    let days = fired.window.as_secs_f64() / 86_400.0;
    let is_noise =
        fired.times as f64 > TIMES_A_DAY_MAX * days.max(1.0) || fired.at_once > AT_ONCE_MAX;
    let average = Duration(fired.total.0 / fired.times as i64);
    let times = match fired.times {
        1 => "once".to_owned(),
        n => format!("{n} times"),
    };
    let at_once = match fired.at_once {
        0 | 1 => String::new(),
        n => format!(", {n} at once"),
    };
    let message = format!(
        "would have fired {times} in the last {}, {} on average and {} at most{at_once}",
        rough(fired.window),
        rough(average),
        rough(fired.longest),
    );
    let severity = if is_noise {
        Severity::Warning
    } else {
        Severity::Info
    };
    let hint = if is_noise {
        "somebody gets them all: raise the threshold, wait longer, or aggregate"
    } else {
        ""
    };
    let told = (message, hint.to_owned());
    scope.say_as(&lints::COUNT, Some(severity), scope.name_place(), told);
}

/// Says that values were never near the threshold.
fn distant(scope: &mut Scope<'_>, online: &Online<'_>, grid: PreviewGrid) {
    let Some(Threshold { left, op, value }) = threshold(&scope.rule.expr) else {
        return;
    };
    let is_above = match op {
        BinaryOp::Greater | BinaryOp::GreaterOrEqual => true,
        BinaryOp::Less | BinaryOp::LessOrEqual => false,
        _ => return,
    };
    if value <= 0.0 || !value.is_finite() {
        return;
    }
    let (name, word) = if is_above {
        ("max", "highest")
    } else {
        ("min", "lowest")
    };
    let window = grid.end - grid.start;
    let step = Duration((window.0 / DISTANT_STEPS).max(grid.interval.0));
    let reply = online.server.ask(&Question::Range {
        expr: format!("{name}({left})"),
        start: grid.start,
        end: grid.end,
        step,
    });
    let Ok(reply) = reply else { return };
    let Reply::Matrix(tracks) = &*reply else {
        return;
    };
    let samples = tracks
        .iter()
        .flat_map(|it| &it.samples)
        .map(|(_, value)| *value);
    let nearest = if is_above {
        samples.fold(f64::NEG_INFINITY, f64::max)
    } else {
        samples.fold(f64::INFINITY, f64::min)
    };
    let is_far = if is_above {
        nearest < value / DISTANT_FACTOR
    } else {
        nearest > value * DISTANT_FACTOR
    };
    // Nothing going wrong at all says nothing of the threshold.
    if !nearest.is_finite() || nearest <= 0.0 || !is_far {
        return;
    }
    let message = format!(
        "was never near its threshold in the last {}: the {word} was {nearest:.3e}, and {value} is needed",
        rough(window)
    );
    let hint = "see whether both have the same unit";
    let at = scope.expr(scope.rule.expr.span);
    scope.say(&lints::DISTANT, at, message, hint);
}

fn of(labels: &Labels) -> String {
    let labels = labels.without_metric_name();
    if labels.is_empty() {
        return String::new();
    }
    format!(", for {labels}")
}

/// Between two evaluations of a trial.
const STEP_MIN: Duration = Duration::from_mins(1);
/// A trial over less says nothing.
const WINDOW_MIN: Duration = Duration::from_hours(1);
const ALWAYS_SHARE: f64 = 0.95;
/// What fires again sooner than that flaps.
const FLAP_GAP_MAX: Duration = Duration::from_mins(30);
const FLAPS_MIN: usize = 4;
const TIMES_A_DAY_MAX: f64 = 10.0;
const AT_ONCE_MAX: u64 = 50;
const DISTANT_STEPS: i64 = 200;
const DISTANT_FACTOR: f64 = 100.0;
