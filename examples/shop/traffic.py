"""The people: visitors who browse, fill a basket and mostly check out, over HTTP.

Run it with `python -m shop.traffic URL --visits-per-second 4 --seconds 600`; both are bounded. It
prints what the visitors saw, as one JSON line, at the end and every few seconds.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from threading import Event, Lock
from typing import Any
from urllib.parse import urlsplit

VISITS_PER_SECOND_MAX = 50.0
SECONDS_MAX = 24 * 3600.0
AT_ONCE_MAX = 16
CHECKOUT_RATIO = 0.8
TIMEOUT_SECONDS = 10.0
REPORT_SECONDS = 10.0


class Tally:
    """What the visitors saw, from all threads."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._lock = Lock()
        self._seen: Counter[str] = Counter()

    def note(self, what: str) -> None:
        """Count one more."""
        with self._lock:
            self._seen[what] += 1

    def line(self) -> str:
        """Return the counts as JSON."""
        with self._lock:
            return json.dumps(dict(sorted(self._seen.items())))


class Visitor:
    """One visit over one connection."""

    def __init__(self, host: str, tally: Tally) -> None:
        """Get ready to visit `host` (`name:port`)."""
        self._connection = HTTPConnection(host, timeout=TIMEOUT_SECONDS)
        self._tally = tally

    def visit(self) -> None:
        """Browse, fill a basket, and mostly check out."""
        try:
            self._shop()
        except (OSError, HTTPException) as error:
            self._tally.note(f"no answer ({type(error).__name__})")
        finally:
            self._connection.close()

    def _shop(self) -> None:
        _, shelf = self._call("GET", "/products")
        wanted = random.sample(sorted(shelf), k=random.randint(1, 3))
        for product in wanted:
            self._call("GET", f"/products/{product}")
        _, opened = self._call("POST", "/baskets")
        for product in wanted:
            item = {"product": int(product), "quantity": random.randint(1, 3)}
            self._call("POST", f"/baskets/{opened['basket']}/items", item)
        if random.random() < CHECKOUT_RATIO:
            status, _ = self._call("POST", "/checkout", {"basket": opened["basket"]})
            self._tally.note(f"checkout {status}")

    def _call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        payload = None if body is None else json.dumps(body)
        self._connection.request(method, path, payload, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        text = response.read()
        self._tally.note("requests")
        return response.status, json.loads(text) if text else None


def drive(host: str, visits_per_second: float, seconds: float, stop: Event) -> Tally:
    """Send visitors at an even pace until time is up; a pool of threads bounds how many at once."""
    tally = Tally()
    ends_at = time.monotonic() + seconds
    report_at = time.monotonic() + REPORT_SECONDS
    with ThreadPoolExecutor(max_workers=AT_ONCE_MAX) as visitors:
        while time.monotonic() < ends_at and not stop.wait(1 / visits_per_second):
            visitors.submit(Visitor(host, tally).visit)
            if time.monotonic() >= report_at:
                report_at += REPORT_SECONDS
                print(tally.line(), flush=True)
        visitors.shutdown(cancel_futures=True)
    return tally


def main() -> int:
    """Read the command line and drive."""
    parser = argparse.ArgumentParser(description="visit the shop")
    parser.add_argument("url")
    parser.add_argument("--visits-per-second", type=float, default=4.0)
    parser.add_argument("--seconds", type=float, default=600.0)
    options = parser.parse_args()
    if not 0 < options.visits_per_second <= VISITS_PER_SECOND_MAX:
        parser.error(f"--visits-per-second is above 0 and at most {VISITS_PER_SECOND_MAX:g}")
    if not 0 < options.seconds <= SECONDS_MAX:
        parser.error(f"--seconds is above 0 and at most {SECONDS_MAX:g}")
    host = urlsplit(options.url).netloc
    if not host:
        parser.error(f"`{options.url}` is not a URL such as http://127.0.0.1:9480")
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    print(drive(host, options.visits_per_second, options.seconds, stop).line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
