//! Labels of routes: their values are templates, which may use each other's by `routeLabels`.
//!
//! *Invariants*: each is rendered once; a circle is an error, not a loop.
//!
//! *Sources*: Alertmanager 0.34, `template/template.go` (`routeLabelResolver`).

use std::cell::RefCell;
use std::collections::BTreeMap;

use firebell_model::{Labels, Notification};

use crate::notification::{NotificationData, NotificationTemplates, NotificationText};

/// Renders the labels of one notification.
pub(crate) struct RouteLabels<'a> {
    templates: &'a NotificationTemplates,
    data: NotificationData,
    rendered: RefCell<BTreeMap<String, String>>,
    // Outermost first.
    under_way: RefCell<Vec<String>>,
}

impl<'a> RouteLabels<'a> {
    pub(crate) fn new(
        templates: &'a NotificationTemplates,
        notification: &Notification,
        external_url: &str,
    ) -> Self {
        Self {
            templates,
            // Why it is sent is not known where routes are looked at.
            data: NotificationData::with_reason(notification, external_url, "unknown"),
            rendered: RefCell::default(),
            under_way: RefCell::default(),
        }
    }

    pub(crate) fn render(&self) -> (Labels, Vec<String>) {
        let (mut pairs, mut errors) = (Vec::new(), Vec::new());
        for label in self.data.route_labels.iter() {
            match self.value(&label.name) {
                Ok(value) => pairs.push((label.name.clone(), value)),
                Err(why) => errors.push(format!("route label `{}`: {why}", label.name)),
            }
        }
        (Labels::from_pairs(pairs), errors)
    }

    fn value(&self, name: &str) -> Result<String, String> {
        let Some(raw) = self.data.route_labels.get(name) else {
            return Ok(String::new());
        };
        if let Some(value) = self.rendered.borrow().get(name) {
            return Ok(value.clone());
        }
        self.enter(name)?;
        let text = NotificationText::compile(raw).map_err(|error| error.to_string());
        let value = text.and_then(|text| {
            let value_of = |name: &str| self.value(name);
            let value = self.templates.run(&text, &self.data, None, &value_of);
            value.map_err(|error| error.to_string())
        });
        self.under_way.borrow_mut().pop();
        let value = value?;
        self.rendered
            .borrow_mut()
            .insert(name.to_owned(), value.clone());
        Ok(value)
    }

    fn enter(&self, name: &str) -> Result<(), String> {
        let mut under_way = self.under_way.borrow_mut();
        if under_way.iter().any(|it| it == name) {
            let circle = format!("{} -> {name}", under_way.join(" -> "));
            return Err(format!("route label cycle detected: {circle}"));
        }
        if under_way.len() >= DEPTH_MAX {
            return Err(format!("more than {DEPTH_MAX} route labels use each other"));
        }
        under_way.push(name.to_owned());
        Ok(())
    }
}

/// So many labels may stand on one another.
const DEPTH_MAX: usize = 16;
