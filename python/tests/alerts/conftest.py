"""A world for engines: a clock that is set, and somebody who is told."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from firebell import _rules

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Hook:
    """A server that takes what is posted."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.requests.append((self.path, dict(self.headers), body))
                if hook.status == 200:
                    hook.bodies.append(json.loads(body))
                self.send_response(hook.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _no_rules_of_others() -> Iterator[None]:
    before = dict(_rules._defined)
    _rules._defined.clear()
    yield
    _rules._defined.clear()
    _rules._defined.update(before)


class Told:
    """A notifier that remembers."""

    def __init__(self, name: str = "told") -> None:
        self.name = name
        self.events: list[Any] = []
        self.error: Exception | None = None

    async def send(self, alert: Any, /) -> None:
        if self.error is not None:
            raise self.error
        self.events.append(alert)

    @property
    def lines(self) -> list[str]:
        return [
            f"{it['change']} {it['name']} {it['severity']}: {it['message']}" for it in self.events
        ]


@pytest.fixture
def told() -> Told:
    return Told()
