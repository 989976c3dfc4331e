"""requests: each request that an adapter sends, so each hop of a redirect."""

from __future__ import annotations

from . import _outgoing, _patch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any


def installed(module: ModuleType) -> None:
    """Wrap `HTTPAdapter.send`."""
    _patch.around(module.HTTPAdapter, "send", _send)


def _send(send: Callable[..., Any], adapter: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
    from urllib.parse import urlsplit

    parts = urlsplit(request.url)
    outgoing = _outgoing.Outgoing(
        request.method, request.url, parts.hostname or "", parts.port, request.headers
    )
    try:
        response = send(adapter, request, *args, **kwargs)
    except BaseException as error:
        outgoing.end(None, error)
        raise
    outgoing.end(response.status_code)
    return response
