"""OpenTelemetry: what an existing set-up records comes here too, and its API feeds Firebell's core.

`span_processor()`, `metric_reader()` and `log_processor()` join providers that are there; they need
`opentelemetry-sdk` and `opentelemetry-exporter-otlp-proto-common`. `install_api_provider()` is for
apps without a set-up of their own: libraries that use the tracing API make Firebell's spans; it
needs `opentelemetry-api`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from . import _client, _native, _self

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS_FOR_ONE_ATTEMPT = 1.0
SECONDS_BETWEEN_ATTEMPTS = (1.0, 60.0)


class _Sender:
    """Posts one body; after a failure nothing is tried for a while, so that no exit waits twice."""

    def __init__(self) -> None:
        self._pause = SECONDS_BETWEEN_ATTEMPTS[0]
        self._not_before = 0.0
        self.dropped = 0

    def post(self, signal: str, body: bytes) -> bool:
        if time.monotonic() < self._not_before:
            self.dropped += 1
            return False
        try:
            _post(signal, body)
        except OSError as error:
            self.dropped += 1
            self._not_before = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, SECONDS_BETWEEN_ATTEMPTS[1])
            _self.warn(f"{signal} of OpenTelemetry were not taken: {error}", kind=f"otel {signal}")
            return False
        self._pause = SECONDS_BETWEEN_ATTEMPTS[0]
        return True


def _post(signal: str, body: bytes) -> None:
    import urllib.request

    endpoint, token = _client.destination()
    if endpoint is None:
        return
    headers = {"Content-Type": "application/x-protobuf"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    # Without the handlers for proxies and files: the endpoint was checked to be http or https.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(f"{endpoint}/v1/{signal}", data=body, headers=headers)  # noqa: S310
    with opener.open(request, timeout=SECONDS_FOR_ONE_ATTEMPT) as answer:
        answer.read()


def span_processor() -> Any:
    """Return a span processor: `TracerProvider.add_span_processor(firebell.otel.span_processor())`.

    Switch Firebell's own integration of what the set-up already instruments off: two would tell
    twice.
    """
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    sender = _Sender()

    class Exporter(SpanExporter):
        def export(self, spans: Sequence[Any]) -> SpanExportResult:
            is_sent = sender.post("traces", encode_spans(spans).SerializeToString())
            return SpanExportResult.SUCCESS if is_sent else SpanExportResult.FAILURE

    return BatchSpanProcessor(Exporter())


def metric_reader() -> Any:
    """Return a metric reader: `MeterProvider(metric_readers=[firebell.otel.metric_reader()])`.

    It asks for deltas, so that workers add up and a restart is no reset.
    """
    from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
    from opentelemetry.sdk import metrics
    from opentelemetry.sdk.metrics import export as sdk

    sender = _Sender()
    delta = sdk.AggregationTemporality.DELTA
    kinds = (metrics.Counter, metrics.Histogram, metrics.ObservableCounter)

    class Exporter(sdk.MetricExporter):
        def export(
            self,
            metrics_data: sdk.MetricsData,
            timeout_millis: float = 10_000,  # noqa: ARG002
            **_: Any,
        ) -> sdk.MetricExportResult:
            body = encode_metrics(metrics_data).SerializeToString()
            is_sent = sender.post("metrics", body)
            return sdk.MetricExportResult.SUCCESS if is_sent else sdk.MetricExportResult.FAILURE

        def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002
            return True

        def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
            pass

    exporter = Exporter(preferred_temporality=dict.fromkeys(kinds, delta))
    return sdk.PeriodicExportingMetricReader(exporter)


def log_processor() -> Any:
    """Return a log record processor: `LoggerProvider.add_log_record_processor(…)`."""
    from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
    from opentelemetry.sdk._logs import export as sdk

    sender = _Sender()

    class Exporter(sdk.LogRecordExporter):
        def export(self, batch: Sequence[Any]) -> sdk.LogRecordExportResult:
            is_sent = sender.post("logs", encode_logs(batch).SerializeToString())
            result = sdk.LogRecordExportResult
            return result.SUCCESS if is_sent else result.FAILURE

        def shutdown(self) -> None:
            pass

        def force_flush(self, timeout_millis: int = 10_000) -> bool:  # noqa: ARG002
            return True

    return sdk.BatchLogRecordProcessor(Exporter())


def install_api_provider() -> None:
    """Let libraries that use OpenTelemetry's tracing API make Firebell's spans.

    Says so and changes nothing where a provider was set before: OpenTelemetry allows one.
    """
    from opentelemetry import trace

    trace.set_tracer_provider(_make_provider())


def _make_provider() -> Any:
    from opentelemetry import trace

    from . import _otel_api

    class Provider(trace.TracerProvider):
        def get_tracer(self, *_: Any, **__: Any) -> trace.Tracer:
            return _otel_api.Tracer()

    return Provider()


class Instrumentor:
    """For `opentelemetry-instrument`, which looks for this by its entry point."""

    def instrument(self, **_: Any) -> None:
        """Do what `firebell.init()` does."""
        _client.init()

    def uninstrument(self, **_: Any) -> None:
        """Stop recording."""
        _native.set_enabled(False)
