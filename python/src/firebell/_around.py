"""Functions within a block of their own for each call: what `histogram.time()` decorates."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def around(block: Any, function: Any) -> Any:
    """Return the function, sync or async, within a fresh block for each call."""
    import functools
    import inspect

    fresh = block._fresh  # noqa: SLF001
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*arguments: Any, **options: Any) -> Any:
            with fresh():
                return await function(*arguments, **options)

        return awaited

    @functools.wraps(function)
    def called(*arguments: Any, **options: Any) -> Any:
        with fresh():
            return function(*arguments, **options)

    return called
