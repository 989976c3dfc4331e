//! The way of a label set through the tree, told: which routes were tried, which take it, why not.
//!
//! *Not here*: deciding ([`Routing::matches`]); this takes the same way and says more, at the cost
//! of trying each route by itself.

use firebell_model::{Labels, Matcher};

use super::{Route, RouteIdx, Routing};

/// The way through the tree, in preorder.
#[derive(Clone, Debug, Default)]
pub struct Walk<'r> {
    /// The routes that were looked at.
    pub tried: Vec<TriedRoute<'r>>,
    /// How many that take nothing are left out, beyond a few hundred.
    pub n_left_out: usize,
}

/// A route that was looked at.
#[derive(Clone, Copy, Debug)]
pub struct TriedRoute<'r> {
    /// The route.
    pub route: &'r Route,
    /// Whom it tells.
    pub receiver: &'r str,
    /// Levels below the root.
    pub depth: usize,
    /// What came of it.
    pub verdict: RouteVerdict<'r>,
}

/// What came of a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouteVerdict<'r> {
    /// It takes the label set: its receiver is told.
    Takes,
    /// It matches, and one of its children takes it.
    Leads,
    /// This matcher does not match.
    Refuses(&'r Matcher),
    /// A sibling before it matched and does not continue.
    NotTried,
}

/// The most routes that are listed without taking anything; a tree may have a hundred thousand.
pub(super) const REFUSING_MAX: usize = 200;

impl Routing {
    /// Tells the way of a label set. The routes with [`RouteVerdict::Takes`] are those of
    /// [`Self::matches`].
    #[must_use]
    pub fn walk(&self, labels: &Labels) -> Walk<'_> {
        let mut walk = Walk::default();
        self.look_at(RouteIdx(0), 0, labels, &mut walk);
        walk
    }

    // Returns whether the route or one below it takes the label set.
    fn look_at<'r>(
        &'r self,
        node: RouteIdx,
        depth: usize,
        labels: &Labels,
        walk: &mut Walk<'r>,
    ) -> bool {
        let route = self.route(node);
        let refusing = route.matchers.iter().find(|it| !it.matches(labels));
        if let Some(matcher) = refusing {
            walk.refuse(self.tried(node, depth, RouteVerdict::Refuses(matcher)));
            return false;
        }
        let place = walk.tried.len();
        walk.tried
            .push(self.tried(node, depth, RouteVerdict::Takes));
        let (mut is_taken_below, mut is_over) = (false, false);
        let mut next = node.0 + 1;
        while next < route.end {
            let child = RouteIdx(next);
            next = self.route(child).end;
            if is_over {
                walk.refuse(self.tried(child, depth + 1, RouteVerdict::NotTried));
            } else if self.look_at(child, depth + 1, labels, walk) {
                is_taken_below = true;
                is_over = !self.route(child).does_continue;
            }
        }
        if is_taken_below {
            walk.tried[place].verdict = RouteVerdict::Leads;
        }
        true
    }

    fn tried<'r>(
        &'r self,
        idx: RouteIdx,
        depth: usize,
        verdict: RouteVerdict<'r>,
    ) -> TriedRoute<'r> {
        let route = self.route(idx);
        TriedRoute {
            route,
            receiver: self.receiver(route.receiver).name(),
            depth,
            verdict,
        }
    }
}

impl<'r> Walk<'r> {
    fn refuse(&mut self, tried: TriedRoute<'r>) {
        let is_quiet = |it: &&TriedRoute<'_>| {
            matches!(
                it.verdict,
                RouteVerdict::Refuses(_) | RouteVerdict::NotTried
            )
        };
        if self.tried.len() >= REFUSING_MAX
            && self.tried.iter().filter(is_quiet).count() >= REFUSING_MAX
        {
            self.n_left_out += 1;
        } else {
            self.tried.push(tried);
        }
    }
}
