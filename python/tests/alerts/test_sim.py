"""Rules on simulated time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import firebell
from firebell.testing import Simulation

RULES = str(Path(__file__).parent / "http.yml")


def shop(error_rate: float = 0.05, **more: Any) -> Simulation:
    sim = Simulation(RULES, **more)
    sim.http(rps=50, error_rate=0.001, during="10m")
    sim.http(rps=50, error_rate=error_rate, during="120s", mark="fault")
    return sim.http(rps=50, error_rate=0.001, during="20m")


def test_five_per_cent_of_errors_are_told_of_within_five_minutes() -> None:
    began = time.process_time()
    sim = shop()
    alert = sim.assert_fires("HighErrorRate", within="300s", after="fault", severity="critical")
    assert alert.runbook == "https://run.example/errors"
    assert sim.pages == 1
    over = sim.assert_resolves("HighErrorRate", within="10m")
    took = time.process_time() - began
    assert 60 < alert.after_s < 120
    assert alert.message.endswith("% of requests to / fail")
    assert 0 < over.after_s < 120
    # Half an hour; milliseconds on a machine that has time.
    assert took < 5


def test_the_same_seed_plays_the_same() -> None:
    at = [
        shop(seed=seed).assert_fires("HighErrorRate", within="5m", after="fault").value
        for seed in (1, 1, 2)
    ]
    assert at[0] == at[1] != at[2]


def test_time_goes_on_until_what_is_expected_must_have_come() -> None:
    sim = Simulation(RULES)
    sim.http(rps=50, during="5m").http(rps=50, error_rate=0.3, during="70s", mark="fault")
    sim.assert_fires("HighErrorRate", within="3m", after="fault")


def test_a_failure_tells_the_story_and_how_near_it_was() -> None:
    sim = shop(0.01)
    with pytest.raises(AssertionError) as failed:
        sim.assert_fires("HighErrorRate", within="300s", after="fault")
    said = str(failed.value)
    assert said.startswith("HighErrorRate did not fire within 300 s after 'fault' began (at 600 s)")
    assert "50 requests/s to /, 0.01 of them fail" in said
    assert "-- fault begins" in said
    assert "and it fires at > 0.02" in said
    sim.assert_silent()
    sim.assert_silent("HighErrorRate")
    with pytest.raises(AssertionError, match="HighErrorRate fired at"):
        shop().assert_silent()
    with pytest.raises(AssertionError, match="fired as critical, not as warning"):
        shop().assert_fires("HighErrorRate", within="5m", after="fault", severity="warning")
    with pytest.raises(AssertionError, match="has not fired, so nothing resolves"):
        sim.assert_resolves("HighErrorRate", within="1m")
    with pytest.raises(AssertionError, match="was not resolved within 5 s"):
        shop().assert_resolves("HighErrorRate", within="5s")


def test_names_that_are_not_there_are_named() -> None:
    sim = shop()
    with pytest.raises(ValueError, match="no rule is called 'High'; there are: HighErrorRate"):
        sim.assert_fires("High", within="1m")
    with pytest.raises(ValueError, match="there is no mark 'start'; there are: fault"):
        sim.assert_fires("HighErrorRate", within="1m", after="start")
    with pytest.raises(ValueError, match="there is no such rule file"):
        Simulation("nowhere.yml")
    with pytest.raises(ValueError, match="error_rate is 5"):
        Simulation(RULES).http(rps=1, error_rate=5, during=1)


def test_rules_that_are_wrong_are_refused_with_their_place() -> None:
    with pytest.raises(ValueError) as refused:
        Simulation("groups:\n- name: a\n  rules:\n  - alert: A\n    expr: sum(\n")
    assert "rules given as text:5" in str(refused.value)


def test_series_are_written_as_promtool_has_them() -> None:
    rule = firebell.AlertRule(
        "Queue",
        expr="queue_depth > 50",
        hold="1m",
        severity="error",
        message="{value:.0f} wait in {labels[queue]}",
    )
    sim = Simulation(rule, step="15s")
    sim.series('queue_depth{queue="mail"} 0+10x20', during="5m")
    alert = sim.assert_fires("Queue", within="5m")
    assert (alert.at, alert.message, alert.severity) == (165.0, "100 wait in mail", "error")
    assert sim.query("queue_depth") == [({"__name__": "queue_depth", "queue": "mail"}, 190.0)]


def test_checks_are_called_at_their_turns() -> None:
    calls = []

    def check() -> Any:
        calls.append(sim.now)
        found = sim.query("sum(rate(http_requests_total[1m]))")
        return found[0][1] if found else None

    rule = firebell.AlertRule("Busy", check, above=40, hold="1m", every="20s", severity="critical")
    sim = Simulation(rule, RULES)
    sim.http(rps=10, during="2m").http(rps=80, during="5m", mark="rush").http(rps=10, during="5m")
    assert calls[:3] == [20, 40, 60]
    alert = sim.assert_fires("Busy", within="3m", after="rush")
    assert 60 <= alert.after_s <= 120
    sim.assert_resolves("Busy", within="2m")
    assert sim.pages == 1


def test_a_sweep_tells_how_soon_a_rule_sees_it() -> None:
    found = Simulation(RULES).sweep("HighErrorRate", error_rate=[0.001, 0.05, 0.5])
    assert found[0.001] is None
    assert found[0.05] is not None
    assert found[0.5] is not None
    assert found[0.5] <= found[0.05]
