"""The queue worker: packs paid orders, oldest first, and has a `/metrics` of its own.

Run it with `python -m shop.queue_worker PORT`.
"""

from __future__ import annotations

import random
import signal
import sys
import time
from threading import Event

from prometheus_client import Counter, Gauge, disable_created_metrics, start_http_server

from shop.store import Store

IDLE_SECONDS = 0.1
PACK_SECONDS = (0.005, 0.03)
DAMAGED_RATIO = 0.002

DEPTH = Gauge("queue_depth", "Orders that wait to be packed.")
JOBS = Counter("jobs", "Orders taken from the queue, by how they ended.", ["outcome"])


def main() -> None:
    """Work until told to stop."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    store = Store.from_environment()
    store.create()
    disable_created_metrics()  # type: ignore[no-untyped-call]
    DEPTH.set_function(store.n_orders)
    for outcome in ("ok", "failed"):
        JOBS.labels(outcome)
    start_http_server(int(sys.argv[1]), "127.0.0.1")
    while not stop.is_set():
        if not work_once(store):
            stop.wait(IDLE_SECONDS)


def work_once(store: Store) -> bool:
    """Pack the oldest order; false when there is none."""
    order = store.oldest_order()
    if order is None:
        return False
    time.sleep(random.uniform(*PACK_SECONDS))
    JOBS.labels("failed" if random.random() < DAMAGED_RATIO else "ok").inc()
    store.finish_order(order)
    return True


if __name__ == "__main__":
    main()
