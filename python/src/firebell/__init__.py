"""Firebell for Python: checks, metrics, traces, logs and alerts with their context.

Every name is loaded when it is used for the first time: `import firebell` costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._client import Client as Client
    from ._client import flush as flush
    from ._client import init as init
    from ._context import bind_context as bind_context
    from ._context import breadcrumb as breadcrumb
    from ._context import scope as scope
    from ._context import set_context as set_context
    from ._context import set_tag as set_tag
    from ._context import set_user as set_user
    from ._context import snapshot as snapshot
    from ._engine import AlertEngine as AlertEngine
    from ._event import Event as Event
    from ._events import capture_exception as capture_exception
    from ._events import deploy as deploy
    from ._events import fire as fire
    from ._events import resolve as resolve
    from ._heartbeat import Heartbeat as Heartbeat
    from ._heartbeat import heartbeat as heartbeat
    from ._metrics_app import metrics_app as metrics_app
    from ._native import BoundCounter as BoundCounter
    from ._native import BoundGauge as BoundGauge
    from ._native import BoundHistogram as BoundHistogram
    from ._native import Counter as Counter
    from ._native import Gauge as Gauge
    from ._native import Histogram as Histogram
    from ._native import Redactor as Redactor
    from ._native import Scope as Scope
    from ._native import Span as Span
    from ._native import counter as counter
    from ._native import current_trace_id as current_trace_id
    from ._native import gauge as gauge
    from ._native import histogram as histogram
    from ._rules import AlertRule as AlertRule
    from ._rules import Verdict as Verdict
    from ._rules import alert as alert
    from ._rules import firing as firing
    from ._rules import healthcheck as healthcheck
    from ._rules import ok as ok
    from ._tracing import span as span
    from ._tracing import traced as traced

#: Public name → the module that has it; `_MODULES` are public themselves.
_EXPORTS: dict[str, str] = {
    "AlertEngine": "_engine",
    "AlertRule": "_rules",
    "BoundCounter": "_native",
    "BoundGauge": "_native",
    "BoundHistogram": "_native",
    "Client": "_client",
    "Counter": "_native",
    "Event": "_event",
    "Gauge": "_native",
    "Heartbeat": "_heartbeat",
    "Histogram": "_native",
    "Redactor": "_native",
    "Scope": "_native",
    "Span": "_native",
    "Verdict": "_rules",
    "alert": "_rules",
    "bind_context": "_context",
    "breadcrumb": "_context",
    "capture_exception": "_events",
    "counter": "_native",
    "current_trace_id": "_native",
    "deploy": "_events",
    "fire": "_events",
    "firing": "_rules",
    "flush": "_client",
    "gauge": "_native",
    "healthcheck": "_rules",
    "heartbeat": "_heartbeat",
    "histogram": "_native",
    "init": "_client",
    "metrics_app": "_metrics_app",
    "ok": "_rules",
    "resolve": "_events",
    "scope": "_context",
    "set_context": "_context",
    "set_tag": "_context",
    "set_user": "_context",
    "snapshot": "_context",
    "span": "_tracing",
    "traced": "_tracing",
}
_MODULES = {
    "anomaly",
    "arq",
    "asgi",
    "asyncio",
    "celery",
    "django",
    "dramatiq",
    "escalation",
    "flask",
    "httpx",
    "logging",
    "otel",
    "requests",
    "rq",
    "sqlalchemy",
    "testing",
    "wsgi",
}


def __getattr__(name: str) -> object:
    module = name if name in _MODULES else _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"module 'firebell' has no attribute {name!r}")
    full = f"firebell.{module}"
    __import__(full)
    import sys

    loaded = sys.modules[full]
    value: object = loaded if name in _MODULES else getattr(loaded, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS, *_MODULES})
