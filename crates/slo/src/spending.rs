//! Where a budget went: which incidents and episodes took how much of it, and which deploys.
//!
//! An *episode* is a time in which the budget burnt faster than it may, or an alert of the objective
//! held. It is found in stored samples, as everything of the ledger: two looks over the window, one
//! in coarse steps, and one in fine steps where something was found.
//!
//! *Invariants*: shares are of the budget of the window so far, as in the ledger: those of deploys
//! add up to what it says was spent, those of incidents and of what is outside them to those of all
//! episodes, but for the edges of counters.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use firebell_model::{Deploy, Duration, IncidentSpan, Labels, Timestamp};
use firebell_rules::Querier;

use crate::burn::Severity;
use crate::claims::Claims;
use crate::deploy::concerning;
use crate::ledger::{Answers, ask, ledger};
use crate::objective::Objective;

/// Where the budgets of an objective went, within the window of a [`crate::Ledger`].
#[derive(Clone, PartialEq, Debug)]
pub struct Spending {
    /// The moment that it is true of.
    pub at: Timestamp,
    /// Where the window begins.
    pub from: Timestamp,
    /// One for each budget of the ledger.
    pub budgets: Vec<BudgetSpending>,
}

/// Where one budget went.
#[derive(Clone, PartialEq, Debug)]
pub struct BudgetSpending {
    /// The labels that tell it from the others of the objective.
    pub labels: Labels,
    /// The newest first; of more than [`EPISODES_MAX`] those that took most.
    pub episodes: Vec<Episode>,
    /// How many more there were.
    pub n_more: usize,
    /// By the incident that it was, the newest first, and last what was outside any; of more than
    /// [`EPISODES_MAX`] those that took most.
    pub incidents: Vec<IncidentSpending>,
    /// How many more incidents there were.
    pub n_more_incidents: usize,
    /// By the deploy that was live, the newest first; none when no deploy is known.
    pub deploys: Vec<DeploySpending>,
}

/// A time, and what it took of a budget.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Stretch {
    /// Its start.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// Bad events; `None` when only the ratio is known.
    pub bad: Option<f64>,
    /// All events.
    pub total: Option<f64>,
    /// The share of the window's budget; of an objective that only knows ratios the part of its time.
    pub share: f64,
    /// The burn rate; `None` without events.
    pub rate: Option<f64>,
}

/// A time in which a budget burnt faster than it may, or an alert of the objective held.
#[derive(Clone, PartialEq, Debug)]
pub struct Episode {
    /// When, and what it took.
    pub stretch: Stretch,
    /// Names of the tiers that held in it, in their order; none when nobody was told.
    pub alerts: Vec<String>,
    /// Whether it still goes on.
    pub is_open: bool,
    /// What was live when it began, if that is known.
    pub deploy: Option<Deploy>,
    /// The names of the incidents that it was, in their order; none when it was outside any.
    pub incidents: Vec<String>,
}

/// What an incident took of a budget: the parts of episodes that were it.
#[derive(Clone, PartialEq, Debug)]
pub struct IncidentSpending {
    /// Which; `None`: what was outside any.
    pub incident: Option<IncidentSpan>,
    /// From the start of the first part to the end of the last; its figures are those of the parts
    /// alone, and its rate is that of all of them.
    pub stretch: Stretch,
    /// How many parts of episodes.
    pub n_parts: usize,
}

/// What was spent while a version was live.
#[derive(Clone, PartialEq, Debug)]
pub struct DeploySpending {
    /// `None`: what was live before the first that is known.
    pub deploy: Option<Deploy>,
    /// From it, or the start of the window, to the next one.
    pub stretch: Stretch,
    /// The burn rate over the hour before it, as far as its predecessor was live.
    pub before: Option<f64>,
    /// The same over the hour after it, as far as it is live.
    pub after: Option<f64>,
}

