//! Tells a receiver of a sample, or shows what it would be told: `firebell notify`.

use firebell_config::Config;
use firebell_dispatch::Route;
use firebell_model::{Alert, Duration, Labels, Notification, NotificationReason, ReceiverData};
use firebell_notify::{Integration, Preview, Verdict};
use firebell_wire::alertmanager_json::PostableAlert;

use crate::clock::{Clock, Stopwatch};
use crate::send::{Sender, Telling};

/// What is told, as if it had been sent to the API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample {
    /// Name of the receiver.
    pub receiver: String,
    /// The alerts, in order. One without an end fires.
    pub alerts: Vec<PostableAlert>,
}

impl Sample {
    /// The group is that of the first route that leads the first alert to the receiver, else of the
    /// first route to the receiver at all.
    fn notification(&self, config: &Config) -> Notification {
        let (at, labels) = (Clock::default().now(), self.labels());
        let (routing, routes) = (&config.routing, config.routing.routes());
        let to_us = |route: &&Route| **routing.receiver(route.receiver).name() == *self.receiver;
        let matching = routing.matches(&labels).into_iter();
        let mut matching = matching.filter_map(|idx| routes.get(idx.position()));
        let route = matching.find(to_us).or_else(|| routes.iter().find(to_us));
        let group_labels = route.map_or(labels.clone(), |it| it.group_by.group_labels(&labels));
        let alerts = self.alerts.iter().map(|alert| Alert {
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            starts_at: alert.starts_at.or(alert.ends_at).unwrap_or(at),
            ends_at: alert.ends_at,
            generator_url: alert.generator_url.clone(),
            updated_at: at,
            is_timeout: false,
        });
        Notification {
            at,
            receiver: self.receiver.clone(),
            group_key: format!("{}:{group_labels}", route.map_or("{}", |route| &route.key)),
            group_labels,
            route_labels: route.map(|route| route.labels.clone()).unwrap_or_default(),
            reason: NotificationReason::First,
            alerts: alerts.collect(),
            measured: Default::default(),
        }
    }

    fn labels(&self) -> Labels {
        let first = self.alerts.first();
        first.map(|alert| alert.labels.clone()).unwrap_or_default()
    }
}

/// What came back from one integration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// Its kind and index, such as `slack[0]`.
    pub integration: String,
    /// What it means.
    pub verdict: Verdict,
    /// How long that took.
    pub latency: Duration,
}

/// What one integration would be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rendered {
    /// Its kind and index.
    pub integration: String,
    /// The first thing that it would be sent, or why there is nothing to send.
    pub preview: Result<Preview, String>,
}

/// Why nobody is told.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// There is no such receiver; these are there.
    #[error("there is no receiver `{0}`; there are: {1}")]
    NoReceiver(String, String),
    /// The system gives no threads or sockets.
    #[error("failed to start")]
    System(#[from] std::io::Error),
}

/// The integrations of a receiver, but for the inbox, which is not told over a wire.
///
/// # Errors
/// When there is no such receiver.
fn integrations<'c>(
    config: &'c Config,
    receiver: &str,
) -> Result<Vec<(usize, String, &'c Integration)>, SampleError> {
    let receivers = config.routing.receivers();
    if !receivers.iter().any(|known| **known.name() == *receiver) {
        let names: Vec<&str> = receivers.iter().map(|known| &**known.name()).collect();
        let names = names.join(", ");
        return Err(SampleError::NoReceiver(receiver.to_owned(), names));
    }
    let of_receiver = config
        .integrations
        .iter()
        .filter(|((name, ..), _)| name == receiver);
    let named = of_receiver.map(|((_, kind, idx), it)| (*idx, format!("{kind}[{idx}]"), it));
    Ok(named.collect())
}

/// Tells every integration of the receiver once, one after the other, as the server
/// does.
///
/// # Errors
/// When there is no such receiver, or nothing can be sent at all.
pub fn tell(config: &Config, sample: &Sample) -> Result<Vec<Told>, SampleError> {
    let integrations = integrations(config, &sample.receiver)?;
    let notification = &sample.notification(config);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (sender, known) = (Sender::default(), ReceiverData::new());
    let mut told = Vec::new();
    for (idx, name, integration) in integrations {
        let telling = Telling {
            config,
            integration,
            idx,
            notification,
            known: &known,
        };
        let watch = Stopwatch::start();
        let (verdict, _) = runtime.block_on(sender.tell(&telling));
        let ms = watch.elapsed().as_millis();
        told.push(Told {
            integration: name,
            verdict,
            latency: Duration(i64::try_from(ms).unwrap_or(i64::MAX)),
        });
    }
    Ok(told)
}

/// What every integration of the receiver would be told.
///
/// # Errors
/// When there is no such receiver.
pub fn render(config: &Config, sample: &Sample) -> Result<Vec<Rendered>, SampleError> {
    let (known, notification) = (ReceiverData::new(), &sample.notification(config));
    let integrations = integrations(config, &sample.receiver)?.into_iter();
    let rendered = integrations.map(|(idx, integration_name, integration)| {
        let telling = Telling {
            config,
            integration,
            idx,
            notification,
            known: &known,
        };
        Rendered {
            integration: integration_name,
            preview: telling.preview(),
        }
    });
    Ok(rendered.collect())
}
