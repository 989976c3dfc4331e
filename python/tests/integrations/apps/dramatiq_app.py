"""Actors of Dramatiq."""

import os
import sys

import dramatiq
from dramatiq.brokers.redis import RedisBroker

import firebell

firebell.init("jobs")

dramatiq.set_broker(RedisBroker(url=os.environ["REDIS_URL"], namespace="dramatiq-test"))


@dramatiq.actor(queue_name="mail")
def add(first: int, second: int) -> None:
    """Add."""
    firebell.set_tag("sum", first + second)


@dramatiq.actor(queue_name="mail", max_retries=1, min_backoff=1, max_backoff=1)
def fail(order: str) -> None:
    """Fail."""
    raise ValueError(order)


if __name__ == "__main__" and sys.argv[1:] == ["send"]:
    with firebell.span("sender"):
        add.send(1, 2)
        fail.send("o-17")
