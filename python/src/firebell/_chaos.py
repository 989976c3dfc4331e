"""Faults in front of an app: some of its requests fail or take longer, for a while."""

from __future__ import annotations

import random
import time

from ._duration import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Literal

    from typing_extensions import Self

    from ._duration import Duration
    from ._sim import Alerted

    # Returns the alerts that fire now.
    Watch = Callable[[], Iterable[Alerted]]

POLL_SECONDS = 0.05


class Fault:
    """One fault, while it is used as a context manager, sync or async; `during` at most."""

    def __init__(
        self,
        chaos: Chaos,
        *,
        rate: float,
        during: Duration,
        path: str,
        seed: int | None,
        status: int | None = None,
        add: float = 0.0,
    ) -> None:
        if not 0 <= rate <= 1:
            raise ValueError(f"rate is {rate!r}; it must be from 0 to 1: 0.05 is 5 %")
        self.started_at = 0.0
        self.n_hit = 0
        self.status = status
        self.add = add
        self._chaos = chaos
        self._rate = rate
        self._during = seconds(during, "during")
        self._path = path
        self._random = random.Random(seed)  # noqa: S311 - chance, not cryptography
        self._began = 0.0

    def hits(self, path: str) -> bool:
        """Whether a request to a path is hit."""
        import fnmatch

        if time.monotonic() - self._began >= self._during:
            return False
        if not fnmatch.fnmatchcase(path, self._path):
            return False
        is_hit = self._random.random() < self._rate
        self.n_hit += is_hit
        return is_hit

    def assert_alert(self, rule: str, /, *, within: Duration) -> Alerted:
        """Wait until an alert of that name fires, at most so long after the fault began.

        In an event loop that serves the app, await `alert` instead: this holds the loop up.
        """
        __tracebackhide__ = True
        limit = self._began + seconds(within, "within")
        while True:
            found = self._found(rule)
            if found is not None:
                return found
            if time.monotonic() >= limit:
                raise AssertionError(self._missed(rule, within))
            time.sleep(POLL_SECONDS)

    async def alert(self, rule: str, /, *, within: Duration) -> Alerted:
        """Do what `assert_alert` does without holding up the event loop."""
        import asyncio

        __tracebackhide__ = True
        limit = self._began + seconds(within, "within")
        while True:
            found = await asyncio.to_thread(self._found, rule)
            if found is not None:
                return found
            if time.monotonic() >= limit:
                raise AssertionError(self._missed(rule, within))
            await asyncio.sleep(POLL_SECONDS)

    def _found(self, rule: str) -> Alerted | None:
        for it in self._chaos.watch():
            if it.rule == rule:
                it.after_s = time.monotonic() - self._began
                return it
        return None

    def _missed(self, rule: str, within: Duration) -> str:
        known = ", ".join(sorted({it.rule for it in self._chaos.watch()})) or "nothing"
        return (
            f"{rule} did not fire within {within} of the fault, which hit {self.n_hit} requests;"
            f" {known} fires"
        )

    def __enter__(self) -> Self:
        self.started_at, self._began = time.time(), time.monotonic()
        self._chaos.faults.append(self)
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self._chaos.faults.remove(self)
        return False

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> Literal[False]:
        return self.__exit__()


class Killed(Fault):
    """A worker that was killed; alerts are waited for as with other faults."""

    def __init__(self, chaos: Chaos, pid: int) -> None:
        super().__init__(chaos, rate=0, during=0, path="", seed=None)
        self.pid = pid
        self.n_hit = 1
        self.started_at, self._began = time.time(), time.monotonic()


