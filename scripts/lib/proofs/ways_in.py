"""Shows that what comes in by OTLP, protobuf and remote write is what Prometheus makes of it.

A real Prometheus 3.5 gets the same bodies, sends by remote write 2, and reads by remote read. What
it stores and what Firebell stores have to be the same series with the same values.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import time
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from bench.systems import peers, peers_if_any

from proofs.check import NOT_CHECKED, Proofs, wait_for
from proofs.client import ask, is_ready
from proofs.process import Firebell, Process, free_port, run
from proofs.protobuf import blob, double, family, fixed, integer, pair, signed
from proofs.world import Served, answer

if TYPE_CHECKING:
    from pathlib import Path

STARTS_SECONDS = 30.0
OTLP_PATH = "/api/v1/otlp/v1/metrics"
STRATEGIES = (
    "UnderscoreEscapingWithSuffixes",
    "UnderscoreEscapingWithoutSuffixes",
    "NoUTF8EscapingWithSuffixes",
    "NoTranslation",
)
PROTOBUF = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)


def main() -> int:
    """Show it; 77 when there is no Prometheus 3 here."""
    proofs = Proofs()
    with proofs.scene("OTLP over gRPC") as folder:
        grpc_is_taken(proofs, folder)
    if peers_if_any() is None:
        return proofs.finish() or NOT_CHECKED
    has_receiver = "otlp" in run([peers() / "prometheus", "--help"])[1]
    for strategy in STRATEGIES if has_receiver else ():
        with proofs.scene(f"OTLP, {strategy}") as folder:
            otlp_agrees(proofs, folder, strategy)
    if not has_receiver:
        proofs.skip("OTLP beside Prometheus", "Debian builds Prometheus without its receiver")
    with proofs.scene("protobuf scrapes, remote write 2 and remote read") as folder:
        samples_travel(proofs, folder)
    return proofs.finish()


def grpc_is_taken(proofs: Proofs, folder: Path) -> None:
    """Send OTLP by a real client of HTTP/2, whole, compressed and broken."""
    server = Firebell(folder)
    with server:
        server.wait_ready()
        now = time.time_ns()
        for value, is_gzip in ((1.5, False), (2.5, True)):
            message = gauge_request(f"by_grpc_{is_gzip}".lower(), now, value)
            said, answer = grpc(folder, server.port, message, is_gzip=is_gzip)
            proofs.check("HTTP says 200", "HTTP/2 200" in said, said)
            proofs.check("gRPC says 0", "grpc-status: 0" in said, said)
            proofs.equal("with an empty message", answer, bytes(5))
        result = server.json("/api/v1/query?query={__name__=~%22by_grpc_.*%22}")["data"]["result"]
        seen = sorted(
            (it["metric"]["__name__"], it["metric"]["a"], it["value"][1]) for it in result
        )
        wanted = [("by_grpc_false", "b", "1.5"), ("by_grpc_true", "b", "2.5")]
        proofs.equal("both are stored", seen, wanted)
        said, _ = grpc(folder, server.port, b"\x0a\xff", is_gzip=False)
        proofs.check("what cannot be read is status 3", "grpc-status: 3" in said, said)
        proofs.check("and it says why", "grpc-message: failed to read the request" in said, said)
    proofs.check("no panic", "panicked" not in server.text(), server.tail())


def grpc(folder: Path, port: int, message: bytes, *, is_gzip: bool) -> tuple[str, bytes]:
    """Call the export of metrics; return all headers, trailers among them, and the body."""
    content = gzip.compress(message) if is_gzip else message
    (folder / "message").write_bytes(bytes([is_gzip]) + len(content).to_bytes(4, "big") + content)
    command = ["curl", "-sS", "--max-time", "10", "--http2-prior-knowledge"]
    command += ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    command += ["-H", "grpc-encoding: gzip"] if is_gzip else []
    command += ["--data-binary", f"@{folder}/message", "-D", f"{folder}/head", "-o"]
    path = "opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
    (folder / "body").write_bytes(b"")
    subprocess.run([*command, f"{folder}/body", f"http://127.0.0.1:{port}/{path}"], check=True)
    return (folder / "head").read_text(), (folder / "body").read_bytes()


def gauge_request(name: str, nanos: int, value: float) -> bytes:
    """Return an `ExportMetricsServiceRequest` with a point of a gauge."""
    label = blob(1, "a") + blob(2, blob(1, "b"))
    point = fixed(3, nanos) + double(4, value) + blob(7, label)
    metric = blob(1, name) + blob(5, blob(1, point))
    return blob(1, blob(2, blob(2, metric)))


class RealPrometheus(Process):
    """A real Prometheus with a configuration."""

    def __init__(self, folder: Path, name: str, config: str, *flags: str) -> None:
        """Prepare it."""
        self.port = free_port()
        (folder / f"{name}.yml").write_text(config)
        command = [
            str(peers() / "prometheus"),
            f"--config.file={folder}/{name}.yml",
            f"--storage.tsdb.path={folder}/{name}",
            "--log.level=warn",
            f"--web.listen-address=127.0.0.1:{self.port}",
            *flags,
        ]
        super().__init__(command, folder / f"{name}.log")

    def wait_ready(self) -> None:
        """Wait until it answers."""
        wait_for("Prometheus is ready", STARTS_SECONDS, lambda: is_ready(self.port))


def otlp_agrees(proofs: Proofs, folder: Path, strategy: str) -> None:
    """Give both the same body; both then have the same series."""
    config = f"""\
