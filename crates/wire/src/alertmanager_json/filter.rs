//! Parameters that choose alerts and silences.

use firebell_model::{Labels, Matcher, Regex};

use super::RequestError;
use crate::params::Params;

/// Parameters of `GET /api/v2/alerts` and `/api/v2/alerts/groups`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertFilter {
    /// Whether alerts that are not muted are wanted.
    pub active: bool,
    /// Whether alerts that a silence mutes are wanted.
    pub silenced: bool,
    /// Whether alerts that another alert mutes are wanted.
    pub inhibited: bool,
    /// Whether groups that a time interval mutes are wanted.
    pub muted: bool,
    /// All have to match an alert's labels.
    pub matchers: Vec<Matcher>,
    /// Has to match the name of a receiver.
    pub receiver: Option<Regex>,
    /// All have to match the labels of a receiver.
    pub receiver_matchers: Vec<Matcher>,
}

/// Which states of silences are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SilenceStates {
    /// Those that mute.
    pub active: bool,
    /// Those that have not begun.
    pub pending: bool,
    /// Those that have ended.
    pub expired: bool,
}

impl AlertFilter {
    /// Reads the parameters; everything is wanted unless said otherwise.
    ///
    /// # Errors
    /// At the first one that cannot be read.
    pub fn parse(params: &Params) -> Result<Self, RequestError> {
        let active = flag(params, "active");
        let inhibited = flag(params, "inhibited");
        let muted = flag(params, "muted");
        let silenced = flag(params, "silenced");
        // Upstream reads `unprocessed`, and does nothing with it.
        let matchers = parse_filters(params)?;
        let receiver = match params.get("receiver").filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => Some(Regex::alertmanager(text).map_err(|why| {
                let message = format!("failed to parse receiver param: {why}");
                RequestError::bad_request(message)
            })?),
        };
        Ok(Self {
            active,
            silenced,
            inhibited,
            muted,
            matchers,
            receiver,
            receiver_matchers: parse_receiver_matchers(params)?,
        })
    }

    /// Whether what is told to a receiver is wanted.
    #[must_use]
    pub fn wants_receiver(&self, name: &str, labels: &Labels) -> bool {
        let receiver = self.receiver.as_ref();
        receiver.is_none_or(|receiver| receiver.is_match(name))
            && self.receiver_matchers.iter().all(|it| it.matches(labels))
    }
}

impl SilenceStates {
    /// Reads the parameters; everything is wanted unless said otherwise.
    #[must_use]
    pub fn parse(params: &Params) -> Self {
        Self {
            active: flag(params, "active"),
            expired: flag(params, "expired"),
            pending: flag(params, "pending"),
        }
    }
}

/// All parameters `receiver_matchers`, each one matcher of the labels of receivers.
///
/// # Errors
/// At the first that is none.
pub fn parse_receiver_matchers(params: &Params) -> Result<Vec<Matcher>, RequestError> {
    let parse = |text| {
        Matcher::parse(text).map_err(|why| {
            let message = format!("failed to parse receiver_matchers param: {why}");
            RequestError::bad_request(message)
        })
    };
    params.all("receiver_matchers").map(parse).collect()
}

/// All parameters `filter`, each one matcher.
///
/// # Errors
/// At the first that is none.
pub fn parse_filters(params: &Params) -> Result<Vec<Matcher>, RequestError> {
    let parse =
        |text| Matcher::parse(text).map_err(|why| RequestError::bad_request(why.to_string()));
    params.all("filter").map(parse).collect()
}

/// Source: go-openapi, `swag.ConvertBool`: every other word means no.
fn flag(params: &Params, name: &str) -> bool {
    const YES: [&str; 10] = [
        "true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled",
    ];
    match params.get(name) {
        None | Some("") => true,
        Some(text) => YES.contains(&text.to_ascii_lowercase().as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_wanted_unless_said_otherwise() {
        let filter =
            AlertFilter::parse(&Params::parse(["silenced=false&filter=a%3Db&receiver=x.*"]));
        let filter = filter.unwrap();
        assert!(filter.active && !filter.silenced && filter.inhibited);
        assert_eq!(filter.matchers[0].to_string(), r#"a="b""#);
        assert!(filter.receiver.unwrap().is_match("xy"));
        let params = ["receiver_matchers=team%3Ddb&receiver_matchers=kind%3D~p.*"];
        let filter = AlertFilter::parse(&Params::parse(params)).unwrap();
        let labels = |kind: &'static str| Labels::from_pairs([("team", "db"), ("kind", kind)]);
        assert!(filter.wants_receiver("x", &labels("page")));
        assert!(!filter.wants_receiver("x", &labels("mail")));
        let filter = AlertFilter::parse(&Params::parse(["active=maybe&muted=ON"])).unwrap();
        assert!(!filter.active && filter.muted);
        for (text, expected) in [
            (
                "receiver_matchers=foo",
                "400 failed to parse receiver_matchers param: bad matcher format: foo",
            ),
            ("filter=foo", "400 bad matcher format: foo"),
            (
                "receiver=(",
                "400 failed to parse receiver param: error parsing regexp",
            ),
        ] {
            let error = AlertFilter::parse(&Params::parse([text])).unwrap_err();
            let found = format!("{} {error}", error.status());
            assert!(found.starts_with(expected), "{found}");
        }
    }
}
