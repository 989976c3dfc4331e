"""Spans, scopes, logs and requests, as the server sees them."""

from __future__ import annotations

import json

from server import Run, Server, attributes, decode


def test_spans_nest_and_say_what_failed(server: Server, run: Run) -> None:
    program = """
import asyncio
with native.span("outer", "client", {"db.system.name": "postgresql", "password": "x"}) as outer:
    try:
        with native.span("inner") as inner:
            inner.set(retries=2, ok=False, share=0.5).event("cache.miss", key="a")
            raise ValueError("token=abcdefgh")
    except ValueError:
        pass
    assert native.current_span() is outer
    assert native.current_trace_id() == outer.trace_id
assert native.current_span() is None
async def main():
    async with native.span("async") as span:
        await asyncio.gather(*(child(n) for n in range(3)))
        assert native.current_span() is span
async def child(n):
    with native.span(f"child{n}"):
        await asyncio.sleep(0.001)
asyncio.run(main())
assert native.close(5)
"""
    done = run(program, server.url)
    assert done.returncode == 0, done.stderr
    spans = {span[5][0].decode(): span for _, span in server.records("/v1/traces")}
    outer, inner = spans["outer"], spans["inner"]
    assert attributes(outer[9]) == {"db.system.name": "postgresql", "password": "[redacted]"}
    assert outer[6] == [3]
    assert inner[1] == outer[1]
    assert inner[4] == outer[2]
    assert 4 not in outer
    status = decode(inner[15][0])
    assert status == {2: [b"token=[redacted]"], 3: [2]}
    assert attributes(inner[9])["retries"] == 2
    events = [decode(event)[2] for event in inner[11]]
    assert events == [[b"cache.miss"], [b"exception"]]
    for n in range(3):
        assert spans[f"child{n}"][4] == spans["async"][2]


def test_a_trace_goes_on_from_process_to_process(server: Server, run: Run) -> None:
    program = """
parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
headers = [(b"host", b"x"), (b"traceparent", parent.encode()), (b"tracestate", b"a=b"),
           (b"baggage", b"user=ana%20b")]
remote = native.extract(headers)
assert remote.traceparent == parent and remote.baggage == {"user": "ana b"}
assert native.extract({"Traceparent": parent}).traceparent == parent
assert native.extract({"traceparent": "junk"}) is None
with native.span("task", "consumer", parent=remote) as span:
    carrier = {}
    native.inject(carrier)
assert carrier["traceparent"] == f"00-4bf92f3577b34da6a3ce929d0e0e4736-{span.span_id}-01"
assert carrier["tracestate"] == "a=b" and carrier["baggage"] == "user=ana%20b"
assert native.close(5)
"""
    done = run(program, server.url)
    assert done.returncode == 0, done.stderr
    [(_, span)] = server.records("/v1/traces")
    assert span[4] == [bytes.fromhex("00f067aa0ba902b7")]


def test_failed_and_slow_traces_are_kept_at_any_rate(server: Server, run: Run) -> None:
    program = """
for idx in range(50):
    with native.span("fine"):
        with native.span("within"):
            pass
with native.span("root"):
    with native.span("before"):
        pass
    try:
        with native.span("failing"):
            raise ValueError
    except ValueError:
        pass
with native.span("slow"):
    time.sleep(1.1)
assert native.stats()["dropped_sampled"] == 100, native.stats()
assert native.close(5)
"""
    done = run(program, server.url, sample_rate=0.0, keep_slower_than=1)
    assert done.returncode == 0, done.stderr
    names = sorted(span[5][0].decode() for _, span in server.records("/v1/traces"))
    assert names == ["before", "failing", "root", "slow"]


