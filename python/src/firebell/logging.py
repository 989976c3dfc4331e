"""Logs as JSON lines with `trace_id`, `span_id`, `request_id`, `user.id`; redacted; exported too.

Nothing that is there is replaced or reformatted: `setup()` adds one handler to the root logger.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from . import _events, _native
from ._events import _State

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from ._event import Event, Severity

NEVER = 1_000

# What every record has; the rest is the app's.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JSONFormatter(logging.Formatter):
    """For a handler that you have: one JSON line for each record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; nothing is exported by this."""
        return _native.log_record(record, False, False) or ""  # noqa: FBT003 - no keyword costs less


class Handler(logging.Handler):
    """Records for export; writes a JSON line to `stream` if there is one.

    What is at least `breadcrumbs_from` becomes a breadcrumb, what is at least `alert_from` an
    alert.
    """

    def __init__(
        self,
        level: int | str = logging.NOTSET,
        *,
        stream: Any = None,
        breadcrumbs_from: int = logging.INFO,
        alert_from: int | None = None,
    ) -> None:
        super().__init__(level)
        self._stream = stream
        self._end = None if stream is None else "\n"
        self._breadcrumbs_from = breadcrumbs_from
        self._alert_from = NEVER if alert_from is None else alert_from

    def handle(self, record: logging.LogRecord) -> bool:
        """Emit without the base class's lock: a line goes out by one call of `write`."""
        if not self.filters or self.filter(record):
            self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record. What fails here is the app's stream; it is told as logging tells it."""
        try:
            # What Firebell says of itself must not become what it sends.
            if record.name == "firebell":
                return
            number = record.levelno
            if _State.before_send is None:
                # Without keywords and further calls: every line of the app comes through here.
                crumb = number >= self._breadcrumbs_from
                line = _native.log_record(record, crumb, True, self._end)  # noqa: FBT003
            else:
                line = _through_before_send(record)
                if line is None:
                    return
            if self._stream is not None:
                self._stream.write(line)
            if number >= self._alert_from:
                _alert(record)
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001 - as every handler of logging does.
            self.handleError(record)

    def flush(self) -> None:
        """Flush the stream."""
        if self._stream is not None and hasattr(self._stream, "flush"):
            self._stream.flush()


def _through_before_send(record: logging.LogRecord) -> str | None:
    """Let the app's hook see a record; None: it does not want it told."""
    extras = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    error = record.exc_info[1] if record.exc_info else None
    event: Event = {
        "kind": "log",
        "id": "",
        "name": record.name,
        "severity": _severity(record.levelno),
        "message": record.getMessage(),
        "contexts": {"attributes": extras},
    }
    kept = _events.through_before_send(event, {"record": record, "exception": error})
    if kept is None:
        return None
    attributes = dict(kept.get("contexts", {}).get("attributes") or {})
    if "before_send_failed" in kept:
        attributes["before_send_failed"] = kept["before_send_failed"]
    level = record.levelname.lower()
    line = _native.log(level, kept["name"], kept["message"], attributes, error)
    return f"{line.decode()}\n"


def _alert(record: logging.LogRecord) -> None:
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        _events.capture_exception(error, severity=_severity(record.levelno), logger=record.name)
    else:
        _events.fire(
            f"Log: {record.name}",
            record.getMessage(),
            severity=_severity(record.levelno),
            labels={"logger": record.name, "where": f"{record.module}:{record.funcName}"},
        )


def _severity(number: int) -> Severity:
    if number >= logging.CRITICAL:
        return "critical"
    if number >= logging.ERROR:
        return "error"
    return "warning" if number >= logging.WARNING else "info"


def setup(level: int | str = "INFO", *, stream: Any = None, json: bool = True) -> None:
    """Add one handler to the root logger, which also lets records from `level` on pass.

    `json` writes lines to `stream`, by default stderr; without it records are only exported, and
    whoever prints them now goes on. Again changes nothing.
    """
    root = logging.getLogger()
    if any(isinstance(handler, Handler) for handler in root.handlers):
        return
    if json and stream is None:
        stream = sys.stderr
    root.addHandler(Handler(stream=stream if json else None))
    number = logging.getLevelName(level) if isinstance(level, str) else level
    if not isinstance(number, int):
        raise ValueError(f"level is {level!r}; it must be a number, DEBUG, INFO, …")  # noqa: TRY004
    if root.level == logging.WARNING or root.level > number:
        root.setLevel(number)


def structlog_processor(
    logger: Any, method: str, event: MutableMapping[str, Any], /
) -> MutableMapping[str, Any]:
    """Add the ids, redact, export; stands before the renderer, which gets the event."""
    rest = {key: value for key, value in event.items() if key not in {"event", "level", "logger"}}
    error = _error_of(rest.pop("exc_info", None))
    name = event.get("logger") or getattr(logger, "name", None) or "structlog"
    _native.log(method, str(name), str(event.get("event", "")), rest, error)
    event.update(_native.redact(dict(event)))
    for key, value in _ids().items():
        event.setdefault(key, value)
    return event


def loguru_sink(message: Any, /) -> None:
    """Take what loguru tells: `logger.add(firebell.logging.loguru_sink)`."""
    record = message.record
    error = record["exception"].value if record["exception"] else None
    attributes = dict(record["extra"])
    attributes["code.function.name"] = record["function"]
    attributes["code.line.number"] = record["line"]
    level = record["level"].name.lower()
    _native.log(level, record["name"] or "loguru", record["message"], attributes, error)


def _error_of(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _ids() -> dict[str, str]:
    span = _native.current_span()
    found = {} if span is None else {"trace_id": span.trace_id, "span_id": span.span_id}
    request_id = _native.current_scope().request_id
    if request_id:
        found["request_id"] = request_id
    return found
