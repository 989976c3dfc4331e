"""Owns what the web workers tell about themselves.

Each worker writes its values into `PROMETHEUS_MULTIPROC_DIR`; whichever of them is asked for
`/metrics` answers with the sum over all.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OK = "ok"
DECLINED = "declined"
FAILED = "failed"

REQUESTS = Counter("http_requests", "Requests answered.", ["method", "path", "status"])
DURATION = Histogram(
    "http_request_duration_seconds",
    "Time from a request's first byte to its answer's last.",
    ["method", "path"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
CHECKOUTS = Counter("checkout", "Checkouts by how they ended.", ["outcome"])

# A series that starts at its first failure has no increase to see: all outcomes begin at zero.
for _outcome in (OK, DECLINED, FAILED):
    CHECKOUTS.labels(_outcome)


def exposition(accept: str) -> tuple[bytes, str]:
    """Return the metrics of all workers and their content type, as the scraper prefers it."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class Measure:
    """ASGI middleware that counts and times requests by their route, never by their raw path."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and note it; an exception counts as 500."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.perf_counter()
        try:
            await self._app(scope, receive, note_status)
        finally:
            method = scope["method"]
            path = getattr(scope.get("route"), "path", "other")
            DURATION.labels(method, path).observe(time.perf_counter() - started)
            REQUESTS.labels(method, path, str(status)).inc()
