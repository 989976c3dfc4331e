"""Jobs of arq, and a worker that ends when there are none left."""

import asyncio
import os
import sys
from typing import Any

from arq import Retry, Worker, create_pool
from arq.connections import RedisSettings

import firebell

firebell.init("jobs")

REDIS = RedisSettings.from_dsn(os.environ["REDIS_URL"])


async def add(ctx: dict[str, Any], first: int, second: int) -> int:  # noqa: ARG001
    """Add."""
    return first + second


async def flaky(ctx: dict[str, Any]) -> str:
    """Fail once."""
    if ctx["job_try"] == 1:
        raise Retry(defer=0)
    return "done"


async def fail(ctx: dict[str, Any], order: str) -> None:  # noqa: ARG001
    """Fail."""
    raise ValueError(order)


async def send() -> None:
    """Send one of each."""
    pool = await create_pool(REDIS)
    with firebell.span("sender"):
        await pool.enqueue_job("add", 1, 2)
        await pool.enqueue_job("flaky")
        await pool.enqueue_job("fail", "o-17", _job_id="mine")


async def work() -> None:
    """Do them."""
    worker = Worker(functions=[add, flaky, fail], redis_settings=REDIS, burst=True, poll_delay=0.05)
    await worker.main()
    await worker.close()


asyncio.run(send() if sys.argv[1] == "send" else work())
