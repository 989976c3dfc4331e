"""Engines: what is evaluated, and who is told."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import firebell
from firebell import _lease, _outbox, _pool
from firebell.escalation import alertmanager, call, webhook

if TYPE_CHECKING:
    from conftest import Clock, Hook, Told


def engine_of(told: Told, clock: Clock, *rules: firebell.AlertRule, **more: Any) -> Any:
    return firebell.AlertEngine(rules, notify=[told], clock=clock, **more)


def until(condition: Any) -> None:
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit, "it never came"
        time.sleep(0.01)


def test_the_example_of_every_tutorial(hook: Hook) -> None:
    error_rate = 0.07
    rule = firebell.AlertRule(
        "HighErrorRate",
        lambda: error_rate > 0.05,
        severity="critical",
        message="More than 5 % of requests fail",
        runbook="https://run.example/errors",
    )
    engine = firebell.AlertEngine([rule], webhook=hook.url)
    engine.start(every="1m")
    until(lambda: hook.bodies)
    engine.stop()
    (body,) = hook.bodies
    assert body["text"] == "[FIRING critical] HighErrorRate: More than 5 % of requests fail"
    (attachment,) = body["attachments"]
    assert "<https://run.example/errors|Runbook>" in attachment["text"]
    assert attachment["color"] == "#a30200"


def test_an_alert_is_told_when_it_fires_and_when_it_is_over(told: Told, clock: Clock) -> None:
    value = 600.0
    rule = firebell.AlertRule(
        "queue", lambda: value, above=500, hold="1m", message="{value:.0f} jobs wait"
    )
    engine = engine_of(told, clock, rule)
    assert engine.evaluate() == []
    clock.now += 60
    (event,) = engine.evaluate()
    assert (event["value"], event["labels"], event["status"]) == (600.0, {}, "firing")
    value = 3.0
    assert engine.evaluate() == []
    assert told.lines == [
        "fired queue warning: 600 jobs wait",
        "resolved queue warning: 600 jobs wait",
    ]


def test_a_cooldown_is_broken_by_a_rise_in_severity(told: Told, clock: Clock) -> None:
    verdict: Any = firebell.firing("a")
    engine = engine_of(told, clock, firebell.AlertRule("it", lambda: verdict))
    for found in (
        verdict,
        firebell.ok(),
        firebell.firing("b"),
        firebell.firing("c", severity="critical"),
    ):
        verdict = found
        engine.evaluate()
        clock.now += 1
    assert told.lines == [
        "fired it warning: a",
        "resolved it warning: a",
        "fired it critical: c",
    ]


def test_a_broken_check_is_an_alert_of_its_own(told: Told, clock: Clock) -> None:
    def broken() -> bool:
        raise OSError("no route to host")

    engine = engine_of(told, clock, firebell.AlertRule("it", broken, labels={"team": "a"}))
    (event,) = engine.evaluate()
    assert event["labels"] == {"team": "a", "reason": "check_raised"}
    assert event["fingerprint"] == "it|reason=check_raised|team=a"
    assert "broken" in event["exception"]["traceback"]
    assert told.lines == ["fired it error: it raised OSError: no route to host"]
    assert engine.stats["raised"] == 1


def test_a_number_without_a_bound_is_refused_loudly(told: Told, clock: Clock) -> None:
    engine = engine_of(told, clock, firebell.AlertRule("it", lambda: 5))
    (event,) = engine.evaluate()
    assert event["labels"] == {"reason": "check_raised"}
    assert "neither above= nor below=" in event["message"]


def test_health_checks_are_well_when_they_return(told: Told, clock: Clock) -> None:
    found: Any = None

    @firebell.healthcheck("postgres", runbook="https://run.example/pg")
    async def postgres() -> Any:
        if isinstance(found, Exception):
            raise found
        return found

    engine = firebell.AlertEngine(notify=[told], clock=clock)
    assert engine.evaluate() == []
    for given in (False, 0, ConnectionError("refused")):
        found = given
        engine.evaluate()
    assert told.lines == [
        "fired postgres critical: postgres fires",
        "resolved postgres critical: postgres fires",
    ]
    (event,) = engine.alerts
    assert event["message"] == "postgres raised ConnectionError: refused"
    assert event["labels"] == {}


def test_no_data_is_an_alert_where_that_is_wanted(told: Told, clock: Clock) -> None:
    rule = firebell.AlertRule("it", lambda: None, on_no_data="alert")
    engine_of(told, clock, rule).evaluate()
    assert told.lines == ["fired it warning: it has no data"]


def test_labels_make_alerts_of_their_own(told: Told, clock: Clock) -> None:
    def queues() -> list[firebell.Verdict]:
        return [firebell.firing(f"{q} is full", labels={"queue": q}) for q in ("mail", "sms")]

    engine = engine_of(told, clock, firebell.AlertRule("full", queues))
    assert [it["labels"] for it in engine.evaluate()] == [{"queue": "mail"}, {"queue": "sms"}]


def test_a_check_that_blocks_is_told_of_and_skipped_while_it_runs(told: Told, clock: Clock) -> None:
    release = threading.Event()
    slow = firebell.AlertRule("slow", lambda: release.wait(60), timeout=0.1)
    engine = engine_of(told, clock, slow, firebell.AlertRule("quick", lambda: True))
    engine.evaluate()
    assert sorted(told.lines) == [
        "fired quick warning: quick fires",
        "fired slow error: slow gave no answer within 0.1 s",
    ]
    (event,) = [it for it in told.events if it["name"] == "slow"]
    assert event["labels"] == {"reason": "check_timeout"}
    assert any("wait" in line for line in event["contexts"]["check"]["stuck_at"])
    assert engine.stats["stuck_threads"] == 1
    engine.evaluate()
    assert engine.stats["skipped_still_running"] == 1
    release.set()
    until(lambda: engine.stats["stuck_threads"] == 0)


def test_stuck_threads_leave_room_for_others_up_to_a_limit(told: Told, clock: Clock) -> None:
    release = threading.Event()
    rules = [
        firebell.AlertRule(f"slow {n}", lambda: release.wait(60), timeout=0.05)
        for n in range(_pool.THREADS_MAX)
    ]
    engine = engine_of(told, clock, *rules)
    engine.evaluate()
    assert engine.stats["stuck_threads"] == _pool.THREADS_MAX
    engine.add(firebell.AlertRule("late", lambda: True, timeout=0.05))
    engine.evaluate()
    (event,) = [it for it in engine.alerts if it["name"] == "late"]
    assert "all threads for checks are stuck" in event["message"]
    release.set()
    until(lambda: engine.stats["stuck_threads"] == 0)


def test_async_checks_run_on_the_loop_of_the_app_and_are_cancelled_in_time(
    told: Told, clock: Clock
) -> None:
    loops = []

    async def check() -> bool:
        loops.append(asyncio.get_running_loop())
        return True

    async def endless() -> bool:
        await asyncio.sleep(60)
        return True

    rules = firebell.AlertRule("it", check), firebell.AlertRule("endless", endless, timeout=0.05)
    engine = engine_of(told, clock, *rules)

    async def main() -> None:
        await engine.aevaluate()
        assert loops == [asyncio.get_running_loop()]

    asyncio.run(main())
    engine.evaluate()
    assert len(set(loops)) == 2
    assert told.lines[-1] == "fired endless error: endless gave no answer within 0.05 s"


def test_arun_runs_until_it_is_cancelled(told: Told) -> None:
    n_run = 0

    def check() -> bool:
        nonlocal n_run
        n_run += 1
        return False

    engine = firebell.AlertEngine(
        [firebell.AlertRule("it", check, every=0.01, scope="process")], notify=[told]
    )

    async def main() -> None:
        task = asyncio.create_task(engine.arun())
        while n_run < 3:  # noqa: ASYNC110 - a thread counts
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(asyncio.wait_for(main(), 30))


def test_who_fails_is_tried_again_and_told_of_to_the_others(
    told: Told, clock: Clock, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_outbox, "LONGEST_PAUSE", 0.2)
    hook.status = 500
    rule = firebell.AlertRule("it", lambda: True)
    engine = firebell.AlertEngine([rule], webhook=hook.url, notify=[told], clock=clock)
    engine.evaluate()
    assert engine.stats["sent"] == 1
    until(lambda: len(told.events) == 2)
    assert told.lines[1].startswith("fired FirebellNotifierFailing error: webhook is not told")
    assert "127.0.0.1" not in told.lines[1]
    hook.status = 200
    until(lambda: hook.bodies and len(told.events) == 3)
    assert hook.bodies[0]["text"] == "[FIRING warning] it: it fires"
    assert told.lines[2].startswith("resolved FirebellNotifierFailing")


def test_redirects_are_not_followed(clock: Clock, hook: Hook) -> None:
    hook.status = 302
    engine = firebell.AlertEngine(
        [firebell.AlertRule("it", lambda: True)], webhook=hook.url, clock=clock
    )
    engine.evaluate()
    assert engine.stats["failed_attempts"] == 1
    assert {path for path, _, _ in hook.requests} == {"/"}


def test_alertmanagers_are_told_as_they_want_it(clock: Clock, hook: Hook) -> None:
    clock.now = time.time()
    value = 9
    rule = firebell.AlertRule(
        "queue", lambda: value, above=5, labels={"team": "shop"}, runbook="https://run.example/q"
    )
    engine = firebell.AlertEngine(
        [rule], notify=[alertmanager(hook.url, token="t0ken")], service="shop", clock=clock
    )
    engine.evaluate()
    value = 1
    engine.evaluate()
    paths = {path for path, _, _ in hook.requests}
    assert paths == {"/api/v2/alerts"}
    assert hook.requests[0][1]["Authorization"] == "Bearer t0ken"
    (firing,), (over,) = hook.bodies
    assert firing["labels"] == over["labels"]
    assert firing["labels"] == {
        "alertname": "queue",
        "severity": "warning",
        "team": "shop",
        "service": "shop",
    }
    assert firing["annotations"]["runbook_url"] == "https://run.example/q"
    assert firing["annotations"]["value"] == "9"
    assert firing["startsAt"] == over["startsAt"]
    assert firing["endsAt"] > over["endsAt"] >= firing["startsAt"]


def test_webhooks_are_signed(clock: Clock, hook: Hook) -> None:
    import hashlib
    import hmac

    rule = firebell.AlertRule("it", lambda: True)
    firebell.AlertEngine(
        [rule], notify=[webhook(hook.url, secret="s3cret")], clock=clock
    ).evaluate()
    ((_, headers, body),) = hook.requests
    at, code = (part.partition("=")[2] for part in headers["X-Firebell-Signature"].split(","))
    expected = hmac.new(b"s3cret", at.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert code == expected
    assert json.loads(body)["name"] == "it"


def test_functions_are_called_sync_and_async(clock: Clock) -> None:
    seen = []

    async def later(alert: Any) -> None:
        seen.append(("later", alert["name"]))

    engine = firebell.AlertEngine(
        [firebell.AlertRule("it", lambda: True)],
        notify=[call(lambda alert: seen.append(("now", alert["name"])), name="now"), call(later)],
        clock=clock,
    )
    engine.evaluate()
    assert sorted(seen) == [("later", "it"), ("now", "it")]


def test_a_clock_that_is_set_back_changes_nothing(told: Told, clock: Clock) -> None:
    rule = firebell.AlertRule("it", lambda: True, hold=60)
    engine = engine_of(told, clock, rule)
    engine.evaluate()
    clock.now -= 3600
    engine.evaluate()
    clock.now += 3600 + 60
    assert [it["name"] for it in engine.evaluate()] == ["it"]


def test_one_process_of_a_host_evaluates_and_a_dead_ones_turn_is_taken(tmp_path: Any) -> None:
    script = """
