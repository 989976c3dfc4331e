//! `delivery_alert`: people are told when others cannot be told.

use firebell_dispatch::{DELIVERY_ALERT, DeliveryAlert, Receivers, RouteSpec};
use firebell_model::{ALERT_NAME, MatchOp, Matcher};

use crate::alertmanager::RoutePlace;
use crate::fields::Fields;
use crate::load::Loader;
use crate::problem::{Pos, Problem, did_you_mean};
use crate::rule_policy::is_off;

/// Who hears of the alert, and where that is said.
#[derive(Clone, Debug)]
pub(crate) struct Fallback {
    file: String,
    at: Pos,
    receiver: String,
}

/// Reads the section: on unless it says `off`. Its `receiver` waits in the loader for the routes.
pub(crate) fn read(loader: &Loader<'_>, parent: &Fields<'_, '_>) -> Option<DeliveryAlert> {
    let default = DeliveryAlert::default();
    let Some(node) = parent.get("delivery_alert") else {
        return Some(default);
    };
    if is_off(node) {
        return None;
    }
    let fields = parent.doc.fields(node, "`delivery_alert`");
    let labels = fields.get("labels").map(|_| fields.labels("labels"));
    let receiver = fields.scalar("receiver");
    *loader.fallback.borrow_mut() = receiver.map(|(at, scalar)| Fallback {
        file: parent.doc.file.to_string(),
        at,
        receiver: scalar.text.to_string(),
    });
    let read = DeliveryAlert {
        after: fields.duration("after").unwrap_or(default.after),
        labels: labels.unwrap_or(default.labels),
        external_url: String::new(),
    };
    fields.finish();
    Some(read)
}

/// A route before all others, by which the alert reaches the receiver that the section names.
pub(crate) fn add_route(
    loader: &Loader<'_>,
    receivers: &Receivers,
    (root, place): (&mut RouteSpec, &mut RoutePlace<'_>),
) {
    let Some(Fallback { file, at, receiver }) = loader.fallback.take() else {
        return;
    };
    let Some(id) = receivers.resolve(&receiver) else {
        let message = format!("`delivery_alert` tells `{receiver}`, but no receiver has that name");
        let hint = did_you_mean(&receiver, receivers.iter().map(|it| &**it.name()));
        let problem = Problem {
            at: Some(at),
            hint,
            ..Problem::of_file(&file, message)
        };
        loader.problems.borrow_mut().push(problem);
        return;
    };
    // Its name is a plain text, which always is a matcher.
    let by_name = Matcher::new(ALERT_NAME, MatchOp::Equal, DELIVERY_ALERT);
    let route = RouteSpec {
        receiver: Some(id),
        matchers: by_name.into_iter().collect(),
        ..RouteSpec::default()
    };
    root.routes.insert(0, route);
    let (doc, at) = (place.doc, place.at);
    place.routes.insert(0, RoutePlace::leaf(doc, at));
}
