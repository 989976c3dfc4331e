"""Shows pages on their way to people, and people's answers: by links, over HTTP and by command.

Those who carry messages are fakes on this machine; a policy of seconds tells one after the other.
"""

from __future__ import annotations

import json
import re
import stat
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from proofs.check import Proofs, wait_for
from proofs.mail_server import MailServer
from proofs.process import Firebell, binary, run
from proofs.providers import Message, Providers
from proofs.receivers import stamp

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

    from proofs.client import Answer

CONFIG = """\
external_url: URL
incidents:
  open_when: ['severity="critical"']
  resolve_after: 1s
  escalation: POLICY
oncall:
  people:
    ana: {ntfy: ana-topic, phone: '+34600000001'}
    ben: {slack: U042, zone: Europe/Madrid}
    eva: {email: eva@example.org}
    zoe: {webhook: 'http://FAKE/hook/zoe'}
paging:
  via: {phone: calls}
escalation:
  seconds:
    - {notify: person:ana}
    - {after: 3s, notify: person:ben}
    - {after: 40s, notify: person:eva}
  minutes:
    - {notify: person:ana}
    - {after: 10m, notify: [person:ben, person:eva]}
  together:
    - {notify: [person:ben, person:eva]}
  managers:
    - {notify: [person:zoe, receiver:chat]}
alertmanager:
  route: {receiver: chat, group_wait: 1h}
  receivers:
    - name: chat
      webhook_configs: [{url: 'http://FAKE/channel/chat'}]
    - name: push
      ntfy_configs: [{url: 'http://FAKE/ntfy', topic: unused}]
    - name: calls
      twilio_configs:
        - {api_url: 'http://FAKE/twilio', account_sid: AC1, auth_token: t0ken, from: '+1', to: '+2'}
    - name: team
      slack_configs: [{app_url: 'http://FAKE/slack/api/chat.postMessage', app_token: x0xb}]
    - name: mail
      email_configs:
        - {to: unused@example.org, from: fb@example.org, smarthost: MAIL, require_tls: false}
"""
PATH = "/api/firebell/v1/pages"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
EVA = "eva@example.org"
SECONDS = 30.0


class World:
    """A Firebell with those who carry its pages."""

    def __init__(self, folder: Path, policy: str, config: str = CONFIG) -> None:
        """Prepare it; nothing runs yet."""
        self.fakes = Providers()
        self.mail = MailServer(folder, "plain")
        self.bell = Firebell(folder, "")
        text = config.replace("POLICY", policy).replace("URL", self.bell.url)
        text = text.replace("FAKE", self.fakes.address).replace("MAIL", self.mail.address)
        self.bell.config.write_text(text)

    def __enter__(self) -> Self:
        """Start everything."""
        self.mail.__enter__()
        self.bell.start()
        self.bell.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        self.bell.kill()
        self.mail.__exit__()
        self.fakes.__exit__()

    def alert(self, service: str = "pay", *, ends: bool = False) -> None:
        """Post an alert that pages, or its end."""
        labels = {"alertname": "Down", "severity": "critical", "service": service}
        alert: dict[str, Any] = {"labels": labels, "startsAt": stamp(time.time() - 60)}
        if ends:
            alert["endsAt"] = stamp(time.time())
        self.bell.ask("/api/v2/alerts", "POST", json.dumps([alert]).encode(), JSON)

    def page(self, number: int = 1) -> Any:
        """Return a page."""
        return self.bell.json(f"{PATH}/{number}")

    def wait_state(self, state: str, number: int = 1) -> Any:
        """Wait until a page is in a state; return it."""

        def look() -> Any:
            page = self.page(number)
            return page if page["state"] == state else None

        return wait_for(f"page {number} is {state}", SECONDS, look)

    def get(self, link: str) -> Answer:
        """Look at a link."""
        return self.bell.ask(link)

    def post(self, link: str, form: str = "") -> Answer:
        """Press its button."""
        return self.bell.ask(link, "POST", form.encode(), FORM)

    def act(self, act: str, number: int = 1, **said: str) -> Answer:
        """Answer a page over the API."""
        return self.bell.ask(f"{PATH}/{number}/{act}", "POST", json.dumps(said).encode(), JSON)


def main() -> int:
    """Show it all."""
    proofs = Proofs()
    for title, policy, show in (
        ("the first sleeps, the second answers by a link, over a kill", "seconds", climbs),
        ("one who carries messages is down", "minutes", contact_down),
        ("all who reach somebody are down", "minutes", person_down),
        ("links that do nothing", "together", links),
        ("snoozed, handed over, resolved by links", "minutes", acts),
        ("over HTTP and by command", "minutes", commands),
        ("the alert ends", "minutes", alert_ends),
        ("test messages are bounded", "minutes", asked_often),
    ):
        with proofs.scene(title) as folder, World(folder, policy) as world:
            show(proofs, world)
            proofs.check("no panic", "panicked" not in world.bell.text(), world.bell.tail())
            proofs.equal("nothing secret in log or API", secrets_shown(world), [])
    return proofs.finish()