/// Where the budgets of an objective went; `deploys` and `incidents` may be of all services, in any
/// order.
///
/// # Errors
/// What the querier says is wrong.
pub fn spending(
    objective: &Objective,
    deploys: &[Deploy],
    incidents: &[IncidentSpan],
    at: Timestamp,
    querier: &dyn Querier,
) -> Result<Spending, String> {
    let books = ledger(objective, at, querier)?;
    let shorts = objective.tiers.iter().map(|it| it.short);
    let mut look = Look {
        objective,
        querier,
        from: books.from,
        at,
        shortest: shorts.min().unwrap_or(STEP_MIN).max(STEP_MIN),
        n_fine: 0,
        spans: BTreeMap::new(),
        moments: BTreeMap::new(),
    };
    let mut budgets = Vec::with_capacity(books.budgets.len());
    for budget in &books.budgets {
        let labels = budget.labels.clone();
        let live = concerning(deploys, objective, &labels, at);
        let claims = Claims::new(incidents, objective, &labels);
        let mut by_incident = ByIncident::default();
        let episodes = look.episodes(&labels, &live, &claims, &mut by_incident)?;
        let deploys = look.deploys(&labels, &live)?;
        let incidents = by_incident.taken(objective.target.budget());
        let starts = |it: &Episode| it.stretch.from;
        let (episodes, n_more) = most(episodes, |it| it.stretch.share, starts);
        let starts = |it: &IncidentSpending| it.order();
        let (incidents, n_more_incidents) = most(incidents, |it| it.stretch.share, starts);
        budgets.push(BudgetSpending {
            labels,
            episodes,
            n_more,
            incidents,
            n_more_incidents,
            deploys,
        });
    }
    Ok(Spending {
        at,
        from: books.from,
        budgets,
    })
}

/// A look back over the window; what was asked is remembered, since budgets share it.
struct Look<'a> {
    objective: &'a Objective,
    querier: &'a dyn Querier,
    from: Timestamp,
    at: Timestamp,
    /// Shorter times say nothing: they may lie between two scrapes.
    shortest: Duration,
    n_fine: usize,
    spans: BTreeMap<(Timestamp, Timestamp), Rc<Answers>>,
    // The indexes of the tiers that hold at a moment, by budget; only where there are any.
    moments: BTreeMap<Timestamp, BTreeMap<Labels, BTreeSet<usize>>>,
}

/// What may become an episode.
struct Run {
    from: Timestamp,
    until: Timestamp,
    /// Indexes of tiers.
    tiers: BTreeSet<usize>,
}

