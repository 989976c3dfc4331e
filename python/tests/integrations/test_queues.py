"""Celery prefork, RQ's forking worker, arq and Dramatiq, each with its own worker and Redis."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import firebell.celery

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from collector import Collector

    Start = Callable[..., Any]


def send(start: Start, *command: str, **environment: str) -> None:
    """Run a sender to its end."""
    assert start(sys.executable, *command, **environment).wait(120) == 0


def check_trace(collector: Collector, queue: str, *tasks: str) -> None:
    """Producer and consumer spans are in the sender's trace, and the time in the queue is known."""
    sender = collector.span("sender")
    for task in tasks:
        span = collector.span(f"process {task}")
        sent = collector.span(f"send {queue}", firebell__task=task)
        assert span.kind == "consumer"
        assert sent.kind == "producer"
        assert span.trace_id == sent.trace_id == sender.trace_id
        assert span.parent_id == sent.span_id
        assert span.resource["process.pid"] != sent.resource["process.pid"]
        collector.wait_count("firebell.queue.wait", 1, firebell__task=task)
        collector.wait_count("messaging.client.sent.messages", 1, firebell__task=task)


def test_celery_prefork(collector: Collector, start: Start, tmp_path: Path) -> None:
    queues = tmp_path / "queues"
    queues.mkdir()
    options = ("-c", "2", "-P", "prefork", "-l", "error", "--without-mingle", "--without-gossip")
    start("celery", "-A", "celery_app", "worker", *options, QUEUES=str(queues))
    send(start, "celery_send.py", QUEUES=str(queues))
    check_trace(collector, "celery", "celery_app.add", "celery_app.fail")
    failed = collector.alert("Exception", exception="ValueError")
    assert "ana" in failed["annotations"]["user"]
    assert failed["annotations"]["trace_id"] == collector.span("sender").trace_id
    collector.wait_count("firebell.queue.retries", 1, firebell__task="celery_app.flaky")
    collector.span("process celery_app.flaky", firebell__attempt=2)
    collector.wait(
        lambda: any(it[0] == "firebell.queue.depth" for it in collector.points), "the queue's depth"
    )
    duration = collector.wait_count(
        "messaging.process.duration", 1, firebell__task="celery_app.fail", error__type="ValueError"
    )
    assert duration == 1
    send(start, "celery_send.py", "die", QUEUES=str(queues))
    killed = collector.alert("Exception", exception="WorkerLostError", severity="critical")
    assert "celery_app.die" in killed["annotations"]["tags"]
    died = collector.alert("WorkerDied", service="jobs")
    assert "about to die" in str(died["annotations"])


def test_a_task_with_a_countdown_waits_for_a_worker_from_its_end_on() -> None:
    since = firebell.celery._waits_since
    assert since("1000.000", None) == "1000.000"
    assert since("1000.000", "1970-01-01T00:20:00+00:00") == "1200.000"
    assert since("1300.000", "1970-01-01T00:20:00.500+00:00") == "1300.000"
    assert since(None, "1970-01-01T00:20:00+00:00") is None
    assert since("1000.000", "1970-01-01T00:20:00") is None
    assert since("1000.000", "soon") is None


def test_the_age_of_what_waits_longest_is_read_from_redis() -> None:
    class Client:
        def lindex(self, name: str, index: int) -> bytes | None:
            assert index == -1
            headers = {"firebell-sent-at": f"{time.time() - 40:.3f}"}
            return json.dumps({"headers": headers}).encode() if name == "full" else None

    class Channel:
        client = Client()

    assert 39 <= (firebell.celery._oldest_age(Channel(), "full") or 0) < 400
    assert firebell.celery._oldest_age(Channel(), "empty") == 0
    assert firebell.celery._oldest_age(object(), "no redis") is None


def test_rq_forks_a_child_that_leaves_by_os_exit(
    collector: Collector, start: Start, redis_url: str
) -> None:
    send(start, "rq_send.py", REDIS_URL=redis_url)
    send(start, "rq_worker.py", REDIS_URL=redis_url)
    check_trace(collector, "mail", "rq_jobs.add", "rq_jobs.fail")
    failed = collector.alert("Exception", exception="ValueError")
    assert "ana" in failed["annotations"]["user"]
    collector.wait_count("firebell.queue.retries", 1, firebell__task="rq_jobs.fail")
    assert collector.alert("JobKilled", task="rq_jobs.die")["labels"]["severity"] == "critical"
    collector.wait_count("messaging.process.duration", 1, firebell__task="rq_jobs.add")
    collector.wait(
        lambda: any(it[0] == "firebell.queue.depth" for it in collector.points), "the queue's depth"
    )


def test_arq(collector: Collector, start: Start, redis_url: str) -> None:
    url = redis_url.replace("/0", "/2")
    send(start, "arq_app.py", "send", REDIS_URL=url)
    send(start, "arq_app.py", "work", REDIS_URL=url)
    check_trace(collector, "arq:queue", "add")
    # Its sender chose an id of its own: nothing carries the trace, the rest is told.
    assert collector.span("process fail").attributes["messaging.message.id"] == "mine"
    collector.alert("Exception", exception="ValueError")
    collector.wait_count("firebell.queue.retries", 1, firebell__task="flaky")
    collector.span("process flaky", firebell__attempt=2)


def test_dramatiq(collector: Collector, start: Start, redis_url: str) -> None:
    url = redis_url.replace("/0", "/3")
    start("dramatiq", "dramatiq_app", "-p", "1", "-t", "2", REDIS_URL=url)
    send(start, "dramatiq_app.py", "send", REDIS_URL=url)
    check_trace(collector, "mail", "add")
    collector.wait_count("firebell.queue.retries", 1, firebell__task="fail")
    collector.alert("Exception", exception="ValueError")
    collector.span("process fail", firebell__attempt=2)
