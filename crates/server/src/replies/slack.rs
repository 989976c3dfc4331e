//! Buttons of Slack's messages: requests of an app's interactivity, signed with its secret.
//!
//! *Sources*: Slack, "Verifying requests from Slack", "Handling user interaction".

use firebell_model::{Secret, Timestamp, hex};
use firebell_notify::hmac;
use firebell_oncall::ContactKind;
use firebell_wire::params::Params;
use serde_json::Value;

use super::{Reply, Sender, Unfit, Wish, is_same};

/// What of a request's head is signed or signs.
#[derive(Clone, Copy)]
pub(crate) struct Head<'h> {
    /// `X-Slack-Request-Timestamp`: seconds.
    pub at: &'h str,
    /// `X-Slack-Signature`.
    pub signature: &'h str,
}

/// Checks and reads a request.
///
/// # Errors
/// Why it does nothing.
pub(crate) fn read(
    head: Head<'_>,
    body: &[u8],
    now: Timestamp,
    secret: &Secret,
) -> Result<Reply, Unfit> {
    let old = Unfit::Unsigned("the time of the signature is not now");
    let at = head.at.parse::<i64>().map_err(|_| old.clone())?;
    if (now.0 / 1_000).abs_diff(at) > WINDOW_SECS {
        return Err(old);
    }
    let mut said = format!("v0:{}:", head.at).into_bytes();
    said.extend_from_slice(body);
    let signature = hmac(secret.reveal().as_bytes(), &said);
    let expected = format!("v0={}", hex(&signature));
    if !is_same(&expected, head.signature) {
        return Err(Unfit::Unsigned(
            "the signature is not that of the signing secret",
        ));
    }
    let unreadable = |why: &str| Unfit::Unreadable(why.to_owned());
    let text = str::from_utf8(body).map_err(|_| unreadable("the body is no text"))?;
    let params = Params::parse([text]);
    let payload = params.get("payload").ok_or(Unfit::Other)?;
    let payload: Value =
        serde_json::from_str(payload).map_err(|error| unreadable(&error.to_string()))?;
    let value = payload["actions"][0]["value"].as_str().unwrap_or_default();
    // A button that is a link tells of itself too.
    if value.is_empty() {
        return Err(Unfit::Other);
    }
    let wish = Wish::of_button(value).ok_or_else(|| unreadable("the button is none of ours"))?;
    let user = payload["user"]["id"].as_str();
    Ok(Reply {
        from: Sender {
            kinds: &[ContactKind::Slack],
            address: user
                .ok_or_else(|| unreadable("there is no user"))?
                .to_owned(),
        },
        wish,
        id: expected,
    })
}

/// How far the time of a signature may be from now, as Slack has it.
const WINDOW_SECS: u64 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "payload=%7B%22type%22%3A%22interactive_message%22%2C%22actions%22%3A%5B%7B\
        %22name%22%3A%22act%22%2C%22value%22%3A%224.2.a%22%7D%5D%2C%22user%22%3A%7B%22id%22%3A%22U1\
        %22%7D%7D";
    const AT: i64 = 1_790_000_000;

    fn look(at: i64, signed: &str, body: &str, now: i64) -> Result<Reply, Unfit> {
        let secret = Secret::new("s3cret");
        let said = format!("v0:{at}:{signed}");
        let signature = format!("v0={}", hex(&hmac(b"s3cret", said.as_bytes())));
        let (at, now) = (at.to_string(), Timestamp(now * 1_000));
        let head = Head {
            at: &at,
            signature: &signature,
        };
        read(head, body.as_bytes(), now, &secret)
    }

    #[test]
    fn a_signed_button_is_read_and_nothing_else() {
        let reply = look(AT, BODY, BODY, AT + 299).unwrap();
        assert_eq!(reply.from.address, "U1");
        assert_eq!(Some(reply.wish), Wish::of_button("4.2.a"));
        for (signed, now) in [("payload={}", AT), (BODY, AT + 301), (BODY, AT - 301)] {
            let found = look(AT, signed, BODY, now);
            assert!(matches!(found, Err(Unfit::Unsigned(_))), "{found:?}");
        }
        assert_eq!(look(AT, "a=b", "a=b", AT), Err(Unfit::Other));
        assert_eq!(look(AT, "payload={}", "payload={}", AT), Err(Unfit::Other));
        let found = look(AT, "payload=x", "payload=x", AT);
        assert!(matches!(found, Err(Unfit::Unreadable(_))), "{found:?}");
    }
}
