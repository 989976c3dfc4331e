"""httpx: what clients send, sync and async, over any transport."""

from __future__ import annotations

from . import _outgoing, _patch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import ModuleType
    from typing import Any


def installed(module: ModuleType) -> None:
    """Wrap `send` of both clients; redirects and authentication are within one span."""
    _patch.around(module.Client, "send", _send)
    _patch.around(module.AsyncClient, "send", _send_async)


def _begin(request: Any) -> _outgoing.Outgoing:
    url = request.url
    plain = str(url.copy_with(query=None, userinfo=b"", fragment=None))
    return _outgoing.Outgoing(request.method, plain, url.host, url.port, request.headers)


def _send(send: Callable[..., Any], client: Any, request: Any, **kwargs: Any) -> Any:
    outgoing = _begin(request)
    try:
        response = send(client, request, **kwargs)
    except BaseException as error:
        outgoing.end(None, error)
        raise
    outgoing.end(response.status_code)
    return response


async def _send_async(
    send: Callable[..., Awaitable[Any]], client: Any, request: Any, **kwargs: Any
) -> Any:
    outgoing = _begin(request)
    try:
        response = await send(client, request, **kwargs)
    except BaseException as error:
        outgoing.end(None, error)
        raise
    outgoing.end(response.status_code)
    return response