otlp:
  translation_strategy: {strategy}
  promote_resource_attributes: [cloud.region, "0digit", service.name]
"""
    flags = ("--web.enable-otlp-receiver", "--enable-feature=native-histograms")
    prometheus = RealPrometheus(folder, "prometheus", config, *flags)
    server = Firebell(folder, f"{config}  delta_to_cumulative: false\n")
    body = json.dumps(otlp_body(time.time_ns())).encode()
    with prometheus, server:
        prometheus.wait_ready()
        server.wait_ready()
        headers = {"Content-Type": "application/json"}
        for port in (prometheus.port, server.port):
            said = ask(port, OTLP_PATH, method="POST", body=body, headers=headers)
            proofs.check(f"taken by {port}", said.status == 200, said.text())
        theirs, ours = (floats(port) for port in (prometheus.port, server.port))
        proofs.check("there are series", len(theirs) > 30, theirs)
        proofs.equal("only Prometheus has", sorted(theirs.items() - ours.items()), [])
        proofs.equal("only Firebell has", sorted(ours.items() - theirs.items()), [])
        histograms_agree(proofs, prometheus.port, server.port)
        delta = json.dumps(otlp_body(time.time_ns(), temporality=1)).encode()
        said = ask(server.port, OTLP_PATH, method="POST", body=delta, headers=headers)
        refused = said.json().get("partialSuccess", {})
        n_refused = refused.get("rejectedDataPoints")
        proofs.equal("deltas are refused where they are to be", n_refused, "6")
    proofs.check("no panic", "panicked" not in server.text(), server.tail())


def histograms_agree(proofs: Proofs, theirs: int, ours: int) -> None:
    """Compare native histograms, buckets and all."""
    asked = urlencode({"query": '{__name__=~".+"}'})
    found = []
    for port in (theirs, ours):
        result = ask(port, f"/api/v1/query?{asked}").json()["data"]["result"]
        histograms = [it for it in result if "histogram" in it]
        found.append(
            sorted(
                json.dumps([it["metric"], it["histogram"][1]], sort_keys=True) for it in histograms
            )
        )
    proofs.check("there are native histograms", found[0], found)
    proofs.equal("the same native histograms", found[1], found[0])


def floats(port: int) -> dict[str, str]:
    """Return the value of each series with a float, by its labels."""
    asked = urlencode({"query": '{__name__=~".+"}'})
    result = ask(port, f"/api/v1/query?{asked}").json()["data"]["result"]
    found = [it for it in result if "value" in it]
    return {json.dumps(it["metric"], sort_keys=True): it["value"][1] for it in found}


def attribute(key: str, value: dict[str, Any]) -> dict[str, Any]:
    """Return a `KeyValue`."""
    return {"key": key, "value": value}


def otlp_body(nanos: int, temporality: int = 2) -> dict[str, Any]:
    """Return a request with every kind of point, of attribute, and with strange names."""
    attributes = [
        attribute("http.route", {"stringValue": '/a"b\\c'}),
        attribute("http_route", {"stringValue": "second"}),
        attribute("_private", {"boolValue": True}),
        attribute("__double", {"intValue": "-7"}),
        attribute("1st", {"doubleValue": 2.5}),
        attribute("whole", {"doubleValue": 1e6}),
        attribute("größe", {"stringValue": "ü"}),
        attribute("list", {"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "<x>"}]}}),
        attribute(
            "map",
            {
                "kvlistValue": {
                    "values": [
                        attribute("b", {"boolValue": False}),
                        attribute("a", {"bytesValue": "Zm9v"}),
                    ]
                }
            },
        ),
        attribute("bytes", {"bytesValue": "//79"}),
        attribute("empty", {"stringValue": ""}),
    ]
    common = {"timeUnixNano": str(nanos), "startTimeUnixNano": str(nanos - 10**9)}
    number = {**common, "attributes": attributes, "asDouble": 1.5}
    whole = {**common, "asInt": "-3"}
    histogram = {
        **common,
        "count": "6",
        "sum": 9.5,
        "bucketCounts": ["1", "2", "3"],
        "explicitBounds": [0.005, 10],
    }
    exponential = {
        **common,
        "count": "7",
        "sum": 9.5,
        "scale": 10,
        "zeroCount": "1",
        "positive": {"offset": -2, "bucketCounts": ["1", "2", "0", "0", "0", "1"]},
        "negative": {"offset": 3, "bucketCounts": ["2"]},
    }
    summary = {
        **common,
        "count": "2",
        "sum": 3.5,
        "quantileValues": [{"quantile": 0.5, "value": 1.5}, {"quantile": 1, "value": 2}],
    }

    def gauge(name: str, unit: str) -> dict[str, Any]:
        return {"name": name, "unit": unit, "gauge": {"dataPoints": [whole]}}

    def total(name: str, unit: str, *, is_monotonic: bool = True) -> dict[str, Any]:
        return {
            "name": name,
            "unit": unit,
            "sum": {
                "dataPoints": [whole],
                "aggregationTemporality": temporality,
                "isMonotonic": is_monotonic,
            },
        }

    metrics = [
        {"name": "all.attributes", "gauge": {"dataPoints": [number]}},
        *(
            gauge(f"units.{idx}", unit)
            for idx, unit in enumerate(
                (
                    "1",
                    "s",
                    "By/s",
                    "{request}",
                    "{request}/s",
                    "%",
                    "m/s",
                    "/h",
                    "Cel",
                    "weird unit",
                    "By/{x}",
                    "ms/mo",
                    "__x__",
                    "1/s",
                    "kBy",
                )
            )
        ),
        gauge("ratio.ratio.of", "1"),
        gauge("5xx.errors", ""),
        gauge("système..näme__x", ""),
        gauge("already_seconds", "s"),
        gauge("ends.", "s"),
        gauge("a:b", "s"),
        total("total.requests", "1"),
        total("requests_total", "{r}"),
        total("bytes.sent", "By"),
        total("queue.size", "1", is_monotonic=False),
        {
            "name": "latency",
            "unit": "s",
            "histogram": {"dataPoints": [histogram], "aggregationTemporality": temporality},
        },
        {
            "name": "sizes",
            "unit": "By",
            "exponentialHistogram": {
                "dataPoints": [exponential],
                "aggregationTemporality": temporality,
            },
        },
        {"name": "quantiles", "unit": "ms", "summary": {"dataPoints": [summary]}},
    ]
    resource = [
        attribute("service.name", {"stringValue": "shop"}),
        attribute("service.namespace", {"stringValue": "eu"}),
        attribute("service.instance.id", {"stringValue": "i-1"}),
        attribute("cloud.region", {"stringValue": "north"}),
        attribute("0digit", {"stringValue": "zero"}),
    ]
    nameless = {
        "resource": {"attributes": [attribute("host", {"stringValue": "h"})]},
        "scopeMetrics": [{"metrics": [gauge("nameless", "")]}],
    }
    return {
        "resourceMetrics": [
            {
                "resource": {"attributes": resource},
                "scopeMetrics": [{"scope": {"name": "lib", "version": "1"}, "metrics": metrics}],
            },
            nameless,
        ]
    }


class ProtobufTarget(Served):
    """A target that speaks protobuf to those who ask for it, with a native histogram."""

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self.n_scrapes = 0
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                target.n_scrapes += 1
                if PROTOBUF.split(";", maxsplit=1)[0] in self.headers.get("Accept", ""):
                    answer(self, 200, target.families(), PROTOBUF)
                else:
                    answer(self, 200, b"plain 1\n", "text/plain; version=0.0.4")

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)

    def families(self) -> bytes:
        """Return what there is to scrape; counts grow with each scrape."""
        n = self.n_scrapes
        at = blob(3, integer(1, int(time.time())))
        exemplar = blob(1, blob(1, "trace_id") + blob(2, f"{n:032x}")) + double(2, 0.7) + at
        buckets = blob(3, integer(1, n) + double(2, 1.0)) + blob(
            3, integer(1, 3 * n) + double(2, 4)
        )
        native = signed(5, 0) + double(6, 0.25) + integer(7, n)
        native += blob(12, signed(1, 1) + integer(2, 2)) + signed(13, n) + signed(13, n)
        histogram = blob(7, integer(1, 4 * n) + double(2, 9.5 * n) + buckets + native)
        return b"".join(
            (
                family(
                    "work_total", 0, pair("kind", "a") + blob(3, double(1, n) + blob(2, exemplar))
                ),
                family("depth", 1, pair("queue", "mail") + blob(2, double(1, 3.25))),
                family("lengths", 4, pair("kind", "a") + histogram),
                family("classic", 4, blob(7, integer(1, 4 * n) + double(2, 9.5 * n) + buckets)),
            )
        )


def samples_travel(proofs: Proofs, folder: Path) -> None:
    """Target → Prometheus → remote write 2 → Firebell → remote read → another Prometheus."""
    with ProtobufTarget() as target:
        scrape = f"""\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ['{target.address}']}}]
