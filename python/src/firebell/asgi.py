"""ASGI middleware: FastAPI, Starlette, Litestar, any other.

Each request gets one server span, `http.server.request.duration`, a scope of its own, and the
trace of whoever called. Routes are templates (`/items/{id}`), with those of mounted apps in full;
what matched none is `unmatched`. Websockets and lifespan pass through.
"""

from __future__ import annotations

import sys

from . import _auto, _events, _native, _patch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping, Sequence
    from types import ModuleType
    from typing import Any

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

# Where a request's handle stands in its ASGI scope; inner middleware of ours leaves it alone.
KEY = "firebell"
ROUTE_KEY = "firebell.route"
FIND_KEY = "firebell.find_route"

_NOTHING: MutableMapping[str, Any] = {}


class Middleware:
    """Put it outermost: `app.add_middleware(firebell.asgi.Middleware)`, or `Middleware(app)`.

    `exclude` names paths that are not told of, exactly or with `*` at the end. `capture_headers`
    are request headers that become attributes of the span. `user` gets the ASGI scope at the end
    of a request, and answers with the id of its user, or None.
    """

    def __init__(
        self,
        app: Any,
        *,
        exclude: Sequence[str] = ("/healthz", "/metrics"),
        capture_headers: Sequence[str] = (),
        user: Callable[[MutableMapping[str, Any]], str | int | None] | None = None,
    ) -> None:
        self.app = app
        self._exact = frozenset(path for path in exclude if not path.endswith("*"))
        self._prefixes = tuple(path[:-1] for path in exclude if path.endswith("*"))
        self._headers = frozenset(name.lower().encode() for name in capture_headers)
        self._user = user
        _know_routes()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or KEY in scope:
            await self._pass(scope, receive, send)
            return
        path = scope["path"]
        if path in self._exact or (self._prefixes and path.startswith(self._prefixes)):
            await self._pass(scope, receive, send)
            return
        root = scope.get("root_path", "")
        request = _native.begin_request(
            scope["method"],
            path,
            scope["headers"],
            scope.get("scheme", "http"),
            lambda: _route(scope, root),
        )
        scope[KEY] = request
        status = 0
        is_over = False

        async def observed(message: Message) -> None:
            nonlocal status, is_over
            await send(message)
            if message["type"] == "http.response.start":
                status = message["status"]
            elif status < 500 and not message.get("more_body"):
                # What runs after this, background tasks, is not the client's waiting. A failure
                # waits for its exception.
                is_over = True
                self._end(request, scope, root, status)

        try:
            await self.app(scope, receive, observed)
        except BaseException as error:
            if isinstance(error, Exception):
                _events.capture_unhandled(error, route=_route(scope, root))
            if not is_over:
                self._end(request, scope, root, status or _status_of(error), error)
            raise
        if not is_over:
            self._end(request, scope, root, status)

    async def _pass(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve what is not told of as a request."""
        if scope["type"] == "http":
            # What is excluded here, no middleware of ours within tells either.
            scope.setdefault(KEY, None)
        elif scope["type"] == "websocket" and KEY not in scope:
            await self._pass_websocket(scope, receive, send)
            return
        elif scope["type"] == "lifespan" and _auto.is_on("asyncio"):
            from . import asyncio as loops

            loops.watch_loop()
        await self.app(scope, receive, send)

    def _end(
        self,
        request: _native.Request,
        scope: MutableMapping[str, Any],
        root: str,
        status: int,
        error: BaseException | None = None,
    ) -> None:
        if self._headers or self._user is not None:
            self._before_end(scope, request)
        request.end(status, _route(scope, root), error)

    def _before_end(self, scope: MutableMapping[str, Any], request: _native.Request) -> None:
        if self._headers:
            for name, value in scope["headers"]:
                if name in self._headers:
                    key = f"http.request.header.{name.decode('latin-1')}"
                    request.span.set_attribute(key, value.decode("latin-1"))
        if self._user is not None:
            try:
                user = self._user(scope)
            except Exception as error:  # noqa: BLE001 - the app's function may raise anything.
                request.span.set_attribute("firebell.user.error", repr(error))
            else:
                request.scope.set_user(user)

    async def _pass_websocket(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        # Its user and tags are its own, not the process's.
        token = _native.enter_scope()
        scope[KEY] = None
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            _events.capture_unhandled(error)
            raise
        finally:
            _native.exit_scope(token)


def _status_of(error: BaseException) -> int:
    # A client that went away is nobody's failure; 499 is nginx's word for it.
    return 500 if isinstance(error, Exception) else 499


def _route(scope: MutableMapping[str, Any], root: str) -> str | None:
    """Return the template of the path, mounts included; None if nothing matched."""
    given: str | None = scope.get(ROUTE_KEY) or scope.get("path_template")
    if given is None and FIND_KEY in scope:
        # A framework within resolves routes of its own.
        given = scope[FIND_KEY]()
    if given is not None:
        return given
    route = scope.get("route")
    if route is None:
        return None
    # A router that FastAPI includes knows its prefix only here.
    included = scope.get("fastapi", _NOTHING).get("effective_route_context")
    path: str | None = getattr(included, "path_format", None) or getattr(route, "path", None)
    if path is None:
        return None
    mounted = scope.get("root_path", "")
    if len(mounted) <= len(root):
        return path
    parameters = scope.get("path_params") or {}
    if hasattr(route, "app") and hasattr(route, "routes"):
        # A mount is the last that matched: either its app has no routes, or none of them did.
        if route.routes:
            return None
        path = "/{path}"
        parameters = {key: value for key, value in parameters.items() if key != "path"}
    return _template_of_mount(mounted[len(root) :], path, parameters) + path


def _template_of_mount(prefix: str, path: str, parameters: MutableMapping[str, Any]) -> str:
    """Put the names of a mount's own parameters where their values stand."""
    values = {str(value): name for name, value in parameters.items() if f"{{{name}" not in path}
    if not values:
        return prefix
    parts = prefix.split("/")
    return "/".join(f"{{{values[part]}}}" if part in values else part for part in parts)


def _know_routes() -> None:
    """Let a route of Starlette say that it is the one, where that does not do so itself."""
    routing = sys.modules.get("starlette.routing")
    if routing is not None:
        _patch.around(routing.Route, "handle", _handle)


def _handle(
    handle: Callable[..., Awaitable[None]], route: Any, scope: Any, *arguments: Any
) -> Awaitable[None]:
    # Not a coroutine of its own: every request comes through here.
    scope.setdefault("route", route)
    return handle(route, scope, *arguments)


def installed(module: ModuleType) -> None:
    """Put the middleware around every Starlette or FastAPI that has none."""
    for name in ("Starlette", "FastAPI"):
        owner = getattr(module, name, None)
        if owner is not None:
            _patch.around(owner, "build_middleware_stack", _build)
    _know_routes()


def _build(build: Callable[[Any], Any], app: Any) -> Any:
    stack = build(app)
    has_one = any(entry.cls is Middleware for entry in app.user_middleware)
    return stack if has_one or isinstance(stack, Middleware) else Middleware(stack)
