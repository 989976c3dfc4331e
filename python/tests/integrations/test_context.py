"""Scopes, exceptions, alerts of the app's own, deploys, heartbeats, and the hook before sending."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import firebell
from firebell import _events, _self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from collector import Collector


@pytest.fixture
def hook() -> Iterator[list[Any]]:
    """Set `before_send` to what stands first in the list."""
    functions: list[Any] = []
    before = _events._State.before_send
    _events._State.before_send = lambda event, hint: functions[0](event, hint)
    yield functions
    _events._State.before_send = before


def raised(error: Exception) -> Exception:
    """Give the exception its traceback."""
    try:
        raise error
    except Exception as caught:
        return caught


def test_a_scope_ends_with_its_block_and_siblings_do_not_mix(told: Collector) -> None:
    async def one(name: str) -> str:
        with firebell.scope(who=name):
            firebell.set_user(name)
            await asyncio.sleep(0.01)
            return firebell.capture_exception(raised(TimeoutError(name))) and name

    async def both() -> None:
        await asyncio.gather(one("ana"), one("dana"))

    asyncio.run(both())
    told.wait(lambda: len(told.alerts) == 2)
    for alert in told.alerts:
        notes = alert["annotations"]
        name = notes["summary"].rsplit(" ", 1)[-1]
        assert f'"who": "{name}"' in notes["tags"]
        assert name in notes["user"]
    firebell.capture_exception(raised(InterruptedError("outside")))
    assert "tags" not in told.alert("Exception", exception="InterruptedError")["annotations"]


def test_bound_functions_keep_scope_and_span_in_a_pool(told: Collector) -> None:
    def work() -> str | None:
        firebell.breadcrumb("in the pool")
        return firebell.current_trace_id()

    with ThreadPoolExecutor(1) as pool, firebell.span("outside") as span, firebell.scope():
        assert pool.submit(work).result() != span.trace_id
        bound = firebell.bind_context(work)
        assert pool.submit(bound).result() == span.trace_id
        firebell.capture_exception(raised(BlockingIOError("x")))
    notes = told.alert("Exception", exception="BlockingIOError")["annotations"]
    assert notes["breadcrumbs"].count("in the pool") == 1


def test_traced_keeps_sync_async_and_failures(told: Collector) -> None:
    @firebell.traced
    def plain(number: int) -> int:
        return number + 1

    @firebell.traced(name="charge", gateway="x")
    async def later() -> None:
        raise ConnectionResetError("card")

    assert plain(1) == 2
    with pytest.raises(ConnectionResetError):
        asyncio.run(later())
    told.span("test_traced_keeps_sync_async_and_failures.<locals>.plain")
    assert told.span("charge", gateway="x").failed
    with pytest.raises(TypeError, match="generator"):

        @firebell.traced
        def numbers() -> Iterator[int]:
            yield 1


def test_an_alert_carries_all_there_is_to_know(told: Collector) -> None:
    firebell.deploy("1.4.2", commit="abc123")
    firebell.snapshot("pool", lambda: {"free": 3})
    firebell.snapshot("broken", lambda: {"free": 1 // 0})
    try:
        with firebell.scope():
            firebell.set_context("cart", items=3, password="geheim")
            firebell.breadcrumb("paid", amount=5, token="geheim")
            identity = firebell.fire(
                "StockIsOut",
                "no lanterns",
                severity="critical",
                runbook="https://run.example/s",
                labels={"item": "lantern"},
                left=0,
            )
    finally:
        _events._State.deploy = None
        firebell._context._snapshots.clear()
    alert = told.alert("StockIsOut", item="lantern", severity="critical", service="tests")
    notes = alert["annotations"]
    assert notes["event_id"] == identity
    assert (notes["summary"], notes["runbook_url"]) == ("no lanterns", "https://run.example/s")
    assert '"version": "1.4.2"' in notes["deploy"]
    assert '"age_s": 0' in notes["deploy"]
    assert '{"free": 3}' in notes["snapshots"]
    assert "ZeroDivisionError" in notes["snapshots"]
    assert '"left": 0' in notes["contexts"]
    assert "geheim" not in told.summary()
    assert told.event("deploy").attributes["deploy"]["commit"] == "abc123"


def test_fire_cools_down_until_it_gets_worse_and_resolve_ends_it(told: Collector) -> None:
    first = firebell.fire("DiskFull", severity="warning", labels={"disk": 1})
    assert first
    assert firebell.fire("DiskFull", severity="warning", labels={"disk": 1}) is None
    assert firebell.fire("DiskFull", severity="warning", labels={"disk": 2})
    assert firebell.fire("DiskFull", severity="critical", labels={"disk": 1})
    firebell.resolve("DiskFull", labels={"disk": 1})
    firebell.resolve("DiskFull", labels={"disk": 1})
    assert firebell.fire("DiskFull", severity="warning", labels={"disk": 1})
    told.wait(lambda: len(told.alerts) == 5)
    with pytest.raises(ValueError, match="severity"):
        firebell.fire("DiskFull", severity="awful")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cooldown"):
        firebell.fire("DiskFull", cooldown="soon")


def test_the_same_exception_is_told_once_and_a_flood_thrice(told: Collector) -> None:
    error = raised(EOFError("once"))
    assert firebell.capture_exception(error) == firebell.capture_exception(error)
    for number in range(100):
        firebell.capture_exception(raised(ChildProcessError(str(number))))
    told.alert("Exception", exception="EOFError")
    told.wait(lambda: len([it for it in told.alerts if "Child" in str(it["labels"])]) == 3)
    assert _events.counts()["suppressed_by_flood_limit"] >= 97
    assert firebell.capture_exception() == ""


def test_before_send_changes_and_drops_and_hides_nothing_by_raising(
    told: Collector, hook: list[Any]
) -> None:
    def change(event: Any, hint: Any) -> Any:
        event["message"] = "changed"
        assert isinstance(hint["exception"], PermissionError)
        return event

    hook[:] = [change]
    firebell.capture_exception(raised(PermissionError("no")))
    assert told.alert("Exception", exception="PermissionError")["annotations"]["summary"].endswith(
        "changed"
    )
    hook[:] = [lambda event, hint: None]
    dropped = _events.counts()["dropped_by_before_send"]
    firebell.capture_exception(raised(FileExistsError("no")))
    assert _events.counts()["dropped_by_before_send"] == dropped + 1
    hook[:] = [lambda event, hint: 1 // 0]
    firebell.capture_exception(raised(NotADirectoryError("no")))
    marked = told.alert("Exception", exception="NotADirectoryError")
    assert "ZeroDivisionError" in marked["annotations"]["before_send_failed"]
    hook[:] = [lambda event, hint: 7]
    firebell.capture_exception(raised(IsADirectoryError("no")))
    marked = told.alert("Exception", exception="IsADirectoryError")
    assert "int" in marked["annotations"]["before_send_failed"]
    assert not any("FileExists" in str(it) for it in told.alerts)


def test_an_exception_that_cannot_be_described_does_no_harm(told: Collector) -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    try:
        try:
            raise KeyError("below")
        except KeyError as below:
            raise Odd from below
    except Odd as error:
        firebell.capture_exception(error)
    notes = told.alert("Exception")["annotations"]
    assert "its text raised RuntimeError" in notes["summary"]
    assert "because of KeyError" in notes["description"]


def test_a_heartbeat_beats_when_the_job_went_well(told: Collector) -> None:
    nightly = firebell.heartbeat("nightly", every="1d", grace="30m")

    @nightly
    def export() -> int:
        return 7

    @nightly
    async def export_later() -> int:
        return 8

    assert (export(), asyncio.run(export_later())) == (7, 8)
    with pytest.raises(ModuleNotFoundError), nightly:
        raise ModuleNotFoundError("disk")
    beat = told.event("heartbeat").attributes
    assert (beat["name"], beat["every_s"]) == ("nightly", 86_400)
    told.alert("Exception", exception="ModuleNotFoundError")
    told.wait(lambda: any(it[0] == "firebell.heartbeat.due" for it in told.points))
    with pytest.raises(ValueError, match="every"):
        firebell.heartbeat("x", every="daily")


def test_threads_tell_what_they_died_of_and_pools_may_keep_the_span(
    collector: Collector, start: Callable[..., Any]
) -> None:
    assert start(sys.executable, "threads_app.py").wait(120) == 0
    dead = collector.alert("Exception", exception="NotImplementedError")
    assert "worker-7" in dead["annotations"]["contexts"]
    assert collector.span("in the pool").parent_id == collector.span("outside").span_id


def test_firebell_speaks_of_itself_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(50):
        _self.warn("the test said so", kind="of the test")
    assert caplog.text.count("the test said so") == 1
