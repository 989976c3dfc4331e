"""Escalation without a server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import firebell
from firebell import _outbox
from firebell.escalation import EscalationManager, Policy, Step, call

if TYPE_CHECKING:
    from conftest import Clock, Told

DOWN = {"kind": "alert", "name": "Down", "severity": "critical", "message": "it is down"}


def play(manager: EscalationManager, clock: Clock, seconds: float) -> None:
    """Let time pass, from one deadline to the next."""
    until = clock.now + seconds
    while (at := manager.next_at) is not None and at <= until:
        clock.now = max(clock.now, at)
        manager.tick()
    clock.now = until


def names(*notifiers: Told) -> list[int]:
    return [len(it.events) for it in notifiers]


@pytest.fixture
def three(told: Told) -> tuple[Any, Any, Any]:
    kind = type(told)
    return kind("chat"), kind("mail"), kind("phone")


def policy(three: tuple[Any, Any, Any], **more: Any) -> Policy:
    chat, mail, phone = three
    steps = [
        Step(chat),
        Step(mail, after="10m", repeat="15m"),
        Step(phone, after="30m", if_severity="critical"),
    ]
    return Policy("oncall", steps, **{"group_wait": 0, **more})


def test_nobody_answers_and_it_climbs(three: Any, clock: Clock) -> None:
    manager = EscalationManager(policy(three), clock=clock)
    incident = asyncio.run(manager.handle(DOWN))
    assert (incident.id, incident.rule, incident.state) == ("INC-1", "Down", "paging")
    assert names(*three) == [1, 0, 0]
    play(manager, clock, 9 * 60)
    assert names(*three) == [1, 0, 0]
    play(manager, clock, 60)
    assert names(*three) == [1, 1, 0]
    play(manager, clock, 20 * 60)
    assert names(*three) == [1, 2, 1]
    assert three[0].events[0]["incident"] == "INC-1"
    assert "pages oncall/chat" in [what for _, what in manager.get("INC-1").timeline]


def test_who_acknowledges_ends_it(three: Any, clock: Clock) -> None:
    manager = EscalationManager(policy(three), clock=clock)
    asyncio.run(manager.handle(DOWN))
    clock.now += 60
    incident = manager.ack("INC-1", by="dana")
    assert (incident.state, incident.acked_by) == ("acknowledged", "dana")
    play(manager, clock, 24 * 3600)
    assert names(*three) == [1, 0, 0]
    assert [it.id for it in manager.open] == ["INC-1"]
    assert manager.resolve("INC-1", by="dana").state == "resolved"
    assert list(manager.open) == []
    with pytest.raises(KeyError, match="no incident 'INC-7'"):
        manager.ack("INC-7", by="dana")


def test_an_acknowledgement_may_end(three: Any, clock: Clock) -> None:
    manager = EscalationManager(policy(three, ack_timeout="30m"), clock=clock)
    asyncio.run(manager.handle(DOWN))
    manager.ack("INC-1", by="dana")
    play(manager, clock, 31 * 60)
    assert names(*three) == [2, 0, 0]


def test_snoozing_begins_anew(three: Any, clock: Clock) -> None:
    manager = EscalationManager(policy(three), clock=clock)
    asyncio.run(manager.handle(DOWN))
    manager.snooze("INC-1", "1h", by="dana")
    play(manager, clock, 59 * 60)
    assert names(*three) == [1, 0, 0]
    play(manager, clock, 2 * 60)
    assert names(*three) == [2, 0, 0]


def test_what_fails_brings_the_next_step_at_once_and_is_told_of(three: Any, clock: Clock) -> None:
    manager = EscalationManager(policy(three), clock=clock)
    three[0].error = OSError("no route")
    asyncio.run(manager.handle(DOWN))
    play(manager, clock, 1)
    assert names(*three) == [0, 1, 0]
    assert [(name, error) for _, name, error in manager.failures] == [("chat", "OSError: no route")]


def test_a_notifier_that_hangs_is_one_that_fails(
    three: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_outbox, "SEND_SECONDS", 0.05)

    async def hang(_: Any) -> None:
        await asyncio.sleep(60)

    for is_async in (True, False):
        steps = [Step(call(hang)), Step(three[0], after="1h")]
        manager = EscalationManager(Policy("oncall", steps, group_wait=0), clock=clock)
        manager.take(DOWN)
        if is_async:
            asyncio.run(manager.atick())
        else:
            monkeypatch.setattr("firebell._notify.SEND_SECONDS", 0.05)
            manager.tick()
        assert len(manager.failures) == 1
    assert names(three[0]) == [2]


def test_conditions_and_groups(three: Any, clock: Clock) -> None:
    manager = EscalationManager(policy(three), clock=clock)

    async def main() -> None:
        first = await manager.handle({**DOWN, "severity": "warning"})
        same = await manager.handle({**DOWN, "severity": "warning", "labels": {"host": "b"}})
        assert first.id == same.id
        other = await manager.handle({**DOWN, "severity": "warning", "service": "shop"})
        assert other.id != first.id

    asyncio.run(main())
    play(manager, clock, 3600)
    # The phone is for what is critical.
    assert names(three[2]) == [0]
    # It gets worse: everything begins anew.
    asyncio.run(manager.handle({**DOWN, "labels": {"host": "b"}}))
    assert manager.get("INC-1").severity == "critical"
    play(manager, clock, 31 * 60)
    assert names(three[2]) == [1]


def test_it_is_over_when_all_of_its_alerts_are(three: Any, clock: Clock) -> None:
    manager = EscalationManager(policy(three), clock=clock)

    async def main() -> None:
        for host in "ab":
            await manager.handle({**DOWN, "labels": {"host": host}})
        for host in "ab":
            assert len(manager.open) == 1
            await manager.handle({**DOWN, "labels": {"host": host}, "status": "resolved"})

    asyncio.run(main())
    assert list(manager.open) == []


def test_quiet_hours_and_limits_hold_for_what_is_not_urgent(three: Any, clock: Clock) -> None:
    # 1970-01-12 was a Monday; 13:46:40.
    quiet = policy(three, quiet_hours="13:00-15:00")
    manager = EscalationManager(quiet, clock=clock)
    asyncio.run(manager.handle({**DOWN, "severity": "warning"}))
    assert names(*three) == [0, 0, 0]
    asyncio.run(manager.handle({**DOWN, "name": "Worse"}))
    assert names(*three) == [1, 0, 0]
    limited = EscalationManager(policy(three, max_pages_per_hour=2), clock=clock)
    before = len(three[0].events)
    for nth in range(5):
        asyncio.run(limited.handle({**DOWN, "name": f"n{nth}", "severity": "warning"}))
    assert len(three[0].events) - before == 2


def test_it_runs_by_itself(three: Any) -> None:
    done = asyncio.Event()

    async def main() -> None:
        async def reached(_: Any) -> None:
            done.set()

        steps = [Step(three[0]), Step(call(reached), after=0.05)]
        async with EscalationManager(Policy("oncall", steps, group_wait=0)) as manager:
            await manager.handle(DOWN)
            await asyncio.wait_for(done.wait(), 30)
        assert names(three[0]) == [1]

    asyncio.run(main())


def test_an_engine_escalates(three: Any, clock: Clock) -> None:
    is_down = True
    manager = EscalationManager(policy(three), clock=clock)
    rule = firebell.AlertRule("Down", lambda: is_down, severity="critical", escalation="oncall")
    engine = firebell.AlertEngine([rule], escalation=manager, clock=clock)
    engine.evaluate()
    manager.tick()
    assert names(*three) == [1, 0, 0]
    assert three[0].events[0]["message"] == "Down fires"
    is_down = False
    engine.evaluate()
    assert list(manager.open) == []


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda _: Policy("p", []), "would tell nobody"),
        (lambda _: Step([]), "tells nobody"),
        (
            lambda _: Step(3),  # type: ignore[arg-type]
            "is no notifier",
        ),
        (lambda chat: Step(chat, repeat=0.1), "a second at least"),
        (
            lambda chat: Step(chat, if_severity="bad"),  # type: ignore[arg-type]
            "if_severity is 'bad'",
        ),
        (lambda _: EscalationManager(Policy("p", [Step("who")])), "called 'who'"),
        (
            lambda chat: EscalationManager(Policy("p", [Step(chat)], quiet_hours="late")),
            "late",
        ),
        (
            lambda chat: EscalationManager(
                Policy("p", [Step(chat)], quiet_hours="22:00-07:00 Mars/Base")
            ),
            "is no time zone",
        ),
    ],
)
def test_what_cannot_be_is_refused(make: Any, said: str, told: Told) -> None:
    with pytest.raises((ValueError, TypeError), match=said):
        make(told)
