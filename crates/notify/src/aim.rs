//! The accounts of receivers, aimed at one person: the same options, another address, the texts of
//! pages.

use firebell_model::Secret;
use firebell_template::NotificationText;

use crate::error::RenderError;
use crate::integration::Kind;
use crate::step::Step;
use crate::telling::Telling;

/// Where somebody is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Aim<'a> {
    /// The kind of contact, as `people` in the configuration call it: `email`, `phone`, …
    pub by: &'a str,
    /// The address, number, name, topic or key.
    pub address: &'a str,
}

impl Aim<'_> {
    /// The address as a text: what looks like a template in it is none.
    pub(crate) fn to(&self) -> NotificationText {
        literal(self.address)
    }

    /// A telephone number without what people put between its digits.
    pub(crate) fn number(&self) -> NotificationText {
        let is_of_number = |c: &char| c.is_ascii_digit() || *c == '+';
        literal(
            &self
                .address
                .chars()
                .filter(is_of_number)
                .collect::<String>(),
        )
    }
}

/// A text that says itself, whatever it holds.
pub(crate) fn literal(text: &str) -> NotificationText {
    let quoted = text.replace("{{", "{{ \"{{\" }}");
    NotificationText::compile(&quoted).unwrap_or_default()
}

/// One of the built-in texts of pages.
pub(crate) fn page_text(name: &str) -> NotificationText {
    NotificationText::calling(&format!("firebell.page.{name}"))
}

/// The buttons of a page: what each says, and what it tells whoever hands its press on; nothing where
/// nobody does.
pub(crate) fn page_buttons() -> [(&'static str, NotificationText); 3] {
    [
        ("Acknowledge", page_text("acknowledge")),
        ("Snooze for an hour", page_text("snooze")),
        ("Resolve", page_text("resolve")),
    ]
}

/// A kind of which more must not be shown.
#[derive(Debug)]
pub(crate) struct Hiding {
    pub(crate) kind: Box<dyn Kind>,
    pub(crate) hidden: Vec<Secret>,
}

impl Kind for Hiding {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        self.kind.begin(telling)
    }

    fn secrets(&self) -> Vec<Secret> {
        let own = self.kind.secrets().into_iter();
        own.chain(self.hidden.iter().cloned()).collect()
    }
}
