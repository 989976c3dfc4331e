"""The native part of Firebell: what the public modules are thin layers over.

Nothing here raises because of what an app records, unless `debug` is on: what cannot be taken is
counted in `stats()`. Nothing is sent from the calling thread.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar, final

from typing_extensions import Self

_F = TypeVar("_F", bound=Callable[..., Any])
Label: TypeAlias = str | int | float | bool
Kind: TypeAlias = Literal["internal", "server", "client", "producer", "consumer"]
Level: TypeAlias = Literal["debug", "info", "warning", "error", "critical"]

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

class Destination(TypedDict):
    """Where one signal goes, with the whole path."""

    endpoint: str
    headers: dict[str, str]
    ca_file: str | None
    gzip: bool

class Collector(TypedDict, total=False):
    """A second destination, which takes OTLP over HTTP; it gets no alerts."""

    traces: Destination
    metrics: Destination
    logs: Destination
    timeout: float  # seconds for an attempt
    metrics_every: float  # seconds

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
    otlp: Collector | None = ...,
    propagate_trace: bool = ...,
    propagate_baggage: bool = ...,
    enabled: bool = ...,
    debug: bool = ...,
) -> None:
    """Again: reconfigures. ValueError names every option that cannot be."""

def discard() -> None: ...
def flush(timeout: float = 2.0) -> bool: ...
def close(timeout: float = 0.3) -> bool:
    """One last attempt; what is left stays in the ring for the next process. True: all is sent."""

def mark_clean_exit() -> None:
    """Have nobody told that this process died: it is about to end as it wishes."""

def stats() -> Stats: ...
def enabled() -> bool: ...
def set_enabled(on: bool, /) -> None: ...
def instance_id() -> str: ...
def expose_all() -> str:
    """Metrics of all processes of this one's service that keep totals, also of those no more."""

def keep_totals() -> None:
    """From here on what this process and its children count is kept for `expose_all`."""

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
    def track(self) -> Tracker: ...

@final
class Timer:
    """Around a block (`with`), or around each call of a function, sync or async (`@`)."""

    def __enter__(self) -> None: ...
    def __exit__(self, *raised: object) -> Literal[False]: ...
    def __call__(self, function: _F, /) -> _F: ...

@final
class Tracker:
    """As a `Timer`: adds one for as long as it lasts."""

    def __enter__(self) -> None: ...
    def __exit__(self, *raised: object) -> Literal[False]: ...
    def __call__(self, function: _F, /) -> _F: ...

@final
class Gauge:
    @property
    def name(self) -> str: ...
    @property
    def unit(self) -> str: ...
    def set(self, value: float, /, **labels: Label) -> None: ...
    def add(self, n: float, /, **labels: Label) -> None: ...
    def track(self, **labels: Label) -> Tracker:
        """Count what is under way: one more while a block or a call lasts."""

    def bind(self, **labels: Label) -> BoundGauge: ...

@final
class BoundHistogram:
    def observe(self, value: float, /) -> None: ...
    def time(self) -> Timer: ...

@final
class Histogram:
    @property
    def name(self) -> str: ...
    @property
    def unit(self) -> str: ...
    def observe(self, value: float, /, **labels: Label) -> None: ...
    def time(self, **labels: Label) -> Timer:
        """Observe how long a block or a call takes, in seconds, however it ends."""

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

# --- spans and trace context

@final
class Span:
    """A context manager, sync and async; may also be ended by `end()`."""

    name: str
    @property
    def trace_id(self) -> str: ...
    @property
    def span_id(self) -> str: ...
    @property
    def traceparent(self) -> str: ...
    @property
    def sampled(self) -> bool: ...
    def set(self, **attributes: Label) -> Self: ...
    def set_attribute(self, key: str, value: Label, /) -> None: ...  # keys with dots
    def event(self, name: str, /, **attributes: Label) -> None: ...
    def link(self, traceparent: str, /) -> None: ...
    def fail(self, exc: BaseException | str, /) -> None: ...
    def end(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, t: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None, /
    ) -> Literal[False]: ...
    def __aenter__(self) -> Awaitable[Self]: ...
    def __aexit__(
        self, t: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None, /
    ) -> Awaitable[Literal[False]]: ...

