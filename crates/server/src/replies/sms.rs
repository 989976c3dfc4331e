//! Answers by text: Twilio's webhook of messages that come in, signed with the account's token.
//!
//! *Sources*: Twilio, "Webhooks security", "TwiML for programmable SMS".

use std::collections::BTreeSet;

use firebell_model::Secret;
use firebell_notify::{base64, hmac_sha1};
use firebell_oncall::ContactKind;
use firebell_wire::params::Params;

use super::{Reply, Sender, Unfit, Wish, is_same};

/// Checks and reads a request to `url`; `signature` is `X-Twilio-Signature`. A text that is no answer
/// gives what may be written.
///
/// # Errors
/// Why it does nothing.
pub(crate) fn read(
    signature: &str,
    url: &str,
    body: &[u8],
    secret: &Secret,
) -> Result<Result<Reply, String>, Unfit> {
    let unreadable = |why: &str| Unfit::Unreadable(why.to_owned());
    let text = str::from_utf8(body).map_err(|_| unreadable("the body is no text"))?;
    let params = Params::parse([text]);
    let mut said = url.to_owned();
    let pairs: BTreeSet<(&str, &str)> = params.iter().collect();
    for (name, value) in pairs {
        said.push_str(name);
        said.push_str(value);
    }
    let expected = base64(&hmac_sha1(secret.reveal().as_bytes(), said.as_bytes()));
    if !is_same(&expected, signature) {
        return Err(Unfit::Unsigned(
            "the signature is not that of the auth token and of `external_url` with this path",
        ));
    }
    let (Some(from), Some(id)) = (params.get("From"), params.get("MessageSid")) else {
        return Err(Unfit::Other);
    };
    let from = Sender {
        kinds: &[ContactKind::Sms, ContactKind::Phone],
        address: from.to_owned(),
    };
    let id = format!("twilio {id}");
    let wish = Wish::of_text(params.get("Body").unwrap_or_default());
    Ok(wish.map(|wish| Reply { from, wish, id }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://bell.example.org/api/firebell/v1/replies/sms";

    #[test]
    fn a_text_is_read_when_all_of_it_is_signed() {
        let body = "MessageSid=SM1&From=%2B34600000001&Body=ack+4";
        let said = format!("{URL}Bodyack 4From+34600000001MessageSidSM1");
        let signature = base64(&hmac_sha1(b"t0ken", said.as_bytes()));
        let secret = Secret::new("t0ken");
        let reply = read(&signature, URL, body.as_bytes(), &secret)
            .unwrap()
            .unwrap();
        assert_eq!(
            (&*reply.from.address, &*reply.id),
            ("+34600000001", "twilio SM1")
        );
        assert_eq!(reply.wish, Wish::of_text("ack 4").unwrap());
        for (url, body) in [
            ("https://bell.example.org/", body),
            (URL, "MessageSid=SM1&From=%2B34600000002&Body=ack+4"),
            (URL, "MessageSid=SM1&From=%2B34600000001&Body=ack+4&x=y"),
        ] {
            let found = read(&signature, url, body.as_bytes(), &secret);
            assert!(matches!(found, Err(Unfit::Unsigned(_))), "{found:?}");
        }
    }
}