class Chaos:
    """An app with faults in front: is itself the app to serve."""

    def __init__(self, app: Any, watch: Watch, *, is_told: bool) -> None:
        self.app = app
        self.watch = watch
        self.faults: list[Fault] = []
        # A request that a fault answers does not reach what measures requests in the app.
        self._entry = self._told() if is_told else self._serve

    def _told(self) -> Any:
        """Return what serves requests and tells of them."""
        raise NotImplementedError

    def _serve(self, *_: Any) -> Any:
        """Serve a request, or let it fail."""
        raise NotImplementedError

    def errors(
        self,
        *,
        rate: float,
        during: Duration,
        status: int = 500,
        path: str = "*",
        seed: int | None = None,
    ) -> Fault:
        """Let a part of the requests be answered with `status`, without reaching the app."""
        return Fault(self, rate=rate, during=during, path=path, seed=seed, status=status)

    def latency(
        self,
        *,
        add: Duration,
        during: Duration,
        rate: float = 1.0,
        path: str = "*",
        seed: int | None = None,
    ) -> Fault:
        """Let a part of the requests wait before they reach the app."""
        delay = seconds(add, "add")
        return Fault(self, rate=rate, during=during, path=path, seed=seed, add=delay)

    def kill_worker(self, parent: int | None = None, *, seed: int | None = None) -> Killed:
        """Kill (SIGKILL) one of the children of a process, by default this one's.

        `parent` is the process of gunicorn, of `uvicorn --workers`, of a Celery worker. Raises
        `ProcessLookupError` where it has no child.
        """
        import os
        import signal

        parent = os.getpid() if parent is None else parent
        children = _children(parent)
        if not children:
            raise ProcessLookupError(f"process {parent} has no child that could be killed")
        pid = random.Random(seed).choice(children)  # noqa: S311 - chance, not cryptography
        os.kill(pid, signal.SIGKILL)
        return Killed(self, pid)

    def _met(self, path: str) -> tuple[float, int | None]:
        """How long a request waits, and with what it is answered, if it does not reach the app."""
        delay, status = 0.0, None
        for fault in list(self.faults):
            if fault.hits(path):
                delay += fault.add
                status = fault.status or status
        return delay, status


class AsgiChaos(Chaos):
    """An ASGI app."""

    def _told(self) -> Any:
        from . import asgi

        return asgi.Middleware(self._serve)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve, or fail."""
        await self._entry(scope, receive, send)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        delay, status = self._met(scope.get("path", ""))
        if delay:
            import asyncio

            await asyncio.sleep(delay)
        if status is None:
            await self.app(scope, receive, send)
            return
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"14")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"firebell chaos"})


class WsgiChaos(Chaos):
    """A WSGI app."""

    def _told(self) -> Any:
        from . import wsgi

        return wsgi.Middleware(self._serve)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Serve, or fail."""
        return self._entry(environ, start_response)

    def _serve(self, environ: Any, start_response: Any) -> Any:
        delay, status = self._met(environ.get("PATH_INFO", ""))
        if delay:
            time.sleep(delay)
        if status is None:
            return self.app(environ, start_response)
        start_response(
            f"{status} Chaos", [("Content-Type", "text/plain"), ("Content-Length", "14")]
        )
        return [b"firebell chaos"]


def _children(parent: int) -> list[int]:
    """Return the living children of a process; helpers of `multiprocessing` are none."""
    from pathlib import Path

    found = []
    for folder in Path("/proc").iterdir():
        try:
            if not folder.name.isdigit():
                continue
            # After the name, which may have anything in it: state, parent.
            state, of = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue  # It ended meanwhile.
        is_helper = b"resource_tracker" in command or b"forkserver" in command
        if int(of) == parent and state not in "ZX" and not is_helper:
            found.append(int(folder.name))
    return sorted(found)


def wrap(app: Any, watch: Watch, *, is_told: bool = False) -> Chaos:
    """Return an app with faults in front, of the kind that it is.

    `is_told`: its requests are told of, also those that a fault answers.
    """
    import inspect

    call = app if inspect.isroutine(app) else type(app).__call__
    names = [
        name
        for name, it in inspect.signature(call).parameters.items()
        if name != "self" and it.kind in {it.POSITIONAL_ONLY, it.POSITIONAL_OR_KEYWORD}
    ]
    is_asgi = inspect.iscoroutinefunction(call) or len(names) >= 3
    return (AsgiChaos if is_asgi else WsgiChaos)(app, watch, is_told=is_told)
