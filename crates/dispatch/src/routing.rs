//! The route tree, receivers and inhibition rules, checked: what configuration becomes.
//!
//! *Invariants*: a [`ReceiverId`] exists only for a receiver that exists; every route has all its
//! options, inherited or by default; routes stand in preorder, the root first.
//!
//! *Sources*: Alertmanager, `dispatch/route.go`, `config/config.go`.

mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use firebell_model::{Duration, Labels, Matcher, matchers_text};

pub use self::walk::{RouteVerdict, TriedRoute, Walk};
use crate::matcher_index::MatcherIndex;
use crate::{OwnKeys, RateLimit, TimeInterval};

/// Everything that dispatch is told by configuration.
#[derive(Debug)]
pub struct Routing {
    receivers: Receivers,
    routes: Vec<Route>,
    by_id: BTreeMap<Arc<str>, RouteIdx>,
    route_index: MatcherIndex,
    inhibit_rules: Vec<InhibitRule>,
    resolve_timeout: Duration,
    silence_warning: Option<Duration>,
    is_damping: bool,
}

/// The receivers by name. The only maker of [`ReceiverId`]s.
#[derive(Clone, Debug, Default)]
pub struct Receivers(Vec<Receiver>);

/// Proof that a receiver exists, in the [`Receivers`] that gave it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ReceiverId(usize);

/// A name with the integrations that are told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receiver {
    name: Arc<str>,
    labels: Labels,
    slots: Vec<IntegrationSlot>,
    rate_limit: Option<RateLimit>,
}

/// One integration of a receiver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IntegrationSlot {
    /// Which of the receiver's integrations.
    pub integration: Integration,
    /// Whether it is told of resolved alerts.
    pub send_resolved: bool,
}

/// Names an integration within its receiver. Printed as `webhook[0]`.
#[derive(
    Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize,
)]
pub struct Integration {
    /// Such as `webhook`.
    pub kind: Arc<str>,
    /// Counts from 0 within the kind.
    pub idx: usize,
}

/// The kind of integration that stays within: what it is told leaves nothing, and cannot fail.
pub const INBOX: &str = "inbox";

impl Integration {
    /// Whether it is the built-in inbox.
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        *self.kind == *INBOX
    }
}

/// What one level of the route tree says, before defaults. A child inherits what is `None`.
#[derive(Clone, Debug, Default)]
pub struct RouteSpec {
    /// Who is told; the root has to say.
    pub receiver: Option<ReceiverId>,
    /// Which labels make a group.
    pub group_by: Option<GroupBy>,
    /// All have to match; the root has none. In any order.
    pub matchers: Vec<Matcher>,
    /// Whether siblings after this one are tried when this one matched.
    pub does_continue: bool,
    /// How long a new group waits; 30 s by default.
    pub group_wait: Option<Duration>,
    /// How long a group waits between flushes; 5 min by default, never zero.
    pub group_interval: Option<Duration>,
    /// After which an unchanged group is told of again; 4 h by default, never zero.
    pub repeat_interval: Option<Duration>,
    /// While any of these lasts, nobody is told. Not inherited; the root has none.
    pub mute_time_intervals: Vec<Arc<TimeInterval>>,
    /// While none of these lasts, nobody is told; none at all means always. Not inherited; the root
    /// has none.
    pub active_time_intervals: Vec<Arc<TimeInterval>>,
    /// Told with every notification; values may be templates. A child adds to them.
    pub labels: Labels,
    /// What upstream does not know; off by default.
    pub own: OwnKeys,
    /// Children, tried in order.
    pub routes: Vec<RouteSpec>,
}

/// Which labels make a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GroupBy {
    /// Every label: each alert is its own group (`group_by: ['...']`).
    All,
    /// These; none means one group for the whole route.
    Names(Vec<String>),
}

/// Position of a route in the tree's preorder.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RouteIdx(pub(crate) u32);

impl RouteIdx {
    /// Index into [`Routing::routes`].
    #[must_use]
    pub fn position(self) -> usize {
        self.0 as usize
    }
}

