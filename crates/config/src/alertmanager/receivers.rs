//! Receivers.

use std::collections::BTreeMap;

use firebell_dispatch::{Receiver, Receivers};
use firebell_model::Duration;

use super::{Integration, IntegrationKey};
use crate::fields::Fields;
use crate::load::Loader;

pub(crate) const INBOX: &str = "inbox";

#[derive(Default)]
pub(super) struct GlobalReceivers {
    pub(super) resolve_timeout: Option<Duration>,
}

impl GlobalReceivers {
    pub(super) fn read(_loader: &Loader<'_>, _parent: &Fields<'_, '_>) -> Self {
        Self::default()
    }
}

pub(super) fn read(
    _loader: &Loader<'_>,
    fields: &Fields<'_, '_>,
    _global: &GlobalReceivers,
) -> (Receivers, BTreeMap<IntegrationKey, Integration>) {
    let mut receivers = Vec::new();
    for node in fields.list("receivers") {
        let receiver = fields.doc.fields(node, "a receiver");
        receivers.push(Receiver::new(
            receiver.needed_text("name").unwrap_or_default(),
            [(INBOX, true)],
        ));
    }
    (
        Receivers::new(receivers).unwrap_or_default(),
        BTreeMap::new(),
    )
}
