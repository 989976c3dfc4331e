"""Tasks that go well, are tried again, fail, and end their process."""

import os
import signal

from celery import Celery, Task

import firebell

firebell.init("jobs")

folder = os.environ["QUEUES"]
app = Celery("jobs", broker="filesystem://")
app.conf.worker_lost_wait = 1.0
app.conf.broker_transport_options = {
    "data_folder_in": folder,
    "data_folder_out": folder,
    "control_folder": f"{folder}.control",
}


@app.task
def add(first: int, second: int) -> int:
    """Add."""
    firebell.breadcrumb("adding")
    return first + second


@app.task(bind=True, max_retries=1)
def flaky(self: Task) -> str:
    """Fail once."""
    if self.request.retries == 0:
        raise self.retry(exc=ConnectionError("not yet"), countdown=0)
    return "done"


@app.task
def fail(order: str) -> None:
    """Fail."""
    firebell.set_user("ana")
    raise ValueError(order)


@app.task(acks_late=False)
def die() -> None:
    """End as when memory is out."""
    firebell.breadcrumb("about to die")
    os.kill(os.getpid(), signal.SIGKILL)
