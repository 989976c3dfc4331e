"""Shows the history: what is in it, how it is found, what a kill or a torn file leaves of it."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from proofs.check import Proofs, wait_for
from proofs.process import Firebell, binary, run
from proofs.world import Receiver

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
alertmanager: am.yml
history: {retention: 30d, max_bytes: 64MiB}
"""

ROUTES = """\
route: {{receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s}}
receivers:
  - name: hook
    webhook_configs: [{{url: 'http://{address}/webhook'}}]
inhibit_rules:
  - {{source_matchers: ['alertname="Root"'], target_matchers: ['alertname="Leaf"']}}
"""

JSON = {"Content-Type": "application/json"}
N_ALERTS = 2_500


def main() -> int:
    """Show it all."""
    proofs = Proofs()
    with proofs.scene("the history of alerts and notifications") as folder, Receiver() as receiver:
        (folder / "am.yml").write_text(ROUTES.format(address=receiver.address))
        play(proofs, folder)
    return proofs.finish()


def play(proofs: Proofs, folder: Path) -> None:
    """Let things happen, kill it, tear its file, and read again."""
    with Firebell(folder, CONFIG) as bell:
        bell.wait_ready()
        post(bell, "Root", "Leaf")
        post(bell, "Root", "Leaf")
        wait_for("that the leaf is left out", 20, lambda: of(bell, "suppressed") or None)
        kinds = wait_for("that root was told", 20, lambda: told(bell, "Root"))
        proofs.equal("a state is noted once, however often it is posted", kinds.count("firing"), 1)
        muted = [it for it in of(bell, "notification") if it["status"] == "muted"]
        is_named = bool(muted) and muted[0]["mutedBy"][0]["what"] == "inhibition"
        proofs.check("what was not sent says what muted it", is_named, muted)
        many(proofs, bell)
        before = exported(bell)
        bell.kill()
    tear(folder)
    with Firebell(folder, CONFIG) as bell:
        bell.wait_ready()
        after = wait_for("that it is open", 20, lambda: exported(bell) or None)
        proofs.check(
            "a kill loses nothing that was written", before and after[: len(before)] == before
        )
        proofs.check("a torn end is named", "the history were torn" in bell.text(), bell.tail())
        code, text = run([binary(), "history", "list", "--url", bell.url, "--limit", "3"])
        proofs.check("a list for people", code == 0 and len(text.splitlines()) == 3, text)
        wrong = run([binary(), "history", "list", "--url", bell.url, "--kind", "x"])
        proofs.check("what is wrong is told", wrong[0] == 2 and "no kind `x`" in wrong[1], wrong)
        proofs.check("no panic", "panicked" not in bell.text(), bell.tail())


def many(proofs: Proofs, bell: Firebell) -> None:
    """Post more than a page of alerts, and find each once, in both orders."""
    post(bell, *(f"A{idx}" for idx in range(N_ALERTS)))
    lines = wait_for(
        "that all are noted",
        30,
        lambda: _all(exported(bell, "--kind", "firing", "--match", '{alertname=~"A.*"}')),
    )
    names = {json.loads(line)["labels"]["alertname"] for line in lines}
    proofs.equal("pages give each once", (len(lines), len(names)), (N_ALERTS, N_ALERTS))
    found = page(bell, "match=%7Balertname%3D%22A7%22%7D&kind=firing&order=newest")
    proofs.equal("labels find one", [it["labels"]["alertname"] for it in found], ["A7"])
    past = page(bell, "to=2020-01-01T00:00:00Z")
    proofs.equal("times find none of long ago", past, [])
    other = page(bell, "receiver=other")
    proofs.equal("a receiver that is not there was told nothing", other, [])


def post(bell: Firebell, *names: str) -> None:
    """Post alerts."""
    alerts = [{"labels": {"alertname": name}} for name in names]
    bell.ask("/api/v2/alerts", "POST", json.dumps(alerts).encode(), JSON)


def page(bell: Firebell, query: str) -> list[Any]:
    """Return the entries of a page."""
    entries: list[Any] = bell.json(f"/api/firebell/v1/history?{query}")["entries"]
    return entries


def of(bell: Firebell, kind: str) -> list[Any]:
    """Return the entries of a kind."""
    return page(bell, f"kind={kind}&limit=1000")


def told(bell: Firebell, name: str) -> list[str] | None:
    """Return the kinds of what happened to an alert, once it was told of."""
    entries = page(bell, f"match=%7Balertname%3D%22{name}%22%7D")
    is_told = any(it.get("status") == "sent" for it in entries)
    return [it["kind"] for it in entries] if is_told else None


def exported(bell: Firebell, *options: str) -> list[str]:
    """Return the lines of an export."""
    code, text = run([binary(), "history", "export", "--url", bell.url, *options])
    return text.splitlines() if code == 0 else []


def tear(folder: Path) -> None:
    """Leave half a frame at the end, as a crash in the middle of a write does."""
    last = max((folder / "data" / "history").iterdir())
    with last.open("ab") as file:
        file.write(b"\x40\x00\x00\x00torn at " + str(time.time()).encode())


def _all(lines: list[str]) -> list[str] | None:
    return lines if len(lines) >= N_ALERTS else None


if __name__ == "__main__":
    sys.exit(main())