def climbs(proofs: Proofs, world: World) -> None:
    """Tell ana, who sleeps; be killed; tell ben, who follows the link."""
    world.alert()
    first = world.fakes.wait("ana-topic")
    shown = "sev1" in first.text and "Down" in first.text and "(pay)" in first.text
    proofs.check("the first is told what it is", shown, first.text)
    proofs.equal("with four links", sorted(first.links()), ALL_LINKS)
    told = wait_for("that it arrived is known", SECONDS, lambda: told_to(world, "ana", "ntfy"))
    proofs.equal("the API says so", told["state"], "delivered")
    coming = world.page()["next"]
    proofs.equal("and who is next", (coming["what"], coming["who"]), ("tell", ["ben"]))
    world.bell.kill()
    world.bell.start()
    world.bell.wait_ready()
    second = world.fakes.wait("U042")
    proofs.equal("who was told before the kill is not again", len(world.fakes.to("ana-topic")), 1)
    link = second.links()["acknowledge"]
    looked = world.get(link)
    proofs.equal("a link shows a page", (looked.status, looked.kind.split(";")[0]), (200, HTML))
    text = looked.text()
    is_button = '<form method="post">' in text and "<script" not in text and "You are ben" in text
    proofs.check("with a button and without scripts", is_button, text)
    proofs.equal("to look changes nothing", world.page()["acknowledged"], None)
    head = world.bell.ask(link, "HEAD")
    proofs.equal("nor does to ask for it only", (head.status, world.page()["isOpen"]), (200, True))
    pressed = world.post(link)
    proofs.check("the button answers", "nobody else is told" in pressed.text(), pressed.text())
    page = world.page()
    planned = [it for it in page["messages"] if it["state"] == "planned"]
    proofs.equal(
        "it is acknowledged, and nothing more is planned",
        (page["state"], page["acknowledged"]["by"], page["next"], planned),
        ("acknowledged", "ben", None, []),
    )
    incident = world.bell.json("/api/firebell/v1/incidents/1")
    proofs.equal("its incident knows", incident["acknowledged"]["by"], "ben")
    again = world.post(link)
    proofs.check("twice does nothing", again.status == 410 and "was used" in again.text(), again)
    late = world.post(first.links()["acknowledge"])
    proofs.check("who comes later is told who was first", "ben looks into it" in late.text(), late)
    proofs.equal("and changes nothing", world.page()["acknowledged"]["by"], "ben")
    world.bell.kill()
    world.bell.start()
    world.bell.wait_ready()
    proofs.equal("a used link stays used over a kill", world.post(link).status, 410)
    proofs.equal("nobody else was told", [len(world.mail.mails), len(world.fakes.to(ZOE))], [0, 0])
    key = world.bell.data / "links.key"
    proofs.equal("the key is its owner's", stat.S_IMODE(key.stat().st_mode), 0o600)


def contact_down(proofs: Proofs, world: World) -> None:
    """Let one way to ana fail: the other is tried at once."""
    world.fakes.down = {"ntfy"}
    world.alert()
    call = world.fakes.wait("+34600000001")
    proofs.equal("when one contact fails, the next is tried at once", call.by, "phone")
    tries = world.fakes.n_refused
    proofs.check("after some tries", tries >= 2, tries)
    proofs.check("what is read aloud has no links", not call.links(), call.text)
    proofs.check("and says what it is", "sev1 Down (pay)." in call.text, call.text)
    wait_for("that it arrived is known", SECONDS, lambda: told_to(world, "ana", "phone"))
    states = {it["by"]: it["state"] for it in world.page()["messages"]}
    proofs.equal("the API tells both", states, {"ntfy": "failed", "phone": "delivered"})


def person_down(proofs: Proofs, world: World) -> None:
    """Let everything that reaches ana fail: whoever comes next is told at once."""
    world.fakes.down = {"ntfy", "twilio"}
    world.alert()
    second = world.fakes.wait("U042")
    world.mail.wait(1, SECONDS)
    told = "sev1" in second.text and "Down (pay)\n" in second.text
    proofs.check("when nobody is reached, the next step comes at once", told, second.text)
    mail = world.mail.mails[0]
    proofs.equal("a mail goes to the person", mail.recipients, [EVA])
    proofs.equal("whose subject says what it is", mail.parsed()["Subject"], "sev1 Down (pay)")
    proofs.equal("with links", sorted(mail_links(world)), ALL_LINKS)
    wait_for("that both arrived", SECONDS, lambda: counted(world, "sent") >= 2)
    proofs.equal("both kinds that failed are counted", counted(world, "failed"), 2)


