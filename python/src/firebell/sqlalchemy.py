"""SQLAlchemy, async too: a span and `db.client.operation.duration` for each statement.

Values never leave the process: literals in the text of a statement become `?`, parameters are not
told.
"""

from __future__ import annotations

import time

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from ._native import Histogram

TEXT_CHARS_MAX = 2_000
STATEMENTS_MAX = 512
_STACK = "firebell"

_shown: dict[str, str] = {}
_durations: list[Histogram] = []


def installed(module: ModuleType) -> None:
    """Listen to every engine."""
    from sqlalchemy import event

    engine = module.Engine
    if event.contains(engine, "before_cursor_execute", _before):
        return
    event.listen(engine, "before_cursor_execute", _before)
    event.listen(engine, "after_cursor_execute", _after)
    event.listen(engine, "handle_error", _failed)


def _duration() -> Histogram:
    if not _durations:
        _durations.append(
            _native.histogram("db.client.operation.duration", "time of statements", unit="s")
        )
    return _durations[0]


def _before(  # noqa: PLR0917 - their signature.
    connection: Any,
    cursor: Any,  # noqa: ARG001
    statement: str,
    parameters: Any,  # noqa: ARG001
    context: Any,  # noqa: ARG001
    executemany: bool,  # noqa: ARG001, FBT001
) -> None:
    operation = statement.lstrip().split(None, 1)[0].upper()[:20] if statement.strip() else "EMPTY"
    labels: dict[str, Any] = {
        "db.system.name": connection.dialect.name,
        "db.operation.name": operation,
    }
    url = connection.engine.url
    if url.database:
        labels["db.namespace"] = url.database
    if url.host:
        labels["server.address"] = url.host
    span = _native.span(operation, "client", {**labels, "db.query.text": without_values(statement)})
    span.__enter__()
    connection.info.setdefault(_STACK, []).append((span, labels, time.perf_counter()))


def _after(connection: Any, *_: Any) -> None:
    _end(connection, None)


def _failed(context: Any) -> None:
    if context.connection is not None:
        _end(context.connection, context.original_exception)


def _end(connection: Any, error: BaseException | None) -> None:
    stack = connection.info.get(_STACK)
    if not stack:
        return
    span, labels, began = stack.pop()
    if error is not None:
        labels["error.type"] = type(error).__qualname__
    _duration().observe(time.perf_counter() - began, **labels)
    span.__exit__(None if error is None else type(error), error, None)


def without_values(statement: str) -> str:
    """Put `?` for every literal: text in quotes, numbers."""
    shown = _shown.get(statement)
    if shown is None:
        import re

        cut = statement[: 4 * TEXT_CHARS_MAX]
        shown = re.sub(r"'(?:[^']|'')*'?|\b\d+(?:\.\d+)?\b", "?", cut)[:TEXT_CHARS_MAX]
        if len(_shown) >= STATEMENTS_MAX:
            _shown.clear()
        _shown[statement] = shown
    return shown