/// One checked route.
#[derive(Debug)]
pub struct Route {
    /// Identity over reloads: the matchers of each level, joined with `/`; among siblings with the
    /// same matchers the second is marked `#1`, and so on.
    pub id: Arc<str>,
    /// The route's part of upstream's group key: as `id`, without the marks.
    pub key: Arc<str>,
    /// Who is told.
    pub receiver: ReceiverId,
    /// Which labels make a group.
    pub group_by: GroupBy,
    /// Sorted by name, value and operator.
    pub matchers: Vec<Matcher>,
    /// Whether siblings after this one are tried when this one matched.
    pub does_continue: bool,
    /// How long a new group waits before its first flush.
    pub group_wait: Duration,
    /// How long a group waits between flushes.
    pub group_interval: Duration,
    /// After which an unchanged group is told of again.
    pub repeat_interval: Duration,
    /// While any of these lasts, nobody is told.
    pub mute_time_intervals: Vec<Arc<TimeInterval>>,
    /// While none of these lasts, nobody is told; none at all means always.
    pub active_time_intervals: Vec<Arc<TimeInterval>>,
    /// Told with every notification, those of the routes above included; values may be templates.
    pub labels: Labels,
    /// What upstream does not know.
    pub own: OwnKeys,
    parent: Option<RouteIdx>,
    // Where the subtree ends, in preorder, exclusive.
    end: u32,
}

impl Route {
    /// After which an unchanged group is told of again, when it was told of again so often.
    pub(crate) fn repeat_after(&self, n_repeats: u32) -> Duration {
        match &self.own.repeat_backoff {
            Some(backoff) => backoff.pause(self.repeat_interval, n_repeats),
            None => self.repeat_interval,
        }
    }
}

/// An alert that matches `source` mutes alerts that match `target`, when both have the same values
/// of the labels `equal`. A label that is absent counts as the empty string.
#[derive(Clone, Debug, Default)]
pub struct InhibitRule {
    /// Matches the alerts that mute.
    pub source: Vec<Matcher>,
    /// Matches the alerts that are muted.
    pub target: Vec<Matcher>,
    /// Labels that have to be equal in both.
    pub equal: Vec<String>,
}

/// One thing that is wrong with a route tree, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}")]
pub struct RoutingProblem {
    /// Child indices from the root down; empty for the root.
    pub path: Vec<usize>,
    /// What is wrong.
    pub what: RoutingProblemKind,
}

/// What can be wrong with a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RoutingProblemKind {
    /// The root names no receiver.
    #[error("the root route must name a receiver")]
    RootWithoutReceiver,
    /// The root has matchers.
    #[error("the root route must not have matchers: it takes every alert")]
    RootWithMatchers,
    /// The root continues.
    #[error("the root route must not have `continue`: it has no siblings")]
    RootContinues,
    /// The root has `mute_time_intervals`.
    #[error("the root route must not have any mute time intervals")]
    RootWithMuteIntervals,
    /// The root has `active_time_intervals`.
    #[error("the root route must not have any active time intervals")]
    RootWithActiveIntervals,
    /// `group_interval: 0`.
    #[error("`group_interval` must not be zero")]
    ZeroGroupInterval,
    /// `repeat_interval: 0`.
    #[error("`repeat_interval` must not be zero")]
    ZeroRepeatInterval,
    /// The tree is deeper or larger than any sane one.
    #[error("the route tree has more than {ROUTES_MAX} routes or {ROUTE_DEPTH_MAX} levels")]
    TooLarge,
}

/// Two receivers have this name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the receiver name `{0}` is not unique")]
pub struct DuplicateReceiver(pub String);

/// The most routes of a tree; more are refused.
pub const ROUTES_MAX: usize = 100_000;
/// The most levels of a tree; more are refused.
pub const ROUTE_DEPTH_MAX: usize = 64;

