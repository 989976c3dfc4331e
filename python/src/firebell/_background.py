"""Background tasks of Starlette and FastAPI: a span of their own, linked to the request's."""

from __future__ import annotations

from . import _events, _native, _patch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import ModuleType
    from typing import Any


def installed(module: ModuleType) -> None:
    """Wrap what makes and what runs a task."""
    _patch.around(module.BackgroundTask, "__init__", _init)
    _patch.around(module.BackgroundTask, "__call__", _call)


def _init(init: Callable[..., None], task: Any, /, *args: Any, **kwargs: Any) -> None:
    init(task, *args, **kwargs)
    # It runs when the request is over; what the request knew is kept for it here.
    span = _native.current_span()
    task.__firebell__ = (_native.current_scope().fork(), span and span.traceparent)


async def _call(call: Callable[[Any], Awaitable[None]], task: Any) -> None:
    scope, traceparent = getattr(task, "__firebell__", (None, None))
    token = _native.enter_scope(scope)
    try:
        name = getattr(task.func, "__qualname__", type(task.func).__name__)
        with _native.span(f"background {name}") as span:
            if traceparent:
                span.link(traceparent)
            try:
                await call(task)
            except Exception as error:
                _events.capture_unhandled(error)
                raise
    finally:
        _native.exit_scope(token)
