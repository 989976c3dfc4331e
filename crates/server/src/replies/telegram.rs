//! Buttons and messages of Telegram: updates of a bot, whose webhook was set with a secret token.
//!
//! *Sources*: Telegram, "Bot API", `setWebhook`, `Update`, `CallbackQuery`.

use firebell_model::Secret;
use firebell_oncall::ContactKind;
use serde_json::Value;

use super::{Reply, Sender, Unfit, Wish, is_same};

/// An update, and how it is answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Update {
    /// What somebody answers; else what may be written.
    pub reply: Result<Reply, String>,
    /// The press of a button, which wants to be told that it was heard.
    pub query: Option<String>,
    /// The chat in which it was.
    pub chat: i64,
}

/// Checks and reads a request; `token` is `X-Telegram-Bot-Api-Secret-Token`.
///
/// # Errors
/// Why it does nothing.
pub(crate) fn read(token: &str, body: &[u8], secret: &Secret) -> Result<Update, Unfit> {
    if !is_same(secret.reveal(), token) {
        return Err(Unfit::Unsigned(
            "the secret token is not that of the webhook",
        ));
    }
    let update: Value =
        serde_json::from_slice(body).map_err(|error| Unfit::Unreadable(error.to_string()))?;
    let query = &update["callback_query"];
    let message = match query.is_null() {
        true => &update["message"],
        false => &query["message"],
    };
    let (who, wish) = match query["data"].as_str() {
        Some(data) => {
            let wish = Wish::of_button(data);
            let none = || "this button is none of Firebell's".to_owned();
            (&query["from"]["id"], wish.ok_or_else(none))
        }
        None => {
            let text = message["text"].as_str().ok_or(Unfit::Other)?;
            (&message["from"]["id"], Wish::of_text(text))
        }
    };
    let (Some(who), Some(number)) = (who.as_i64(), update["update_id"].as_i64()) else {
        return Err(Unfit::Other);
    };
    let from = Sender {
        kinds: &[ContactKind::Telegram],
        address: who.to_string(),
    };
    let id = format!("telegram {number}");
    Ok(Update {
        reply: wish.map(|wish| Reply { from, wish, id }),
        query: query["id"].as_str().map(str::to_owned),
        chat: message["chat"]["id"].as_i64().unwrap_or(who),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(token: &str, body: &str) -> Result<Update, Unfit> {
        read(token, body.as_bytes(), &Secret::new("t0ken"))
    }

    #[test]
    fn a_button_and_a_message_are_read_with_the_token_alone() {
        let pressed = r#"{"update_id":7,"callback_query":{"id":"q","from":{"id":5},
            "message":{"chat":{"id":5}},"data":"4.2.r"}}"#;
        let update = look("t0ken", pressed).unwrap();
        assert_eq!(update.query.as_deref(), Some("q"));
        let reply = update.reply.unwrap();
        assert_eq!((&*reply.from.address, &*reply.id), ("5", "telegram 7"));
        assert_eq!(Some(reply.wish), Wish::of_button("4.2.r"));
        let written =
            r#"{"update_id":8,"message":{"from":{"id":5},"chat":{"id":5},"text":"ack 4"}}"#;
        let update = look("t0ken", written).unwrap();
        assert_eq!((update.query, update.chat), (None, 5));
        assert_eq!(update.reply.unwrap().wish, Wish::of_text("ack 4").unwrap());
        for token in ["", "t0ke", "t0kenx"] {
            let found = look(token, pressed);
            assert!(matches!(found, Err(Unfit::Unsigned(_))), "{found:?}");
        }
        assert_eq!(look("t0ken", "{}"), Err(Unfit::Other));
        assert!(matches!(look("t0ken", "x"), Err(Unfit::Unreadable(_))));
    }
}
