"""FastAPI and Starlette under the middleware that "auto" puts around them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from werkzeug.test import Client

import firebell
import firebell.asgi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from collector import Collector

pytestmark = pytest.mark.usefixtures("told")


def sync_user() -> None:
    """A context variable that is set here is lost; the scope is not."""
    firebell.set_user("dana", plan="gold")


def shop() -> FastAPI:
    """An app with what a request can meet."""
    app = FastAPI()
    router = APIRouter(prefix="/api")

    @router.get("/items/{item}")
    async def item(item: int) -> dict[str, int]:
        return {"item": item}

    @router.get("/sold/{item}")
    async def sold(item: int) -> None:
        with firebell.scope(shelf=3):
            firebell.fire("SoldOut", labels={"item": item})

    @app.get("/fail/{number}")
    def fail(number: int, user: Annotated[None, Depends(sync_user)]) -> float:  # noqa: ARG001
        firebell.breadcrumb("about to divide", category="sum")
        return number / 0

    async def send_mail(to: str) -> None:
        firebell.breadcrumb(f"mail to {to}")
        await asyncio.sleep(0)

    @app.post("/orders")
    async def order(background: BackgroundTasks) -> dict[str, bool]:
        background.add_task(send_mail, "dana")
        return {"ok": True}

    @app.websocket("/talk")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("hello")
        await socket.close()

    app.include_router(router)
    inner = FastAPI()

    @inner.get("/users/{user}")
    def user(user: str) -> str:
        return user

    app.mount("/v1", inner)
    return app


def served(told: Collector) -> list[str]:
    """Name the server spans; the test's client makes spans of its own."""
    return [span.name for span in told.spans if span.kind == "server"]


def test_a_route_is_told_as_template_with_the_callers_trace(told: Collector) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    assert TestClient(shop()).get("/api/items/7?token=x", headers=headers).status_code == 200
    span = told.span("GET /api/items/{item}")
    assert (span.kind, span.trace_id, span.parent_id) == ("server", trace, "00f067aa0ba902b7")
    assert span.attributes["http.route"] == "/api/items/{item}"
    assert span.attributes["http.response.status_code"] == 200
    assert "token" not in str(span.attributes)
    told.wait_count("http.server.request.duration", 1, http__route="/api/items/{item}")


def test_a_mounted_app_gives_the_whole_template_and_what_matches_nothing_is_unmatched(
    told: Collector,
) -> None:
    client = TestClient(shop())
    client.get("/v1/users/ana")
    client.get("/v1/nothing")
    client.get("/nothing/at/all")
    told.span("GET /v1/users/{user}")
    told.wait_count("http.server.request.duration", 2, http__route="unmatched")
    told.wait(lambda: told.latest("http.server.active_requests") == 0)


def test_a_mount_with_parameters_names_them_in_starlette(told: Collector) -> None:
    def hello(request: Any) -> PlainTextResponse:
        return PlainTextResponse(request.path_params["name"])

    inner = [Route("/hello/{name}", hello)]
    app = Starlette(routes=[Mount("/{tenant}", routes=inner)])
    TestClient(app).get("/acme/hello/ana")
    told.span("GET /{tenant}/hello/{name}")


def test_an_exception_is_an_alert_with_user_route_breadcrumbs_and_trace(told: Collector) -> None:
    client = TestClient(shop(), raise_server_exceptions=False)
    assert client.get("/fail/7", headers={"x-request-id": "r-1"}).status_code == 500
    alert = told.alert("Exception", exception="ZeroDivisionError")
    span = told.span("GET /fail/{number}")
    notes = alert["annotations"]
    assert notes["trace_id"] == span.trace_id
    assert "dana" in notes["user"]
    assert "about to divide" in notes["breadcrumbs"]
    assert notes["request_id"] == "r-1"
    assert (notes["path"], notes["route"]) == ("/fail/7", "/fail/{number}")
    assert "ZeroDivisionError in " in notes["summary"]
    assert span.failed
    told.wait_count("http.server.request.duration", 1, http__response__status_code=500)
    assert len([it for it in told.alerts if it["labels"]["alertname"] == "Exception"]) == 1


def test_an_alert_of_the_app_has_the_route_before_the_request_is_over(told: Collector) -> None:
    TestClient(shop()).get("/api/sold/7")
    notes = told.alert("SoldOut", item="7")["annotations"]
    assert (notes["path"], notes["route"]) == ("/api/sold/7", "/api/sold/{item}")


def test_a_background_task_has_a_span_of_its_own_linked_to_the_request(told: Collector) -> None:
    TestClient(shop()).post("/orders")
    request = told.span("POST /orders")
    task = told.span("background shop.<locals>.send_mail")
    assert task.links == [request.span_id]
    assert task.parent_id != request.span_id


def test_metrics_can_be_scraped_from_this_process() -> None:
    firebell.counter("test.scraped").inc(2, shelf="a")
    app = shop()
    app.mount("/metrics", firebell.metrics_app())
    answer = TestClient(app).get("/metrics/")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert 'test_scraped_total{shelf="a"} 2' in answer.text
    assert b"test_scraped_total" in Client(firebell.metrics_app()).get("/").data


def test_websockets_and_lifespan_pass_through(told: Collector) -> None:
    began = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        began.append(True)
        yield
        began.append(False)

    app = shop()
    app.router.lifespan_context = lifespan
    with TestClient(app) as client:
        with client.websocket_connect("/talk") as socket:
            assert socket.receive_text() == "hello"
        client.get("/v1/users/ana")
    assert began == [True, False]
    told.span("GET /v1/users/{user}")
    assert served(told) == ["GET /v1/users/{user}"]


def test_an_app_with_the_middleware_added_by_hand_is_told_once(told: Collector) -> None:
    app = shop()
    app.add_middleware(
        firebell.asgi.Middleware,
        exclude=("/orders*",),
        capture_headers=["X-Shard"],
        user=lambda scope: scope["path"],
    )
    client = TestClient(app)
    client.post("/orders")
    client.get("/v1/users/ana", headers={"x-shard": "3"})
    span = told.span("GET /v1/users/{user}")
    assert span.attributes["http.request.header.x-shard"] == "3"
    assert served(told) == [span.name]