@final
class Remote:
    """What came in with a request or message: W3C trace context and baggage."""

    @property
    def traceparent(self) -> str | None: ...
    @property
    def tracestate(self) -> str | None: ...
    @property
    def baggage(self) -> dict[str, str]: ...

def span(
    name: str,
    kind: Kind = "internal",
    attributes: Mapping[str, Label] | None = None,
    parent: Span | Remote | str | None = None,  # str: a traceparent; None: the current span
) -> Span:
    """Start a span; `with` makes it the current one, and ends it."""

def current_span() -> Span | None: ...
def current_trace_id() -> str | None: ...
def inject(carrier: dict[str, str], /) -> None:
    """Set traceparent, tracestate and baggage of the current span."""

def extract(carrier: Mapping[str, str] | Iterable[tuple[bytes, bytes]], /) -> Remote | None: ...

# --- the scope: one ContextVar, mutable

@final
class Scope:
    request_id: str | None
    @property
    def trace_id(self) -> str | None: ...
    def set_user(
        self, id: str | int | None, fields: Mapping[str, Label] | None = None, /
    ) -> None: ...
    def set_tag(self, key: str, value: Label, /) -> None: ...
    def set_context(self, name: str, data: Mapping[str, Any], /) -> None: ...
    def breadcrumb(
        self,
        message: str,
        /,
        *,
        category: str = "app",
        level: Level = "info",
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Leave a breadcrumb, redacted, also in the ring file, where it outlives a kill."""
    def snapshot(self) -> dict[str, Any]:
        """Give what is known, redacted.

        Keys: user, tags, contexts, breadcrumbs, request_id, trace_id, span_id, method, path, route.
        """
    def fork(self) -> Scope:
        """Give a child that begins as a copy."""

def current_scope() -> Scope:
    """Give the current scope; outside any request that of the process."""

def enter_scope(scope: Scope | None = None, /) -> object:
    """Make it (or a fork of the current one) current; the token is for `exit_scope`."""

def exit_scope(token: object, /) -> None:
    """Undo it. From another context nothing happens."""

# --- logs and events

def log(
    level: str,
    logger: str,
    message: str,
    attributes: Mapping[str, Any] | None = None,
    exception: BaseException | None = None,
) -> bytes:
    """Give one line of JSON without its end, redacted, with trace_id, span_id, request_id.

    It is also recorded for export.
    """

def log_record(
    record: Any, breadcrumb: bool = False, export: bool = True, end: str | None = "", /
) -> str | None:
    """Do the same with a `logging.LogRecord`: its extras are attributes."""

def record(kind: str, body: Mapping[str, Any], /) -> None:
    """Record an event for export, as an OTLP log record named `firebell.<kind>`."""

def alert(
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    /,
    *,
    starts_at: float | None = None,  # seconds since 1970; now when None
    ends_at: float | None = None,  # it fires until then
    generator_url: str = "",
) -> None:
    """Send an alert, redacted, to `ENDPOINT/api/v2/alerts`; it is kept until it is taken."""

# --- a request in two calls

def begin_request(
    method: str,
    path: str,
    headers: Iterable[tuple[bytes, bytes]] | Mapping[str, str] | None = None,
    scheme: str = "http",
    find_route: Callable[[], str | None] | None = None,
    client: str | None = None,
    /,
) -> Request:
    """Begin a request: its scope and span are current until `end`.

    `find_route` is asked by what wants to know its route before that.
    """

@final
class Request:
    """Server span, duration, active requests, scope and trace context of a request."""

    @property
    def scope(self) -> Scope: ...
    @property
    def span(self) -> Span: ...
    def end(
        self, status: int, route: str | None = None, exception: BaseException | None = None
    ) -> None:
        """End it, once; `route` None is reported as `unmatched`."""

# --- the state machines of the server; times are seconds since 1970 ------------------------------

class CheckState(TypedDict):
    """An alert of a check."""

    labels: dict[str, str]
    state: Literal["pending", "firing", "resolved"]
    severity: int  # 0 (debug) to 4 (critical)
    value: float | None
    active_at: float
    fired_at: float | None
    resolved_at: float | None
    is_told: bool

CheckNews: TypeAlias = list[tuple[Literal["fired", "rose", "repeated", "resolved"], CheckState]]

class Check:
    """What answers of a check make of its alerts. ValueError: bounds that cannot be."""

    def __init__(
        self,
        *,
        hold: float,
        cooldown: float,
        above: float | None,
        below: float | None,
        clear: float | None,
        on_no_data: str,
        severity: int,
        error_severity: int,
    ) -> None: ...
    def set_repeat(self, repeat: float | None) -> None:
        """Begins anew."""
    def problems(
        self, now: float, found: list[tuple[dict[str, str], float | None, int | None]]
    ) -> CheckNews:
        """Labels, value and severity of everything that is wrong; empty: nothing is."""
    def number(self, now: float, value: float) -> CheckNews: ...
    def no_data(self, now: float) -> CheckNews: ...
    def broken(self, now: float, reason: str) -> CheckNews: ...
    def alerts(self) -> list[CheckState]: ...
    def saved(self) -> bytes: ...
    def restore(self, saved: bytes) -> bool: ...

class Detector:
    """Each answer: score, is an anomaly, expected, low, high, warms up."""

    def __init__(
        self,
        *,
        method: str,
        window: int,
        warmup: int,
        spreads: float,
        direction: str,
        min_deviation: float,
        min_deviation_ratio: float,
        min_duration: float,
    ) -> None: ...
    def update(self, value: float, now: float) -> tuple[float, bool, float, float, float, bool]: ...
    def score(self, value: float, now: float) -> tuple[float, bool, float, float, float, bool]: ...
    def saved(self) -> bytes: ...
    def restore(self, saved: bytes) -> bool: ...

class EscalationPage(TypedDict):
    """A page as it is."""

    state: Literal["waiting", "paging", "acknowledged", "unanswered", "resolved"]
    step: int
    severity: int  # 1 is the worst
    acked_by: str | None
    next_at: float | None

class Escalation:
    """Pages by number. KeyError: no such page. ValueError: a wish that cannot be."""

    def add_policy(
        self,
        name: str,
        steps: list[tuple[float, list[str], int | None]],
        *,
        quiet: tuple[str, str] | None,
        max_per_hour: int | None,
        ack_timeout: float | None,
        patience: float,
    ) -> None: ...
    def open(self, now: float, key: int, policy: str, severity: int) -> str: ...
    def acknowledge(self, now: float, key: int, by: str) -> str: ...
    def snooze(self, now: float, key: int, until: float, by: str) -> str: ...
    def close(self, now: float, key: int) -> str: ...
    def set_severity(self, now: float, key: int, severity: int) -> str: ...
    def outcome(self, now: float, message: int, is_delivered: bool) -> None: ...
    def tick(self, now: float) -> None: ...
    def deadline(self) -> float | None: ...
    def take(self) -> list[tuple[str, int, str, list[int]]]:
        """Give what has to be done: what, which message, whom, about which pages."""
    def happened(self) -> list[tuple[float, int, str]]: ...
    def page(self, key: int) -> EscalationPage: ...

class AlertChange(TypedDict):
    """An alert of a simulation that became something else."""

    at: float
    rule: str
    state: Literal["pending", "firing", "inactive"]
    labels: dict[str, str]
    annotations: dict[str, str]
    value: float

class Rehearsal:
    """Rules on simulated time; seconds since its beginning. ValueError: all that is wrong."""

    def __init__(self, files: list[str], text: str | None, *, step: float, seed: int) -> None: ...
    @property
    def now(self) -> float: ...
    def set_traffic(self, route: str, rps: float, error_rate: float, latency: float) -> None: ...
    def add_series(self, line: str) -> None: ...
    def advance(self, by: float) -> None: ...
    def changes(self, skip: int) -> list[AlertChange]: ...
    def errors(self) -> list[tuple[str, float]]: ...
    def alert_names(self) -> list[str]: ...
    def closest(self, alert: str) -> tuple[float, float, str] | None: ...
    def query(self, expr: str) -> list[tuple[dict[str, str], float]]: ...

def unit_test_names(path: str) -> list[str]: ...
def run_unit_tests(path: str) -> tuple[list[tuple[str, list[str]]], str | None]:
    """Each test of a file of promtool's with its failures, and why none was run, if so."""
