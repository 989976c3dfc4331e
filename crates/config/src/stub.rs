//! Stands in for firebell-notify until it is there.
#[derive(Clone, Debug)]
pub enum Integration {
    Inbox,
    Other(String),
}
