"""Threads for checks: few, bounded, and none that holds up the end of the process.

A thread that does not come back cannot be ended. Its place is given to another, up to a limit; then
checks wait for nothing, and that is told.
"""

from __future__ import annotations

import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

RUNNING_MAX = 4
THREADS_MAX = 32


class Job:
    """A function that runs in a thread."""

    __slots__ = ("call", "is_stuck", "name", "started_at", "thread")

    def __init__(self, name: str, call: Callable[[], None]) -> None:
        self.name = name
        self.call = call
        self.started_at: float | None = None
        self.thread: threading.Thread | None = None
        self.is_stuck = False

    def stack(self) -> list[str]:
        """Return where its thread is, innermost last."""
        import sys
        import traceback

        thread = self.thread
        if thread is None or thread.ident is None:
            return []
        frame = sys._current_frames().get(thread.ident)  # noqa: SLF001 - the documented way.
        if frame is None:
            return []
        found = traceback.extract_stack(frame)[-10:]
        return [f"{it.filename}:{it.lineno} in {it.name}" for it in found]


class Pool:
    """At most `RUNNING_MAX` jobs that are in time, and `THREADS_MAX` threads in all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Job] = []
        self._n_threads = 0
        self._n_stuck = 0

    @property
    def n_stuck(self) -> int:
        """How many threads did not come back in time, and still run."""
        return self._n_stuck

    @property
    def is_full(self) -> bool:
        """Whether nothing can begin until a stuck thread comes back."""
        return self._n_stuck >= THREADS_MAX

    def start(self, job: Job) -> None:
        """Run it now, or when there is room."""
        with self._lock:
            self._waiting.append(job)
            self._fill()

    def give_up(self, job: Job) -> bool:
        """Wait no longer for a job: what has begun gives its place up. True: it never will."""
        with self._lock:
            if job in self._waiting:
                self._waiting.remove(job)
                return True
            if job.thread is not None and not job.is_stuck:
                job.is_stuck = True
                self._n_stuck += 1
                self._fill()
            return False

    def _fill(self) -> None:
        while (
            self._waiting
            and self._n_threads - self._n_stuck < RUNNING_MAX
            and self._n_threads < THREADS_MAX
        ):
            job = self._waiting.pop(0)
            self._n_threads += 1
            thread = threading.Thread(
                target=self._work, args=(job,), name=f"firebell-check-{job.name}", daemon=True
            )
            job.thread = thread
            thread.start()

    def _work(self, job: Job) -> None:
        job.started_at = time.monotonic()
        try:
            job.call()
        finally:
            with self._lock:
                self._n_threads -= 1
                job.thread = None
                if job.is_stuck:
                    self._n_stuck -= 1
                self._fill()


class _Shared:
    pool: Pool | None = None
    loop: Any = None


def shared() -> Pool:
    """Return the pool of this process."""
    if _Shared.pool is None:
        _Shared.pool = Pool()
    return _Shared.pool


def loop() -> Any:
    """Return an event loop that runs in a thread of its own, for whoever has none."""
    import asyncio

    found = _Shared.loop
    if found is None or not found.is_running():
        found = asyncio.new_event_loop()
        started = threading.Event()
        found.call_soon(started.set)
        thread = threading.Thread(target=found.run_forever, name="firebell-loop", daemon=True)
        thread.start()
        started.wait()
        _Shared.loop = found
    return found


def renew_loop() -> None:
    """Leave the private loop to whatever holds it up, and begin another for what comes next."""
    _Shared.loop = None


def _after_fork() -> None:
    # Threads do not live on in a child.
    _Shared.pool = None
    _Shared.loop = None


def _register() -> None:
    import os

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


_register()
