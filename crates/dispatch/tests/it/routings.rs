//! The routings of tests, as the harness writes them.

use std::sync::Arc;

use firebell_dispatch::{
    FlapDamping, GroupBy, InhibitRule, RateLimit, Receiver, Receivers, RepeatBackoff, RouteSpec,
    Routing, TimeInterval, TimeOfDay, TimeSpec,
};
use firebell_model::{Duration, parse_matchers};

pub(crate) fn parse_routing(text: &str) -> Arc<Routing> {
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let section = |prefix: &'static str| lines().filter_map(move |line| line.strip_prefix(prefix));
    let receivers = Receivers::new(section("receiver ").map(parse_receiver).collect()).unwrap();
    let is_route = |line: &&str| line.starts_with("route ") || line.starts_with(' ');
    let mut routes: Vec<&str> = lines().filter(is_route).collect();
    routes.reverse();
    let intervals: Vec<_> = section("interval ").map(parse_interval).collect();
    let names = Names {
        receivers: &receivers,
        intervals: &intervals,
    };
    let root = parse_route(&mut routes, &names);
    let rules = section("inhibit ").map(parse_inhibit_rule).collect();
    let warning = section("warn ").next();
    let routing = Routing::new(receivers, root, rules, Duration::from_mins(5)).unwrap();
    Arc::new(routing.with_silence_warning(warning.map(|it| it.parse().expect("a duration"))))
}

fn parse_receiver(line: &str) -> Receiver {
    let (name, kinds) = line.split_once(':').expect("NAME: KINDS");
    let (name, limit) = name.split_once(" limit=").unwrap_or((name, ""));
    let limit = limit.split_once('/').map(|(n, period)| RateLimit {
        notifications_max: n.parse().expect("a number"),
        period: period.parse().expect("a duration"),
    });
    let kinds = kinds
        .split(',')
        .map(str::trim)
        .filter(|kind| !kind.is_empty());
    Receiver::new(
        name,
        kinds.map(|kind| (kind.trim_end_matches('-'), !kind.ends_with('-'))),
    )
    .with_rate_limit(limit)
}

struct Names<'n> {
    receivers: &'n Receivers,
    intervals: &'n [Arc<TimeInterval>],
}

// `NAME START-END …`, in UTC.
fn parse_interval(line: &str) -> Arc<TimeInterval> {
    let mut words = line.split(' ');
    let name = words.next().expect("a name").into();
    let part = |word: &str| {
        let (start, end) = word.split_once('-').expect("START-END");
        TimeSpec {
            times: Some(vec![TimeOfDay::parse(start, end).expect("times")]),
            ..TimeSpec::default()
        }
    };
    let parts = words.map(part).collect();
    Arc::new(TimeInterval { name, parts })
}

fn parse_route(lines: &mut Vec<&str>, known: &Names<'_>) -> RouteSpec {
    let depth_of = |line: &str| line.len() - line.trim_start().len();
    let line = lines.pop().expect("a route");
    let depth = depth_of(line);
    let mut spec = RouteSpec::default();
    let mut rest = line.trim().trim_start_matches("route ");
    if rest.starts_with('{') {
        let (matchers, after) = rest.split_at(rest.find("} ").map_or(rest.len(), |idx| idx + 1));
        spec.matchers = parse_matchers(matchers).expect("matchers");
        rest = after.trim();
    }
    for word in rest.split(' ').filter(|word| !word.is_empty()) {
        let time = |text: &str| Some(text.parse().expect("a duration"));
        match word.split_once('=').unwrap_or((word, "")) {
            ("by", "...") => spec.group_by = Some(GroupBy::All),
            ("by", names) => {
                let names = names.split(',').filter(|name| !name.is_empty());
                spec.group_by = Some(GroupBy::Names(names.map(str::to_owned).collect()));
            }
            ("wait", text) => spec.group_wait = time(text),
            ("interval", text) => spec.group_interval = time(text),
            ("repeat", text) => spec.repeat_interval = time(text),
            ("through", _) => spec.own.resolve_through_mute = Some(true),
            ("backoff", text) => {
                let (factor, max) = text.split_once('/').expect("FACTOR/MAX");
                spec.own.repeat_backoff = Some(RepeatBackoff {
                    factor: factor.parse().expect("a factor"),
                    max: max.parse().expect("a duration"),
                });
            }
            ("flap", text) => {
                let (firings_max, window) = text.split_once('/').expect("FIRINGS/WINDOW");
                spec.own.flap_damping = Some(FlapDamping {
                    firings_max: firings_max.parse().expect("a number"),
                    window: window.parse().expect("a duration"),
                });
            }
            ("continue", _) => spec.does_continue = true,
            ("mute", names) => spec.mute_time_intervals = known.intervals(names),
            ("active", names) => spec.active_time_intervals = known.intervals(names),
            (name, _) => spec.receiver = Some(known.receivers.resolve(name).expect("a receiver")),
        }
    }
    while lines.last().is_some_and(|line| depth_of(line) > depth) {
        spec.routes.push(parse_route(lines, known));
    }
    spec
}

impl Names<'_> {
    fn intervals(&self, names: &str) -> Vec<Arc<TimeInterval>> {
        let find = |name: &str| {
            let found = self.intervals.iter().find(|it| &*it.name == name);
            found.expect("an interval").clone()
        };
        names.split(',').map(find).collect()
    }
}

fn parse_inhibit_rule(line: &str) -> InhibitRule {
    let (sides, equal) = line.split_once(" on ").unwrap_or((line, ""));
    let (source, target) = sides.split_once(" > ").expect("SOURCE > TARGET");
    InhibitRule {
        source: parse_matchers(source).expect("matchers"),
        target: parse_matchers(target).expect("matchers"),
        equal: equal
            .split(',')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
    }
}