impl Look<'_> {
    fn episodes(
        &mut self,
        labels: &Labels,
        live: &[&Deploy],
        claims: &Claims<'_>,
        by_incident: &mut ByIncident,
    ) -> Result<Vec<Episode>, String> {
        let step = self.step();
        let coarse = self.runs(labels, &self.cuts(self.from, self.at, step))?;
        let mut runs = Vec::new();
        // The newest matter most, should there be more than are looked at closely.
        for run in coarse.into_iter().rev() {
            let fine = self.fine(labels, &run, step)?;
            match fine.is_empty() {
                true => runs.push(run),
                false => runs.extend(fine.into_iter().rev()),
            }
        }
        let mut episodes = Vec::new();
        let calm = self.calm();
        for run in joined(runs, calm) {
            let tiers = run
                .tiers
                .iter()
                .filter_map(|idx| self.objective.tiers.get(*idx));
            let alerts = tiers.map(|tier| tier.name.clone()).collect();
            let live_then = live.iter().find(|deploy| deploy.at <= run.from);
            let mut incidents = Vec::new();
            for part in claims.parts(run.from, run.until, calm) {
                by_incident.add(part.of, &self.stretch(labels, part.from, part.until)?);
                incidents.extend(part.of.map(|it| it.name.clone()));
            }
            episodes.push(Episode {
                alerts,
                is_open: run.until == self.at,
                deploy: live_then.map(|deploy| (*deploy).clone()),
                stretch: self.stretch(labels, run.from, run.until)?,
                incidents,
            });
        }
        Ok(episodes)
    }

    fn deploys(
        &mut self,
        labels: &Labels,
        live: &[&Deploy],
    ) -> Result<Vec<DeploySpending>, String> {
        let mut shares = Vec::new();
        let mut until = self.at;
        let live = &live[..live.len().min(DEPLOYS_SHOWN_MAX)];
        for (idx, deploy) in live.iter().enumerate() {
            if until <= self.from {
                break;
            }
            let previous = live.get(idx + 1).map(|it| it.at);
            let hour_before = deploy.at - COMPARED;
            let hour_after = deploy.at + COMPARED;
            let before = previous.map_or(hour_before, |it| it.max(hour_before));
            shares.push(DeploySpending {
                deploy: Some((*deploy).clone()),
                stretch: self.stretch(labels, deploy.at.max(self.from), until)?,
                before: self.rate_if_long(labels, before, deploy.at)?,
                after: self.rate_if_long(labels, deploy.at, until.min(hour_after))?,
            });
            until = deploy.at;
        }
        if !shares.is_empty() && until > self.from {
            shares.push(DeploySpending {
                deploy: None,
                stretch: self.stretch(labels, self.from, until)?,
                before: None,
                after: None,
            });
        }
        Ok(shares)
    }

    /// Whole minutes, at multiples of which the window is cut: what was found stays where it was
    /// when it is asked for again.
    fn step(&self) -> Duration {
        let all_steps = COARSE_STEPS * STEP_MIN.0;
        let minutes = ((self.at - self.from).0 + all_steps - 1) / all_steps;
        (STEP_MIN * minutes).max(self.shortest)
    }

    fn cuts(&self, from: Timestamp, until: Timestamp, step: Duration) -> Vec<Timestamp> {
        let mut cuts = vec![from];
        let mut cut = Timestamp(from.0.div_euclid(step.0) * step.0) + step;
        while cut + self.shortest <= until {
            if cut - from >= self.shortest {
                cuts.push(cut);
            }
            cut += step;
        }
        cuts.push(until);
        cuts
    }

    /// Where a run begins and ends more exactly, which may be in the steps beside it; nothing when
    /// enough was looked at.
    fn fine(&mut self, labels: &Labels, run: &Run, step: Duration) -> Result<Vec<Run>, String> {
        let minutes = (step.0 / FINE_STEPS / STEP_MIN.0).max(1);
        let from = (run.from - step).max(self.from);
        let until = (run.until + step).min(self.at);
        let cuts = self.cuts(from, until, (STEP_MIN * minutes).max(self.shortest));
        self.n_fine += cuts.len();
        match self.n_fine > FINE_STEPS_MAX {
            true => Ok(Vec::new()),
            false => self.runs(labels, &cuts),
        }
    }

    fn runs(&mut self, labels: &Labels, cuts: &[Timestamp]) -> Result<Vec<Run>, String> {
        let mut runs = Vec::new();
        let mut open: Option<Run> = None;
        for (from, until) in cuts.iter().copied().zip(cuts.iter().copied().skip(1)) {
            let is_burning = self
                .rate(labels, from, until)?
                .is_some_and(|rate| rate > 1.0);
            let was_told = open.as_ref().is_some_and(|run| !run.tiers.is_empty());
            // No alert begins while the budget is kept.
            let tiers = match is_burning || was_told {
                true => self.firing(labels, until)?,
                false => BTreeSet::new(),
            };
            if !is_burning && tiers.is_empty() {
                runs.extend(open.take());
                continue;
            }
            let run = open.get_or_insert(Run {
                from,
                until,
                tiers: BTreeSet::new(),
            });
            run.until = until;
            run.tiers.extend(tiers);
        }
        runs.extend(open);
        Ok(runs)
    }

    /// The tiers that hold at a moment.
    fn firing(&mut self, labels: &Labels, at: Timestamp) -> Result<BTreeSet<usize>, String> {
        if !self.moments.contains_key(&at) {
            let books = ledger(self.objective, at, self.querier)?;
            let firing = books.budgets.into_iter().filter_map(|budget| {
                let tiers = budget.tiers.iter().enumerate();
                let firing = tiers.filter(|(_, it)| it.is_firing).map(|(idx, _)| idx);
                let firing: BTreeSet<usize> = firing.collect();
                (!firing.is_empty()).then_some((budget.labels, firing))
            });
            self.moments.insert(at, firing.collect());
        }
        let firing = self.moments.get(&at).and_then(|it| it.get(labels));
        Ok(firing.cloned().unwrap_or_default())
    }

    fn span(&mut self, from: Timestamp, until: Timestamp) -> Result<Rc<Answers>, String> {
        if let Some(answers) = self.spans.get(&(from, until)) {
            return Ok(Rc::clone(answers));
        }
        let answers = Rc::new(ask(self.objective, until - from, until, self.querier)?);
        self.spans.insert((from, until), Rc::clone(&answers));
        Ok(answers)
    }

    fn rate(
        &mut self,
        labels: &Labels,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Option<f64>, String> {
        let ratio = self.span(from, until)?.ratio.get(labels).copied();
        Ok(ratio.map(|it| it / self.objective.target.budget()))
    }

    fn rate_if_long(
        &mut self,
        labels: &Labels,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Option<f64>, String> {
        match until - from < self.shortest {
            true => Ok(None),
            false => self.rate(labels, from, until),
        }
    }

    fn stretch(
        &mut self,
        labels: &Labels,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Stretch, String> {
        let budget = self.objective.target.budget();
        let spent = self.span(from, until)?.spent(labels, budget);
        let so_far = self.span(self.from, self.at)?.spent(labels, budget);
        let part = match spent.total.zip(so_far.total) {
            Some((total, all)) if all > 0.0 => total / all,
            Some(_) => 0.0,
            None => (until - from).as_secs_f64() / (self.at - self.from).as_secs_f64().max(1e-3),
        };
        Ok(Stretch {
            from,
            until,
            bad: spent.bad,
            total: spent.total,
            share: spent.share * part,
            rate: self.rate(labels, from, until)?,
        })
    }

    /// What is calm for less is one episode with what comes next.
    fn calm(&self) -> Duration {
        let pages = |it: &&crate::burn::Tier| it.severity == Severity::Page;
        let shorts = self.objective.tiers.iter().filter(pages).map(|it| it.short);
        shorts.max().unwrap_or(self.shortest)
    }
}

/// What incidents took so far, by name; what was outside any has none.
#[derive(Default)]
struct ByIncident(BTreeMap<Option<String>, IncidentSpending>);

impl ByIncident {
    fn add(&mut self, of: Option<&IncidentSpan>, part: &Stretch) {
        let name = of.map(|it| it.name.clone());
        let Some(known) = self.0.get_mut(&name) else {
            let spending = IncidentSpending {
                incident: of.cloned(),
                stretch: *part,
                n_parts: 1,
            };
            self.0.insert(name, spending);
            return;
        };
        let sum = |a: Option<f64>, b: Option<f64>| Some(a? + b?);
        let all = &mut known.stretch;
        all.from = all.from.min(part.from);
        all.until = all.until.max(part.until);
        all.bad = sum(all.bad, part.bad);
        all.total = sum(all.total, part.total);
        all.share += part.share;
        // Of parts that only have ratios there is no rate of all.
        all.rate = None;
        known.n_parts += 1;
    }

    fn taken(self, budget: f64) -> Vec<IncidentSpending> {
        let mut all: Vec<_> = self.0.into_values().collect();
        for IncidentSpending { stretch, .. } in all.iter_mut().filter(|it| it.n_parts > 1) {
            let counts = stretch.bad.zip(stretch.total);
            let counts = counts.filter(|(_, total)| *total > 0.0);
            stretch.rate = counts.map(|(bad, total)| bad / total / budget);
        }
        all
    }
}

impl IncidentSpending {
    /// The later the newer; what is outside any comes first.
    fn order(&self) -> (bool, Timestamp) {
        (self.incident.is_some(), self.stretch.from)
    }
}

/// Those that took most, at most [`EPISODES_MAX`], the newest first, and how many more there were.
fn most<T, Key: Ord>(
    mut all: Vec<T>,
    share: impl Fn(&T) -> f64,
    order: impl Fn(&T) -> Key,
) -> (Vec<T>, usize) {
    let n_more = all.len().saturating_sub(EPISODES_MAX);
    all.sort_by(|a, b| share(b).total_cmp(&share(a)));
    all.truncate(EPISODES_MAX);
    all.sort_by_key(|it| std::cmp::Reverse(order(it)));
    (all, n_more)
}

/// Runs, the newest first, with those in one that calm divides for less than a time.
fn joined(runs: Vec<Run>, calm: Duration) -> Vec<Run> {
    let mut joined: Vec<Run> = Vec::new();
    for run in runs {
        match joined.last_mut() {
            Some(later) if later.from - run.until < calm => {
                later.from = later.from.min(run.from);
                later.until = later.until.max(run.until);
                later.tiers.extend(run.tiers);
            }
            _ => joined.push(run),
        }
    }
    joined
}

/// Episodes that are told of a budget, and incidents.
pub const EPISODES_MAX: usize = 100;
/// Deploys by which a budget is told; what was spent before is told as one.
pub const DEPLOYS_SHOWN_MAX: usize = 100;
/// The burn rate is compared over this time before and after a deploy.
const COMPARED: Duration = Duration::from_hours(1);
const STEP_MIN: Duration = Duration::from_mins(1);
/// So many steps over the window: two hours each in thirty days.
const COARSE_STEPS: i64 = 360;
/// So many within each of those in which something was found: five minutes.
const FINE_STEPS: i64 = 24;
/// So many of all budgets together; what is left is told in coarse steps.
const FINE_STEPS_MAX: usize = 2_000;
