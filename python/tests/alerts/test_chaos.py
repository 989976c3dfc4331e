"""Faults in front of apps, and load on them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import firebell
from firebell import testing


async def asgi(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"well"})


def wsgi(_environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [])
    return [b"well"]


def test_a_part_of_the_requests_fails_for_a_while_and_is_told_of() -> None:
    async def main() -> None:
        app = testing.chaos(asgi)
        answers = testing.Loaded()
        rule = firebell.AlertRule(
            "Errors", lambda: answers.error_rate, above=0.2, every=0.02, scope="process"
        )
        with firebell.AlertEngine([rule], notify=[]) as engine:
            async with app.errors(rate=0.5, during="60s", path="/orders*", seed=1) as fault:
                answers.update(await testing.load(app, "GET /orders?open=1", rps=400, during=0.5))
                calm = await testing.load(app, "GET /health", rps=100, during=0.1)
                alert = await fault.alert("Errors", within="30s")
            assert 0.3 < answers.error_rate < 0.7
            assert calm == {200: 10}
            assert alert.rule == "Errors"
            assert alert.after_s < 30
            after = await testing.load(app, "GET /orders", rps=100, during=0.1)
            assert after == {200: 10}
            assert engine.alerts

    asyncio.run(main())


def test_what_does_not_come_is_told_with_what_came() -> None:
    app = testing.chaos(asgi)
    with app.errors(rate=1, during=1) as fault:  # noqa: SIM117 - the fault is used in it
        with pytest.raises(
            AssertionError, match="Errors did not fire within 0 of the fault, which hit 0"
        ):
            fault.assert_alert("Errors", within=0)


def test_wsgi_apps_fail_and_wait_too() -> None:
    app: Any = testing.chaos(wsgi)
    told: list[str] = []

    def get() -> bytes:
        return b"".join(app({"PATH_INFO": "/"}, lambda status, _: told.append(status)))

    assert get() == b"well"
    with app.errors(rate=1, during="60s", status=503):
        assert get() == b"firebell chaos"
    with app.latency(add="1ms", during="60s") as fault:
        assert get() == b"well"
    assert told == ["200 OK", "503 Chaos", "200 OK"]
    assert fault.n_hit == 1


def test_load_counts_what_an_app_raises_as_500() -> None:
    async def broken(_scope: Any, _receive: Any, _send: Any) -> None:
        raise OSError("no")

    assert asyncio.run(testing.load(broken, "POST /", rps=1000, during=0.01)) == {500: 10}


def test_a_worker_is_killed() -> None:
    import multiprocessing

    app = testing.chaos(asgi)
    with pytest.raises(ProcessLookupError, match="has no child"):
        app.kill_worker(1 << 22)
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=_sleep)
    worker.start()
    fault = app.kill_worker()
    assert fault.pid == worker.pid
    worker.join(30)
    assert worker.exitcode == -9
    with pytest.raises(AssertionError, match="WorkerDied did not fire"):
        fault.assert_alert("WorkerDied", within=0)


def _sleep() -> None:
    import time

    time.sleep(300)
