//! The pool that evaluates rules: threads of its own, so that people's queries never delay them.
//!
//! *Invariants*: every rule of a run has one result, also when its code panics. The driver hears of a
//! run once, when it is over; of one that takes long also meanwhile, so that a slow rule does not
//! hold up what the others found.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use firebell_engine::Input;
use firebell_model::Source;
use firebell_rules::{
    Evaluation, EvaluationRequest, Found, QuietRules, RuleEvaluation, RunRule, evaluate_rule,
    quiet_rules, split_quiet,
};

use crate::clock::Stopwatch;
use crate::driver::Handle;
use crate::metrics::Metrics;

/// Something to compute.
type Job = Box<dyn FnOnce() + Send>;

/// A few threads that take jobs from one queue. They end when the pool is dropped, and the queue is
/// empty.
pub(crate) struct Pool(Arc<Queue>);

/// A job wakes one thread: with a channel behind a lock it would wake another one too, which then
/// waits in the place of the first.
#[derive(Default)]
struct Queue {
    jobs: Mutex<Jobs>,
    has_changed: Condvar,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    are_over: bool,
}

impl Pool {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(n_threads: usize) -> std::io::Result<Self> {
        let pool = Self(Arc::default());
        for idx in 0..n_threads {
            let queue = Arc::clone(&pool.0);
            let name = format!("evaluate-{idx}");
            std::thread::Builder::new()
                .name(name)
                .spawn(move || queue.work())?;
        }
        Ok(pool)
    }

