"""WSGI middleware for any framework. One of them that knows its routes says so by `ROUTE_KEY`."""

from __future__ import annotations

from . import _events, _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

# In the environ: the request's handle, the template of its route, and until that is known for good
# what finds it.
KEY = "firebell"
ROUTE_KEY = "firebell.route"
FIND_KEY = "firebell.find_route"

_PROPAGATED = (
    ("traceparent", "HTTP_TRACEPARENT"),
    ("tracestate", "HTTP_TRACESTATE"),
    ("baggage", "HTTP_BAGGAGE"),
    ("x-request-id", "HTTP_X_REQUEST_ID"),
    ("user-agent", "HTTP_USER_AGENT"),
)


def begin(
    environ: Mapping[str, Any], find_route: Callable[[], str | None] | None = None
) -> _native.Request:
    """Begin a request of a WSGI environ, or of Django's `META`."""
    headers = {name: environ[key] for name, key in _PROPAGATED if key in environ}
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    scheme = environ.get("wsgi.url_scheme", "http")
    find = find_route or (lambda: _route(environ))
    method = environ["REQUEST_METHOD"]
    return _native.begin_request(method, path or "/", headers, scheme, find)


def _route(environ: Mapping[str, Any]) -> str | None:
    given: str | None = environ.get(ROUTE_KEY)
    if given is None:
        find: Callable[[], str | None] | None = environ.get(FIND_KEY)
        return None if find is None else find()
    return given


class Middleware:
    """Wrap the application: `app = firebell.wsgi.Middleware(app)`.

    `exclude` names paths that are not told of, exactly or with `*` at the end.
    """

    def __init__(
        self,
        app: Callable[..., Iterable[bytes]],
        *,
        exclude: Sequence[str] = ("/healthz", "/metrics"),
    ) -> None:
        self.app = app
        self._exact = frozenset(path for path in exclude if not path.endswith("*"))
        self._prefixes = tuple(path[:-1] for path in exclude if path.endswith("*"))

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Serve one request."""
        path = environ.get("PATH_INFO", "")
        if KEY in environ or path in self._exact or path.startswith(self._prefixes or "\0"):
            # What is excluded here, no middleware of ours within tells either.
            environ.setdefault(KEY, None)
            return self.app(environ, start_response)
        request = environ[KEY] = begin(environ)
        ending = _Ending(request, environ)

        def observed(status: str, headers: Any, exc_info: Any = None) -> Any:
            ending.status = int(status[:3])
            # Servers tell the two forms apart by the number of arguments.
            if exc_info is None:
                return start_response(status, headers)
            return start_response(status, headers, exc_info)

        try:
            body = self.app(environ, observed)
        except BaseException as error:
            ending.failed(error)
            raise
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(body, wrapper):
            # The server sends such a file by itself if it sees one.
            ending.done()
            return body
        return _Body(body, ending)


class _Ending:
    """Ends the request once, with what is known by then."""

    __slots__ = ("_environ", "_request", "status")

    def __init__(self, request: _native.Request, environ: dict[str, Any]) -> None:
        self._request = request
        self._environ = environ
        self.status = 0

    def done(self) -> None:
        self._request.end(self.status, _route(self._environ))

    def failed(self, error: BaseException) -> None:
        if isinstance(error, Exception):
            _events.capture_unhandled(error, route=_route(self._environ))
        self._request.end(self.status or 500, _route(self._environ), error)


class _Body:
    """The answer's chunks; the request ends with the last, or when the server closes it."""

    __slots__ = ("_chunks", "_ending", "_iterator")

    def __init__(self, chunks: Iterable[bytes], ending: _Ending) -> None:
        self._chunks = chunks
        self._ending = ending
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> _Body:
        return self

    def __next__(self) -> bytes:
        try:
            if self._iterator is None:
                self._iterator = iter(self._chunks)
            return next(self._iterator)
        except StopIteration:
            self._ending.done()
            raise
        except BaseException as error:
            self._ending.failed(error)
            raise

    def close(self) -> None:
        """Close what the application gave."""
        try:
            close = getattr(self._chunks, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            self._ending.failed(error)
            raise
        self._ending.done()
