"""A second destination by `OTEL_*`, and proxies."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from server import Message, Server, decode
from serving import Answer, Asked, Serving

AWAY = "http://127.0.0.1:9"
RECORD = """
import sys
import firebell
client = firebell.init("shop", endpoint=sys.argv[1], run_dir=sys.argv[2], flush_interval=0.05)
firebell.counter("shop.orders").inc(2)
with firebell.span("checkout"):
    firebell.histogram("shop.wait").observe(0.25)
firebell._native.log("info", "shop", "order taken")
firebell.gauge("shop.held").set(7)
"""
SEND = "assert client.flush(10), client.stats\n"
MORE = "firebell.counter('shop.orders').inc(3)\n" + SEND


def told(program: str, endpoint: str, run_dir: Path, **environment: str) -> str:
    """Runs a program with nothing of `OTEL_*` but what is given; gives what it said."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", program, endpoint, str(run_dir)],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def points(server: Server, name: str, path: str = "/v1/metrics") -> list[tuple[int, Message]]:
    """Temporality and point of each record of a metric."""
    found = []
    for _, metric in server.records(path):
        if metric[1] == [name.encode()]:
            [data] = [decode(metric[field][0]) for field in (5, 7, 10) if field in metric]
            found.append((data.get(2, [0])[0], decode(data[1][0])))
    return found


def double(encoded: bytes) -> float:
    return float(struct.unpack("<d", encoded)[0])


@pytest.fixture
def collector() -> object:
    server = Server()
    yield server
    server.close()


def test_a_collector_gets_spans_logs_and_totals_beside_the_server(
    server: Server, collector: Server, run_dir: Path
) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url + "/otlp/",
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=s3cret%20one,x=1",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": collector.url + "/spans",
        "OTEL_SERVICE_NAME": "not this one",
    }
    said = told(RECORD + SEND + MORE, server.url, run_dir, **environment)
    assert said == ""
    for destination, spans, logs in (
        (server, "/v1/traces", "/v1/logs"),
        (collector, "/spans", "/otlp/v1/logs"),
    ):
        [(resource, span)] = destination.records(spans)
        assert (resource["service.name"], span[5]) == ("shop", [b"checkout"])
        [(_, log)] = destination.records(logs)
        assert decode(log[5][0])[1] == [b"order taken"]
    # The server adds up, the collector is told totals.
    assert server.counted("shop.orders") == 5
    totals = points(collector, "shop.orders", "/otlp/v1/metrics")
    assert {temporality for temporality, _ in totals} == {2}
    assert [double(point[4][0]) for _, point in totals][-1] == 5
    assert len({point[2][0] for _, point in totals}) == 1, "all since the process began"
    temporality, waits = points(collector, "shop.wait", "/otlp/v1/metrics")[-1]
    assert (temporality, int.from_bytes(waits[4][0], "little")) == (2, 1)
    assert double(waits[5][0]) == 0.25
    buckets = decode(waits[8][0])
    assert buckets[2] == [b"\x01"]
    assert decode(waits[11][0])[5] == span[1], "an exemplar names the trace"
    [held] = [double(p[4][0]) for _, p in points(collector, "shop.held", "/otlp/v1/metrics")][-1:]
    assert held == 7
    for path, headers in collector.heads:
        assert headers["api-key"] == "s3cret one", path
        assert headers["content-encoding"] == "gzip"
    assert not any("api-key" in headers for _, headers in server.heads)


