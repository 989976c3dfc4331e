"""Tells of uncaught exceptions, of the program or a thread; the hooks before go on."""

from __future__ import annotations

import sys

from . import _events, _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType, TracebackType

SECONDS_AT_THE_END = 0.3


def installed(module: ModuleType) -> None:
    """Stand before the hook of `sys` or of `threading`."""
    if module is sys:
        _watch_program()
    else:
        _watch_threads(module)


def _watch_program() -> None:
    before = sys.excepthook

    def hook(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            _events.capture_unhandled(error, "critical")
            _native.flush(SECONDS_AT_THE_END)
        before(kind, error, traceback)

    sys.excepthook = hook


def _watch_threads(threading: ModuleType) -> None:
    before = threading.excepthook

    def hook(arguments: object) -> None:
        error = getattr(arguments, "exc_value", None)
        if isinstance(error, Exception):
            thread = getattr(arguments, "thread", None)
            _events.capture_unhandled(error, thread=getattr(thread, "name", "?"))
        before(arguments)

    threading.excepthook = hook  # type: ignore[attr-defined]
