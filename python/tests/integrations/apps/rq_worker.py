"""A worker that forks a child for each job, until there is none left."""

import os

from redis import Redis
from rq import Worker

import firebell

firebell.init("jobs")

Worker(["mail"], connection=Redis.from_url(os.environ["REDIS_URL"])).work(burst=True)