@pytest.mark.parametrize("status", [0, 401, 404, 503])
def test_one_destination_does_not_wait_for_the_other(
    status: int, server: Server, run_dir: Path
) -> None:
    refusing = Server(lambda _path: status)
    url = refusing.url if status else AWAY
    program = RECORD + "client.flush(5)\nassert client.stats['failed_export_attempts'] > 0\n"
    told(program, server.url, run_dir, OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert len(server.records("/v1/traces")) == 1
    server.requests.clear()
    told(program, url, run_dir, OTEL_EXPORTER_OTLP_ENDPOINT=server.url)
    assert len(server.records("/v1/traces")) == 1
    refusing.close()


def test_a_collector_alone_is_enough(collector: Server, run_dir: Path) -> None:
    told(RECORD + SEND, "off", run_dir, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert {path for path, _ in collector.requests} == {"/v1/traces", "/v1/metrics", "/v1/logs"}
    assert list(run_dir.iterdir()) == []


def test_signals_are_left_out_when_they_are_not_wanted(collector: Server, run_dir: Path) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": collector.url + "/v1/logs",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": collector.url + "/v1/metrics",
        "OTEL_METRICS_EXPORTER": "none",
    }
    told(RECORD + "client.flush(1)", AWAY, run_dir, **environment)
    assert {path for path, _ in collector.requests} == {"/v1/logs"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "only http/protobuf is spoken"),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"}, "gzip and none are known"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER is 'zipkin'"),
        ({"OTEL_PROPAGATORS": "b3,tracecontext"}, "OTEL_PROPAGATORS: b3"),
        ({"OTEL_TRACES_SAMPLER": "jaeger_remote"}, "'jaeger_remote', which is not known"),
        ({"OTEL_BSP_SCHEDULE_DELAY": "1"}, "not honoured: OTEL_BSP_SCHEDULE_DELAY"),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, "must be a number of milliseconds"),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "-1"}, "must be a number of milliseconds"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "begins with `http://`"),
    ],
)
def test_what_is_not_honoured_is_named(
    environment: dict[str, str], expected: str, run_dir: Path
) -> None:
    said = told(RECORD, AWAY, run_dir, **({"OTEL_EXPORTER_OTLP_ENDPOINT": AWAY} | environment))
    assert expected in said, said


def test_propagators_are_honoured(run_dir: Path) -> None:
    program = """
import sys
import firebell
from firebell import _native as native
client = firebell.init("shop", endpoint="off", run_dir=sys.argv[2])
came = {"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01", "baggage": "a=1"}
remote = native.extract(came)
handed = {}
with native.span("s", parent=remote) if remote else native.span("s"):
    native.inject(handed)
print(sorted(handed), remote is not None, file=sys.stderr)
"""
    for text, expected in {
        "": "['baggage', 'traceparent'] True",
        "tracecontext": "['traceparent'] True",
        "none": "[] False",
    }.items():
        said = told(program, "", run_dir, OTEL_PROPAGATORS=text)
        assert said.strip() == expected


def test_a_proxy_stands_between_unless_it_is_this_machine(server: Server, run_dir: Path) -> None:
    proxy = server
    address = proxy.url.replace("http://", "http://ana:s3cret%40@")
    environment = {"http_proxy": address, "no_proxy": "elsewhere.example"}
    told(RECORD + SEND, "http://bell.example:9494/team", run_dir, **environment)
    targets = {target for target, _ in proxy.heads}
    assert "http://bell.example:9494/team/v1/traces" in targets, targets
    for _, headers in proxy.heads:
        assert headers["host"] == "bell.example:9494"
        assert headers["proxy-authorization"] == "Basic YW5hOnMzY3JldEA="
    proxy.heads.clear()
    told(RECORD + SEND, proxy.url, run_dir, http_proxy="http://127.0.0.1:9")
    assert {target for target, _ in proxy.heads} >= {"/v1/traces"}
    told(
        RECORD + "client.flush(2); print(client.stats['last_export_error'], file=sys.stderr)",
        "http://localhost.invalid:1",
        run_dir,
        http_proxy=address,
        no_proxy="invalid",
    )


def test_what_is_encrypted_goes_through_a_tunnel(run_dir: Path) -> None:
    asked: list[tuple[str, str | None]] = []

    def answer(request: Asked) -> Answer:
        asked.append((request.path, request.headers["proxy-authorization"]))
        return Answer(403)

    program = (
        RECORD
        + "client.flush(5)\n"
        + "import json; print(json.dumps(client.stats['last_export_error']), file=sys.stderr)"
    )
    with Serving(answer) as proxy:
        said = told(program, "https://bell.example", run_dir, HTTPS_PROXY=proxy.url)
    assert asked[0] == ("bell.example:443", None)
    assert "the proxy 127.0.0.1" in json.loads(said.splitlines()[-1])
