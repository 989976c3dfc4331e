"""What Firebell costs beside others, side by side in one run: CPU time, not wall time.

A statement is timed in loops of about 0.1 s with the collector of garbage off; the quickest of 15
loops counts, less what an empty loop costs. Requests are driven in process, without sockets; each
variant runs in a process of its own. `--quick` is a minute.
"""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Awaitable, Callable
from typing import Any

QUICK = "--quick" in sys.argv
LOOPS = 5 if QUICK else 15
LOOP_SECONDS = 0.03 if QUICK else 0.1
AWAY = "http://127.0.0.1:9"
CLEAN = (
    "GET /orders/123 for ana took 12 ms, 3 rows of 17, cache hit, region eu-west, build 2026-11-22"
)


def statement(text: str, **names: object) -> float:
    """Nanoseconds of CPU of a statement, without the loop."""

    def loops(code: str) -> float:
        timer = timeit.Timer(code, timer=time.process_time, globals=names)
        n = 1000
        while (took := timer.timeit(n)) < LOOP_SECONDS / 4:
            n *= 4
        n = max(1, int(n * LOOP_SECONDS / took))
        return min(timer.repeat(LOOPS, n)) / n * 1e9

    return loops(text) - loops("pass")


def log_with(handler: logging.Handler) -> float:
    log = logging.Logger("shop", logging.INFO)
    log.addHandler(handler)
    extra = {"order": 7, "user_name": "ana", "ms": 1.5}
    return statement("info('order taken', extra=extra)", info=log.info, extra=extra)