"""
        receiver = Firebell(folder)
        sender = RealPrometheus(
            folder,
            "sender",
            f"""{scrape}
remote_write:
  - url: {receiver.url}/api/v1/write
    protobuf_message: io.prometheus.write.v2.Request
    send_native_histograms: true
    send_exemplars: true
    queue_config: {{batch_send_deadline: 500ms}}
""",
            "--enable-feature=native-histograms,exemplar-storage,metadata-wal-records",
        )
        reader = RealPrometheus(
            folder,
            "reader",
            f"""\
remote_read: [{{url: '{receiver.url}/api/v1/read', read_recent: true}}]
""",
        )
        with receiver, sender, reader:
            receiver.wait_ready()
            sender.wait_ready()
            reader.wait_ready()
            written_is_the_same(proofs, sender, receiver)
            read_is_the_same(proofs, reader, receiver)
            federation_has_histograms(proofs, folder, receiver)
        proofs.check("no panic", "panicked" not in receiver.text(), receiver.tail())
        own_scrape_is_the_same(proofs, folder, target)


def federation_has_histograms(proofs: Proofs, folder: Path, receiver: Firebell) -> None:
    """Let a real Prometheus scrape what we have; it asks for protobuf."""
    config = f"""\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: federate
    honor_labels: true
    metrics_path: /federate
    params: {{"match[]": ['{{job="shop"}}']}}
    static_configs: [{{targets: ['127.0.0.1:{receiver.port}']}}]
