"""Puts a function of ours around one of a library, once."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def around(owner: Any, name: str, ours: Callable[..., Any]) -> bool:
    """Replace `owner.name` by a call of `ours(original, *arguments)`; False where it is missing.

    Doing it again changes nothing. Only what `owner` itself defines is replaced, so that a subclass
    does not get its base's function twice.
    """
    import functools

    original = vars(owner).get(name)
    if original is None:
        return False
    if getattr(original, "__firebell__", False):
        return True

    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return ours(original, *args, **kwargs)

    wrapped.__firebell__ = True  # type: ignore[attr-defined]
    setattr(owner, name, wrapped)
    return True
