"""Shows answers from where people are: buttons of Slack and Telegram, a text, a mail.

Besides, how often these may be asked to confirm a contact, and what they say of an error budget.

Those who carry messages are fakes on this machine, and sign what they hand on as the real ones do.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from proofs.check import Proofs, wait_for
from proofs.pages import EVA, FORM, JSON, SECONDS, World, secrets_shown

if TYPE_CHECKING:
    from proofs.client import Answer

CONFIG = """\
external_url: URL
incidents:
  open_when: ['severity="critical"']
  escalation: POLICY
oncall:
  people:
    ana: {slack: U0ANA}
    ben: {telegram: '77'}
    cara: {sms: '+34600000001'}
    eva: {email: eva@example.org}
paging:
  via: {sms: texts}
escalation:
  all:
    - {notify: [person:ana, person:ben, person:cara, person:eva]}
  later:
    - {after: 10s, notify: [person:ana, person:ben, person:eva]}
replies:
  slack: {signing_secret: s1gning}
  telegram: {secret_token: t3legram}
  twilio: {auth_token: tw1lio}
  mailgun: {signing_key: ma1lgun}
alertmanager:
  route: {receiver: team, group_wait: 1h}
  receivers:
    - name: team
      slack_configs: [{app_url: 'http://FAKE/slack/api/chat.postMessage', app_token: x0xb}]
    - name: bot
      telegram_configs: [{api_url: 'http://FAKE/telegram', bot_token: b0t, chat_id: -1}]
    - name: texts
      twilio_configs:
        - {api_url: 'http://FAKE/twilio', account_sid: AC1, auth_token: t0ken, from: '+1', to: '+2'}
    - name: mail
      email_configs:
        - {to: unused@example.org, from: fb@example.org, smarthost: MAIL, require_tls: false}
"""
# A target that is down from the first scrape on spends the budget of `pay`.
WATCHED = """\
slo_files: [slo.yml]
scrape_configs:
  - job_name: pay
    scrape_interval: 1s
    static_configs: [{targets: ['127.0.0.1:1']}]
"""
SLO = """\
service: pay
slos:
  - name: is-up
    objective: 99%
    window: 1h
    alerts: []
    no_data: off
    indicator: {up: 'up{job="pay"}'}
