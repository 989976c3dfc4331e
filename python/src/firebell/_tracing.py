"""`span` and `traced`."""

from __future__ import annotations

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, ParamSpec, TypeVar, overload

    from ._native import Kind, Label, Span

    P = ParamSpec("P")
    R = TypeVar("R")

# Flags of code objects, see the documentation of `inspect`.
_COROUTINE = 0x80
_GENERATORS = 0x20 | 0x200


def span(name: str, /, *, kind: Kind = "internal", **attributes: Label) -> Span:
    """Return a span, to be used by `with` or `async with`; it is a child of the current one."""
    return _native.span(name, kind, attributes or None)


if TYPE_CHECKING:

    @overload
    def traced(fn: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def traced(
        *, name: str | None = None, **attributes: Label
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def traced(
    fn: Callable[..., Any] | None = None, /, *, name: str | None = None, **attributes: Label
) -> Any:
    """Make a span of each call of a function, sync or async: `@traced`, `@traced(name="charge")`.

    Raises `TypeError` for a generator: who knows where it is continued; open a `span` inside.
    """
    if fn is None:
        return lambda it: _wrapped(it, name, attributes)
    return _wrapped(fn, name, attributes)


def _wrapped(
    fn: Callable[..., Any], name: str | None, attributes: dict[str, Label]
) -> Callable[..., Any]:
    import functools

    label = name or getattr(fn, "__qualname__", None) or type(fn).__name__
    code = getattr(getattr(fn, "__func__", fn), "__code__", None)
    flags = 0 if code is None else code.co_flags
    if flags & _GENERATORS:
        raise TypeError(f"traced: {label} is a generator; open a span inside it")
    make, given = _native.span, attributes or None

    if flags & _COROUTINE:

        @functools.wraps(fn)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            with make(label, "internal", given):
                return await _coroutine(fn, args, kwargs)

        return awaited

    @functools.wraps(fn)
    def called(*args: Any, **kwargs: Any) -> Any:
        with make(label, "internal", given):
            return fn(*args, **kwargs)

    return called


def _coroutine(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Coroutine[Any, Any, Any]:
    made: Coroutine[Any, Any, Any] = fn(*args, **kwargs)
    return made
