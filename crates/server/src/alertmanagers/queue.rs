//! What waits for one Alertmanager: each alert once, the longest waiting first.

use std::collections::{BTreeMap, VecDeque};

use firebell_model::{Alert, Labels};

/// Alerts that wait or are under way.
#[derive(Default)]
pub(super) struct Queue {
    /// In order of arrival; each is in `alerts`.
    order: VecDeque<Labels>,
    alerts: BTreeMap<Labels, Alert>,
    n_under_way: usize,
}

impl Queue {
    /// Adds an alert. One that waits already keeps its place, and is sent as it stands now.
    pub(super) fn push(&mut self, alert: Alert) {
        if self
            .alerts
            .insert(alert.labels.clone(), alert.clone())
            .is_none()
        {
            self.order.push_back(alert.labels);
        }
    }

    /// Alerts that wait or are under way.
    pub(super) fn len(&self) -> usize {
        self.alerts.len() + self.n_under_way
    }

    /// Drops those that wait longest, down to `max`; says how many.
    pub(super) fn make_room(&mut self, max: usize) -> usize {
        let n = self.alerts.len().saturating_sub(max);
        for labels in self.order.drain(..n) {
            self.alerts.remove(&labels);
        }
        n
    }

    /// Takes those that wait longest out, to be sent.
    pub(super) fn take(&mut self, max: usize) -> Vec<Alert> {
        let n = self.order.len().min(max);
        let taken = self.order.drain(..n);
        let batch: Vec<Alert> = taken.filter_map(|it| self.alerts.remove(&it)).collect();
        self.n_under_way += batch.len();
        batch
    }

    /// So many of what was taken out are done with.
    pub(super) fn settle(&mut self, n: usize) {
        self.n_under_way -= n.min(self.n_under_way);
    }

    /// Drops all that waits; says how many.
    pub(super) fn clear(&mut self) -> usize {
        self.make_room(0)
    }

    /// What was taken out could not be sent: it waits again, first of all, unless there is newer.
    pub(super) fn give_back(&mut self, batch: Vec<Alert>) {
        self.settle(batch.len());
        for alert in batch.into_iter().rev() {
            if !self.alerts.contains_key(&alert.labels) {
                self.order.push_front(alert.labels.clone());
                self.alerts.insert(alert.labels.clone(), alert);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use firebell_model::Timestamp;

    use super::*;

    fn alert(name: &str, starts_at: i64) -> Alert {
        Alert {
            labels: Labels::from_pairs([("alertname", name)]),
            annotations: Labels::empty(),
            starts_at: Timestamp(starts_at),
            ends_at: None,
            generator_url: String::new(),
            updated_at: Timestamp(0),
            is_timeout: false,
        }
    }

    fn names(batch: &[Alert]) -> String {
        let text = |it: &Alert| format!("{}{} ", it.labels.value("alertname"), it.starts_at.0);
        batch.iter().map(text).collect()
    }

    #[test]
    fn an_alert_waits_once_and_as_it_stands_now() {
        let mut queue = Queue::default();
        for (name, at) in [("a", 1), ("b", 1), ("a", 2), ("c", 1)] {
            queue.push(alert(name, at));
        }
        let batch = queue.take(2);
        assert_eq!(names(&batch), "a2 b1 ");
        // Under way, `a` changes; then the batch fails.
        queue.push(alert("a", 3));
        assert_eq!(queue.len(), 4);
        queue.give_back(batch);
        assert_eq!(names(&queue.take(9)), "b1 c1 a3 ");
        queue.settle(3);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn those_that_wait_longest_make_room() {
        let mut queue = Queue::default();
        for name in ["a", "b", "c"] {
            queue.push(alert(name, 1));
        }
        assert_eq!(queue.make_room(2), 1);
        assert_eq!(queue.make_room(2), 0);
        assert_eq!(names(&queue.take(9)), "b1 c1 ");
    }
}
