"""Instruments what the app imports, and imports nothing itself.

A table says which module's import calls which installer, by the name under which it is switched
off.
"""

from __future__ import annotations

import sys

from . import _hooks, _self

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

# Name of the integration -> module that is waited for -> module of ours with `installed(module)`.
TABLE: dict[str, tuple[str, str]] = {
    "starlette": ("starlette.applications", "asgi"),
    "fastapi": ("fastapi.applications", "asgi"),
    "django": ("django.core.handlers.base", "django"),
    "flask": ("flask.app", "flask"),
    "celery": ("celery.app.base", "celery"),
    "rq": ("rq.worker", "rq"),
    "arq": ("arq.worker", "arq"),
    "dramatiq": ("dramatiq", "dramatiq"),
    "asyncio": ("asyncio.base_events", "asyncio"),
    "httpx": ("httpx", "httpx"),
    "requests": ("requests.adapters", "requests"),
    "sqlalchemy": ("sqlalchemy.engine.base", "sqlalchemy"),
    "excepthook": ("sys", "_excepthook"),
    "threading": ("threading", "_excepthook"),
    "background": ("starlette.background", "_background"),
}
# What comes with another one: who switches that off means this too.
PARTS = {"background": "starlette", "threading": "excepthook"}
OPTIONAL: dict[str, tuple[str, str]] = {"threads": ("concurrent.futures.thread", "_threads")}

_installed: set[str] = set()


def install(wanted: Sequence[str] | str, disabled: Sequence[str]) -> None:
    """Wait for the libraries that are wanted ("auto": all that are known) and not disabled."""
    known = {**TABLE, **OPTIONAL}
    for name in [*(wanted if not isinstance(wanted, str) else ()), *disabled]:
        if name not in known:
            _self.warn(f"there is no integration {name!r}; known are {', '.join(sorted(known))}")
    for name, (module, ours) in known.items():
        whole = PARTS.get(name, name)
        is_wanted = name in TABLE if isinstance(wanted, str) else {name, whole} & {*wanted}
        if not is_wanted or name in disabled or whole in disabled or name in _installed:
            continue
        _installed.add(name)
        _hooks.when_imported(module, _installer(ours))


def is_on(name: str) -> bool:
    """Whether the integration is wanted: for those that begin when another one sees work."""
    return name in _installed


def _installer(ours: str) -> Callable[[ModuleType], None]:
    def install_ours(module: ModuleType) -> None:
        full = f"firebell.{ours}"
        __import__(full)
        sys.modules[full].installed(module)

    return install_ours
