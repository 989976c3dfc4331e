"""Tests of alerts: simulations, faults, load. The fixtures are in `firebell.pytest_plugin`."""

from __future__ import annotations

from typing import Protocol

from ._capture import Captured
from ._chaos import Chaos, Fault
from ._sim import Alerted, Simulation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ._duration import Duration
    from ._rules import AlertRule


class SimFactory(Protocol):
    """The fixture `firebell_sim`."""

    def __call__(
        self, *rules: AlertRule | str, step: Duration | None = None, seed: int | None = None
    ) -> Simulation:
        """Return a simulation of these rules."""


class ChaosFactory(Protocol):
    """The fixture `firebell_chaos`."""

    def __call__(self, app: Any, /, *rules: AlertRule | str) -> Chaos:
        """Return the app with faults in front; a live server evaluates the rules."""


__all__ = (
    "Alerted",
    "Captured",
    "Chaos",
    "ChaosFactory",
    "Fault",
    "Loaded",
    "SimFactory",
    "Simulation",
    "chaos",
    "load",
)


class Loaded(dict[int, int]):
    """How many answers of each status there were."""

    @property
    def error_rate(self) -> float:
        """The part that failed with 5xx."""
        total = sum(self.values())
        return sum(n for status, n in self.items() if status >= 500) / total if total else 0.0


def chaos(app: Any, /) -> Chaos:
    """Return an ASGI or WSGI app with faults in front; it is served in the app's place."""
    from . import _chaos

    return _chaos.wrap(app, fired)


def fired() -> Iterable[Alerted]:
    """Return the alerts that fire now, of all engines of this process."""
    from . import _engine

    for engine in list(_engine.engines):
        for event in engine.alerts:
            facts = {
                "rule": event["name"],
                "severity": event["severity"],
                "message": event["message"],
                "runbook": event.get("runbook"),
                "labels": event["labels"],
                "value": event.get("value"),
                "at": event["started_at"],
                "context": event.get("contexts", {}).get("check", {}),
            }
            yield Alerted(facts, 0.0)


async def load(app: Any, request: str, /, *, rps: float, during: Duration) -> Loaded:
    """Send requests such as "GET /orders?open=1" to an ASGI app, evenly, and count the answers.

    No server is needed: the app is called in this process, each request as a task of its own.
    """
    import asyncio

    from ._duration import seconds

    method, _, target = request.partition(" ")
    if rps <= 0 or not target.startswith("/"):
        raise ValueError(f"load takes more than 0 rps, and a request such as 'GET /': {request!r}")
    answers = Loaded()
    loop = asyncio.get_running_loop()
    began, total = loop.time(), max(1, round(seconds(during, "during") * rps))

    async def one() -> None:
        status = await _request(app, method, target)
        answers[status] = answers.get(status, 0) + 1

    tasks = []
    for nth in range(total):
        await asyncio.sleep(max(0.0, began + nth / rps - loop.time()))
        tasks.append(loop.create_task(one()))
    await asyncio.gather(*tasks)
    return answers


async def _request(app: Any, method: str, target: str) -> int:
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(b"host", b"testserver")],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
    }
    status = 500

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]

    try:
        await app(scope, receive, send)
    except Exception:  # noqa: BLE001 - a server answers 500 then, and goes on.
        return 500
    return status
