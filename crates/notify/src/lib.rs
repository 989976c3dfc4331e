//! Notification to request value, response to verdict: pure functions, one file per kind of receiver.
//!
//! *Invariants*: no socket and no clock; no `Debug` form and no error text shows a secret, not even
//! one that a receiver echoes.
//!
//! *Not here*: when a notification is sent and repeated (`firebell-dispatch`); the HTTP client and
//! the inbox (`firebell-server`).
//!
//! *Sources*: Alertmanager, `notify/`.

mod error;
mod http;
mod integration;
mod json;
mod secret_text;
mod step;
mod telling;
mod tree;
mod truncate;
mod url;
mod verdict;

mod discord;
mod incidentio;
mod mattermost;
mod msteams;
mod msteamsv2;
mod opsgenie;
mod pagerduty;
mod pushover;
mod rocketchat;
mod slack;
mod telegram;
mod victorops;
mod webex;
mod webhook;
mod wechat;

pub use crate::discord::DiscordConfig;
pub use crate::error::RenderError;
pub use crate::http::{HttpConfig, HttpRequest, HttpResponse, Method, Tls};
pub use crate::incidentio::IncidentioConfig;
pub use crate::integration::{Integration, Kind};
pub use crate::mattermost::{MattermostAttachment, MattermostConfig, MattermostPriority};
pub use crate::msteams::MsTeamsConfig;
pub use crate::msteamsv2::MsTeamsV2Config;
pub use crate::opsgenie::{OpsgenieConfig, OpsgenieResponder};
pub use crate::pagerduty::{PagerDutyConfig, PagerDutyImage, PagerDutyKey, PagerDutyLink};
pub use crate::pushover::{PushoverConfig, PushoverFormat};
pub use crate::rocketchat::{RocketchatAction, RocketchatConfig};
pub use crate::secret_text::SecretText;
pub use crate::slack::{SlackAction, SlackConfig, SlackConfirm, SlackField};
pub use crate::step::{Step, Then};
pub use crate::telegram::{TelegramConfig, TelegramMarkup};
pub use crate::telling::{Context, Telling};
pub use crate::tree::Tree;
pub use crate::verdict::Verdict;
pub use crate::victorops::VictorOpsConfig;
pub use crate::webex::WebexConfig;
pub use crate::webhook::WebhookConfig;
pub use crate::wechat::WechatConfig;