import sys, time
from firebell import _lease
lease = _lease.of_rule("it", "shop", sys.argv[1])
print(lease.take(), flush=True)
lease.save(b"what it knew")
time.sleep(60)
"""
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "True\n"
    ours = _lease.of_rule("it", "shop", str(tmp_path))
    until(lambda: ours.load() == b"what it knew")
    assert not ours.take()
    other.kill()
    other.wait()
    assert ours.take()
    # Within a process nobody excludes anybody, and the last one gives it up.
    second = _lease.of_rule("it", "shop", str(tmp_path))
    assert second.take()
    ours.release()
    assert _lease._held
    second.release()
    assert not _lease._held


def test_a_child_does_not_keep_its_parents_lock(tmp_path: Any) -> None:
    ours = _lease.of_rule("it", "shop", str(tmp_path))
    assert ours.take()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, str(len(_lease._held)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 8) == b"0"
    ours.release()


def test_where_no_lock_can_be_every_process_evaluates(tmp_path: Any) -> None:
    file = tmp_path / "no folder"
    file.write_text("")
    assert _lease.of_rule("it", None, str(file)).take()


def test_rules_that_cannot_be_evaluated_here_are_refused(told: Told, clock: Clock) -> None:
    with pytest.raises(ValueError, match="is an expression"):
        engine_of(told, clock, firebell.AlertRule("it", expr="up == 0"))
    rule = firebell.AlertRule("it", lambda: True)
    with pytest.raises(ValueError, match="has a rule 'it' already"):
        engine_of(told, clock, rule, rule)
