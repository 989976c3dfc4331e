"""Running checks: which run now, when one is too late, and what came of them.

The same session serves a thread that waits and an event loop that awaits; they differ in how they
sleep, and in where async checks run.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress

from . import _pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from typing import Any, Protocol

    from ._rules import AlertRule

    class Waiter(Protocol):
        """What a session wakes when something has ended."""

        def wake(self) -> None:
            """Wake it, from any thread."""


class Run:
    """A check that runs."""

    __slots__ = (
        "begun_at",
        "future",
        "is_late",
        "is_over",
        "job",
        "key",
        "never_ran",
        "outcome",
        "rule",
    )

    def __init__(self, key: str, rule: AlertRule) -> None:
        self.key = key
        self.rule = rule
        self.begun_at = time.monotonic()
        self.job: _pool.Job | None = None
        self.future: Any = None
        # Whether it was given up before it began.
        self.never_ran = False
        # What it answered, or what it raised.
        self.outcome: tuple[bool, Any] | None = None
        self.is_over = False
        # Whether it was over before it had an answer, whatever comes of it later.
        self.is_late = False

    @property
    def is_running(self) -> bool:
        """Whether it has yet to come back, also when nobody waits for it any more."""
        return self.outcome is None and not self.never_ran

    def since(self) -> float | None:
        """Return since when its time counts; None while it waits for a thread."""
        if self.job is None or self.future is not None:
            return self.begun_at
        if self.job.started_at is None and _pool.shared().is_full:
            return self.begun_at
        return self.job.started_at


class ThreadWaiter:
    """Sleeps in a thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def wake(self) -> None:
        """Wake it, from any thread."""
        self._event.set()

    def wait(self, timeout: float | None) -> None:
        """Sleep until something woke it, at most so many seconds."""
        self._event.wait(timeout)
        self._event.clear()


class LoopWaiter:
    """Sleeps in an event loop."""

    def __init__(self) -> None:
        import asyncio

        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def wake(self) -> None:
        """Wake it, from any thread."""
        with suppress(RuntimeError):  # The loop was closed: nobody waits.
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, timeout: float | None) -> None:
        """Sleep until something woke it, at most so many seconds."""
        # Not wait_for: before 3.12 it loses a cancellation that comes with the event.
        timer = None if timeout is None else self._loop.call_later(timeout, self._event.set)
        try:
            await self._event.wait()
        finally:
            if timer is not None:
                timer.cancel()
        self._event.clear()


class Session:
    """Checks that were begun together, or one after the other, by one caller."""

    def __init__(self, waiter: Waiter, loop: asyncio.AbstractEventLoop | None) -> None:
        self._waiter = waiter
        self._loop = loop
        self._ended: deque[Run] = deque()
        self.runs: dict[str, Run] = {}

    def begin(self, key: str, rule: AlertRule) -> Run:
        """Begin a check; it ends in `ended`."""
        run = Run(key, rule)
        self.runs[key] = run
        if _is_async(rule.check):
            self._await(run, rule.check())  # type: ignore[misc]
        else:
            run.job = _pool.Job(rule.name, lambda: self._call(run))
            _pool.shared().start(run.job)
        return run

    def ended(self) -> list[Run]:
        """Return those that have answered, raised, or taken too long since this was last asked."""
        found = []
        while self._ended:
            run = self._ended.popleft()
            if not run.is_over:
                run.is_over = True
                found.append(run)
        now = time.monotonic()
        for run in list(self.runs.values()):
            since = run.since()
            if not run.is_over and since is not None and now - since >= run.rule.timeout:
                run.is_over = run.is_late = True
                self._give_up(run)
                found.append(run)
        for run in found:
            self.runs.pop(run.key, None)
        return found

    def next_deadline(self) -> float | None:
        """Return in how many seconds the next check is too late; None when none can be."""
        now = time.monotonic()
        left = [
            # One that waits for a thread is looked at again soon.
            0.1 if (since := run.since()) is None else since + run.rule.timeout - now
            for run in self.runs.values()
        ]
        return max(0.0, min(left)) if left else None

    def _call(self, run: Run) -> None:
        try:
            answer: Any = run.rule.check()  # type: ignore[misc]
        except BaseException as error:  # noqa: BLE001 - a check may raise anything, SystemExit too.
            self._end(run, (False, error))
            return
        if hasattr(answer, "__await__"):
            self._await(run, answer)
        else:
            self._end(run, (True, answer))

    def _await(self, run: Run, awaitable: Any) -> None:
        import asyncio

        async def wait() -> None:
            try:
                outcome = True, await awaitable
            except BaseException as error:  # noqa: BLE001 - see above; cancelled is one too.
                outcome = False, error
            self._end(run, outcome)

        loop = self._loop or _pool.loop()
        run.future = asyncio.run_coroutine_threadsafe(wait(), loop)

    def _end(self, run: Run, outcome: tuple[bool, Any]) -> None:
        run.outcome = outcome
        self._ended.append(run)
        self._waiter.wake()

    def _give_up(self, run: Run) -> None:
        if run.future is not None:
            run.future.cancel()
            if self._loop is None:
                # It may hold the loop up instead of waiting.
                _pool.renew_loop()
        if run.job is not None:
            run.never_ran = _pool.shared().give_up(run.job)


def _is_async(check: object) -> bool:
    import inspect

    call = getattr(check, "__call__", None)  # noqa: B004 - an object with an async __call__.
    return inspect.iscoroutinefunction(check) or inspect.iscoroutinefunction(call)