"""
PATH = "/api/firebell/v1/replies"
BUTTONS = ["Acknowledge", "Resolve", "Snooze for an hour"]
SECRETS = ["s1gning", "t3legram", "tw1lio", "ma1lgun", "x0xb", "b0t", "t0ken"]
CARA = "+34600000001"


def main() -> int:
    """Show it all."""
    proofs = Proofs()
    for title, show in (
        ("a button of Slack", slack_button),
        ("a button of Telegram", telegram_button),
        ("a text", text_message),
        ("a mail", mail_message),
    ):
        with proofs.scene(title) as folder, World(folder, "all", CONFIG) as world:
            world.alert("pay")
            show(proofs, world)
            proofs.check("no panic", "panicked" not in world.bell.text(), world.bell.tail())
            log = world.bell.text()
            shown = secrets_shown(world) + [it for it in SECRETS if it in log]
            proofs.equal("nothing secret in log or API", shown, [])
    often = proofs.scene("test messages, again and again")
    with often as folder, World(folder, "all", CONFIG) as world:
        asked_often(proofs, world)
    with proofs.scene("what is left of the error budget") as folder:
        (folder / "slo.yml").write_text(SLO)
        with World(folder, "later", CONFIG + WATCHED) as world:
            budget_told(proofs, world)
    return proofs.finish()


def asked_often(proofs: Proofs, world: World) -> None:
    """Ask each to confirm their contact more often than a day takes."""
    body = json.dumps({"by": "zoe"}).encode()
    for name, address in (("ana", "U0ANA"), ("ben", "77"), ("cara", CARA)):
        path = f"/api/firebell/v1/oncall/people/{name}/verify"
        asked = [world.bell.ask(path, "POST", body, JSON).status for _ in range(6)]
        proofs.equal(f"five to {name}, and no more", asked, [200] * 5 + [429])
        proofs.equal("so many arrived", len(world.fakes.to(address)), 5)


def budget_told(proofs: Proofs, world: World) -> None:
    """Page of a service whose error budget is gone."""

    def known() -> bool:
        [objective] = world.bell.json("/api/firebell/v1/slos")["objectives"]
        return bool(objective["budgets"])

    wait_for("the budget is known", SECONDS, known)
    world.alert("pay")
    said = "the error budget is gone"
    for who in ("U0ANA", "77"):
        text = world.fakes.wait(who).text
        proofs.check(f"{who} is told", said in text, text)
    world.mail.wait(1, SECONDS)
    bodies = world.mail.mails[0].bodies()
    proofs.check("so says a mail", all(said in it for it in bodies.values()), bodies)


def slack_button(proofs: Proofs, world: World) -> None:
    """Press the button that acknowledges."""
    told = world.fakes.wait("U0ANA")
    proofs.equal("the message has buttons", sorted(told.buttons), BUTTONS)
    button = told.buttons["Acknowledge"]
    forged = of_slack("U0ANA", button, key="other")
    proofs.equal("what is not signed is refused", send(world, forged).status, 401)
    old = of_slack("U0ANA", button, at=time.time() - 400)
    proofs.equal("so is what was signed long ago", send(world, old).status, 401)
    stranger = send(world, of_slack("U0BEN", button)).text()
    proofs.check("a stranger does nothing", "does not know you" in stranger, stranger)
    proofs.equal("nobody has answered yet", world.page()["acknowledged"], None)
    request = of_slack("U0ANA", button)
    pressed = send(world, request)
    said = pressed.json()["text"]
    proofs.check("a press is thanked", pressed.status == 200 and "INC-1: Thank you" in said, said)
    page = world.page()
    known = (page["state"], page["acknowledged"]["by"])
    proofs.equal("and acknowledges the page", known, ("acknowledged", "ana"))
    heard_once(proofs, world, request)


def telegram_button(proofs: Proofs, world: World) -> None:
    """Snooze by a button, resolve by what is written to the bot."""
    told = world.fakes.wait("77")
    proofs.equal("the message has buttons", sorted(told.buttons), BUTTONS)
    snooze = of_telegram(1, data=told.buttons["Snooze for an hour"])
    proofs.equal("without the token it is refused", send(world, (*snooze[:2], JSON)).status, 401)
    pressed = send(world, snooze).json()
    told_back = (pressed["method"], pressed["callback_query_id"])
    proofs.equal("a press is answered to Telegram", told_back, ("answerCallbackQuery", "q1"))
    until = world.wait_state("snoozed")["snoozedUntil"]
    heard_once(proofs, world, snooze)
    proofs.equal("it is snoozed no longer than that", world.page()["snoozedUntil"], until)
    written = send(world, of_telegram(2, text="what is this?")).json()
    proofs.check("what is no answer is told what is", "write `ack`" in written["text"], written)
    resolved = send(world, of_telegram(3, text="resolve 1")).json()
    proofs.check("a written answer is one", "INC-1: Thank you" in resolved["text"], resolved)
    proofs.equal("and resolves the page", world.page()["state"], "resolved")


def text_message(proofs: Proofs, world: World) -> None:
    """Answer by a text that says no number; it comes again when another page waits."""
    told = world.fakes.wait(CARA)
    proofs.check("a text says what it is", "sev1 Down (pay)" in told.text, told.text)
    ack = of_twilio(world, "SM1", "Ack")
    forged = (ack[0], ack[1].replace(b"Ack", b"resolve"), ack[2])
    proofs.equal("what is not signed is refused", send(world, forged).status, 401)
    answered = send(world, ack)
    is_xml = answered.kind.startswith("text/xml")
    thanked = "<Message>INC-1: Thank you" in answered.text()
    proofs.check("a text is thanked by a text", is_xml and thanked, answered)
    proofs.equal("and acknowledges", world.page()["acknowledged"]["by"], "cara")
    world.alert("cart")
    wait_for("the second page", SECONDS, lambda: world.page(2))
    heard_once(proofs, world, ack)
    proofs.equal("the page that came later waits still", world.page(2)["acknowledged"], None)
    second = send(world, of_twilio(world, "SM2", "ack")).text()
    proofs.check("a new text is about that one", "INC-2: Thank you" in second, second)


def mail_message(proofs: Proofs, world: World) -> None:
    """Answer a mail; without what it quotes, it is nobody's."""
    world.mail.wait(1, SECONDS)
    bodies = world.mail.mails[0].bodies()
    quoted = "".join(f"> {line}\n" for line in bodies["text/html"].splitlines())
    for what, mail in (
        ("one that quotes nothing", of_mailgun("t1", EVA, "ack\n")),
        ("one from somewhere else", of_mailgun("t2", "eve@example.org", f"ack\n\n{quoted}")),
        ("one that says nothing", of_mailgun("t3", EVA, f"on my way\n\n{quoted}")),
    ):
        said = send(world, mail)
        proofs.equal(f"{what} does nothing, and is not sent again", said.status, 406)
    forged = of_mailgun("t4", EVA, f"ack\n\n{quoted}", key="other")
    proofs.equal("what is not signed is refused", send(world, forged).status, 401)
    proofs.equal("nobody has answered yet", world.page()["acknowledged"], None)
    ack = of_mailgun("t5", EVA, f"Ack.\n\n{quoted}")
    answered = send(world, ack)
    is_thanked = answered.status == 200 and "INC-1: Thank you" in answered.text()
    proofs.check("a mail that quotes the message is an answer", is_thanked, answered)
    proofs.equal("of its sender", world.page()["acknowledged"]["by"], "eva")
    heard_once(proofs, world, ack)


