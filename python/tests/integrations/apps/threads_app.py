"""A thread that fails, and a pool that keeps the span of whoever submits."""

import threading
from concurrent.futures import ThreadPoolExecutor

import firebell

firebell.init("threads", integrations=["excepthook", "threads"])


def fail() -> None:
    """Fail."""
    raise NotImplementedError("not yet")


def work() -> None:
    """Work."""
    with firebell.span("in the pool"):
        pass


thread = threading.Thread(target=fail, name="worker-7")
thread.start()
thread.join()
with ThreadPoolExecutor(1) as pool, firebell.span("outside"):
    pool.submit(work).result()