def links(proofs: Proofs, world: World) -> None:
    """Forge, use twice at once, use late."""
    world.alert()
    ben = world.fakes.wait("U042").links()["acknowledge"]
    world.mail.wait(1, SECONDS)
    eva = mail_links(world)["acknowledge"]
    forged = [ben[:-1] + ("0" if ben[-1] != "0" else "1"), ben.replace(".ben.", ".ana."), "/a/x"]
    forged += [ben.replace("/a/1.", "/a/2."), ben.replace(".a.", ".r."), "/a/" + "9" * 3000]
    answers = [world.post(it).status for it in forged] + [world.get(it).status for it in forged]
    proofs.equal("forged links are none", answers, [404] * (2 * len(forged)))
    proofs.check("and did nothing", world.page()["isOpen"], world.page())
    with ThreadPoolExecutor(8) as people:
        at_once = list(people.map(world.post, [ben, eva, ben, eva, ben, eva]))
    used = sorted(it.status for it in at_once)
    proofs.equal("each link works once, also at the same time", used, [200, 200, *[410] * 4])
    firsts = [it for it in at_once if "nobody else is told" in it.text()]
    proofs.equal("one of two people is first", len(firsts), 1)
    kinds = [it["kind"] for it in world.bell.json("/api/firebell/v1/incidents/1")["timeline"]]
    proofs.equal("and it stands once in the timeline", kinds.count("acknowledged"), 1)
    refused = world.bell.metric("firebell_page_links_refused_total")
    proofs.check("refused links are counted", refused >= len(forged) * 2 + 4, refused)


def acts(proofs: Proofs, world: World) -> None:
    """Snooze, hand over and resolve."""
    world.alert()
    told = world.fakes.wait("ana-topic").links()
    proofs.check("a snooze asks how long", "<select" in world.get(told["snooze"]).text())
    wrong = world.post(told["snooze"], "for=long")
    proofs.equal("what is no time is refused", wrong.status, 400)
    world.post(told["snooze"], "for=4h")
    page = world.wait_state("snoozed")
    begins = {"at": page["snoozedUntil"], "what": "anew", "who": []}
    proofs.equal("it is quiet until then", page["next"], begins)
    handed = world.post(told["hand-over"], "to=managers")
    proofs.equal("another policy goes on with it", handed.status, 200)
    zoe = world.fakes.wait(ZOE)
    proofs.equal("its first step is taken", world.page()["policy"], "managers")
    channel = world.fakes.wait("chat")
    proofs.check("a channel is told without links", not channel.links(), channel.text)
    stale = world.post(told["resolve"])
    proofs.check("links of the run before do nothing", stale.status == 410, stale)
    done = world.post(zoe.links()["resolve"])
    proofs.check("it is resolved by a link", "resolved" in done.text(), done.text())
    proofs.equal("and its incident", incident_state(world), "resolved")
    over = world.post(zoe.links()["acknowledge"])
    proofs.check("then there is nothing to do", "nothing is left to do" in over.text(), over.text())


def commands(proofs: Proofs, world: World) -> None:
    """Answer over the API and by command; let the alert end."""
    world.alert("pay")
    world.fakes.wait("ana-topic")
    proofs.equal("who does not say who they are", world.act("acknowledge").status, 400)
    proofs.equal("what is no act", world.act("explode", by="ben").status, 400)
    proofs.equal("what is no page", world.act("acknowledge", 9, by="ben").status, 404)
    answers = [world.act("acknowledge", by="ben").json()["outcome"] for _ in range(2)]
    proofs.equal("twice is once", answers, ["done", "already"])
    listed = world.bell.json(PATH)
    proofs.equal("it is listed", [it["id"] for it in listed["pages"]], ["INC-1"])
    world.alert("cart")
    wait_for("the second page", SECONDS, lambda: world.page(2))
    first = world.bell.json(f"{PATH}?limit=1")
    rest = world.bell.json(f"{PATH}?limit=1&page={first['next']}")
    ids = [it["id"] for it in first["pages"] + rest["pages"]]
    proofs.equal("the newest first, page by page", (ids, rest["next"]), (["INC-2", "INC-1"], None))
    code, text = firebell(world, "snooze", "2", "--for", "2h", "--by", "ana")
    proofs.check("snoozed by command", code == 0 and "snoozed" in text, text)
    code, text = firebell(world, "ack", "2", "--by", "ana")
    proofs.check("acknowledged by command", code == 0 and "acknowledged" in text, text)
    code, text = firebell(world, "handoff", "2", "managers", "--by", "ana")
    proofs.check("handed over by command", code == 0 and "managers" in text, text)
    code, text = firebell(world, "resolve", "2", "--by", "ana")
    proofs.check("resolved by command", code == 0 and "resolved" in text, text)
    code, text = firebell(world, "ack", "77", "--by", "ana")
    proofs.check("one that is not there", code == 1 and "nobody is paged" in text, text)


