"""`/metrics` of all processes of a service, as an application to mount in each of them."""

from __future__ import annotations

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping
    from typing import Any

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class _MetricsApp:
    """Speaks ASGI when called with three arguments, WSGI with two."""

    def __call__(self, *arguments: Any) -> Any:
        return _asgi(*arguments) if len(arguments) == 3 else _wsgi(*arguments)


async def _asgi(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Any]],  # noqa: ARG001
    send: Callable[[Any], Awaitable[None]],
) -> None:
    if scope["type"] != "http":
        return
    headers = [(b"content-type", CONTENT_TYPE.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _native.expose_all().encode()})


def _wsgi(
    environ: dict[str, Any],  # noqa: ARG001
    start_response: Callable[[str, list[tuple[str, str]]], object],
) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", CONTENT_TYPE)])
    return [_native.expose_all().encode()]


def metrics_app() -> _MetricsApp:
    """Return an ASGI and WSGI application that answers with OpenMetrics text, exemplars included.

    Whichever worker answers tells of all of its service on this machine: counters and histograms
    are added up, with those of workers that are no more, so that they never go down; gauges have a
    label `pid` while several workers live. Call it where every worker does: what those count that
    never did is not in it.
    """
    _native.keep_totals()
    return _MetricsApp()
