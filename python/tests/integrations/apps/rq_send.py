"""Sends one of each."""

import os

from redis import Redis
from rq import Queue, Retry

import firebell

firebell.init("jobs")

queue = Queue("mail", connection=Redis.from_url(os.environ["REDIS_URL"]))
with firebell.span("sender"):
    queue.enqueue("rq_jobs.add", 1, 2)
    queue.enqueue("rq_jobs.fail", "o-17", retry=Retry(max=1))
    queue.enqueue("rq_jobs.die")
