//! Performs effects: writes samples, has rules evaluated, has notifications delivered.
//!
//! *Invariants*: every evaluation and every delivery has an outcome, also when its code panics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use firebell_dispatch::{Delivery, DeliveryId, Failure, FailureCause};
use firebell_engine::{Effect, Input};
use firebell_model::Timestamp;
use firebell_rules::{EvaluationRequest, evaluate_rule_by};
use firebell_tsdb::{Batch, Store};
use tokio::task::AbortHandle;

use crate::alertmanagers::Alertmanagers;
use crate::budgets::Measuring;
use crate::clock::Stopwatch;
use crate::deliver::Deliverer;
use crate::driver::Handle;
use crate::evaluate::{Pool, Run};
use crate::external::External;
use crate::history::HistoryWriter;
use crate::metrics::Metrics;
use crate::pages::Pager;

/// Deliveries that have no outcome yet.
type UnderWay = Arc<Mutex<BTreeMap<DeliveryId, AbortHandle>>>;

/// Everything that effects are performed with.
pub(crate) struct Performer {
    pub store: Arc<Store>,
    pub pool: Pool,
    pub external: Arc<External>,
    pub alertmanagers: Arc<Alertmanagers>,
    pub deliverer: Arc<Deliverer>,
    pub pager: Arc<Pager>,
    pub runtime: tokio::runtime::Handle,
    pub history: HistoryWriter,
    pub handle: Handle,
    pub metrics: Arc<Metrics>,
    /// Deliveries under way, so that they can be given up.
    pub under_way: UnderWay,
    /// Whether the process is about to end: then no delivery begins. The journal knows those that
    /// were to, and the next process tells them.
    pub is_draining: bool,
    /// Runs of rules that may still be evaluated.
    pub runs: Vec<Arc<Run>>,
}

impl Performer {
    /// Performs the effects of one step, in order.
    pub(crate) fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Write(samples) if self.external.source().is_some() => {
                    self.external.write(samples);
                }
                Effect::Write(samples) => {
                    let mut batch = Batch::default();
                    for (labels, sample) in samples {
                        batch.add(labels, &[sample]);
                    }
                    self.append(&batch);
                }
                Effect::WriteHistograms(samples) => {
                    let mut batch = Batch::default();
                    for (labels, sample) in samples {
                        batch.add_histograms(labels, [sample]);
                    }
                    self.append(&batch);
                }
                Effect::Watch(list) => self.store.watch(list.generation, list.selectors),
                Effect::Evaluate(request) => self.evaluate(request),
                Effect::Send(alerts) => self.alertmanagers.send(&alerts),
                Effect::Notify(_) if self.is_draining => {}
                Effect::Notify(delivery) => self.notify(delivery),
                Effect::Cancel(id) => self.cancel(id),
                Effect::Page(_) if self.is_draining => {}
                Effect::Page(message) => {
                    self.pager.send(&self.runtime, self.handle.clone(), message)
                }
                Effect::MeasureBudgets(at) => self.measure_budgets(at),
                Effect::PageBroken(key, why) => {
                    self.metrics.pages.broken();
                    tracing::error!(page = key.0, why, "a page was wrong, and was mended");
                }
            }
        }
    }

    /// Begins nothing any more: neither what comes, nor what waits for its turn.
    pub(crate) fn drain(&mut self) {
        self.is_draining = true;
        self.deliverer.turns.close();
        self.pager.turns.close();
    }

    fn append(&self, batch: &Batch) {
        match self.store.append(batch) {
            Ok(report) => self.metrics.count_append(&report),
            Err(error) => {
                tracing::error!(%error, "failed to write the series of a rule");
            }
        }
    }

    /// Evaluates on a pool: over the store as it is now, or by asking the cluster.
    fn evaluate(&mut self, request: EvaluationRequest) {
        let timeout = self.deliverer.live.config().query.timeout.to_std();
        let metrics = Arc::clone(&self.metrics);
        let run = Run::new(request, timeout, metrics, self.handle.clone());
        let run = Arc::new(run);
        self.runs.push(Arc::clone(&run));
        let Some(source) = self.external.source() else {
            let view = self.store.view();
            self.pool.run(move || run.evaluate_all(&view));
            return;
        };
        let pool = self.external.pool().unwrap_or(&self.pool);
        for idx in 0..run.request.rules.len() {
            let (run, querier) = (Arc::clone(&run), self.external.querier(Arc::clone(&source)));
            pool.run(move || {
                let rule = &run.request.rules[idx];
                run.evaluate(rule, Stopwatch::start(), || {
                    evaluate_rule_by(&run.request, rule, &querier)
                });
            });
        }
    }

    /// On a thread of its own: it reads long windows, and rules do not wait for it.
    fn measure_budgets(&self, at: Timestamp) {
        let source = self.external.source();
        let measuring = Measuring {
            at,
            config: self.deliverer.live.config(),
            view: self.store.view(),
            cluster: source.map(|it| self.external.querier(it)),
        };
        let handle = self.handle.clone();
        self.runtime.spawn_blocking(move || {
            handle.input(Input::Budgets(measuring.measure()));
        });
    }

    /// Has the driver hear of what slow runs have found so far. To be called every second or so.
    pub(crate) fn report_slow_runs(&mut self) {
        self.runs.retain(|run| run.report_if_slow());
    }

    fn notify(&self, delivery: Delivery) {
        let id = delivery.id;
        if delivery.attempt == 1 {
            self.metrics.notifications.begin(&delivery.integration.kind);
        }
        let ending = Ending {
            id,
            under_way: Arc::clone(&self.under_way),
            handle: self.handle.clone(),
            metrics: Arc::clone(&self.metrics),
        };
        let deliverer = Arc::clone(&self.deliverer);
        // The lock is held until the task is noted, so that it cannot end before.
        let mut known = lock(&self.under_way);
        let task = self.runtime.spawn(async move {
            // What has not begun is sent after a restart, as the journal says.
            let Some(outcome) = deliverer.deliver(&delivery).await else {
                return;
            };
            ending.handle.input(match outcome {
                Ok(data) => Input::Delivered(id, data),
                Err(failure) => Input::Failed(id, failure),
            });
        });
        known.insert(id, task.abort_handle());
        self.metrics.deliveries_under_way.set(known.len() as i64);
    }

    fn cancel(&self, id: DeliveryId) {
        let task = lock(&self.under_way).remove(&id);
        if let Some(task) = task {
            task.abort();
        }
    }
}

/// Notes that a delivery is no longer under way.
struct Ending {
    id: DeliveryId,
    under_way: UnderWay,
    handle: Handle,
    metrics: Arc<Metrics>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let mut known = lock(&self.under_way);
        known.remove(&self.id);
        self.metrics.deliveries_under_way.set(known.len() as i64);
        drop(known);
        // A template that brings the code down must not make dispatch wait for ever.
        if std::thread::panicking() {
            let failure = Failure {
                why: "the delivery failed: please report this template".to_owned(),
                is_retryable: false,
                after: None,
                cause: FailureCause::Other,
            };
            self.handle.input(Input::Failed(self.id, failure));
        }
    }
}

fn lock(under_way: &UnderWay) -> std::sync::MutexGuard<'_, BTreeMap<DeliveryId, AbortHandle>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}
