//! What is sent to receivers, byte for byte, and what their answers mean.
//!
//! `UPDATE_EXPECT=1` rewrites what is expected.

mod harness;

mod aim;
mod answers;
mod discord;
mod email;
mod exec;
mod incidentio;
mod jira;
mod mattermost;
mod opsgenie;
mod others;
mod own_kinds;
mod pagerduty;
mod rocketchat;
mod slack;
mod sns;
mod telegram;
mod webex;
mod webhook;
mod wechat;
