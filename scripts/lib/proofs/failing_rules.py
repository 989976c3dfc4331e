"""Rules that fail in each way there is: told everywhere, and the others are unharmed."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from proofs.check import wait_for
from proofs.process import Firebell

if TYPE_CHECKING:
    from pathlib import Path

    from proofs.check import Proofs

CONFIG = """
rule_files: [rules.yml]
rule_defaults: {failing_alert: {for: 1s, labels: {severity: page}}}
query: {timeout: 300ms}
"""
SERIES = 'label_replace(vector({value}), "{name}", "{value}", "", "")'
# Two series each, `a` of 1 and 2, `b` of 1 and 2.
A = f"({SERIES.format(name='a', value=1)} or {SERIES.format(name='a', value=2)})"
B = f"({SERIES.format(name='b', value=1)} or {SERIES.format(name='b', value=2)})"
# One of these takes about as long as the time limit on a fast machine.
SLOW = " + ".join(
    f"count_over_time((vector(1) + vector(2) * vector(3))[{days}d:1s])" for days in range(110, 121)
)
# What is wrong with each rule, as its health says it.
FAULTS = {
    "Erring": "many-to-many matching not allowed",
    "Doubled": "vector contains metrics with the same labelset after applying alert labels",
    "Limited": "exceeded limit of 1 with 2 alerts",
    "Slow": "timed out",
}
SECONDS = 20.0


def show(proofs: Proofs) -> None:
    """Try them all at once, each beside one that is well."""
    with proofs.scene("rules that fail") as folder:
        (folder / "rules.yml").write_text(json.dumps(rules()))
        with Firebell(folder, CONFIG) as bell:
            bell.wait_ready()
            watch(proofs, bell)
            mended(proofs, folder, bell)


def rules(*, is_mended: bool = False) -> dict[str, Any]:
    """Return a rule file with a group for each fault, and a rule that is well behind each."""
    rule: dict[str, dict[str, Any]] = {
        "Erring": {"expr": f"{A} * on () {B}"},
        "Doubled": {"expr": A, "labels": {"a": "the same"}},
        "Limited": {"expr": A},
        "Slow": {"expr": SLOW},
    }
    groups = []
    for name, fields in rule.items():
        limit = {"limit": 1} if name == "Limited" else {}
        shown = {"expr": "vector(1)"} if is_mended else fields
        well = {"alert": f"Beside{name}", "expr": "vector(1)"}
        members = [{"alert": name, **shown}, well]
        groups.append({"name": name, "interval": "500ms", **limit, "rules": members})
    return {"groups": groups}


def watch(proofs: Proofs, bell: Firebell) -> None:
    """See that each is told by API, page, metric and alert, and hurts nobody."""
    for name, why in FAULTS.items():
        found = wait_for(f"`{name}` fails", SECONDS, partial(failing, bell, name))
        proofs.check(f"{name}: health and reason", why in found["lastError"], found)
    problems = bell.status()["ruleProblems"]
    for name, why in FAULTS.items():
        told = [it for it in problems if it.startswith(name) and why in it]
        proofs.check(f"{name}: at the head of the page", told, problems)
    proofs.equal("counted as failing", bell.metric("firebell_rules_failing"), float(len(FAULTS)))
    told = wait_for("Firebell's own alerts", SECONDS, lambda: own_alerts(bell, len(FAULTS)))
    proofs.equal("each is an alert", {it["rule"] for it in told}, set(FAULTS))
    proofs.equal("with its label", {it["severity"] for it in told}, {"page"})
    dispatched = wait_for("dispatch", SECONDS, lambda: is_dispatched(bell))
    proofs.check("and goes the way of all alerts", dispatched)
    for name in FAULTS:
        beside = rule_of(bell, f"Beside{name}")
        state = (beside["health"], beside["state"])
        proofs.equal(f"the rule beside {name} is unharmed", state, ("ok", "firing"))


def mended(proofs: Proofs, folder: Path, bell: Firebell) -> None:
    """See that all is well when the rules are."""
    (folder / "rules.yml").write_text(json.dumps(rules(is_mended=True)))
    proofs.equal("a reload", bell.ask("/-/reload", "POST").status, 200)
    wait_for("health", SECONDS, lambda: bell.metric("firebell_rules_failing") == 0)
    gone = wait_for("the alerts end", SECONDS, lambda: not firing_own(bell))
    proofs.check("mended rules are told of no longer", gone)


def rule_of(bell: Firebell, name: str) -> dict[str, Any]:
    """Return a rule as the API has it."""
    groups = bell.json("/api/v1/rules")["data"]["groups"]
    found: list[dict[str, Any]] = [it for group in groups for it in group["rules"]]
    return next(it for it in found if it["name"] == name)


def failing(bell: Firebell, name: str) -> dict[str, Any] | None:
    """Return a rule once it is in error."""
    rule = rule_of(bell, name)
    return rule if rule["health"] == "err" else None


def firing_own(bell: Firebell) -> list[dict[str, str]]:
    """Return the labels of Firebell's own alerts that fire."""
    alerts = bell.json("/api/v1/alerts")["data"]["alerts"]
    firing = [it["labels"] for it in alerts if it["state"] == "firing"]
    return [it for it in firing if it["alertname"] == "FirebellRuleFailing"]


def own_alerts(bell: Firebell, n: int) -> list[dict[str, str]] | None:
    """Return them once there are so many."""
    firing = firing_own(bell)
    return firing if len(firing) >= n else None


def is_dispatched(bell: Firebell) -> bool:
    """Say whether routes have one."""
    alerts = bell.json("/api/v2/alerts")
    return any(it["labels"]["alertname"] == "FirebellRuleFailing" for it in alerts)