/// Upstream's default of `group_wait`.
pub const DEFAULT_GROUP_WAIT: Duration = Duration::from_secs(30);
/// Upstream's default of `group_interval`.
pub const DEFAULT_GROUP_INTERVAL: Duration = Duration::from_mins(5);
/// Upstream's default of `repeat_interval`.
pub const DEFAULT_REPEAT_INTERVAL: Duration = Duration::from_hours(4);
/// Upstream's default of `resolve_timeout`.
pub const DEFAULT_RESOLVE_TIMEOUT: Duration = Duration::from_mins(5);

impl Receivers {
    /// Checks that names are unique.
    ///
    /// # Errors
    /// One for each receiver whose name was taken before.
    pub fn new(receivers: Vec<Receiver>) -> Result<Self, Vec<DuplicateReceiver>> {
        let mut seen = BTreeSet::new();
        let duplicates: Vec<DuplicateReceiver> = receivers
            .iter()
            .filter(|receiver| !seen.insert(receiver.name.clone()))
            .map(|receiver| DuplicateReceiver(receiver.name.to_string()))
            .collect();
        if duplicates.is_empty() {
            Ok(Self(receivers))
        } else {
            Err(duplicates)
        }
    }

    /// The receiver of a name.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<ReceiverId> {
        let idx = self.0.iter().position(|receiver| &*receiver.name == name)?;
        Some(ReceiverId(idx))
    }

    /// In the order of configuration.
    pub fn iter(&self) -> std::slice::Iter<'_, Receiver> {
        self.0.iter()
    }
}

impl Receiver {
    /// Makes a receiver of its integrations, each its kind and `send_resolved`, in the order of
    /// configuration; counts the index within each kind.
    pub fn new<K: Into<Arc<str>>>(
        name: impl Into<Arc<str>>,
        integrations: impl IntoIterator<Item = (K, bool)>,
    ) -> Self {
        let mut slots: Vec<IntegrationSlot> = Vec::new();
        for (kind, send_resolved) in integrations {
            let kind = kind.into();
            let idx = slots
                .iter()
                .filter(|slot| slot.integration.kind == kind)
                .count();
            let integration = Integration { kind, idx };
            slots.push(IntegrationSlot {
                integration,
                send_resolved,
            });
        }
        let name: Arc<str> = name.into();
        Self {
            labels: Labels::from_pairs([("name", name.clone())]),
            name,
            slots,
            rate_limit: None,
        }
    }

    /// The same with labels, by which clients choose receivers; `name` stays the name.
    #[must_use]
    pub fn with_labels(self, labels: &Labels) -> Self {
        let labels = merged(labels, &self.labels);
        Self { labels, ..self }
    }

    /// The same, told only so often.
    #[must_use]
    pub fn with_rate_limit(self, rate_limit: Option<RateLimit>) -> Self {
        Self { rate_limit, ..self }
    }

    /// How often it is told; as often as there is something to tell by default.
    #[must_use]
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.rate_limit
    }

    /// By which clients choose receivers; `name` among them.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// As configured.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// In the order of configuration.
    #[must_use]
    pub fn slots(&self) -> &[IntegrationSlot] {
        &self.slots
    }
}

impl Routing {
    /// Checks the tree, lets children inherit, and compiles every matcher into one index.
    ///
    /// # Errors
    /// Every problem of the tree.
    pub fn new(
        receivers: Receivers,
        root: RouteSpec,
        inhibit_rules: Vec<InhibitRule>,
        resolve_timeout: Duration,
    ) -> Result<Self, Vec<RoutingProblem>> {
        let mut builder = Builder {
            routes: Vec::new(),
            problems: Vec::new(),
            path: Vec::new(),
        };
        builder.check_root(&root);
        builder.add(root, None, 0);
        if !builder.problems.is_empty() {
            return Err(builder.problems);
        }
        let (mut route_index, mut by_id) = (MatcherIndex::default(), BTreeMap::new());
        for (idx, route) in builder.routes.iter().enumerate() {
            route_index.insert(idx as u32, &route.matchers);
            by_id.insert(route.id.clone(), RouteIdx(idx as u32));
        }
        let routes = builder.routes;
        let is_damping = routes.iter().any(|route| route.own.flap_damping.is_some());
        Ok(Self {
            receivers,
            routes,
            by_id,
            route_index,
            inhibit_rules,
            resolve_timeout,
            silence_warning: None,
            is_damping,
        })
    }

