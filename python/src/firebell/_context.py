"""Who and what an alert is about: user, tags, contexts, breadcrumbs, snapshots.

Everything is kept in one mutable scope for each request, held by one context variable. So a user
that is set in a sync dependency, in a thread with a copied context, is still there when the
request ends.
"""

from __future__ import annotations

from . import _native, _self

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Any, Literal, ParamSpec, TypeVar

    from ._native import Label, Level, Scope

    P = ParamSpec("P")
    R = TypeVar("R")

SNAPSHOTS_MAX = 100

_snapshots: dict[str, Callable[[], Mapping[str, Any]]] = {}


def set_user(id: str | int | None, **fields: Label) -> None:  # noqa: A002
    """Say whose request or job this is; None for nobody."""
    _native.current_scope().set_user(id, fields or None)


def set_tag(key: str, value: Label) -> None:
    """Put one searchable word onto what is recorded from here on in this request or job."""
    _native.current_scope().set_tag(key, value)


def set_context(name: str, /, **data: Any) -> None:
    """Put a group of facts (such as `cart`) onto alerts of this request or job."""
    _native.current_scope().set_context(name, data)


def breadcrumb(
    message: str, /, *, category: str = "app", level: Level = "info", **data: Any
) -> None:
    """Remember a step; the last ones (`max_breadcrumbs`) stand in the alert when something fails.

    They are in the ring file too: the alert of a worker that was killed has them.
    """
    _native.current_scope().breadcrumb(message, category=category, level=level, data=data or None)


def snapshot(name: str, fn: Callable[[], Mapping[str, Any]], /) -> None:
    """Call `fn` when an alert is made, and put its answer there: sizes of queues, states of pools.

    The same name replaces; at most `SNAPSHOTS_MAX` are kept. One that raises says so in its place.
    """
    if name not in _snapshots and len(_snapshots) >= SNAPSHOTS_MAX:
        _self.warn(f"the snapshot {name!r} is not taken: there are {SNAPSHOTS_MAX}")
        return
    _snapshots[name] = fn


def snapshots() -> dict[str, object]:
    """Call every function given to `snapshot`."""
    taken: dict[str, object] = {}
    for name, fn in list(_snapshots.items()):
        try:
            taken[name] = dict(fn())
        except Exception as error:  # noqa: BLE001, PERF203 - it must not hide the alert.
            taken[name] = {"raised": repr(error)}
    return taken


class _ScopeBlock:
    """A `with` block of its own scope; what is set inside ends with it."""

    __slots__ = ("_tags", "_tokens")

    def __init__(self, tags: dict[str, Label]) -> None:
        self._tags = tags
        self._tokens: list[object] = []

    def __enter__(self) -> Scope:
        self._tokens.append(_native.enter_scope())
        entered = _native.current_scope()
        for key, value in self._tags.items():
            entered.set_tag(key, value)
        return entered

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> Literal[False]:
        _native.exit_scope(self._tokens.pop())
        return False


def scope(**tags: Label) -> _ScopeBlock:
    """Open a child scope: `with firebell.scope(shard=3): …`. It begins as a copy of the current."""
    return _ScopeBlock(tags)


def bind_context(fn: Callable[P, R], /) -> Callable[P, R]:
    """Let `fn` run elsewhere, in a pool's thread, with the scope and span of here."""
    import contextvars
    import functools

    context = contextvars.copy_context()

    @functools.wraps(fn)
    def bound(*args: P.args, **kwargs: P.kwargs) -> R:
        # A context can be entered once at a time, a pool may call this twice at once.
        return context.copy().run(fn, *args, **kwargs)

    return bound