class Nowhere(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        pass


class Null(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)


# --- statements -------------------------------------------------------------------------


def firebell() -> dict[str, float]:
    from firebell import _native as native
    from firebell.logging import Handler

    with tempfile.TemporaryDirectory() as folder:
        native.configure(service="bench", endpoint=AWAY, run_dir=folder)
        counter, histogram = native.counter("c"), native.histogram("h")
        labels = {"method": "GET", "route": "/orders/{id}", "status": "200"}

        found = {
            "counter, bound": statement("inc()", inc=counter.bind(**labels).inc),
            "counter, 3 labels": statement("inc(1, **labels)", inc=counter.inc, labels=labels),
            "histogram, bound": statement("it(0.25)", it=histogram.bind(**labels).observe),
            "span": statement("with span('s'): pass", span=native.span),
            "JSON log record": log_with(Handler(stream=Null())),
            "redaction, clean line": statement("redact(line)", redact=native.redact, line=CLEAN),
        }
        native.close(0)
        return found


def prometheus() -> dict[str, float]:
    import prometheus_client as prom

    names = ["method", "route", "status"]
    labels = {"method": "GET", "route": "/orders/{id}", "status": "200"}
    counter, histogram = prom.Counter("c", "c", names), prom.Histogram("h", "h", names)
    return {
        "counter, bound": statement("inc()", inc=counter.labels(**labels).inc),
        "counter, 3 labels": statement("of(**labels).inc()", of=counter.labels, labels=labels),
        "histogram, bound": statement("it(0.25)", it=histogram.labels(**labels).observe),
    }


def opentelemetry() -> dict[str, float]:
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, InMemoryLogRecordExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class NoExporter(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:  # noqa: ARG002
            return SpanExportResult.SUCCESS

    meter = MeterProvider([InMemoryMetricReader()]).get_meter("bench")
    labels = {"method": "GET", "route": "/orders/{id}", "status": "200"}
    counter, histogram = meter.create_counter("c"), meter.create_histogram("h")
    traces = TracerProvider()
    traces.add_span_processor(BatchSpanProcessor(NoExporter()))
    start = traces.get_tracer("bench").start_as_current_span
    found = {
        "counter, bound": statement("add(1, labels)", add=counter.add, labels=labels),
        "counter, 3 labels": statement("add(1, labels)", add=counter.add, labels=labels),
        "histogram, bound": statement("it(0.25, labels)", it=histogram.record, labels=labels),
        "span": statement("with span('s'): pass", span=start),
    }
    logs = LoggerProvider()
    logs.add_log_record_processor(BatchLogRecordProcessor(InMemoryLogRecordExporter()))
    found["JSON log record"] = log_with(LoggingHandler(logger_provider=logs))
    return found


def json_logger() -> dict[str, float]:
    from pythonjsonlogger.json import JsonFormatter

    handler = logging.StreamHandler(Null())
    handler.setFormatter(JsonFormatter())
    return {"JSON log record": log_with(handler)}


def structlog() -> dict[str, float]:
    import structlog as it

    it.configure(
        processors=[
            it.processors.add_log_level,
            it.processors.TimeStamper(fmt="iso"),
            it.processors.JSONRenderer(),
        ],
        logger_factory=it.PrintLoggerFactory(Null()),
    )
    log = it.get_logger()
    text = "info('order taken', order=7, user_name='ana', ms=1.5)"
    return {"JSON log record": statement(text, info=log.info)}


def floor() -> dict[str, float]:
    return {"JSON log record": log_with(Nowhere())}


# --- requests ---------------------------------------------------------------------------


def request_of(variant: str) -> float:
    """Nanoseconds of CPU of a request of FastAPI, with its instrumentation."""
    from fastapi import FastAPI

    app: Any = FastAPI()

    @app.get("/orders/{order}")  # type: ignore[untyped-decorator]
    async def order(order: int) -> dict[str, int]:
        return {"order": order}

    if variant == "firebell":
        from firebell import asgi, init

        init("bench", endpoint=AWAY, run_dir=tempfile.mkdtemp(), integrations=[])
        app.add_middleware(asgi.Middleware)
    elif variant == "prometheus":
        from prometheus_fastapi_instrumentator import Instrumentator

        Instrumentator().instrument(app)
    elif variant == "opentelemetry":
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace import TracerProvider

        FastAPIInstrumentor.instrument_app(
            app,
            tracer_provider=TracerProvider(),
            meter_provider=MeterProvider([InMemoryMetricReader()]),
            exclude_spans=["send", "receive"],
        )
    return asyncio.run(driven(app))


async def driven(app: Callable[..., Awaitable[None]]) -> float:
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": "/orders/7", "raw_path": b"/orders/7", "query_string": b"",
        "root_path": "", "headers": [(b"host", b"bench"), (b"accept", b"*/*")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Any) -> None:
        pass

    for _ in range(300):
        await app(dict(scope), receive, send)
    found = []
    for _ in range(3 if QUICK else 9):
        gc.collect()
        began = time.process_time()
        for _ in range(700):
            await app(dict(scope), receive, send)
        found.append((time.process_time() - began) / 700 * 1e9)
    return min(found)


# --- workers ----------------------------------------------------------------------------

DEAD_WORKERS = 20 if QUICK else 200
ROUTES = [f"/route/{n}" for n in range(50)]


def scrape_of(variant: str) -> float:
    """Nanoseconds of CPU of a scrape when many workers have served 50 routes, and died."""
    with tempfile.TemporaryDirectory() as folder:
        begin, text = SCRAPES[variant](folder)
        for _ in range(DEAD_WORKERS):
            pid = os.fork()
            if pid == 0:
                begin()
                os._exit(0)
            os.waitpid(pid, 0)
        began = time.monotonic()
        while f" {DEAD_WORKERS}.0" not in text() or time.monotonic() - began < 12:
            time.sleep(0.5)  # Whoever folds dead workers in has had the time to.
        found = []
        for _ in range(5):
            before = time.thread_time()
            text()
            found.append((time.thread_time() - before) * 1e9)
        return min(found)


def scrape_firebell(folder: str) -> tuple[Callable[[], None], Callable[[], str]]:
    from firebell import _native as native

    native.configure(service="bench", endpoint=AWAY, run_dir=folder, buffer_bytes=64 << 10)
    native.keep_totals()
    counter, histogram = native.counter("c"), native.histogram("h")

    def serve() -> None:
        for route in ROUTES:
            counter.inc(1, route=route)
            histogram.observe(0.25, route=route)

    native.gauge("begun").set(1)
    return serve, native.expose_all


def scrape_prometheus(folder: str) -> tuple[Callable[[], None], Callable[[], str]]:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    import prometheus_client as prom
    from prometheus_client import multiprocess

    counter, histogram = prom.Counter("c", "c", ["route"]), prom.Histogram("h", "h", ["route"])

    def serve() -> None:
        for route in ROUTES:
            counter.labels(route).inc()
            histogram.labels(route).observe(0.25)

    def text() -> str:
        registry = prom.CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return prom.generate_latest(registry).decode()

    return serve, text


SCRAPES = {"firebell": scrape_firebell, "prometheus": scrape_prometheus}

# --- whole processes --------------------------------------------------------------------

IMPORTS = {
    "firebell": "import firebell; firebell.init('bench'); firebell.counter('c').inc()",
    "prometheus": "import prometheus_client",
    "opentelemetry": (
        "import opentelemetry.sdk.trace, opentelemetry.sdk.metrics;"
        "from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter"
    ),
    "sentry": "import sentry_sdk; sentry_sdk.init()",
}
ENDS = {
    "firebell": f"""
import firebell
firebell.init("bench", endpoint="{AWAY}")
for _ in range(5000):
    with firebell.span("s"): pass
""",
    "opentelemetry": f"""
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
traces = TracerProvider()
traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter("{AWAY}/v1/traces")))
tracer = traces.get_tracer("bench")
for _ in range(5000):
    with tracer.start_as_current_span("s"): pass
""",
}


def cpu_of(program: str) -> float:
    """Nanoseconds of CPU of a Python process; the least of several."""
    found = []
    for _ in range(3 if QUICK else 7):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found) * 1e9


def wall_of(program: str) -> float:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"XDG_RUNTIME_DIR": folder}
        subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, env=environment
        )
    return (time.monotonic() - began) * 1e9


