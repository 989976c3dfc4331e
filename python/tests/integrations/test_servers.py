"""uvicorn with workers, gunicorn with and without preload: nothing is lost or doubled."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from integrations.waiting import free_port, is_listening, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector import Collector, Span

REQUESTS = 40


def visit(port: int, path: str) -> dict[str, Any]:
    """Ask on a connection of its own, so that the workers share the requests."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def check_counts(collector: Collector, port: int, route: str) -> None:
    """Every request of every worker is counted once."""
    wait_until(lambda: is_listening(port), "the server")
    answered_by = {visit(port, f"/items/{number}")["pid"] for number in range(REQUESTS)}
    counted = collector.wait_count("http.server.request.duration", REQUESTS, http__route=route)
    assert counted == REQUESTS
    spans = collector.wait(lambda: _served(collector, REQUESTS), "a span for each request")
    assert len(spans) == REQUESTS
    assert {int(it.resource["process.pid"]) for it in spans} == answered_by


def _served(collector: Collector, at_least: int) -> list[Span]:
    """Return the spans of requests once there are enough; background tasks have their own."""
    spans = [it for it in collector.spans if it.kind == "server"]
    return spans if len(spans) >= at_least else []


def test_uvicorn_with_workers(collector: Collector, start: Callable[..., Any]) -> None:
    port = free_port()
    start(
        "uvicorn", "fastapi_app:app", "--workers", "2", "--port", str(port), "--log-level", "error"
    )
    check_counts(collector, port, "/items/{item}")
    task = collector.span("background after")
    request = collector.wait(
        lambda: next((it for it in collector.spans if it.span_id in task.links), None)
    )
    assert request.trace_id != task.trace_id
    collector.wait_count("python.loop.lag", 1)


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["prefork", "preload"])
def test_gunicorn(
    collector: Collector, start: Callable[..., Any], preload: tuple[str, ...]
) -> None:
    port = free_port()
    address = f"127.0.0.1:{port}"
    start("gunicorn", "flask_app:app", "-w", "2", "-b", address, "--log-level", "error", *preload)
    check_counts(collector, port, "/items/<int:item>")
    with pytest.raises(urllib.error.HTTPError):
        visit(port, "/fail")
    collector.alert("Exception", exception="LookupError", service="web")
