"""Owns the fake neighbours: a target whose counters move, and a receiver that remembers."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Lock, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

CHECKOUTS_PER_SECOND = 50.0
FAILURE_RATIO = 0.2
TEXT = "text/plain; version=0.0.4; charset=utf-8"
FIRING = "firing"
RESOLVED = "resolved"
INTEGRATIONS = ("slack", "webhook")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """Say nothing: a client that is killed breaks its connections."""


class Served:
    """A small HTTP server on a port of the system's choice."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        """Listen and serve on a thread."""
        self._server = _Server(("127.0.0.1", 0), handler)
        self.port: int = self._server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Self:
        """Serve for a while."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


class Target(Served):
    """A shop: its counters grow with time; while it is broken, a fifth of checkouts fail."""

    def __init__(self) -> None:
        """Begin in good health."""
        self._lock = Lock()
        self._at = time.monotonic()
        self._counts = {"ok": 0.0, "failed": 0.0}
        self._ratio = 0.0
        self.n_scrapes = 0
        # What answers instead of the exposition, for targets that misbehave.
        self.behave: Callable[[BaseHTTPRequestHandler], None] | None = None
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                target.n_scrapes += 1
                if target.behave is not None:
                    target.behave(self)
                else:
                    answer(self, 200, target.exposition().encode(), TEXT)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)

    def break_it(self, ratio: float = FAILURE_RATIO) -> float:
        """Let that share of checkouts fail from now on; return the time."""
        with self._lock:
            self._advance()
            self._ratio = ratio
        return time.time()

    def mend(self) -> float:
        """Let all checkouts succeed from now on; return the time."""
        return self.break_it(0.0)

    def exposition(self) -> str:
        """Return the counters as they are now."""
        with self._lock:
            self._advance()
            counts = dict(self._counts)
        lines = ["# TYPE checkout_total counter"]
        lines += [f'checkout_total{{outcome="{k}"}} {v:.3f}' for k, v in counts.items()]
        lines += [
            f'shop_seconds_bucket{{le="{le}"}} {counts["ok"] * share:.3f}' for le, share in LES
        ]
        lines += ['queue_depth{queue="mail"} 3', 'queue_depth{queue="orders"} 7.5']
        return "\n".join(lines) + "\n"

    def _advance(self) -> None:
        now = time.monotonic()
        n_checkouts = (now - self._at) * CHECKOUTS_PER_SECOND
        self._counts["failed"] += n_checkouts * self._ratio
        self._counts["ok"] += n_checkouts * (1 - self._ratio)
        self._at = now


LES = (("0.1", 0.5), ("0.5", 0.9), ("1", 0.97), ("+Inf", 1.0))


@dataclass(frozen=True)
class Arrival:
    """One notification that came in, accepted or not."""

    integration: str
    status: str
    at: float
    accepted: bool
    body: Any = field(repr=False)

    @property
    def alert_names(self) -> list[str]:
        """Return the names of its alerts; only a webhook tells them."""
        return sorted(alert["labels"]["alertname"] for alert in self.body.get("alerts", []))


class Receiver(Served):
    """Answers `/slack` and `/webhook`; remembers what arrived, also what it refused."""

    def __init__(self) -> None:
        """Begin willing."""
        self._changed = Condition()
        self._arrivals: list[Arrival] = []
        # Status and seconds until the answer, for the next request of an integration.
        self.plan: Callable[[str], tuple[int, float]] = lambda _: (200, 0.0)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                # A sender that was killed while it wrote has not delivered.
                if len(body) == length:
                    status = receiver._take(self.path.strip("/"), json.loads(body))
                    answer(self, status, b"ok", "text/plain")

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)

    def arrivals(self, since: float = 0.0, until: float = float("inf")) -> list[Arrival]:
        """Return what was accepted in that time, in order."""
        with self._changed:
            found = [a for a in self._arrivals if a.accepted and since <= a.at < until]
        return sorted(found, key=lambda arrival: arrival.at)

    def refused(self) -> int:
        """Return how many were refused so far."""
        with self._changed:
            return sum(not arrival.accepted for arrival in self._arrivals)

    def count(self, integration: str, status: str, since: float = 0.0) -> int:
        """Return how many of a kind were accepted."""
        of_kind = [(a.integration, a.status) for a in self.arrivals(since)]
        return of_kind.count((integration, status))

    def has_told(self, status: str, since: float) -> bool:
        """Say whether every integration was told."""
        return all(self.count(integration, status, since) > 0 for integration in INTEGRATIONS)

    def wait_next(self, seconds: float) -> bool:
        """Wait for the next request, accepted or not."""
        with self._changed:
            return self._changed.wait(seconds)

    def _take(self, integration: str, body: Any) -> int:
        code, delay = self.plan(integration)
        status = _status(integration, body)
        arrival = Arrival(integration, status, time.time(), code == 200, body)
        with self._changed:
            self._arrivals.append(arrival)
            self._changed.notify_all()
        time.sleep(delay)
        return code


def _status(integration: str, body: Any) -> str:
    if integration == "slack":
        return {"danger": FIRING, "good": RESOLVED}[body["attachments"][0]["color"]]
    return str(body["status"])


def answer(handler: BaseHTTPRequestHandler, status: int, body: bytes, kind: str) -> None:
    """Answer a request whole."""
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
