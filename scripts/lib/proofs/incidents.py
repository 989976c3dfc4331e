"""Shows incidents from the alert to the verdict: over HTTP, by command, and over a kill."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from proofs.check import Proofs, wait_for
from proofs.process import Firebell, binary, run
from proofs.world import Receiver

if TYPE_CHECKING:
    from pathlib import Path

    from proofs.client import Answer

CONFIG = """\
rule_files: [rules.yml]
alertmanager: am.yml
incidents:
  open_when: ['severity="critical"']
"""

RULES = """\
groups:
  - name: g
    interval: 1s
    rules:
      - alert: Down
        expr: vector(1)
        labels: {severity: critical, service: pay, team: shop}
        annotations: {runbook_url: 'https://runbooks.example/down'}
"""

ROUTES = """\
route: {{receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s}}
receivers:
  - name: hook
    webhook_configs: [{{url: 'http://{address}/webhook'}}]
"""

PATH = "/api/firebell/v1/incidents"
JSON = {"Content-Type": "application/json"}
N_PEOPLE = 8


def main() -> int:
    """Show it all."""
    proofs = Proofs()
    with proofs.scene("incidents, from the alert to the verdict") as folder, Receiver() as receiver:
        (folder / "rules.yml").write_text(RULES)
        (folder / "am.yml").write_text(ROUTES.format(address=receiver.address))
        with Firebell(folder, CONFIG) as bell:
            bell.wait_ready()
            work(proofs, bell)
            pictures(proofs, bell, folder)
            before = bell.json(f"{PATH}/1")
            bell.kill()
        again(proofs, folder, before)
    return proofs.finish()


def work(proofs: Proofs, bell: Firebell) -> None:
    """Let an alert open one, and have people work on it, two at once."""
    opened = wait_for("that the alert opens one", 20, lambda: of(bell) or None)
    first = opened[0]
    proofs.equal(
        "the alert opens an incident",
        (first["id"], first["severity"], first["state"], first["service"], first["openedBy"]),
        ("INC-1", "sev1", "triage", "pay", None),
    )
    wait_for("that the timeline tells of the message", 20, lambda: "notified" in kinds(bell))
    with ThreadPoolExecutor(N_PEOPLE) as people:
        outcomes = list(people.map(lambda n: acted(bell, by=f"p{n}", do="ack"), range(N_PEOPLE)))
    proofs.equal(
        "of those who acknowledge at once one is the first",
        sorted(outcomes),
        ["already"] * (N_PEOPLE - 1) + ["changed"],
    )
    proofs.equal("and all stand in the timeline", kinds(bell).count("again"), N_PEOPLE - 1)
    note = {"by": "ada", "do": "note", "text": "restarted it"}
    proofs.equal("a note sent twice", [acted(bell, **note), acted(bell, **note)], TWICE)
    acted(bell, by="ada", do="role", role="commander", person="ada")
    acted(bell, by="ada", do="task", text="fail over")
    stale = act(bell, by="ben", do="state", to="resolved", **{"from": "active"})
    proofs.equal("who looked at an old page is told", stale.status, 409)
    proofs.check("in words", "look again" in stale.text(), stale.text())
    metrics = bell.ask("/metrics").text()
    down = '{name="Down",severity="critical"}'
    for line in (
        f"alerts_total{down} 1",
        f"alerts_actionable_total{down} 0",
        'alert_ack_seconds_count{severity="critical"} 1',
        'firebell_incidents_open{severity="sev1"} 1',
    ):
        proofs.check(f"metrics: {line}", f"{line}\n" in metrics, "it is not on /metrics")
    commands(proofs, bell)


def commands(proofs: Proofs, bell: Firebell) -> None:
    """Do the same by command."""
    code, text = incident(bell, "list", "--status", "open")
    proofs.check("a list for people", code == 0 and "INC-1 sev1 triage" in text, text)
    code, text = incident(bell, "move", "INC-1", "mitigated", "--by", "ben")
    proofs.check("it moves", code == 0 and "mitigated" in text, text)
    code, text = incident(bell, "task", "1", "--done", "1", "--by", "ben")
    proofs.equal("a task is ticked", code, 0)
    code, text = incident(bell, "declare", "nobody can log in", "--by", "cleo")
    proofs.check("a person opens one", code == 0 and "INC-2 sev3 triage" in text, text)
    code, text = incident(bell, "declare", "nobody can log in", "--by", "cleo")
    proofs.check("twice is once", code == 0 and "was so already" in text, text)
    code, text = incident(bell, "close", "2", "--by", "cleo")
    proofs.check("what is open is not closed at once", code == 1 and "it goes to" in text, text)
    incident(bell, "move", "2", "resolved", "--by", "cleo")
    code, text = incident(bell, "close", "2", "--by", "cleo")
    proofs.check("closing asks what it was", code == 2 and "what it was" in text, text)
    code, text = incident(bell, "close", "2", "--verdict", "acted", "--by", "cleo")
    proofs.check("closed with a verdict", code == 0 and "closed" in text, text)
    code, text = incident(bell, "show", "9")
    proofs.check("one that is not there", code == 1 and "no incident INC-9" in text, text)
    code, text = incident(bell, "show", "../status")
    proofs.check("a number is no path", code == 2 and "is no incident" in text, text)


def pictures(proofs: Proofs, bell: Firebell, folder: Path) -> None:
    """Show a screenshot by command, and look at it as a browser does."""
    shot = folder / "shot.png"
    shot.write_bytes(PNG)
    note = ("note", "1", "latency doubled", "--by", "ada")
    code, text = incident(bell, *note, "--picture", str(shot))
    proofs.check("a picture is shown", code == 0 and "INC-1" in text, text)
    code, text = incident(bell, "show", "1")
    told = "showed a picture: latency doubled" in text and f"{bell.url}{picture(bell)}" in text
    proofs.check("the timeline says where it is", code == 0 and told, text)
    looked = bell.ask(picture(bell))
    shown = (looked.status, looked.kind, looked.body)
    proofs.equal("and it is there", shown, (200, "image/png", PNG))
    words = ("note", "1", "é" * 1000, "--by", "ada", "--picture", str(shot))
    code, text = incident(bell, *words, "--picture", str(shot))
    proofs.check("as long a text as one takes, several take", code == 0, text)
    take_back(proofs, bell, folder)
    drawing = folder / "drawing.svg"
    drawing.write_text("<svg onload='alert(1)'/>")
    code, text = incident(bell, *note, "--picture", str(drawing))
    proofs.check("a drawing is refused", code == 2 and "can carry scripts" in text, text)
    two = ("--picture", str(shot), "--picture", str(drawing))
    code, text = incident(bell, *note, *two)
    is_told = code == 2 and text.rstrip().endswith(f"give only the others again: {drawing}")
    proofs.check("of several, those are named that are to be given again", is_told, text)
    code, text = incident(bell, *note, "--picture", str(folder / "none.png"))
    proofs.check("a file that is not there is named", code == 2 and "none.png" in text, text)
    # A kill comes while a picture is written, and one between a picture and its entry.
    kept = folder / "data" / "pictures"
    (kept / f"{'1' * 64}.new").write_bytes(PNG[:9])
    (kept / ("0" * 64)).write_bytes(PNG)


def take_back(proofs: Proofs, bell: Firebell, folder: Path) -> None:
    """Show the wrong picture, and take it back."""
    wrong = PNG + b"a password"
    (folder / "wrong.png").write_bytes(wrong)
    shot = str(folder / "wrong.png")
    note = ("note", "1", "the wrong one", "--by", "ada", "--picture", shot)
    proofs.equal("another one is shown", incident(bell, *note)[0], 0)
    address = f"{PATH}/INC-1/pictures/{hashlib.sha256(wrong).hexdigest()}"
    proofs.equal("and is there", bell.ask(address).status, 200)
    take = ("take-back", "1", f"{bell.url}{address}", "--by", "cleo")
    code, text = incident(bell, *take)
    proofs.check("it is taken back", code == 0 and "INC-1" in text, text)
    proofs.equal("and is not there", bell.ask(address).status, 404)
    code, text = incident(bell, *take)
    proofs.check("once", code == 0 and "so already" in text, text)
    code, text = incident(bell, "show", "1")
    told = "which was taken back: the wrong one" in text and "took a picture back" in text
    proofs.check("the timeline says so", code == 0 and told and address not in text, text)
    files = sorted((folder / "data" / "pictures").iterdir())
    proofs.equal("its file is gone", [it.read_bytes() for it in files], [PNG])


def again(proofs: Proofs, folder: Path, before: Any) -> None:
    """Start it anew after the kill; go on, and look at the month."""
    with Firebell(folder, CONFIG) as bell:
        bell.wait_ready()
        after = bell.json(f"{PATH}/1")
        proofs.check(
            "a kill forgets nothing that was answered",
            after["timeline"][: len(before["timeline"])] == before["timeline"],
            after["timeline"],
        )
        proofs.equal("nor a picture", bell.ask(picture(bell)).body, PNG)
        kept = folder / "data" / "pictures"
        wait_for("that a part goes", 20, lambda: not list(kept.glob("*.new")))
        wait_for("that what has no entry is noted", 20, (kept / "unnamed").exists)
        noted = (kept / "unnamed").read_text().split()[0]
        is_kept = (kept / ("0" * 64)).read_bytes() == PNG
        proofs.check("and kept, for it may get one", noted == "0" * 64 and is_kept, noted)
        proofs.equal(
            "nor who does what",
            [after[name] for name in ("state", "roles", "tasks", "acknowledged")],
            [before[name] for name in ("state", "roles", "tasks", "acknowledged")],
        )
        for to, more in (("resolved", {}), ("closed", {"verdict": "threshold"})):
            answer = act(bell, by="ada", do="state", to=to, **more)
            proofs.equal(f"it goes on to {to}", answer.status, 200)
        wait_for("that the verdict is in the history", 20, lambda: judged(bell))
        month = after["openedAt"][:7]
        code, text = run([binary(), "quality", "--month", month, "--url", bell.url])
        proofs.check("the month's figures", code == 0 and "delete  Down" in text, text)
        code, text = run([binary(), "review", "--month", month, "--url", bell.url])
        proofs.check("a review names what to delete", code == 0 and "| Down | 0 of" in text, text)
        had_none = text.split("## Incidents that had no alert")[-1]
        proofs.check("and what no alert found", "INC-2: nobody can log in" in had_none, text)
        proofs.check("and not what one did", "INC-1" not in had_none, text)
        code, text = run([binary(), "review", "--month", "May", "--url", bell.url])
        proofs.check("what is no month", code == 2 and "write it as 2026-11" in text, text)
        proofs.check("no panic", "panicked" not in bell.text(), bell.tail())


def incident(bell: Firebell, *words: str) -> tuple[int, str]:
    """Return what `firebell incident` says."""
    return run([binary(), "incident", *words, "--url", bell.url])


def act(bell: Firebell, **wish: Any) -> Answer:
    """Do something with the first one over HTTP."""
    return bell.ask(f"{PATH}/INC-1/acts", "POST", json.dumps(wish).encode(), JSON)


def acted(bell: Firebell, **wish: Any) -> str:
    """Return what became of a wish."""
    outcome: str = act(bell, **wish).json()["outcome"]
    return outcome


def of(bell: Firebell) -> list[Any]:
    """Return all incidents."""
    listed: list[Any] = bell.json(PATH)["incidents"]
    return listed


def kinds(bell: Firebell) -> list[str]:
    """Return what happened in the first one, in words."""
    return [it["kind"] for it in bell.json(f"{PATH}/1")["timeline"]]


def picture(bell: Firebell) -> str:
    """Return where the picture of the first one is."""
    entries = bell.json(f"{PATH}/1")["timeline"]
    shown = next(it["picture"] for it in entries if it["picture"] is not None)
    return f"{PATH}/INC-1/pictures/{shown['id']}"


def judged(bell: Firebell) -> bool | None:
    """Return whether the history has a verdict that a person gave."""
    entries = bell.json("/api/firebell/v1/history?kind=judged")["entries"]
    return any(not it["guessed"] for it in entries) or None


TWICE = ["changed", "already"]
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

if __name__ == "__main__":
    sys.exit(main())
