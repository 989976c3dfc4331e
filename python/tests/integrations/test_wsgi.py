"""Flask, Django (sync and async) and plain WSGI."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import django
import flask
import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

import firebell
import firebell.asgi
import firebell.wsgi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from collector import Collector

pytestmark = pytest.mark.usefixtures("told")


def flask_app() -> flask.Flask:
    """An app with what a request can meet."""
    app = flask.Flask(__name__)

    @app.get("/items/<int:item>")
    def item(item: int) -> dict[str, int]:
        firebell.set_user("ana")
        firebell.fire("Seen", labels={"by": "flask"})
        return {"item": item}

    @app.get("/fail")
    def fail() -> str:
        raise KeyError("stock")

    @app.get("/stream")
    def stream() -> flask.Response:
        return flask.Response(str(number) for number in range(3))

    return app


def visit(app: Any, path: str) -> int:
    """Ask as a server does, which closes what the app gave."""
    return Client(app).get(path, buffered=True).status_code


def test_flask_tells_the_rule_of_the_url_also_below_a_dispatcher(told: Collector) -> None:
    app = flask_app()
    assert visit(app, "/items/7") == 200
    assert Client(app).get("/stream").get_data() == b"012"
    visit(app, "/nothing")
    visit(DispatcherMiddleware(flask.Flask("outer"), {"/shop": app}), "/shop/items/8")
    told.span("GET /items/<int:item>", http__response__status_code=200)
    told.span("GET /stream")
    told.span("GET /shop/items/<int:item>")
    told.span("GET unmatched", http__response__status_code=404)
    told.wait_count("http.server.request.duration", 1, http__route="/items/<int:item>")
    assert told.alert("Seen", by="flask")["annotations"]["route"] == "/items/<int:item>"


def test_flask_tells_an_exception_that_nobody_handled(told: Collector) -> None:
    assert visit(flask_app(), "/fail") == 500
    alert = told.alert("Exception", exception="KeyError")
    assert alert["annotations"]["route"] == "/fail"
    assert alert["annotations"]["trace_id"] == told.span("GET /fail").trace_id
    assert told.span("GET /fail").failed


def item(request: HttpRequest, pk: int) -> HttpResponse:  # noqa: ARG001
    """Answer."""
    firebell.breadcrumb("in the view")
    firebell.fire("Seen", labels={"by": "django", "pk": pk})
    return HttpResponse(str(pk))


async def item_async(request: HttpRequest, pk: int) -> HttpResponse:  # noqa: ARG001
    """Answer later."""
    await asyncio.sleep(0)
    firebell.fire("Seen", labels={"by": f"django {pk}"})
    if pk == 13:
        raise LookupError("thirteen")
    return HttpResponse(str(pk))


def stream(request: HttpRequest) -> StreamingHttpResponse:  # noqa: ARG001
    """Answer in parts."""
    return StreamingHttpResponse(iter([b"a", b"b"]))


def fail(request: HttpRequest) -> HttpResponse:
    """Fail."""
    raise RuntimeError(request.path)


urlpatterns = [
    path("items/<int:pk>/", item),
    path("async/<int:pk>/", item_async),
    path("stream/", stream),
    path("fail/", fail),
]


@pytest.fixture(scope="module")
def django_settings() -> None:
    """Set Django up once; the middleware comes by itself."""
    settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="x", ALLOWED_HOSTS=["*"], DEBUG=False)
    django.setup()


@pytest.mark.usefixtures("django_settings")
def test_django_tells_routes_streams_and_exceptions(told: Collector) -> None:
    from django.test import Client as DjangoClient

    client = DjangoClient(raise_request_exception=False)
    client.get("/items/7/", headers={"x-request-id": "r-2"})
    assert b"".join(client.get("/stream/").streaming_content) == b"ab"
    client.get("/nothing/")
    assert client.get("/fail/").status_code == 500
    told.span("GET /items/<int:pk>/", http__response__status_code=200)
    told.span("GET /stream/")
    told.span("GET unmatched", http__response__status_code=404)
    assert told.alert("Seen", by="django")["annotations"]["route"] == "/items/<int:pk>/"
    alert = told.alert("Exception", exception="RuntimeError")
    assert alert["annotations"]["trace_id"] == told.span("GET /fail/").trace_id
    assert len([it for it in told.spans if it.name.startswith("GET /items")]) == 1


@pytest.mark.usefixtures("django_settings")
def test_django_async_views_are_told_too(told: Collector) -> None:
    from django.test import AsyncClient

    async def visit() -> tuple[int, int]:
        client = AsyncClient(raise_request_exception=False)
        first = await client.get("/async/7/")
        second = await client.get("/async/13/")
        return first.status_code, second.status_code

    assert asyncio.run(visit()) == (200, 500)
    told.span("GET /async/<int:pk>/", http__response__status_code=200)
    alert = told.alert("Exception", exception="LookupError")
    notes = alert["annotations"]
    assert (notes["path"], notes["route"]) == ("/async/13/", "/async/<int:pk>/")


@pytest.mark.usefixtures("django_settings")
def test_django_below_a_middleware_of_ours_tells_its_routes_before_the_end(told: Collector) -> None:
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application

    environs: list[dict[str, Any]] = []
    django_app = get_wsgi_application()

    def within(environ: dict[str, Any], start_response: Any) -> Any:
        environs.append(environ)
        # Nobody has resolved anything yet.
        firebell.fire("Early", labels={"path": environ["PATH_INFO"]})
        return django_app(environ, start_response)

    app = firebell.wsgi.Middleware(within)
    assert visit(app, "/items/9/") == 200
    assert visit(app, "/nothing/") == 404
    asyncio.run(ask(firebell.asgi.Middleware(get_asgi_application()), "/async/8/"))
    told.span("GET /items/<int:pk>/", http__response__status_code=200)
    told.span("GET unmatched", http__response__status_code=404)
    told.span("GET /async/<int:pk>/", http__response__status_code=200)
    assert len(told.spans) == 3
    assert told.alert("Seen", pk="9")["annotations"]["route"] == "/items/<int:pk>/"
    assert told.alert("Seen", by="django 8")["annotations"]["route"] == "/async/<int:pk>/"
    assert "route" not in told.alert("Early", path="/items/9/")["annotations"]
    # Nothing of ours keeps the request alive.
    assert firebell.wsgi.FIND_KEY not in environs[0]


async def ask(app: Any, path: str) -> None:
    """Ask as an ASGI server does."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
        "root_path": "", "headers": [], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            await asyncio.sleep(60)
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pass

    await app(scope, receive, send)


def test_plain_wsgi_ends_a_request_with_its_last_chunk_or_its_failure(told: Collector) -> None:
    closed = []

    class Chunks:
        def __iter__(self) -> Iterator[bytes]:
            yield b"a"
            raise ValueError("broken pipe of the app")

        def close(self) -> None:
            closed.append(True)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        environ[firebell.wsgi.ROUTE_KEY] = "/report/{day}"
        start_response("200 OK", [])
        return Chunks()

    client = Client(firebell.wsgi.Middleware(app))
    with pytest.raises(ValueError, match="broken pipe"):
        client.get("/report/monday").get_data()
    assert told.span("GET /report/{day}").failed
    told.alert("Exception", exception="ValueError")


def test_paths_that_are_excluded_are_not_told(told: Collector) -> None:
    app = firebell.wsgi.Middleware(flask_app(), exclude=("/healthz", "/items*"))
    visit(app, "/healthz")
    visit(app, "/items/7")
    visit(app, "/fail")
    told.span("GET /fail")
    assert [it.name for it in told.spans] == ["GET /fail"]
