//! The pool that evaluates rules: threads of its own, so that people's queries never delay them.
//!
//! *Invariants*: every rule of a run has one result, also when its code panics. The driver hears of a
//! run once, when it is over; of one that takes long also meanwhile, so that a slow rule does not
//! hold up what the others found.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use firebell_engine::Input;
use firebell_rules::{Evaluation, EvaluationRequest, Found, RuleEvaluation, RunRule};

use crate::clock::Stopwatch;
use crate::driver::Handle;
use crate::metrics::Metrics;

/// Something to compute.
type Job = Box<dyn FnOnce() + Send>;

/// A few threads that take jobs from one queue. They end when the pool is dropped.
pub(crate) struct Pool {
    jobs: Sender<Job>,
}

impl Pool {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(n_threads: usize) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        for idx in 0..n_threads {
            let queue = Arc::clone(&queue);
            let name = format!("evaluate-{idx}");
            std::thread::Builder::new()
                .name(name)
                .spawn(move || work(&queue))?;
        }
        Ok(Self { jobs })
    }

    /// Queues a job.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        // The threads live as long as the pool: somebody listens.
        let _ = self.jobs.send(Box::new(job));
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}

/// Whether an evaluation is to be given up.
pub(crate) type IsOver<'a> = dyn Fn() -> bool + Sync + 'a;

/// A run that is being evaluated.
pub(crate) struct Run {
    /// What is to be evaluated.
    pub request: EvaluationRequest,
    watch: Stopwatch,
    /// What the driver has not heard of.
    found: Mutex<Vec<RuleEvaluation>>,
    n_left: AtomicUsize,
    /// A rule that takes longer is given up, as a query would be.
    timeout: Duration,
    metrics: Arc<Metrics>,
    handle: Handle,
}

impl Run {
    /// A run of which nothing is evaluated yet.
    pub(crate) fn new(
        request: EvaluationRequest,
        timeout: Duration,
        metrics: Arc<Metrics>,
        handle: Handle,
    ) -> Self {
        Self {
            timeout,
            n_left: AtomicUsize::new(request.rules.len()),
            found: Mutex::new(Vec::with_capacity(request.rules.len())),
            watch: Stopwatch::start(),
            request,
            metrics,
            handle,
        }
    }

    /// Evaluates a rule of the request by `work`.
    pub(crate) fn evaluate(
        &self,
        rule: &RunRule,
        work: impl FnOnce(&IsOver<'_>) -> Result<Found, String>,
    ) {
        let watch = Stopwatch::start();
        let is_over = || watch.elapsed() > self.timeout;
        let result = catch_unwind(AssertUnwindSafe(|| work(&is_over)));
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
        self.found().push(evaluation);
        if self.n_left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.report();
        }
    }

    /// Tells the driver what a run that takes long has found so far; false when it is over.
    pub(crate) fn report_if_slow(&self) -> bool {
        let is_over = self.n_left.load(Ordering::Acquire) == 0;
        if !is_over && self.watch.elapsed() > SLOW_RUN {
            self.report();
        }
        !is_over
    }

    fn report(&self) {
        let rules = std::mem::take(&mut *self.found());
        if rules.is_empty() {
            return;
        }
        self.metrics.rule_evaluations.inc_by(rules.len() as u64);
        let took: Duration = rules.iter().map(|rule| rule.took).sum();
        self.metrics
            .rule_evaluation_seconds
            .inc_by(took.as_secs_f64());
        let id = self.request.id;
        self.handle
            .input(Input::Evaluated(Evaluation { id, rules }));
    }

    fn found(&self) -> std::sync::MutexGuard<'_, Vec<RuleEvaluation>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an evaluation says that was given up.
const CANCELLED: &str = "query was canceled";
/// What upstream says of one that took too long.
const TIMED_OUT: &str = "query timed out in expression evaluation";
/// A run that takes longer is heard of before it is over.
const SLOW_RUN: Duration = Duration::from_millis(100);
