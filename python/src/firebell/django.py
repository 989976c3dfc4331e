"""Django, sync and async: `MIDDLEWARE = ["firebell.django.Middleware", *MIDDLEWARE]`.

Under `integrations="auto"` it is put there when Django loads its middleware. Routes are those of
`resolver_match`, such as `/items/<int:pk>/`. Exceptions that nobody took are told.
"""

from __future__ import annotations

from . import _events, _patch, wsgi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    from . import _native

NAME = "firebell.django.Middleware"


class Middleware:
    """One request: span, duration, scope, route; below another of ours only the route."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        from asgiref import sync

        self.get_response = get_response
        self._is_async = sync.iscoroutinefunction(get_response)
        if self._is_async:
            sync.markcoroutinefunction(self)
        _tell_exceptions()

    def __call__(self, request: Any) -> Any:
        """Serve one request."""
        if self._is_async:
            return self._serve_async(request)
        handle = _begin(request)
        try:
            response = self.get_response(request)
        except BaseException as error:
            _end(handle, request, 500, error)
            raise
        return _answered(handle, request, response)

    async def _serve_async(self, request: Any) -> Any:
        handle = _begin(request)
        try:
            response = await self.get_response(request)
        except BaseException as error:
            _end(handle, request, 500 if isinstance(error, Exception) else 499, error)
            raise
        return _answered(handle, request, response)


def _begin(request: Any) -> _native.Request | None:
    """None: an ASGI or WSGI middleware of ours around Django has begun it."""
    outer = getattr(request, "scope", None) or request.META
    if wsgi.KEY in outer:
        # It knows nothing of routes, and an alert may want to name one before the end.
        outer[wsgi.FIND_KEY] = lambda: _route(request)
        return None
    # ASGI's META has no scheme, but the request knows it.
    environ = {"wsgi.url_scheme": request.scheme, **request.META}
    handle = wsgi.begin(environ, lambda: _route(request))
    outer[wsgi.KEY] = handle
    return handle


def _answered(handle: _native.Request | None, request: Any, response: Any) -> Any:
    if not response.streaming or handle is None:
        _end(handle, request, response.status_code, None)
        return response
    close = response.close

    def close_and_end() -> None:
        try:
            close()
        finally:
            _end(handle, request, response.status_code, None)

    response.close = close_and_end
    return response


def _end(
    handle: _native.Request | None, request: Any, status: int, error: BaseException | None
) -> None:
    route = _route(request)
    if handle is not None:
        handle.end(status, route, error)
        return
    outer = getattr(request, "scope", None) or request.META
    # It holds the request, which holds it.
    outer.pop(wsgi.FIND_KEY, None)
    if route is not None:
        outer[wsgi.ROUTE_KEY] = route


def _route(request: Any) -> str | None:
    match = getattr(request, "resolver_match", None)
    if match is None:
        return None
    return f"/{match.route}" if not match.route.startswith("/") else str(match.route)


def _tell_exceptions() -> None:
    from django.core.signals import got_request_exception

    got_request_exception.connect(_tell, dispatch_uid="firebell")


def _tell(sender: object, request: Any = None, **_: object) -> None:  # noqa: ARG001
    import sys

    error = sys.exc_info()[1]
    if error is not None:
        _events.capture_unhandled(error, route=_route(request))


def installed(module: ModuleType) -> None:
    """Add the middleware where the settings have none."""
    _patch.around(module.BaseHandler, "load_middleware", _load)


def _load(load: Callable[..., None], handler: Any, *args: Any, **kwargs: Any) -> None:
    from django.conf import settings

    if NAME not in settings.MIDDLEWARE:
        settings.MIDDLEWARE = [NAME, *settings.MIDDLEWARE]
    load(handler, *args, **kwargs)