    /// Queues a job.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        self.0.lock().waiting.push_back(Box::new(job));
        self.0.has_changed.notify_one();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.0.lock().are_over = true;
        self.0.has_changed.notify_all();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut jobs = self.lock();
        loop {
            if let Some(job) = jobs.waiting.pop_front() {
                drop(jobs);
                job();
                jobs = self.lock();
            } else if jobs.are_over {
                return;
            } else {
                let woken = self.has_changed.wait(jobs);
                jobs = woken.unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

/// A run that is being evaluated.
pub(crate) struct Run {
    /// What is to be evaluated.
    pub request: EvaluationRequest,
    watch: Stopwatch,
    found: Mutex<Results>,
    n_left: AtomicUsize,
    /// A rule that takes longer is given up, as a query would be.
    timeout: Duration,
    /// How many questions were begun one after the other, and when the last of them: which rules
    /// find nothing, then what each of the others finds.
    begun: Mutex<(usize, Stopwatch)>,
    /// How many of these are not waited for any longer. The driver says so, which looks at the clock
    /// every second: to look at each of a rule's steps would cost more than most rules.
    n_given_up: AtomicUsize,
    metrics: Arc<Metrics>,
    handle: Handle,
}

/// Results that the driver has not heard of.
#[derive(Default)]
struct Results {
    rules: Vec<RuleEvaluation>,
    quiet: QuietRules,
}

impl Run {
    /// A run of which nothing is evaluated yet.
    pub(crate) fn new(
        request: EvaluationRequest,
        timeout: Duration,
        metrics: Arc<Metrics>,
        handle: Handle,
    ) -> Self {
        let watch = Stopwatch::start();
        Self {
            timeout,
            n_left: AtomicUsize::new(request.rules.len()),
            found: Mutex::default(),
            begun: Mutex::new((0, watch)),
            n_given_up: AtomicUsize::new(0),
            watch,
            request,
            metrics,
            handle,
        }
    }

    /// Evaluates all rules of the request: those that find nothing at once, the others one after
    /// the other.
    pub(crate) fn evaluate_all(&self, source: &dyn Source) {
        let watch = Stopwatch::start();
        let is_given_up = self.begin(watch);
        let quiet = || quiet_rules(&self.request, source, &is_given_up);
        let quiet = catch_unwind(AssertUnwindSafe(quiet));
        // A rule that brings the evaluator down will do so again, by itself.
        let quiet = quiet.unwrap_or_default();
        let (mut quiet, others) = split_quiet(&self.request, &quiet);
        let n_quiet = quiet.rules.len();
        if n_quiet > 0 {
            quiet.took = watch.elapsed() / u32::try_from(n_quiet).unwrap_or(u32::MAX);
            self.found().quiet = quiet;
            self.end(n_quiet);
        }
        for rule in others {
            let watch = Stopwatch::start();
            let is_given_up = self.begin(watch);
            self.evaluate(rule, watch, || {
                evaluate_rule(&self.request, rule, source, &is_given_up)
            });
        }
    }

    /// Begins a rule, or the question which of them find nothing; returns who knows whether it is not
    /// waited for any longer.
    fn begin(&self, watch: Stopwatch) -> impl Fn() -> bool + Sync {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        *begun = (begun.0 + 1, watch);
        let number = begun.0;
        move || self.n_given_up.load(Ordering::Relaxed) >= number
    }

    /// Evaluates a rule of the request by `work`, which begins now.
    pub(crate) fn evaluate(
        &self,
        rule: &RunRule,
        watch: Stopwatch,
        work: impl FnOnce() -> Result<Found, String>,
    ) {
        let result = catch_unwind(AssertUnwindSafe(work));
        // A rule that brings the evaluator down must not take its group along.
        let failed = "the evaluator failed: please report this rule".to_owned();
        let outcome = result.unwrap_or(Err(failed));
        // Nobody else cancels a rule.
        let outcome = outcome.map_err(|error| match error == CANCELLED {
            true => TIMED_OUT.to_owned(),
            false => error,
        });
        if let Err(error) = &outcome {
            tracing::warn!(rule = rule.rule.name, %error, "failed to evaluate a rule");
        }
        let evaluation = RuleEvaluation {
            rule_idx: rule.rule_idx,
            took: watch.elapsed(),
            outcome,
        };
        self.found().rules.push(evaluation);
        self.end(1);
    }

    /// So many rules were evaluated, and are among what was found.
    fn end(&self, n_rules: usize) {
        if self.n_left.fetch_sub(n_rules, Ordering::AcqRel) == n_rules {
            self.report();
        }
    }

    /// Tells the driver what a run that takes long has found so far, and gives up a rule that takes
    /// too long; false when the run is over.
    pub(crate) fn report_if_slow(&self) -> bool {
        let is_over = self.n_left.load(Ordering::Acquire) == 0;
        if !is_over && self.watch.elapsed() > SLOW_RUN {
            self.report();
            let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
            if begun.1.elapsed() > self.timeout {
                self.n_given_up.store(begun.0, Ordering::Relaxed);
            }
        }
        !is_over
    }

    fn report(&self) {
        let Results { rules, quiet } = std::mem::take(&mut *self.found());
        let n_quiet = u32::try_from(quiet.rules.len()).unwrap_or(u32::MAX);
        let n_rules = rules.len() as u64 + u64::from(n_quiet);
        if n_rules == 0 {
            return;
        }
        self.metrics.rule_evaluations.inc_by(n_rules);
        let took: Duration = rules.iter().map(|rule| rule.took).sum();
        let took = took + quiet.took * n_quiet;
        self.metrics
            .rule_evaluation_seconds
            .inc_by(took.as_secs_f64());
        let evaluation = Evaluation {
            id: self.request.id,
            rules,
            quiet,
            rested: Duration::ZERO,
        };
        match self.request.may_rest(&evaluation) {
            true => self.handle.rest(evaluation),
            false => self.handle.input(Input::Evaluated(evaluation)),
        }
    }

    fn found(&self) -> MutexGuard<'_, Results> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an evaluation says that was given up.
const CANCELLED: &str = "query was canceled";
/// What upstream says of one that took too long.
const TIMED_OUT: &str = "query timed out in expression evaluation";
/// A run that takes longer is heard of before it is over.
const SLOW_RUN: Duration = Duration::from_millis(100);
