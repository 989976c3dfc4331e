"""What is wrong with a rule is said where it is defined."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

import firebell
from firebell import _answers


def good(**more: Any) -> firebell.AlertRule:
    return firebell.AlertRule("disk", lambda: 1.0, **{"above": 0.9, **more})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"hold": "5 minutes"}, "hold is '5 minutes'"),
        ({"every": 0}, "every is 0; it must be longer"),
        ({"cooldown": -1}, "cooldown is -1"),
        ({"severity": "high"}, "severity is 'high'; it must be one of debug, info, warning"),
        ({"on_no_data": "page"}, "on_no_data is 'page'"),
        ({"scope": "cluster"}, "scope is 'cluster'"),
        ({"message": "{value:.0f jobs"}, "cannot be filled in"),
        ({"above": None, "clear": 3}, "`clear` without `above` or `below`"),
        ({"clear": 0.95}, "0.95 is no `clear` for `above=0.9`"),
        ({"above": 1, "below": 2}, "every number is above 1 or below 2"),
        ({"above": float("nan")}, "NaN"),
        ({"labels": {"severity": "x"}}, "'severity', which Firebell sets itself"),
        ({"expr": "up == 0"}, "needs a check, or an expr"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_its_reason(more: dict[str, Any], said: str) -> None:
    with pytest.raises((ValueError, TypeError)) as refused:
        good(**more)
    assert said in str(refused.value)


def test_names_and_checks_have_to_be_there() -> None:
    with pytest.raises(ValueError, match="not empty"):
        firebell.AlertRule(" ", lambda: True)
    with pytest.raises(ValueError, match="needs a check"):
        firebell.AlertRule("disk")
    with pytest.raises(TypeError, match="must be a function"):
        firebell.AlertRule("disk", 3)  # type: ignore[arg-type]


def test_durations_are_numbers_texts_and_timedeltas() -> None:
    rule = good(every=timedelta(minutes=1), hold="1m30s", cooldown=5, timeout="500ms")
    assert (rule.every, rule.hold, rule.cooldown, rule.timeout) == (60.0, 90.0, 5.0, 0.5)


def test_decorators_leave_the_function_as_it_is_and_names_are_unique() -> None:
    @firebell.alert("queue", above=500)
    def depth() -> float:
        return 3.0

    assert depth() == 3.0
    assert [rule.name for rule in firebell.AlertEngine(notify=[]).rules] == ["queue"]
    with pytest.raises(ValueError, match="two checks are called 'queue'"):

        @firebell.healthcheck("queue")
        def other() -> None: ...


@pytest.mark.parametrize(
    ("answer", "firing", "value"),
    [
        (True, True, None),
        (False, False, None),
        (3, True, 3.0),
        (1, False, 1.0),
        (firebell.firing("bad", value=7), True, 7.0),
        (firebell.ok(value=1), False, 1.0),
    ],
)
def test_answers_are_verdicts(answer: Any, firing: object, value: float | None) -> None:
    rule = firebell.AlertRule("it", lambda: answer, above=2)
    verdict = asyncio.run(rule.evaluate())
    assert verdict is not None
    assert (verdict.firing, verdict.value) == (firing, value)


def test_no_data_is_no_verdict_and_async_checks_are_awaited() -> None:
    async def check() -> None: ...

    assert asyncio.run(firebell.AlertRule("it", check).evaluate()) is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("high", "it answered 'high' (str)"),
        (float("nan"), "it answered NaN"),
        ({"x": 1}, "it answered {'x': 1} (dict)"),
        (5, "the rule has neither above= nor below="),
    ],
)
def test_nonsense_is_refused(answer: Any, said: str) -> None:
    rule = firebell.AlertRule("it", lambda: answer)
    with pytest.raises(_answers.Nonsense) as refused:
        asyncio.run(rule.evaluate())
    assert said in str(refused.value)


def test_messages_are_filled_in_with_what_is_known() -> None:
    rule = good(message="{value:.0f} of {total} on {labels[host]}: {missing:.3f} {missing.x[0]}")
    assert rule.text(3.7, {"host": "a"}, {"total": 9}) == "4 of 9 on a: ? ?"
    assert rule.text(None, {"host": "a"}, {}) == "? of ? on a: ? ?"
    # What cannot be filled in is told as it stands, and told.
    assert good(message="{value:d}").text(1.5, {}, {}) == "{value:d}"
