"""Shows that Firebell says why: of alerts that fire, wait, are muted or do not arrive."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from proofs.check import Proofs, wait_for
from proofs.process import Firebell, binary, run
from proofs.world import Receiver

RULES = """\
groups:
  - name: g
    interval: 1s
    rules:
      - {alert: Burning, expr: vector(1), labels: {team: db}}
      - {alert: Waiting, expr: vector(1), for: 1h, labels: {team: web}}
      - {alert: Quiet, expr: vector(1) > 2, for: 5m}
"""

ROUTES = """\
route:
  receiver: default
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  routes:
    - {{matchers: ['team="db"'], receiver: db}}
    - {{matchers: ['team="x"'], receiver: default}}
receivers:
  - name: default
  - name: db
    webhook_configs: [{{url: 'http://{address}/webhook'}}]
"""


def main() -> int:
    """Show it all."""
    proofs = Proofs()
    with proofs.scene("why, of each alert") as folder, Receiver() as receiver:
        (folder / "rules.yml").write_text(RULES)
        (folder / "am.yml").write_text(ROUTES.format(address=receiver.address))
        config = "rule_files: [rules.yml]\nalertmanager: am.yml\n"
        with Firebell(folder, config) as bell:
            bell.wait_ready()
            play(proofs, bell, receiver)
            proofs.check("no panic", "panicked" not in bell.text(), bell.tail())
    return proofs.finish()


def explain(bell: Firebell, what: str, *options: str) -> tuple[int, str]:
    """Return what `firebell explain alert` says."""
    return run([binary(), "explain", "alert", what, "--url", bell.url, *options])


def play(proofs: Proofs, bell: Firebell, receiver: Receiver) -> None:
    """Ask about each kind of alert."""
    wait_for("the first notification", 20, lambda: receiver.arrivals() or None)
    text = wait_for(
        "that it was told", 20, lambda: _with(explain(bell, "Burning"), "first notification (1 at")
    )
    proofs.check("the way through the tree is told", '{team="db"} takes it, tells db' in text, text)
    proofs.check("routes that were not tried, too", "not tried" in text, text)
    proofs.check("the next one is a repetition", "by repeat_interval 4h" in text, text)
    _, text = explain(bell, "Waiting")
    proofs.check(
        "a pending alert says when it fires", "pending since" in text and "(in 59m" in text, text
    )
    code, text = explain(bell, "Quiet")
    proofs.check("a rule that finds nothing says so", "inactive" in text and code == 0, text)
    code, text = explain(bell, "Burnin")
    proofs.check(
        "of what is unknown the nearest is named", "`Burning`?" in text and code == 1, text
    )
    silenced(proofs, bell)
    failing(proofs, bell, receiver)


def silenced(proofs: Proofs, bell: Firebell) -> None:
    """Mute it, and ask again."""
    silence = {
        "matchers": [{"name": "team", "value": "db", "isRegex": False}],
        "startsAt": _moment(0),
        "endsAt": _moment(3600),
        "createdBy": "ada",
        "comment": "we know",
    }
    headers = {"Content-Type": "application/json"}
    said = bell.ask("/api/v2/silences", "POST", json.dumps(silence).encode(), headers)
    code, text = explain(bell, '{team="db"}')
    proofs.equal("matchers find it", code, 0)
    proofs.check("the silence is named", "of ada until" in text and "we know" in text, text)
    why = explained(bell)
    integrations = why["groups"][0]["integrations"]
    proofs.check(
        "and what waits for its end",
        integrations[0]["next"]["reason"] == "mute_ends" and integrations[0]["next"]["at"],
        integrations,
    )
    bell.ask(f"/api/v2/silence/{said.json()['silenceID']}", "DELETE")


def failing(proofs: Proofs, bell: Firebell, receiver: Receiver) -> None:
    """Let the receiver fail, and ask why nobody hears."""
    receiver.plan = lambda _: (503, 0.0)
    alert = [{"labels": {"alertname": "Posted", "team": "db"}}]
    headers = {"Content-Type": "application/json"}
    bell.ask("/api/v2/alerts", "POST", json.dumps(alert).encode(), headers)
    text = wait_for(
        "that it failed", 20, lambda: _with(explain(bell, "Posted"), "unexpected status code 503")
    )
    proofs.check("a failure says that it is tried again", "tried again" in text, text)
    proofs.check("an address is no secret that is told", "/webhook" not in text, text)


def explained(bell: Firebell) -> Any:
    """Return why of the alert that burns, over HTTP, by its fingerprint."""
    burning = [it for it in bell.alerts() if it["labels"]["alertname"] == "Burning"]
    return bell.json(f"/api/firebell/v1/alerts/{burning[0]['fingerprint']}/why")


def _with(said: tuple[int, str], part: str) -> str | None:
    return said[1] if part in said[1] else None


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


if __name__ == "__main__":
    sys.exit(main())