def alert_ends(proofs: Proofs, world: World) -> None:
    """Let the alert end before anybody answers."""
    world.alert()
    told = world.fakes.wait("ana-topic")
    world.alert(ends=True)
    page = world.wait_state("resolved")
    proofs.check("when the alert ends, so does the page", not page["isOpen"], page)
    late = world.get(told.links()["acknowledge"])
    proofs.check("and its links say so", late.status == 410 and "resolved" in late.text(), late)
    answers = [world.act("acknowledge", by="ben").json()["outcome"] for _ in range(2)]
    proofs.equal("and so does the API", answers, ["over", "over"])


def asked_often(proofs: Proofs, world: World) -> None:
    """Ask eva again and again to confirm her address."""
    body = json.dumps({"by": "ben"}).encode()
    path = "/api/firebell/v1/oncall/people/eva/verify"
    asked = [world.bell.ask(path, "POST", body, JSON).status for _ in range(4)]
    code, text = firebell(world, "oncall", "verify", "eva", "--by", "ben")
    proofs.check("a few test messages are sent", (asked, code) == ([200] * 4, 0), (asked, text))
    world.bell.kill()
    world.bell.start()
    world.bell.wait_ready()
    often = world.bell.ask(path, "POST", body, JSON)
    said = often.text()
    is_told = "5 test messages" in said and "the next one may be sent at" in said
    proofs.check("then it is refused, over a kill too", often.status == 429 and is_told, said)
    code, text = firebell(world, "oncall", "verify", "eva", "--by", "zoe")
    proofs.check("and by command", code == 1 and "5 test messages" in text, text)
    proofs.equal("nothing more was sent", len(world.mail.mails), 5)
    html = world.mail.mails[0].bodies()["text/html"]
    link = re.findall(r"(/c/[0-9a-z.]+)", html)[0]
    confirmed = world.post(link)
    proofs.equal("the first of them still confirms", confirmed.status, 200)
    known = world.bell.ask(path, "POST", body, JSON).json()["contacts"]
    proofs.equal("and then there is nothing to ask", [it["verified"] for it in known], [True])
    _, text = run([binary(), "check", "--server", world.bell.url, world.bell.config])
    named = re.findall(r"`(\w+)` has not confirmed (\w+(?:, \w+)*)", text)
    wanted = [("ana", "ntfy, phone"), ("ben", "slack"), ("zoe", "webhook")]
    proofs.equal("a check names whose contacts are not confirmed", sorted(named), wanted)


def firebell(world: World, *words: str) -> tuple[int, str]:
    """Return what a command says."""
    return run([binary(), *words, "--url", world.bell.url])


def counted(world: World, name: str) -> float:
    """Return how many messages were sent, or failed."""
    return world.bell.metric(f"firebell_pages_{name}_total")


def told_to(world: World, person: str, by: str) -> Any:
    """Return the message to a person, once it arrived."""
    found = [it for it in world.page()["messages"] if (it["person"], it["by"]) == (person, by)]
    return next((it for it in found if it["state"] == "delivered"), None)


def mail_links(world: World) -> dict[str, str]:
    """Return the links of the first mail."""
    html = world.mail.mails[0].bodies()["text/html"]
    return Message("email", EVA, html).links()


def incident_state(world: World) -> Any:
    """Return where the incident is."""
    return world.bell.json("/api/firebell/v1/incidents/1")["state"]


def secrets_shown(world: World) -> list[str]:
    """Return the secrets that log or API show."""
    paths = (PATH, f"{PATH}/1", "/api/firebell/v1/incidents/1", "/api/firebell/v1/history")
    shown = world.bell.text() + "".join(world.bell.ask(path).text() for path in paths)
    sent = [link for it in world.fakes.messages for link in it.links().values()]
    parts = [link.rsplit(".", 1)[1] for link in sent]
    parts += ["600000001", EVA, "ana-topic", "U042", "t0ken", "x0xb"]
    return [part for part in parts if part in shown]


ALL_LINKS = ["acknowledge", "hand-over", "resolve", "snooze"]
HTML = "text/html"
ZOE = "zoe"

if __name__ == "__main__":
    sys.exit(main())