def heard_once(proofs: Proofs, world: World, request: Request) -> None:
    """Send what was answered again, before and after a kill."""
    again = [send(world, request).text()]
    world.bell.kill()
    world.bell.start()
    world.bell.wait_ready()
    again.append(send(world, request).text())
    is_known = all("heard before" in it for it in again)
    proofs.check("the same again does nothing, also over a kill", is_known, again)


def send(world: World, request: Request) -> Answer:
    """Hand on what somebody answered."""
    path, body, headers = request
    return world.bell.ask(f"{PATH}/{path}", "POST", body, headers)


def of_slack(user: str, value: str, *, key: str = "s1gning", at: float | None = None) -> Request:
    """Return the press of a button, as Slack sends it."""
    payload = {
        "type": "interactive_message",
        "actions": [{"name": "firebell", "type": "button", "value": value}],
        "callback_id": "firebell",
        "team": {"id": "T1", "domain": "shop"},
        "channel": {"id": "D1", "name": "directmessage"},
        "user": {"id": user, "name": "ana"},
    }
    stamp = str(int(time.time() if at is None else at))
    body = urlencode({"payload": json.dumps(payload)}).encode()
    signature = mac(key, b"v0:" + stamp.encode() + b":" + body).hex()
    signed = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={signature}"}
    return "slack", body, FORM | signed


def of_telegram(number: int, *, data: str = "", text: str = "") -> Request:
    """Return an update of the bot: a press, or what is written to it."""
    person = {"id": 77, "is_bot": False, "first_name": "Ben"}
    message = {"message_id": 5, "chat": {"id": 77, "type": "private"}, "date": int(time.time())}
    update = {"update_id": number, "message": message | {"from": person, "text": text}}
    if data:
        query = {"id": f"q{number}", "from": person, "message": message, "data": data}
        update = {"update_id": number, "callback_query": query}
    token = {"X-Telegram-Bot-Api-Secret-Token": "t3legram"}
    return "telegram", json.dumps(update).encode(), JSON | token


def of_twilio(world: World, sid: str, text: str) -> Request:
    """Return a text that came in."""
    form = {"MessageSid": sid, "From": CARA, "To": "+1", "Body": text, "NumMedia": "0"}
    said = f"{world.bell.url}{PATH}/sms" + "".join(f"{it}{form[it]}" for it in sorted(form))
    signature = base64.b64encode(mac("tw1lio", said.encode(), "sha1")).decode()
    return "sms", urlencode(form).encode(), FORM | {"X-Twilio-Signature": signature}


def of_mailgun(token: str, sender: str, text: str, *, key: str = "ma1lgun") -> Request:
    """Return a mail that came in."""
    stamp = str(int(time.time()))
    form = {
        "sender": sender,
        "recipient": "fb@example.org",
        "subject": "Re: sev1 Down (pay)",
        "body-plain": text,
        "stripped-text": text.split("\n\n", maxsplit=1)[0],
        "timestamp": stamp,
        "token": token,
        "signature": mac(key, f"{stamp}{token}".encode()).hex(),
    }
    return "mail", urlencode(form).encode(), FORM


def mac(secret: str, said: bytes, by: str = "sha256") -> bytes:
    """Return the signature."""
    return hmac.new(secret.encode(), said, getattr(hashlib, by)).digest()


# The path, the body, and the headers.
Request = tuple[str, bytes, dict[str, str]]

if __name__ == "__main__":
    sys.exit(main())