"""
    flags = "--enable-feature=native-histograms"
    with RealPrometheus(folder, "federating", config, flags) as prometheus:
        prometheus.wait_ready()

        def native(port: int) -> list[str]:
            asked = urlencode({"query": 'histogram_count({job="shop"})'})
            found = ask(port, f"/api/v1/query?{asked}").json()["data"]["result"]
            return sorted(json.dumps(it["metric"], sort_keys=True) for it in found)

        theirs = wait_for("histograms", STARTS_SECONDS, lambda: native(prometheus.port) or None)
        proofs.equal("federation carries native histograms", theirs, native(receiver.port))


def latest(port: int, at: float, selector: str) -> list[str]:
    """Return what a range query says of one second."""
    asked = urlencode({"query": selector, "time": f"{at:.3f}"})
    result = ask(port, f"/api/v1/query?{asked}").json()["data"]["result"]
    return sorted(json.dumps(it, sort_keys=True) for it in result)


def written_is_the_same(proofs: Proofs, sender: RealPrometheus, receiver: Firebell) -> None:
    """Ask both for the same moment."""
    wait_for("samples were written", STARTS_SECONDS, lambda: receiver.value("work_total"))
    time.sleep(4)
    at = time.time() - 2
    for selector in ("work_total[3s]", "depth[3s]", "up", "count({job='shop'})", "lengths[3s]"):
        theirs, ours = (latest(port, at, selector) for port in (sender.port, receiver.port))
        proofs.check(f"there is `{selector}`", theirs, theirs)
        proofs.equal(f"the same `{selector}`", ours, theirs)
    text = ask(sender.port, "/metrics").text()
    for what in ("samples", "histograms", "exemplars"):
        name = f"prometheus_remote_storage_{what}"
        counted = {
            line.split("{")[0]: float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith(name)
        }
        proofs.check(f"{what} were sent", counted.get(f"{name}_total", 0) > 0, counted)
        proofs.equal(f"no {what} failed", counted.get(f"{name}_failed_total"), 0.0)


def read_is_the_same(proofs: Proofs, reader: RealPrometheus, receiver: Firebell) -> None:
    """Ask a Prometheus without data of its own, and Firebell, for the same."""
    at = time.time() - 2
    for selector in (
        "depth",
        "rate(work_total[4s])",
        "sum by (job) (up)",
        "depth{queue=~'m.*'}",
        "histogram_count(lengths)",
        # Prometheus asks for chunks first; of these it sees the buckets, too.
        "lengths[4s]",
        "histogram_quantile(0.9, rate(lengths[4s]))",
    ):
        theirs, ours = (latest(port, at, selector) for port in (reader.port, receiver.port))
        proofs.check(f"`{selector}` is read", theirs, (theirs, ours))
        proofs.equal(f"the same `{selector}`", theirs, ours)


def own_scrape_is_the_same(proofs: Proofs, folder: Path, target: ProtobufTarget) -> None:
    """Scrape the target ourselves, in all ways, and compare the series."""
    more = "always_scrape_classic_histograms: true, convert_classic_histograms_to_nhcb: true"
    for idx, options in enumerate(("", more)):
        config = f"""\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ['{target.address}']}}]
    scrape_protocols: [PrometheusProto]
    {options.replace(", ", chr(10) + "    ")}
"""
        place = folder / f"own-{idx}"
        place.mkdir()
        flags = "--enable-feature=native-histograms"
        prometheus = RealPrometheus(place, "prometheus", config, flags)
        native = config + "    scrape_native_histograms: true\n"
        server = Firebell(place, native)
        with prometheus, server:
            server.wait_ready()
            prometheus.wait_ready()
            wait_for("own scrapes", STARTS_SECONDS, partial(server.value, "work_total"))
            ports = (prometheus.port, server.port)
            theirs, ours = (series_of(p) for p in ports)
            proofs.equal(f"the same series with `{options}`", ours, theirs)


def series_of(port: int) -> list[str]:
    """Return the labels of all series of the target, as soon as there are any."""
    return wait_for("series", STARTS_SECONDS, lambda: series(port) or None)


def series(port: int) -> list[str]:
    """Return the labels of all series of the target."""
    asked = urlencode({"match[]": '{job="shop",__name__!~"up|scrape_.*"}'})
    found = ask(port, f"/api/v1/series?{asked}").json()["data"]
    return sorted(json.dumps(it, sort_keys=True) for it in found)


if __name__ == "__main__":
    raise SystemExit(main())
