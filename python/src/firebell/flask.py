"""Flask: `firebell.flask.init_app(app)`; under "auto" every app gets it by itself."""

from __future__ import annotations

from . import _events, _patch, wsgi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType
    from typing import Any


def init_app(app: Any, *, exclude: Sequence[str] = ("/healthz", "/metrics")) -> None:
    """Instrument one app; again changes nothing.

    The route is that of `url_rule`, below the prefix where a dispatcher mounted the app. Exceptions
    that no error handler took are told.
    """
    if "firebell" in app.extensions:
        return
    import flask

    app.extensions["firebell"] = True
    app.wsgi_app = wsgi.Middleware(app.wsgi_app, exclude=exclude)

    def note_route(sender: Any, **_: Any) -> None:  # noqa: ARG001
        request = flask.request
        if request.url_rule is not None:
            prefix = request.environ.get("SCRIPT_NAME", "")
            request.environ[wsgi.ROUTE_KEY] = prefix + request.url_rule.rule

    def tell(sender: Any, exception: BaseException, **_: Any) -> None:  # noqa: ARG001
        # Its environ has what `note_route` found.
        _events.capture_unhandled(exception, route=flask.request.environ.get(wsgi.ROUTE_KEY))

    # `weak=False`: nobody else holds these functions.
    flask.request_started.connect(note_route, app, weak=False)
    flask.got_request_exception.connect(tell, app, weak=False)


def installed(module: ModuleType) -> None:
    """Instrument every app when it is made."""
    _patch.around(module.Flask, "__init__", _init)


def _init(init: Callable[..., None], app: Any, /, *args: Any, **kwargs: Any) -> None:
    init(app, *args, **kwargs)
    init_app(app)
