//! Heartbeats within the engine: what they raise goes the way of all alerts.

use firebell_heartbeat::{Beat, HeartbeatKey, Heartbeats, Refusal};
use firebell_model::{Alert, Timestamp};

use crate::engine::{Engine, Step};

impl Engine {
    /// Takes what a job says of its run.
    ///
    /// # Errors
    /// When it is not known and does not say what to expect of it, or there are too many.
    pub fn beat(&mut self, now: Timestamp, beat: Beat, step: &mut Step) -> Result<(), Refusal> {
        let alerts = self.heartbeats.beat(now, beat)?;
        self.tell_of_heartbeats(now, alerts, step);
        self.finish(now, step);
        Ok(())
    }

    /// No longer awaits a job.
    ///
    /// # Errors
    /// When it is not known, or the configuration declares it.
    pub fn forget_heartbeat(
        &mut self,
        now: Timestamp,
        key: &HeartbeatKey,
        step: &mut Step,
    ) -> Result<(), Refusal> {
        let alerts = self.heartbeats.forget(now, key)?;
        self.tell_of_heartbeats(now, alerts, step);
        self.finish(now, step);
        Ok(())
    }

    /// The heartbeats, to look at.
    #[must_use]
    pub fn heartbeats(&self) -> &Heartbeats {
        &self.heartbeats
    }

    pub(crate) fn tell_of_heartbeats(
        &mut self,
        now: Timestamp,
        mut alerts: Vec<Alert>,
        step: &mut Step,
    ) {
        let url = &self.rules().set().context().external_url;
        for alert in &mut alerts {
            alert.generator_url = format!("{url}/#/targets");
        }
        if !alerts.is_empty() {
            self.in_dispatch(now, step, |dispatch, out| {
                dispatch.handle_own_alerts(now, &alerts, out);
            });
        }
    }
}
