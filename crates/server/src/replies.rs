//! Answers to pages that come from elsewhere: a button in a chat, a text, a mail.
//!
//! *Invariants*: nothing is read of a request whose signature is not right, and none of it can do
//! more than a person who is reached there may do. Who answers is who the chat, the number or the
//! mail says, and known by a contact; names in the request count for nothing.

pub(crate) mod mail;
pub(crate) mod slack;
pub(crate) mod sms;
pub(crate) mod telegram;

use firebell_escalation::PageKey;
use firebell_incident::IncidentId;
use firebell_model::Duration;
use firebell_oncall::{Contact, ContactKind, Directory, Person};
use subtle::ConstantTimeEq as _;

use crate::pages::links::LinkAct;

/// What somebody answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reply {
    /// By what they are known.
    pub from: Sender,
    /// What they want.
    pub wish: Wish,
    /// What tells this request from others: one that comes again does nothing.
    pub id: String,
}

/// By what who answers is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sender {
    /// Kinds of contact.
    pub kinds: &'static [ContactKind],
    /// Their address.
    pub address: String,
}

/// What somebody wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wish {
    /// Of which page; the only one that is open and nobody has answered, when it is not said.
    pub page: Option<PageKey>,
    /// Of which of its runs, if that matters.
    pub run: Option<u32>,
    /// What is done.
    pub act: LinkAct,
    /// How long, or who goes on with it.
    pub more: Option<String>,
}

/// Why a request does nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Unfit {
    /// Its signature is missing, wrong or old.
    Unsigned(&'static str),
    /// It is signed, and cannot be read.
    Unreadable(String),
    /// It is signed, and about something else; nothing is to be done.
    Other,
}

impl Sender {
    /// The person who is reached there.
    pub(crate) fn find<'d>(&self, directory: &'d Directory) -> Option<&'d Person> {
        let is_it = |it: &Contact| self.kinds.contains(&it.kind) && self.is_at(&it.address);
        let mut people = directory.people.iter();
        people.find(|person| person.contacts.iter().any(is_it))
    }

    fn is_at(&self, address: &str) -> bool {
        let is_number = self.kinds.contains(&ContactKind::Sms);
        match is_number {
            true => digits(address) == digits(&self.address),
            false => address.trim().eq_ignore_ascii_case(self.address.trim()),
        }
    }
}

impl Wish {
    /// That of a button, which says `PAGE.RUN.ACT`.
    pub(crate) fn of_button(value: &str) -> Option<Self> {
        let mut parts = value.split('.');
        let page = PageKey(parts.next()?.parse().ok()?);
        let run = parts.next()?.parse().ok()?;
        let letter = parts.next()?;
        let act = LinkAct::of_letter(letter)?;
        parts.next().is_none().then_some(Self {
            page: Some(page),
            run: Some(run),
            act,
            more: (act == LinkAct::Snooze).then(|| SNOOZE.to_owned()),
        })
    }

    /// That of a line such as `ack`, `ack INC-4`, `snooze 4 2h` or `handoff 4 managers`.
    ///
    /// # Errors
    /// What may be written.
    pub(crate) fn of_text(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim);
        let line = lines
            .into_iter()
            .find(|it| !it.is_empty())
            .unwrap_or_default();
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or_default().to_ascii_lowercase();
        let act = match verb.trim_end_matches(['.', '!', ',']) {
            "ack" | "acknowledge" | "acknowledged" | "ok" => LinkAct::Acknowledge,
            "resolve" | "resolved" | "done" => LinkAct::Resolve,
            "snooze" => LinkAct::Snooze,
            "handoff" | "hand-off" | "hand-over" | "handover" => LinkAct::HandOver,
            _ => return Err(USAGE.to_owned()),
        };
        let mut wish = Self {
            page: None,
            run: None,
            act,
            more: None,
        };
        for word in words {
            let is_time = act == LinkAct::Snooze && word.parse::<Duration>().is_ok();
            match word.parse::<IncidentId>() {
                Ok(id) if wish.page.is_none() => wish.page = Some(PageKey(id.0)),
                _ if is_time || act == LinkAct::HandOver => wish.more = Some(word.to_owned()),
                _ => return Err(USAGE.to_owned()),
            }
        }
        if act == LinkAct::Snooze {
            wish.more.get_or_insert_with(|| SNOOZE.to_owned());
        }
        Ok(wish)
    }
}

/// Whether a signature is the right one; wrong ones take as long, wherever they are wrong.
fn is_same(expected: &str, signature: &str) -> bool {
    expected.as_bytes().ct_eq(signature.as_bytes()).into()
}

fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}

/// How long a snooze is when nobody says it.
const SNOOZE: &str = "1h";
/// What may be written.
const USAGE: &str = "write `ack`, `resolve`, `snooze 2h` or `handoff NAME`, and the number of the \
                     incident where there are several, as in `ack 4`";

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(text: &str) -> String {
        match Wish::of_text(text) {
            Ok(wish) => {
                let page = wish.page.map(|it| it.0);
                format!("{} {page:?} {:?}", wish.act.name(), wish.more)
            }
            Err(why) => {
                assert_eq!(why, USAGE);
                "?".to_owned()
            }
        }
    }

    #[test]
    fn a_line_says_what_is_done_with_which_page() {
        for (text, expected) in [
            ("ack", "acknowledge None None"),
            ("  Ack. \n> quoted", "acknowledge None None"),
            ("\nACK inc-4", "acknowledge Some(4) None"),
            ("ack INC-4", "acknowledge Some(4) None"),
            ("resolved 12", "resolve Some(12) None"),
            ("snooze", "snooze None Some(\"1h\")"),
            ("snooze 2h", "snooze None Some(\"2h\")"),
            ("snooze 4 30m", "snooze Some(4) Some(\"30m\")"),
            (
                "handoff 4 person:cara",
                "hand-over Some(4) Some(\"person:cara\")",
            ),
            ("handoff managers", "hand-over None Some(\"managers\")"),
            ("", "?"),
            ("thanks, I look into it", "?"),
            ("ack it please", "?"),
            ("resolve 4 5", "?"),
        ] {
            assert_eq!(wish(text), expected, "{text}");
        }
    }

    #[test]
    fn a_button_says_its_page_and_run() {
        let expected = Wish {
            page: Some(PageKey(4)),
            run: Some(2),
            act: LinkAct::Acknowledge,
            more: None,
        };
        assert_eq!(Wish::of_button("4.2.a"), Some(expected));
        let snooze = Wish::of_button("4.2.s").unwrap();
        assert_eq!(snooze.more.as_deref(), Some("1h"));
        for text in [
            "",
            "4",
            "4.2",
            "4.2.x",
            "4.2.a.b",
            "a.2.a",
            "99999999999999999999.1.a",
        ] {
            assert_eq!(Wish::of_button(text), None, "{text}");
        }
    }
}
