"""httpx, requests and SQLAlchemy: what the app asks of others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest
import requests
import sqlalchemy
from serving import Answer, Asked, Serving
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

import firebell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collector import Collector


@pytest.fixture
def peer() -> Iterator[tuple[str, list[str]]]:
    """A server that answers 200 or, for /missing, 404; and the traceparents that it got."""
    got: list[str] = []

    def answer(asked: Asked) -> Answer:
        got.append(asked.headers.get("traceparent", ""))
        return Answer(404 if asked.path.startswith("/missing") else 200)

    with Serving(answer) as server:
        yield server.address, got


def test_httpx_requests_are_spans_that_the_peer_continues(
    told: Collector, peer: tuple[str, list[str]]
) -> None:
    address, got = peer

    async def later() -> None:
        async with httpx.AsyncClient() as client:
            await client.get(f"http://{address}/missing/async")

    with firebell.span("outside"):
        httpx.get(f"http://dana:geheim@{address}/here?token=geheim#part")
        asyncio.run(later())
    outside = told.span("outside")
    first = told.span("GET", url__full=f"http://{address}/here")
    second = told.span("GET", url__full=f"http://{address}/missing/async")
    assert first.parent_id == second.parent_id == outside.span_id
    assert (first.kind, first.attributes["http.response.status_code"]) == ("client", 200)
    assert second.failed
    assert [it[3:52] for it in got] == [
        f"{outside.trace_id}-{first.span_id}",
        f"{outside.trace_id}-{second.span_id}",
    ]
    told.wait_count("http.client.request.duration", 1, error__type="404")


def test_requests_are_spans_and_a_refused_connection_is_a_failure(
    told: Collector, peer: tuple[str, list[str]]
) -> None:
    address, got = peer
    requests.get(f"http://{address}/there?q=1", timeout=5)
    with pytest.raises(requests.ConnectionError):
        requests.get("http://127.0.0.1:1/nobody", timeout=5)
    span = told.span("GET", url__full=f"http://{address}/there")
    assert got == [f"00-{span.trace_id}-{span.span_id}-01"]
    assert told.span("GET", url__full="http://127.0.0.1:1/nobody").failed
    told.wait_count("http.client.request.duration", 1, error__type="ConnectionError")


def test_statements_are_spans_without_their_values(told: Collector) -> None:
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("select 'geheim', 4711 where :x = 1"), {"x": 1})
        with pytest.raises(OperationalError):
            connection.execute(sqlalchemy.text("select * from nowhere"))
    good = told.span("SELECT", db__query__text="select ?, ? where ? = ?")
    assert good.attributes["db.system.name"] == "sqlite"
    assert told.span("SELECT", db__query__text="select * from nowhere").failed
    told.wait_count("db.client.operation.duration", 1, error__type="OperationalError")
    assert "geheim" not in told.summary()


def test_async_engines_too(told: Collector) -> None:
    async def ask() -> None:
        engine = create_async_engine("sqlite+aiosqlite://")
        async with engine.connect() as connection:
            await connection.execute(sqlalchemy.text("select 2"))
        await engine.dispose()

    with firebell.span("outside"):
        asyncio.run(ask())
    span = told.span("SELECT", db__query__text="select ?")
    assert span.parent_id == told.span("outside").span_id
