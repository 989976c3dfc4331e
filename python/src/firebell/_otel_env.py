"""What `OTEL_*` says about a second destination: any collector that takes OTLP over HTTP.

Without an endpoint there is none. What is set and not honoured is named once.
"""

from __future__ import annotations

from . import _self
from ._config import percent_decoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from ._native import Collector, Destination

PREFIX = "OTEL_EXPORTER_OTLP_"
SIGNALS: tuple[Literal["traces", "metrics", "logs"], ...] = ("traces", "metrics", "logs")
SECONDS_PER_ATTEMPT = 10.0
SECONDS_BETWEEN_METRICS = 60.0
PROPAGATORS = frozenset({"tracecontext", "baggage", "none"})

_OF_A_SIGNAL = ("ENDPOINT", "HEADERS", "PROTOCOL", "TIMEOUT", "COMPRESSION", "CERTIFICATE")
HONOURED = frozenset(
    {
        "OTEL_SERVICE_NAME",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_SDK_DISABLED",
        "OTEL_TRACES_SAMPLER",
        "OTEL_TRACES_SAMPLER_ARG",
        "OTEL_PROPAGATORS",
        "OTEL_METRIC_EXPORT_INTERVAL",
        *(f"{PREFIX}{key}" for key in _OF_A_SIGNAL),
        *(f"{PREFIX}{signal.upper()}_{key}" for signal in SIGNALS for key in _OF_A_SIGNAL),
        *(f"OTEL_{signal.upper()}_EXPORTER" for signal in SIGNALS),
    }
)


def warn_of_others(environ: Mapping[str, str]) -> None:
    """Name what is set and has no effect here."""
    others = sorted(key for key in environ if key.startswith("OTEL_") and key not in HONOURED)
    if others:
        _self.warn(f"not honoured: {', '.join(others)}", kind="OTEL_*")


def propagates(environ: Mapping[str, str]) -> tuple[bool, bool]:
    """Return whether the trace context and the baggage of requests are handed on."""
    text = environ.get("OTEL_PROPAGATORS", "").strip() or "tracecontext,baggage"
    names = {name.strip() for name in text.split(",")}
    foreign = sorted(names - PROPAGATORS)
    if foreign:
        _self.warn(f"not honoured: OTEL_PROPAGATORS: {', '.join(foreign)}", kind="propagators")
    is_none = "none" in names
    return "tracecontext" in names and not is_none, "baggage" in names and not is_none


def collector(environ: Mapping[str, str]) -> Collector | None:
    """Return the second destination, as `_native.configure(otlp=…)` takes it."""
    found: Collector = {}
    seconds = SECONDS_PER_ATTEMPT
    for signal in SIGNALS:
        destination = _destination(signal, environ)
        if destination is not None:
            found[signal] = destination
            seconds = _milliseconds(environ, _key(signal, "TIMEOUT", environ), seconds)
    if not found:
        return None
    found["timeout"] = seconds
    found["metrics_every"] = _milliseconds(
        environ, "OTEL_METRIC_EXPORT_INTERVAL", SECONDS_BETWEEN_METRICS
    )
    return found


def _destination(signal: str, environ: Mapping[str, str]) -> Destination | None:
    url = environ.get(f"{PREFIX}{signal.upper()}_ENDPOINT", "").strip()
    base = environ.get(f"{PREFIX}ENDPOINT", "").strip().rstrip("/")
    if not url and not base:
        return None
    exporter = environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip() or "otlp"
    if exporter != "otlp":
        if exporter != "none":
            _self.warn(
                f"not honoured: OTEL_{signal.upper()}_EXPORTER is {exporter!r}; otlp and none are",
                kind=f"exporter of {signal}",
            )
        return None
    protocol = _of(signal, "PROTOCOL", environ) or "http/protobuf"
    if protocol != "http/protobuf":
        _self.warn(
            f"{signal} are not sent to the collector: OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r};"
            " only http/protobuf is spoken, for which collectors listen on port 4318",
            kind=f"protocol of {signal}",
        )
        return None
    compression = _of(signal, "COMPRESSION", environ) or "none"
    if compression not in {"none", "gzip"}:
        _self.warn(
            f"ignored: OTEL_EXPORTER_OTLP_COMPRESSION is {compression!r}; gzip and none are known",
            kind=f"compression of {signal}",
        )
    return {
        "endpoint": url or f"{base}/v1/{signal}",
        "headers": _pairs(_of(signal, "HEADERS", environ)),
        "ca_file": _of(signal, "CERTIFICATE", environ) or None,
        "gzip": compression == "gzip",
    }


def _key(signal: str, key: str, environ: Mapping[str, str]) -> str:
    own = f"{PREFIX}{signal.upper()}_{key}"
    return own if environ.get(own) else f"{PREFIX}{key}"


def _of(signal: str, key: str, environ: Mapping[str, str]) -> str:
    return environ.get(_key(signal, key, environ), "").strip()


def _pairs(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(","))
    return {key.strip(): percent_decoded(value.strip()) for key, _, value in pairs if key.strip()}


def _milliseconds(environ: Mapping[str, str], key: str, default: float) -> float:
    text = environ.get(key, "").strip()
    if not text:
        return default
    try:
        milliseconds = float(text)
    except ValueError:
        milliseconds = 0
    if not 0 < milliseconds < 1e10:
        _self.warn(f"ignored: {key} must be a number of milliseconds", kind=key)
        return default
    return milliseconds / 1000
