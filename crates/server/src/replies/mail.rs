//! Answers by mail: Mailgun's routes, which post a mail that comes in as a form, signed with a key.
//!
//! Anybody can write any sender into a mail, so an answer counts only where it quotes the message
//! that it answers: the links in there are signed, and made for one person.
//!
//! *Sources*: Mailgun, "Receiving, forwarding and storing messages", "Securing webhooks".

use firebell_model::{Secret, Timestamp, hex};
use firebell_notify::hmac;
use firebell_oncall::ContactKind;
use firebell_wire::params::Params;

use super::{Reply, Sender, Unfit, Wish, is_same};

/// A mail: what it answers, and the texts of links that it quotes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mail {
    /// What somebody answers; else what may be written.
    pub reply: Result<Reply, String>,
    /// At most [`QUOTED_MAX`].
    pub quoted: Vec<String>,
}

/// Checks and reads a request; `path` is where links lead.
///
/// # Errors
/// Why it does nothing.
pub(crate) fn read(
    body: &[u8],
    path: &str,
    now: Timestamp,
    secret: &Secret,
) -> Result<Mail, Unfit> {
    let unreadable = |why: &str| Unfit::Unreadable(why.to_owned());
    let text = str::from_utf8(body).map_err(|_| unreadable("the body is no text"))?;
    let params = Params::parse([text]);
    let param = |name: &str| params.get(name).unwrap_or_default();
    let (at, token) = (param("timestamp"), param("token"));
    let expected = hex(&hmac(
        secret.reveal().as_bytes(),
        format!("{at}{token}").as_bytes(),
    ));
    if !is_same(&expected, param("signature")) {
        return Err(Unfit::Unsigned(
            "the signature is not that of the signing key",
        ));
    }
    let seconds = at.parse::<i64>().unwrap_or_default();
    if (now.0 / 1_000).abs_diff(seconds) > WINDOW_SECS {
        return Err(Unfit::Unsigned("the time of the signature is not now"));
    }
    let from = Sender {
        kinds: &[ContactKind::Email],
        address: param("sender").to_owned(),
    };
    let own = Some(param("stripped-text")).filter(|it| !it.is_empty());
    let wish = Wish::of_text(own.unwrap_or(param("body-plain")));
    let id = format!("mailgun {token}");
    let is_of_link = |c: char| c.is_ascii_alphanumeric() || ".~".contains(c);
    let place = format!("{path}/");
    let after = param("body-plain").split(&place).skip(1);
    let after = after.map(|it| it.split(|c| !is_of_link(c)).next().unwrap_or_default());
    Ok(Mail {
        reply: wish.map(|wish| Reply { from, wish, id }),
        quoted: after.take(QUOTED_MAX).map(str::to_owned).collect(),
    })
}

/// How far the time of a signature may be from now: mails come late.
const WINDOW_SECS: u64 = 3_600;
/// The most links that are looked at.
const QUOTED_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    #[test]
    fn a_mail_is_read_with_the_links_that_it_quotes() {
        let signature = hex(&hmac(b"k3y", b"1790000000tok"));
        let body = format!(
            "sender=ana%40example.org&timestamp=1790000000&token=tok&signature={signature}\
             &stripped-text=Ack&body-plain=Ack%0A%3E+Acknowledge%3A+https%3A%2F%2Fb%2Fa%2F4.2.a.1.ana.f0\
             %0A%3E+Incident"
        );
        let secret = Secret::new("k3y");
        let mail = read(body.as_bytes(), "/a", NOW, &secret).unwrap();
        assert_eq!(mail.quoted, ["4.2.a.1.ana.f0"]);
        let reply = mail.reply.unwrap();
        assert_eq!(
            (&*reply.from.address, &*reply.id),
            ("ana@example.org", "mailgun tok")
        );
        let late = NOW + firebell_model::Duration::from_hours(2);
        let forged = body.replace("token=tok", "token=tik");
        for (body, now) in [(&body, late), (&forged, NOW)] {
            let found = read(body.as_bytes(), "/a", now, &secret);
            assert!(matches!(found, Err(Unfit::Unsigned(_))), "{found:?}");
        }
    }
}
