"""OpenTelemetry's SDK sends here too, and its API makes spans of ours."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind

import firebell
import firebell.otel
from firebell import _client, _otel_api

if TYPE_CHECKING:
    from collector import Collector


def test_an_existing_set_up_sends_spans_metrics_and_logs_here_too(told: Collector) -> None:
    tracers = TracerProvider()
    tracers.add_span_processor(firebell.otel.span_processor())
    with tracers.get_tracer("theirs").start_as_current_span("theirs", kind=SpanKind.CLIENT) as span:
        span.set_attribute("shelf", 3)
    tracers.shutdown()
    assert told.span("theirs", shelf=3).kind == "client"
    meters = MeterProvider(metric_readers=[firebell.otel.metric_reader()])
    meters.get_meter("theirs").create_counter("theirs.count").add(4, {"shelf": 3})
    meters.shutdown()
    told.wait_count("theirs.count", 4, shelf=3)
    loggers = LoggerProvider()
    loggers.add_log_record_processor(firebell.otel.log_processor())
    loggers.get_logger("theirs").emit(body="theirs said")
    loggers.shutdown()
    told.wait(lambda: any(it.body == "theirs said" for it in told.logs))


def test_a_server_that_is_away_is_waited_for_once(monkeypatch: Any) -> None:
    monkeypatch.setitem(_client._known, "endpoint", "http://127.0.0.1:1")
    tracers = TracerProvider()
    tracers.add_span_processor(firebell.otel.span_processor())
    tracer = tracers.get_tracer("theirs")
    for _ in range(2_000):
        tracer.start_span("lost").end()
    began = time.monotonic()
    tracers.shutdown()
    assert time.monotonic() - began < 20


def test_the_api_makes_spans_of_ours_that_nest_with_ours(told: Collector) -> None:
    tracer = _otel_api.Tracer()
    with firebell.span("ours"), tracer.start_as_current_span("api", attributes={"a": [1]}) as api:
        api.add_event("step", {"n": 1})
        with firebell.span("ours within"):
            pass
        tracer.start_span("api within", kind=SpanKind.PRODUCER).end()
    with pytest.raises(KeyError), tracer.start_as_current_span("api failed"):
        raise KeyError("x")
    ours, found = told.span("ours"), told.span("api")
    assert found.parent_id == ours.span_id
    assert found.attributes["a"] == "[1]"
    assert told.span("ours within").parent_id == found.span_id
    within = told.span("api within")
    assert (within.parent_id, within.kind) == (found.span_id, "producer")
    assert told.span("api failed").failed
    assert format(api.get_span_context().trace_id, "032x") == ours.trace_id
