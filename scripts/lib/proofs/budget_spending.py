"""Shows where a budget went, on the real binary: history imported, deploys told, ledger asked."""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from urllib.parse import quote

from proofs.process import Firebell, binary, run

if TYPE_CHECKING:
    from pathlib import Path

    from proofs.check import Proofs

HOUR = 3600
DAY = 24 * HOUR
STEP = 300
# Longer than the retention that holds unless a configuration says otherwise.
HISTORY_DAYS = 40
CONFIG = """
global: {scrape_interval: 5m, evaluation_interval: 5m}
storage: {retention: 60d}
slo_files: [slo.yml]
"""
OBJECTIVE = """
service: shop
slos:
  - name: works
    objective: 99.9%
    indicator: {bad: 'requests_total{code="500"}', total: requests_total}
"""
# 100 requests a minute; a tenth of them fails for six hours that began ten days ago.
PER_STEP = 500
BAD_PER_STEP = 50
BROKE_DAYS_AGO = 10
BROKEN_HOURS = 6
BAD = BROKEN_HOURS * HOUR // STEP * BAD_PER_STEP
# Of all requests of thirty days, so many may fail.
ALLOWED = 30 * DAY // STEP * PER_STEP // 1000
SHARE = BAD / ALLOWED
CLOSE = 0.02


def show(proofs: Proofs, folder: Path) -> None:
    """Import history, ask the command line, then a server, then that again after a kill."""
    now = int(time.time()) // STEP * STEP
    broke_at = now - BROKE_DAYS_AGO * DAY
    history = folder / "history.txt"
    history.write_text(text_of(now, broke_at))
    data = folder / "data"
    code, said = run([binary(), "import", history, "--data", data], 60)
    proofs.check("forty days of history are imported", code == 0, said)
    (folder / "slo.yml").write_text(OBJECTIVE)
    with Firebell(folder, CONFIG, data=data) as bell:
        bell.wait_ready()
        deploys(proofs, bell, broke_at)
        ledger(proofs, bell, broke_at)
        bell.kill()
        bell.start()
        bell.wait_ready()
        told = bell.json("/api/firebell/v1/deploys?service=shop")["deploys"]
        proofs.equal("deploys outlive a kill", [it["version"] for it in told], ["v3", "v2"])
    code, said = run([binary(), "slo", "show", "shop/works", bell.config, "--data", data], 60)
    proofs.check("the command line tells the same", code == 0, said)
    live = f"{moment(broke_at - 600)} to {moment(broke_at + 8 * DAY)}"
    wanted = f"deploy   v2, {live}: 83.3% of the budget"
    alone = "page-fast, page-slow, ticket-fast, ticket-slow, outside any incident, v2 live"
    for part in (alone, wanted):
        proofs.check(f"it says `{part}`", part in said, said)


def deploys(proofs: Proofs, bell: Firebell, broke_at: int) -> None:
    """Tell of two, and of some that are none."""
    for version, at in (("v2", broke_at - 600), ("v3", broke_at + 8 * DAY)):
        body = {"service": "shop", "version": version, "at": moment(at)}
        for status in (201, 200):
            answer = bell.ask("/api/firebell/v1/deploys", "POST", json.dumps(body).encode())
            proofs.equal(f"{version} is taken with {status}", answer.status, status)
    for body, why in (
        ({"service": "shop"}, "missing field `version`"),
        ({"service": "shop", "version": "v4", "url": "javascript:alert(1)"}, "no link"),
        ({"service": "shop", "version": "v4", "at": "yesterday"}, "no time"),
        ({"service": "shop", "version": "v" * 300}, "at most 200 characters"),
    ):
        answer = bell.ask("/api/firebell/v1/deploys", "POST", json.dumps(body).encode())
        said = (answer.status, why in answer.text())
        proofs.equal(f"refused, since {why}", said, (400, True))


def ledger(proofs: Proofs, bell: Firebell, broke_at: int) -> None:
    """Compare with what was computed by hand."""
    [budget] = bell.json(f"/api/firebell/v1/slos/spending?id={quote('shop/works', '')}")["budgets"]
    [episode] = budget["episodes"]
    stretch = episode["stretch"]
    began_late = (datetime.fromisoformat(stretch["from"]) - at_utc(broke_at)).total_seconds()
    proofs.check("the episode begins with the failure", abs(began_late) <= 2 * STEP, stretch)
    proofs.check("its bad events are all there are", near(stretch["badEvents"], BAD), stretch)
    proofs.check("its share is that of the budget", near(stretch["spent"], SHARE), stretch)
    # The ticket of six hours holds until they have passed.
    ended = datetime.fromisoformat(stretch["until"]) - at_utc(broke_at)
    hours = ended.total_seconds() / HOUR
    proofs.check("it ends when the last alert does", 11 < hours <= 12, stretch)
    every = ["page-fast", "page-slow", "ticket-fast", "ticket-slow"]
    proofs.equal("it names who was told", episode["alerts"], every)
    proofs.equal("it names what was live", episode["deploy"]["version"], "v2")
    v3, v2, earlier = budget["deploys"]
    proofs.check("v2 spent it", near(v2["stretch"]["spent"], SHARE), v2)
    # Ten of its first sixty minutes were well: 500 of 6,000 requests failed.
    proofs.check("from the hour before it", v2["rateBefore"] == 0, v2)
    proofs.check("to the hour after it", near(v2["rateAfter"], 500 / 6000 / 0.001), v2)
    others = [it["stretch"]["spent"] for it in (v3, earlier)]
    proofs.equal("the others spent nothing", others, [0, 0])
    proofs.equal("before v2 nobody told", earlier["deploy"], None)


def text_of(now: int, broke_at: int) -> str:
    """Return the history as OpenMetrics text."""
    lines = ["# TYPE requests counter"]
    good = bad = 0
    moments = range(now - HISTORY_DAYS * DAY, now + 1, STEP)
    rows = []
    for at in moments:
        rows.append((at, good, bad))
        fails = BAD_PER_STEP if broke_at <= at < broke_at + BROKEN_HOURS * HOUR else 0
        good, bad = good + PER_STEP - fails, bad + fails
    lines += [f'requests_total{{code="200"}} {good} {at}' for at, good, _ in rows]
    lines += [f'requests_total{{code="500"}} {bad} {at}' for at, _, bad in rows]
    return "\n".join([*lines, "# EOF", ""])


def near(found: float, wanted: float) -> bool:
    """Say whether a figure is what was computed, but for the edges of counters."""
    return abs(found - wanted) <= CLOSE * wanted


def at_utc(at: int) -> datetime:
    """Return a moment."""
    return datetime.fromtimestamp(at, timezone.utc)


def moment(at: int) -> str:
    """Return it as text."""
    return at_utc(at).strftime("%Y-%m-%dT%H:%M:%SZ")