# --- the table --------------------------------------------------------------------------

STATEMENTS = {
    "prometheus": prometheus,
    "opentelemetry": opentelemetry,
    "json-logger": json_logger,
    "structlog": structlog,
    "floor": floor,
    "firebell": firebell,
}
VARIANTS = ("prometheus", "opentelemetry", "firebell")
#: What Firebell may cost, in nanoseconds.
TARGETS = {
    "counter, bound": 50,
    "histogram, bound": 100,
    "counter, 3 labels": 800,
    "span": 1_500,
    "JSON log record": 9_000,
    "redaction, clean line": 500,
    "FastAPI request, added": 10_000,
    "import and init": 5_000_000,
    "scrape, 200 dead workers": 5_000_000,
    "exit, server away (wall), beyond": 300_000_000,
}


def apart(*arguments: str) -> Any:
    """Runs a part of this in a process of its own."""
    flags = ["--quick"] if QUICK else []
    command = [sys.executable, __file__, *arguments, *flags]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def measured() -> dict[str, dict[str, float]]:
    table: dict[str, dict[str, float]] = {row: {} for row in TARGETS}
    for name in STATEMENTS:
        for row, value in apart("statements", name).items():
            table[row][name] = value
    # In turns, as the machine's speed drifts; the best of each.
    requests = [{name: apart("request", name) for name in ("bare", *VARIANTS)} for _ in range(3)]
    bare = min(turn["bare"] for turn in requests)
    for name in VARIANTS:
        table["FastAPI request, added"][name] = min(turn[name] for turn in requests) - bare
    empty = cpu_of("pass")
    for name, program in IMPORTS.items():
        table["import and init"][name] = cpu_of(program) - empty
    for name in SCRAPES:
        table["scrape, 200 dead workers"][name] = apart("scrape", name)
    for name, program in ENDS.items():
        if name == "firebell" or not QUICK:
            # Beyond what the same takes when it leaves without being asked to end.
            stayed = min(wall_of(f"{program}\nimport os; os._exit(0)") for _ in range(3))
            beyond = min(wall_of(program) for _ in range(3 if name == "firebell" else 1)) - stayed
            table["exit, server away (wall), beyond"][name] = beyond
    return table


def shown(nanos: float | None) -> str:
    if nanos is None:
        return ""
    nanos = max(nanos, 0.0)
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanos >= size:
            return f"{nanos / size:.3g} {unit}"
    return f"{nanos:.0f} ns"


def main() -> int:
    match [it for it in sys.argv[1:] if not it.startswith("--")]:
        case ["statements", name]:
            print(json.dumps(STATEMENTS[name]()))
            return 0
        case ["scrape", variant]:
            print(json.dumps(scrape_of(variant)))
            return 0
        case ["request", variant]:
            print(json.dumps(request_of(variant)))
            return 0
    table = measured()
    names = [*dict.fromkeys(name for row in table.values() for name in row if name != "firebell")]
    lines = [f"| CPU time | {' | '.join(names)} | Firebell | at most | |"]
    lines.append("|---" * (len(names) + 4) + "|")
    missed = 0
    for row, values in table.items():
        ours, target = values["firebell"], TARGETS[row]
        missed += ours > target
        cells = [shown(values.get(name)) for name in names]
        verdict = "" if ours <= target else "MISSED"
        lines.append(
            f"| {row} | {' | '.join(cells)} | {shown(ours)} | {shown(target)} | {verdict} |"
        )
    print("\n".join(lines))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
