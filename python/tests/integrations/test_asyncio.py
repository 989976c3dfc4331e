"""The event loop: how late it is, what holds it up, what its tasks die of."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import firebell
import firebell.asyncio

if TYPE_CHECKING:
    from collector import Collector


def hold_everything_up() -> None:
    """Stand still, as a forgotten sync call does."""
    time.sleep(0.4)


def test_a_loop_that_is_held_up_is_told_with_the_line_that_does_it(told: Collector) -> None:
    async def main() -> None:
        firebell.asyncio.watch_loop(interval=0.02, warn_over=0.05)
        await asyncio.sleep(0.1)
        hold_everything_up()
        await asyncio.sleep(0.1)

    asyncio.run(main())
    # On a busy machine others may come first.
    event = told.wait(
        lambda: next((it for it in told.logs if "hold_everything_up" in str(it.attributes)), None)
    )
    assert event.event == "firebell.loop_blocked"
    assert event.attributes["held_up_s"] > 0.05
    told.wait_count("python.loop.lag", 2)
    told.wait_count("python.loop.blocked", 1)


def test_a_task_that_nobody_awaits_tells_what_it_died_of(told: Collector) -> None:
    async def fail() -> None:
        raise ArithmeticError("nobody looks")

    async def main() -> None:
        task = asyncio.get_running_loop().create_task(fail(), name="forgotten")
        await asyncio.sleep(0.01)
        del task

    asyncio.run(main())
    alert = told.alert("Exception", exception="ArithmeticError")
    assert "forgotten" in alert["annotations"]["contexts"]


def test_tasks_of_ours_have_their_own_scope_and_are_told_at_once(told: Collector) -> None:
    async def fail(name: str) -> None:
        firebell.set_tag("who", name)
        await asyncio.sleep(0.01)
        raise BufferError(name)

    async def main() -> None:
        firebell.set_tag("who", "main")
        tasks = [firebell.asyncio.create_task(fail(name), name=name) for name in ("one", "two")]
        await asyncio.gather(*tasks, return_exceptions=True)

    with firebell.scope():
        asyncio.run(main())
    told.span("task one")
    told.wait(lambda: len(told.alerts) == 2)
    tags = sorted(it["annotations"]["tags"] for it in told.alerts)
    assert tags == ['{"who": "one"}', '{"who": "two"}']