def test_a_request_is_a_span_metrics_and_a_scope(server: Server, run: Run) -> None:
    program = """
headers = [(b"x-request-id", b"r-17")]
request = native.begin_request("GET", "/orders/7", headers, "https", None, "10.0.0.9")
scope = native.current_scope()
assert native.current_span().trace_id == request.span.trace_id == scope.trace_id
scope.set_user(7, {"plan": "pro", "password": "x"})
scope.set_tag("tenant", "acme")
scope.breadcrumb("read", category="db")
line = json.loads(native.log("warning", "shop", "slow"))
assert line["request_id"] == "r-17" and line["trace_id"] == request.span.trace_id, line
snapshot = scope.snapshot()
assert snapshot["user"] == {"id": 7, "plan": "pro", "password": "[redacted]"}
assert [crumb["message"] for crumb in snapshot["breadcrumbs"]] == ["GET /orders/7", "read"]
request.end(503, "/orders/{id}")
request.end(200, "/again")
assert native.current_span() is None and native.current_scope().request_id is None
native.begin_request("BREW", "/x").end(404)
text = native.expose()
want = ('http_server_request_duration_seconds_count{http_request_method="GET",'
        'http_response_status_code="503",http_route="/orders/{id}",url_scheme="https"} 1.0')
assert want in text, text
assert 'http_request_method="_OTHER",http_response_status_code="404",http_route="unmatched"' in text
assert 'http_server_active_requests{http_request_method="GET",url_scheme="https"} 0.0' in text
assert native.close(5)
"""
    done = run(program, server.url)
    assert done.returncode == 0, done.stderr
    spans = {span[5][0].decode(): span for _, span in server.records("/v1/traces")}
    span = spans["GET /orders/{id}"]
    assert span[6] == [2]
    assert attributes(span[9])["user.id"] == 7
    assert decode(span[15][0])[3] == [2]
    # Its duration has an exemplar that leads to the trace.
    histograms = [decode(m[10][0]) for _, m in server.records("/v1/metrics") if 10 in m]
    exemplars = [decode(p[11][0]) for h in histograms for p in map(decode, h[1]) if 11 in p]
    assert span[1][0] in [exemplar[5][0] for exemplar in exemplars]


def test_a_log_record_becomes_a_line_with_its_extras(server: Server, run: Run) -> None:
    program = """
import logging
class Handler(logging.Handler):
    def emit(self, record):
        print(native.log_record(record, True))
log = logging.getLogger("shop")
log.addHandler(Handler())
with native.span("s") as span:
    extra = {"token": "x", "cart": [1, {"a": 2}]}
    log.warning("order %s by password=%s", 7, "hunter2", extra=extra)
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("broken")
assert len(native.current_scope().snapshot()["breadcrumbs"]) == 2
assert native.close(5)
"""
    done = run(program, server.url)
    assert done.returncode == 0, done.stderr
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["message"] == "order 7 by password=[redacted]"
    assert first["level"] == "WARNING"
    assert first["token"] == "[redacted]"
    assert first["cart"] == [1, {"a": 2}]
    assert len(first["trace_id"]) == 32
    assert second["exception"]["type"] == "ZeroDivisionError"
    assert "1 / 0" not in second["message"]
    assert second["exception"]["stacktrace"].startswith("Traceback")
    assert len(server.records("/v1/logs")) == 2


def test_alerts_and_events_reach_their_places(server: Server, run: Run) -> None:
    program = """
native.alert({"alertname": "Stuck", "severity": "critical"}, {"summary": "password=hunter2"},
             starts_at=1.5, ends_at=1795348805.0, generator_url="http://shop/x")
native.record("deploy", {"message": "v2", "severity": "info", "version": "2"})
assert native.close(5)
"""
    done = run(program, server.url)
    assert done.returncode == 0, done.stderr
    [body] = server.bodies("/api/v2/alerts")
    assert json.loads(body) == [
        {
            "labels": {"alertname": "Stuck", "severity": "critical"},
            "annotations": {"summary": "password=[redacted]"},
            "startsAt": "1970-01-01T00:00:01.500000Z",
            "endsAt": "2026-11-22T12:00:05.000000Z",
            "generatorURL": "http://shop/x",
        }
    ]
    [(_, event)] = server.records("/v1/logs")
    assert event[12] == [b"firebell.deploy"]
