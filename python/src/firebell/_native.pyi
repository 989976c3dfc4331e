"""The native part of Firebell: what the public modules are thin layers over.

Nothing here raises because of what an app records, unless `debug` is on: what cannot be taken is
counted in `stats()`. Nothing is sent from the calling thread.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias, TypedDict, final

Label: TypeAlias = str | int | float | bool

class Stats(TypedDict):
    """Counts since the process began (a forked child begins anew)."""

    recorded: int  # spans, logs, events and alerts
    exported: int
    dropped_buffer_full: int  # oldest records that made room
    dropped_too_large: int
    dropped_cardinality: int  # observations that went to the overflow series
    dropped_rejected: int  # what the server refused for good (4xx), 404 included
    dropped_sampled: int
    recovered_from_dead_process: int  # records of processes that died
    failed_export_attempts: int
    bad_arguments: int
    ring_bytes: int
    ring_path: str | None  # None: in memory only
    state: Literal["off", "ok", "backing off", "stopped"]
    last_export_error: str | None

# --- the client: one of each process

def configure(
    *,
    service: str = ...,
    endpoint: str | None = ...,  # None: nothing is sent, all else works
    token: str | None = ...,  # Authorization: Bearer
    headers: Mapping[str, str] | None = ...,
    environment: str | None = ...,
    release: str | None = ...,
    resource: Mapping[str, str] | None = ...,  # further resource attributes
    sample_rate: float = ...,
    keep_errors: bool = ...,
    keep_slower_than: float | None = ...,  # seconds
    redactor: Redactor | None = ...,  # None: the default one; Redactor(level="off") for none
    max_breadcrumbs: int = ...,
    max_series: int = ...,
    max_labels_per_metric: int = ...,
    buffer_bytes: int = ...,
    run_dir: str | None = ...,
    flush_interval: float = ...,  # seconds
    shutdown_timeout: float = ...,  # seconds; taken, and kept by whoever calls close()
    ca_file: str | None = ...,  # PEM, beside the system's
    enabled: bool = ...,
    debug: bool = ...,
) -> None:
    """Again: reconfigures. ValueError names every option that cannot be."""

def flush(timeout: float = 2.0) -> bool: ...
def close(timeout: float = 0.3) -> bool:
    """One last attempt; what is left stays in the ring for the next process. True: all is sent."""

def mark_clean_exit() -> None:
    """Have nobody told that this process died: it is about to end as it wishes."""

def stats() -> Stats: ...
def enabled() -> bool: ...
def set_enabled(on: bool, /) -> None: ...
def instance_id() -> str: ...
def expose() -> str:
    """Metrics of this process, cumulative, in OpenMetrics text with exemplars."""

# --- metrics

@final
class BoundCounter:
    def inc(self, n: float = 1, /) -> None: ...

@final
class Counter:
    @property
    def name(self) -> str: ...
    @property
    def unit(self) -> str: ...
    def inc(self, n: float = 1, /, **labels: Label) -> None: ...
    def bind(self, **labels: Label) -> BoundCounter: ...

@final
class BoundGauge:
    def set(self, value: float, /) -> None: ...
    def add(self, n: float, /) -> None: ...

@final
class Gauge:
    @property
    def name(self) -> str: ...
    @property
    def unit(self) -> str: ...
    def set(self, value: float, /, **labels: Label) -> None: ...
    def add(self, n: float, /, **labels: Label) -> None: ...
    def bind(self, **labels: Label) -> BoundGauge: ...

@final
class BoundHistogram:
    def observe(self, value: float, /) -> None: ...

@final
class Histogram:
    @property
    def name(self) -> str: ...
    @property
    def unit(self) -> str: ...
    def observe(self, value: float, /, **labels: Label) -> None: ...
    def bind(self, **labels: Label) -> BoundHistogram: ...

# The same name gives the same metric; ValueError when it is of another kind or unit.
def counter(name: str, description: str = "", *, unit: str = "1") -> Counter: ...
def gauge(name: str, description: str = "", *, unit: str = "1") -> Gauge: ...
def histogram(name: str, description: str = "", *, unit: str = "s") -> Histogram: ...

# --- redaction

@final
class Redactor:
    """ValueError: a pattern that is no regular expression."""

    def __init__(
        self,
        *,
        level: Literal["default", "strict", "off"] = "default",
        keys: Iterable[str] = (),
        patterns: Mapping[str, str] | None = None,  # name: regular expression
        allow: Iterable[str] = (),  # keys that are never redacted
        replacement: str = "[redacted]",
    ) -> None: ...
    def __call__(self, value: Any, /) -> Any:
        """Give a copy: str, and dicts, lists and tuples of them to a depth of 16; others as is."""

def redact(value: Any, /) -> Any:
    """By the configured redactor."""
