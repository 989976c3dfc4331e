//! Receivers and how each of their integrations is told.
//!
//! *Sources*: Alertmanager, `config/notifiers.go` and `config/config.go`.

use std::collections::BTreeMap;

use firebell_dispatch::{RateLimit, Receiver, ReceiverId, Receivers};
use firebell_model::Labels;
use firebell_notify::{Integration, Kind};

use super::options::{Global, Options};
use super::own_keys;
use super::{IntegrationKey, Part};
use super::{
    discord, email, incidentio, jira, mattermost, msteams, opsgenie, own_kinds, pagerduty,
    pushover, rocketchat, slack, sns, telegram, victorops, webex, webhook, wechat,
};
use crate::fields::Doc;
use crate::load::Loader;
use crate::yaml::Node;

/// The integration that every receiver has: Firebell's own page shows what it was told.
pub(crate) const INBOX: &str = "inbox";

/// How the integrations of one kind are read.
struct KindReader {
    /// The receiver's field, such as `webhook_configs`.
    section: &'static str,
    /// What one of them is called in a problem.
    what: &'static str,
    /// Whether they are told of resolved alerts when nothing is said.
    send_resolved: bool,
    /// Reads one; `None` when something it cannot do without is missing or wrong, which is noted.
    read: fn(&Options<'_, '_>) -> Option<Box<dyn Kind>>,
}

/// Every kind; the last eight are not Alertmanager's.
const KINDS: &[KindReader] = &[
    KindReader {
        section: "email_configs",
        what: "an e-mail receiver",
        send_resolved: false,
        read: |options| boxed(email::read(options)),
    },
    KindReader {
        section: "webhook_configs",
        what: "a webhook",
        send_resolved: true,
        read: |options| boxed(webhook::read(options)),
    },
    KindReader {
        section: "pagerduty_configs",
        what: "a PagerDuty receiver",
        send_resolved: true,
        read: |options| boxed(pagerduty::read(options)),
    },
    KindReader {
        section: "opsgenie_configs",
        what: "an Opsgenie receiver",
        send_resolved: true,
        read: |options| boxed(opsgenie::read(options)),
    },
    KindReader {
        section: "slack_configs",
        what: "a Slack receiver",
        send_resolved: false,
        read: |options| boxed(slack::read(options)),
    },
    KindReader {
        section: "victorops_configs",
        what: "a VictorOps receiver",
        send_resolved: true,
        read: |options| boxed(victorops::read(options)),
    },
    KindReader {
        section: "pushover_configs",
        what: "a Pushover receiver",
        send_resolved: true,
        read: |options| boxed(pushover::read(options)),
    },
    KindReader {
        section: "msteams_configs",
        what: "a Teams receiver",
        send_resolved: true,
        read: |options| boxed(msteams::read(options)),
    },
    KindReader {
        section: "msteamsv2_configs",
        what: "a Teams receiver",
        send_resolved: true,
        read: |options| boxed(msteams::read_v2(options)),
    },
    KindReader {
        section: "wechat_configs",
        what: "a WeChat receiver",
        send_resolved: false,
        read: |options| boxed(wechat::read(options)),
    },
    KindReader {
        section: "telegram_configs",
        what: "a Telegram receiver",
        send_resolved: true,
        read: |options| boxed(telegram::read(options)),
    },
    KindReader {
        section: "discord_configs",
        what: "a Discord receiver",
        send_resolved: true,
        read: |options| boxed(discord::read(options)),
    },
    KindReader {
        section: "webex_configs",
        what: "a Webex receiver",
        send_resolved: true,
        read: |options| boxed(webex::read(options)),
    },
    KindReader {
        section: "rocketchat_configs",
        what: "a Rocket.Chat receiver",
        send_resolved: false,
        read: |options| boxed(rocketchat::read(options)),
    },
    KindReader {
        section: "mattermost_configs",
        what: "a Mattermost receiver",
        send_resolved: true,
        read: |options| boxed(mattermost::read(options)),
    },
    KindReader {
        section: "incidentio_configs",
        what: "an incident.io receiver",
        send_resolved: true,
        read: |options| boxed(incidentio::read(options)),
    },
    KindReader {
        section: "sns_configs",
        what: "an SNS receiver",
        send_resolved: true,
        read: |options| boxed(sns::read(options)),
    },
    KindReader {
        section: "jira_configs",
        what: "a Jira receiver",
        send_resolved: true,
        read: |options| boxed(jira::read(options)),
    },
    KindReader {
        section: "googlechat_configs",
        what: "a Google Chat receiver",
        send_resolved: true,
        read: |options| boxed(own_kinds::googlechat(options)),
    },
    KindReader {
        section: "ntfy_configs",
        what: "an ntfy receiver",
        send_resolved: true,
        read: |options| boxed(own_kinds::ntfy(options)),
    },
    KindReader {
        section: "gotify_configs",
        what: "a Gotify receiver",
        send_resolved: true,
        read: |options| boxed(own_kinds::gotify(options)),
    },
    KindReader {
        section: "matrix_configs",
        what: "a Matrix receiver",
        send_resolved: true,
        read: |options| boxed(own_kinds::matrix(options)),
    },
    KindReader {
        section: "dingtalk_configs",
        what: "a DingTalk receiver",
        send_resolved: true,
        read: |options| boxed(own_kinds::dingtalk(options)),
    },
    KindReader {
        section: "zulip_configs",
        what: "a Zulip receiver",
        send_resolved: true,
        read: |options| boxed(own_kinds::zulip(options)),
    },
    KindReader {
        section: "twilio_configs",
        what: "a Twilio receiver",
        send_resolved: true,
        read: |options| boxed(own_kinds::twilio(options)),
    },
    KindReader {
        section: "exec_configs",
        what: "a program as a receiver",
        send_resolved: true,
        read: |options| boxed(own_kinds::exec(options)),
    },
];