    /// The same, with an alert [`crate::SILENCE_EXPIRES`] so long before a silence ends.
    #[must_use]
    pub fn with_silence_warning(self, before: Option<Duration>) -> Self {
        Self {
            silence_warning: before,
            ..self
        }
    }

    /// How long before its end a silence is warned of, if at all.
    #[must_use]
    pub fn silence_warning(&self) -> Option<Duration> {
        self.silence_warning
    }

    /// Whether any route damps alerts that flap.
    pub(crate) fn is_damping(&self) -> bool {
        self.is_damping
    }

    /// The receivers, in the order of configuration.
    #[must_use]
    pub fn receivers(&self) -> &Receivers {
        &self.receivers
    }

    /// The routes in preorder, the root first.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The inhibition rules, in the order of configuration.
    #[must_use]
    pub fn inhibit_rules(&self) -> &[InhibitRule] {
        &self.inhibit_rules
    }

    /// After which an alert that came without an end counts as resolved.
    #[must_use]
    pub fn resolve_timeout(&self) -> Duration {
        self.resolve_timeout
    }

    /// The routes that take an alert, in the order in which they are found; never none.
    ///
    /// Depth first: a node is taken when none of its children is; siblings after a match are tried
    /// only when the child that matched continues.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> Vec<RouteIdx> {
        let hits = self.route_index.matches(labels);
        let mut found = Vec::new();
        self.descend(RouteIdx(0), &hits, &mut found);
        found
    }

    /// The route of an id, which is unique.
    pub(crate) fn route_by_id(&self, id: &str) -> Option<RouteIdx> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn route(&self, idx: RouteIdx) -> &Route {
        &self.routes[idx.0 as usize]
    }

    /// The receiver of one of this tree's routes.
    #[must_use]
    pub fn receiver(&self, id: ReceiverId) -> &Receiver {
        &self.receivers.0[id.0]
    }

    // `hits`: the routes whose own matchers match, in preorder.
    fn descend(&self, node: RouteIdx, hits: &[u32], found: &mut Vec<RouteIdx>) {
        let n_before = found.len();
        let end = self.route(node).end;
        let below = hits.partition_point(|hit| *hit <= node.0);
        for hit in hits[below..].iter().take_while(|hit| **hit < end) {
            let child = RouteIdx(*hit);
            if self.route(child).parent != Some(node) {
                continue;
            }
            self.descend(child, hits, found);
            if !self.route(child).does_continue {
                break;
            }
        }
        if found.len() == n_before {
            found.push(node);
        }
    }
}

struct Builder {
    routes: Vec<Route>,
    problems: Vec<RoutingProblem>,
    path: Vec<usize>,
}

impl Builder {
    fn problem(&mut self, what: RoutingProblemKind) {
        let path = self.path.clone();
        self.problems.push(RoutingProblem { path, what });
    }

    fn check_root(&mut self, root: &RouteSpec) {
        let checks = [
            (
                root.receiver.is_none(),
                RoutingProblemKind::RootWithoutReceiver,
            ),
            (
                !root.matchers.is_empty(),
                RoutingProblemKind::RootWithMatchers,
            ),
            (root.does_continue, RoutingProblemKind::RootContinues),
            (
                !root.mute_time_intervals.is_empty(),
                RoutingProblemKind::RootWithMuteIntervals,
            ),
            (
                !root.active_time_intervals.is_empty(),
                RoutingProblemKind::RootWithActiveIntervals,
            ),
        ];
        for (is_wrong, what) in checks {
            if is_wrong {
                self.problem(what);
            }
        }
    }

