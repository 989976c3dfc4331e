//! Notification to request value, response to verdict: pure functions, one file per kind of receiver.
//!
//! *Invariants*: no socket and no clock; no `Debug` form and no error text shows a secret, not even
//! one that a receiver echoes.
//!
//! *Not here*: when a notification is sent and repeated (`firebell-dispatch`); the HTTP client and
//! the inbox (`firebell-server`).
//!
//! *Sources*: Alertmanager, `notify/`.

mod aim;
mod error;
mod hmac;
mod http;
mod integration;
mod json;
mod jwt;
mod oauth2;
mod own_text;
mod preview;
mod said;
mod secret_text;
mod sigv4;
mod smtp;
mod step;
mod telling;
mod tree;
mod truncate;
mod url;
mod verdict;

mod dingtalk;
mod discord;
mod email;
mod exec;
mod googlechat;
mod gotify;
mod incidentio;
mod jira;
mod matrix;
mod mattermost;
mod msteams;
mod msteamsv2;
mod ntfy;
mod opsgenie;
mod pagerduty;
mod pushover;
mod rocketchat;
mod slack;
mod sns;
mod telegram;
mod twilio;
mod victorops;
mod webex;
mod webhook;
mod wechat;
mod zulip;

pub use crate::aim::Aim;
pub use crate::dingtalk::DingTalkConfig;
pub use crate::discord::DiscordConfig;
pub use crate::email::{EmailConfig, EmailThreads};
pub use crate::error::RenderError;
pub use crate::exec::{ExecCommand, ExecConfig, ExecExit};
pub use crate::googlechat::GoogleChatConfig;
pub use crate::gotify::GotifyConfig;
pub use crate::hmac::{base64, hmac, hmac_sha1};
pub use crate::http::{
    HttpConfig, HttpRequest, HttpResponse, Method, ProxyConfig, Tls, TlsVersion, basic,
};
pub use crate::incidentio::IncidentioConfig;
pub use crate::integration::{Integration, Kind};
pub use crate::jira::{JiraApi, JiraConfig, JiraField};
pub use crate::jwt::{Assertion, SignatureAlgorithm, claim};
pub use crate::matrix::MatrixConfig;
pub use crate::mattermost::{MattermostAttachment, MattermostConfig, MattermostPriority};
pub use crate::msteams::MsTeamsConfig;
pub use crate::msteamsv2::MsTeamsV2Config;
pub use crate::ntfy::NtfyConfig;
pub use crate::oauth2::{ClientProof, JWT_BEARER, OAuth2};
pub use crate::opsgenie::{OpsgenieConfig, OpsgenieResponder};
pub use crate::pagerduty::{PagerDutyConfig, PagerDutyImage, PagerDutyKey, PagerDutyLink};
pub use crate::preview::Preview;
pub use crate::pushover::{PushoverConfig, PushoverFormat};
pub use crate::rocketchat::{RocketchatAction, RocketchatConfig};
pub use crate::said::SaidText;
pub use crate::secret_text::SecretText;
pub use crate::sigv4::AwsSigner;
pub use crate::slack::{SlackAction, SlackConfig, SlackConfirm, SlackField};
pub use crate::smtp::{SmtpAct, SmtpDialogue, SmtpEncryption, SmtpMail, SmtpReply, SmtpServer};
pub use crate::sns::SnsConfig;
pub use crate::step::{Step, Then};
pub use crate::telegram::{TelegramConfig, TelegramMarkup};
pub use crate::telling::{Context, Telling};
pub use crate::tree::Tree;
pub use crate::twilio::TwilioConfig;
pub use crate::verdict::Verdict;
pub use crate::victorops::VictorOpsConfig;
pub use crate::webex::WebexConfig;
pub use crate::webhook::WebhookConfig;
pub use crate::wechat::WechatConfig;
pub use crate::zulip::ZulipConfig;
