"""asyncio: how long the event loop was held up and by which line, and what tasks died of."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from . import _events, _native, _patch
from ._duration import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import FrameType, ModuleType

    from ._duration import Duration

T = TypeVar("T")

FRAMES_MAX = 20
LOOPS_MAX = 64

_tasks: set[asyncio.Task[Any]] = set()


class _Watch:
    """A loop: a tick that is asked for every `interval`, and when it was due."""

    __slots__ = ("due_at", "interval", "is_told", "loop", "thread_id", "warn_over")

    def __init__(self, loop: asyncio.AbstractEventLoop, interval: float, warn_over: float) -> None:
        self.loop = loop
        self.interval = interval
        self.warn_over = warn_over
        self.thread_id = threading.get_ident()
        self.is_told = False
        self.due_at = time.monotonic() + interval
        loop.call_later(interval, self.tick)

    def tick(self) -> None:
        now = time.monotonic()
        late = max(0.0, now - self.due_at)
        _lag().observe(late)
        self.is_told = False
        self.due_at = now + self.interval
        self.loop.call_later(self.interval, self.tick)


class _Watcher:
    """One thread for all loops: it looks where one stands whose tick is overdue."""

    def __init__(self) -> None:
        self.watches: dict[int, _Watch] = {}
        self.pid = 0

    def add(self, watch: _Watch) -> None:
        import os

        if self.pid != os.getpid():
            # A forked child has the parent's loops by name only, and none of its threads.
            self.watches.clear()
            self.pid = os.getpid()
            threading.Thread(target=self.run, name="firebell-loops", daemon=True).start()
        self.watches[id(watch.loop)] = watch

    def run(self) -> None:
        while True:
            pause = 0.5
            for key, watch in list(self.watches.items()):
                if watch.loop.is_closed():
                    self.watches.pop(key, None)
                    continue
                pause = min(pause, watch.warn_over / 4)
                held_up = time.monotonic() - watch.due_at
                if held_up > watch.warn_over and not watch.is_told and watch.loop.is_running():
                    watch.is_told = True
                    _tell(watch, held_up)
            time.sleep(max(pause, 0.005))


_watcher = _Watcher()
_lags: list[_native.BoundHistogram] = []


def _lag() -> _native.BoundHistogram:
    if not _lags:
        _lags.append(
            _native.histogram(
                "python.loop.lag", "how late the event loop came to what was due", unit="s"
            ).bind()
        )
    return _lags[0]


def _tell(watch: _Watch, held_up: float) -> None:
    frame = sys._current_frames().get(watch.thread_id)  # noqa: SLF001 - the one way there is.
    stack = _stack(frame)
    where = stack[-1] if stack else "unknown"
    if "/selectors.py:" in where:
        # It waits for something to do: the machine is late, and no line of the app is to blame.
        return
    _native.counter("python.loop.blocked", "times the event loop was held up").inc()
    _native.record(
        "loop_blocked",
        {
            "message": f"the event loop stands at {where}",
            "held_up_s": held_up,
            "warn_over_s": watch.warn_over,
            "stack": stack,
        },
    )
    _native.current_scope().breadcrumb(
        f"event loop held up at {where}", category="asyncio", level="warning"
    )


def _stack(frame: FrameType | None) -> list[str]:
    found: list[str] = []
    while frame is not None and len(found) < FRAMES_MAX:
        code = frame.f_code
        found.append(f"{code.co_filename}:{frame.f_lineno} {code.co_name}")
        frame = frame.f_back
    return found[::-1]


def watch_loop(*, interval: Duration = 0.5, warn_over: Duration = "100ms") -> None:
    """Measure the running loop every `interval`, as the histogram `python.loop.lag`.

    What holds it up for longer than `warn_over` is told, with its stack, while it does so.
    Again for the same loop changes nothing. Raises `RuntimeError` outside a loop.
    """
    tick, limit = seconds(interval, "interval"), seconds(warn_over, "warn_over")
    loop = asyncio.get_running_loop()
    known = _watcher.watches.get(id(loop))
    if (known is not None and known.loop is loop) or len(_watcher.watches) >= LOOPS_MAX:
        return
    _watcher.add(_Watch(loop, max(tick, 0.01), max(limit, 0.01)))
    _watch_errors(loop)


def create_task(coro: Coroutine[Any, Any, T], /, *, name: str) -> asyncio.Task[T]:
    """Start a task that is kept until it is done, with its own scope; its failure is told."""

    async def run() -> T:
        token = _native.enter_scope()
        try:
            with _native.span(f"task {name}"):
                return await coro
        except Exception as error:
            _events.capture_unhandled(error, task=name)
            raise
        finally:
            _native.exit_scope(token)

    task = asyncio.get_running_loop().create_task(run(), name=name)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task


def installed(module: ModuleType) -> None:
    """Tell of errors that reach a loop's exception handler: nobody awaited the task."""
    _patch.around(module.BaseEventLoop, "call_exception_handler", _note)


def _note(call: Callable[..., None], loop: Any, context: dict[str, Any]) -> None:
    _capture(context)
    call(loop, context)


def _watch_errors(loop: asyncio.AbstractEventLoop) -> None:
    if isinstance(loop, asyncio.BaseEventLoop):
        installed(sys.modules["asyncio.base_events"])
        return
    before = loop.get_exception_handler()

    def handler(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        _capture(context)
        if before is None:
            loop.default_exception_handler(context)
        else:
            before(loop, context)

    loop.set_exception_handler(handler)


def _capture(context: dict[str, Any]) -> None:
    error = context.get("exception")
    if isinstance(error, Exception):
        task = context.get("task") or context.get("future")
        name = task.get_name() if isinstance(task, asyncio.Task) else "?"
        _events.capture_unhandled(error, task=name, loop=str(context.get("message", "")))