    // `n_twins`: how many siblings before this one have the same matchers.
    fn add(&mut self, spec: RouteSpec, parent: Option<usize>, n_twins: usize) {
        if spec.group_interval == Some(Duration::ZERO) {
            self.problem(RoutingProblemKind::ZeroGroupInterval);
        }
        if spec.repeat_interval == Some(Duration::ZERO) {
            self.problem(RoutingProblemKind::ZeroRepeatInterval);
        }
        if self.routes.len() >= ROUTES_MAX || self.path.len() >= ROUTE_DEPTH_MAX {
            return self.problem(RoutingProblemKind::TooLarge);
        }
        let (children, route) = self.inherit(spec, parent, n_twins);
        let idx = self.routes.len();
        self.routes.push(route);
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (child_idx, mut child) in children.into_iter().enumerate() {
            sort_matchers(&mut child.matchers);
            let n_seen = seen.entry(matchers_text(&child.matchers)).or_default();
            self.path.push(child_idx);
            self.add(child, Some(idx), *n_seen);
            self.path.pop();
            *n_seen += 1;
        }
        self.routes[idx].end = self.routes.len() as u32;
    }

    fn inherit(
        &self,
        spec: RouteSpec,
        parent: Option<usize>,
        n_twins: usize,
    ) -> (Vec<RouteSpec>, Route) {
        let parent_idx = parent.map(|idx| RouteIdx(idx as u32));
        let parent = parent.map(|idx| &self.routes[idx]);
        let mark = if n_twins == 0 {
            String::new()
        } else {
            format!("#{n_twins}")
        };
        let level = matchers_text(&spec.matchers);
        let (id, key) = match parent {
            None => (level.clone(), level),
            Some(up) => (
                format!("{}/{level}{mark}", up.id),
                format!("{}/{level}", up.key),
            ),
        };
        let inherited = |own: Option<Duration>, up: fn(&Route) -> Duration, default: Duration| {
            own.unwrap_or_else(|| parent.map_or(default, up))
        };
        let receiver = spec.receiver.or_else(|| parent.map(|up| up.receiver));
        let group_by = spec
            .group_by
            .or_else(|| parent.map(|up| up.group_by.clone()));
        let route = Route {
            id: id.into(),
            key: key.into(),
            // A root without one is a problem already noted, so this value is never seen.
            receiver: receiver.unwrap_or(ReceiverId(0)),
            group_by: group_by.unwrap_or(GroupBy::Names(Vec::new())),
            matchers: spec.matchers,
            does_continue: spec.does_continue,
            group_wait: inherited(spec.group_wait, |up| up.group_wait, DEFAULT_GROUP_WAIT),
            group_interval: inherited(
                spec.group_interval,
                |up| up.group_interval,
                DEFAULT_GROUP_INTERVAL,
            ),
            repeat_interval: inherited(
                spec.repeat_interval,
                |up| up.repeat_interval,
                DEFAULT_REPEAT_INTERVAL,
            ),
            mute_time_intervals: spec.mute_time_intervals,
            active_time_intervals: spec.active_time_intervals,
            labels: match parent {
                Some(up) => merged(&up.labels, &spec.labels),
                None => spec.labels,
            },
            own: spec
                .own
                .or(parent.map_or_else(OwnKeys::default, |up| up.own)),
            parent: parent_idx,
            end: 0,
        };
        (spec.routes, route)
    }
}

// Of a label that is in both, the second value counts.
fn merged(labels: &Labels, over: &Labels) -> Labels {
    let mut builder = labels.to_builder();
    for label in over.iter() {
        builder.set(label.name.clone(), label.value.clone());
    }
    builder.build()
}

fn sort_matchers(matchers: &mut [Matcher]) {
    matchers.sort_by(|a, b| (a.name(), a.value(), a.op()).cmp(&(b.name(), b.value(), b.op())));
}

impl GroupBy {
    /// The labels that an alert's group has. A label that the alert lacks is absent.
    #[must_use]
    pub fn group_labels(&self, labels: &Labels) -> Labels {
        match self {
            Self::All => labels.clone(),
            Self::Names(names) => labels.filter(|name| names.iter().any(|it| it == name)),
        }
    }
}

impl fmt::Display for Integration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.kind, self.idx)
    }
}
