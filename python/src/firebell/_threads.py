"""`integrations=["threads"]`: what is submitted to a `ThreadPoolExecutor` keeps scope and span."""

from __future__ import annotations

from . import _patch
from ._context import bind_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any


def installed(module: ModuleType) -> None:
    """Wrap `submit`."""
    _patch.around(module.ThreadPoolExecutor, "submit", _submit)


def _submit(
    submit: Callable[..., Any], self: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> Any:
    return submit(self, bind_context(fn), *args, **kwargs)