fn boxed(kind: Option<impl Kind + 'static>) -> Option<Box<dyn Kind>> {
    Some(Box::new(kind?))
}

/// The receivers of all files, and in which file each is.
pub(super) struct Named {
    pub(super) all: Receivers,
    owners: Vec<usize>,
}

impl Named {
    /// The receiver of a name, if a file may use it: a team those of its own and of the main file.
    pub(super) fn resolve(&self, of: usize, name: &str) -> Option<ReceiverId> {
        let idx = self.all.iter().position(|it| **it.name() == *name)?;
        let owner = self.owners.get(idx).copied().unwrap_or(0);
        let is_seen = of == 0 || owner == 0 || owner == of;
        self.all.resolve(name).filter(|_| is_seen)
    }
}

/// Reads `receivers`. Of two with the same name the first is kept, and the second noted.
pub(super) fn read(
    loader: &Loader<'_>,
    parts: &[Part<'_>],
    global: &Global,
) -> (Named, BTreeMap<IntegrationKey, Integration>) {
    let (mut receivers, mut integrations) = (Vec::<Receiver>::new(), BTreeMap::new());
    let mut owners: Vec<usize> = Vec::new();
    let nodes = parts.iter().enumerate().flat_map(|(idx, part)| {
        let nodes = part.fields.list("receivers").iter();
        nodes.map(move |node| (idx, &part.fields, node))
    });
    for (idx, fields, node) in nodes {
        let Some(ReadReceiver {
            name,
            labels,
            told,
            rate_limit,
        }) = receiver(loader, fields.doc, node, global)
        else {
            continue;
        };
        if let Some(known) = receivers.iter().position(|it| **it.name() == *name) {
            let message = format!("there are two receivers with the name `{name}`");
            let other = owners.get(known).filter(|owner| **owner != idx);
            let other = other.and_then(|owner| parts.get(*owner));
            let hint = other.map(|part| format!("the other is in {}", part.fields.doc.file));
            fields.doc.problem(node.at, message, hint);
            continue;
        }
        let kinds = told.iter().map(|it| (it.kind(), it.send_resolved()));
        let receiver = Receiver::new(&*name, kinds.chain([(INBOX, true)]))
            .with_labels(&labels)
            .with_rate_limit(rate_limit);
        for (slot, integration) in receiver.slots().iter().zip(told) {
            let (kind, idx) = (slot.integration.kind.to_string(), slot.integration.idx);
            integrations.insert((name.clone(), kind, idx), integration);
        }
        receivers.push(receiver);
        owners.push(idx);
    }
    let all = Receivers::new(receivers).unwrap_or_default();
    (Named { all, owners }, integrations)
}

struct ReadReceiver {
    name: String,
    labels: Labels,
    told: Vec<Integration>,
    rate_limit: Option<RateLimit>,
}

fn receiver(
    loader: &Loader<'_>,
    doc: &Doc<'_>,
    node: &Node,
    global: &Global,
) -> Option<ReadReceiver> {
    let fields = doc.fields(node, "a receiver");
    let name = fields.needed_text("name");
    let mut told = Vec::new();
    for kind in KINDS {
        for node in fields.list(kind.section) {
            let options = Options {
                loader,
                global,
                fields: doc.fields(node, kind.what),
            };
            let send_resolved = options.bool("send_resolved");
            let http = options.http();
            let read = (kind.read)(&options);
            options.fields.finish();
            let send_resolved = send_resolved.unwrap_or(kind.send_resolved);
            told.extend(read.map(|kind| Integration::boxed(kind, send_resolved, http)));
        }
    }
    let (labels_at, labels) = (fields.at("labels"), fields.labels("labels"));
    let rate_limit = own_keys::rate_limit(&fields);
    fields.finish();
    let name = name?;
    if let Some(other) = labels.get("name").filter(|label| *label != name) {
        let message =
            format!("receiver label \"name\" must match receiver name {name:?}, got {other:?}");
        doc.problem(labels_at, message, None);
    }
    Some(ReadReceiver {
        name,
        labels,
        told,
        rate_limit,
    })
}
