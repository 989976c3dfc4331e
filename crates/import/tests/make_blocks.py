"""Makes `blocks/`: blocks of a real Prometheus, and what promtool says is in them.

    make_blocks.py FOLDER_OF_PEERS OUT PORT

Prometheus scrapes native histograms of every kind from here for some seconds; a snapshot of its head
is the first block. The second one is made from text by promtool, and a part of it deleted.
"""

import http.server
import json
import math
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

CONFIG = """
global: {{scrape_interval: 100ms, evaluation_interval: 200ms}}
rule_files: [rules.yml]
scrape_configs:
- job_name: native
  static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
- job_name: bounds
  convert_classic_histograms_to_nhcb: true
  metrics_path: /classic
  scrape_protocols: [PrometheusText0.0.4]
  static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""
RULES = """
groups:
- name: rates
  rules:
  - {record: whole:rate, expr: "rate(whole[2s])"}
  - {record: whole:count, expr: "histogram_count(whole)"}
"""


def varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def zigzag(number: int) -> bytes:
    return varint((number << 1) ^ (number >> 63) if number >= 0 else (-number << 1) - 1)


def field(number: int, value: float | bytes) -> bytes:
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    return varint(number << 3) + varint(value)


def spans(number: int, indices: list[int]) -> bytes:
    out, runs, end = b"", [], 0
    for index in indices:
        if runs and index == end:
            runs[-1][1] += 1
        else:
            runs.append([index - end, 1])
        end = index + 1
    for offset, length in runs:
        out += field(number, varint(8) + zigzag(offset) + field(2, length))
    return out


class Histogram:
    """A native histogram that observes at random."""

    def __init__(self, name: str, kind: str, schema: int) -> None:
        self.name, self.kind, self.schema = name, kind, schema
        self.reset()

    def reset(self) -> None:
        self.zero, self.sum = 0, 0.0
        self.positive: dict[int, int] = {}
        self.negative: dict[int, int] = {}

    def observe(self, chance: random.Random) -> None:
        for _ in range(chance.randrange(8)):
            value = chance.gauss(0.0, 5.0)
            self.sum += value
            if abs(value) < 0.01:
                self.zero += 1
                continue
            side = self.positive if value > 0 else self.negative
            index = math.ceil(math.log2(abs(value)) * 2**self.schema)
            side[index] = side.get(index, 0) + 1
        if chance.random() < 0.03:
            self.reset()
        if chance.random() < 0.02:
            self.reset()
            self.schema = chance.choice([-1, 0, 1, 2])

    def encode(self) -> bytes:
        is_float = self.kind == "float"
        count = self.zero + sum(self.positive.values()) + sum(self.negative.values())
        if is_float:
            body = field(4, count / 2) + field(8, self.zero / 2)
        else:
            body = field(1, count) + field(7, self.zero)
        body += field(2, self.sum) + varint(5 << 3) + zigzag(self.schema) + field(6, 0.01)
        for side, span, delta, whole in [(self.negative, 9, 10, 11), (self.positive, 12, 13, 14)]:
            indices = sorted(side)
            body += spans(span, indices)
            last = 0
            for index in indices:
                if is_float:
                    body += field(whole, side[index] / 2)
                else:
                    body += varint(delta << 3) + zigzag(side[index] - last)
                    last = side[index]
        label = field(1, field(1, b"kind") + field(2, self.kind.encode()))
        metric = label + field(7, body)
        family = field(1, self.name.encode()) + field(3, 5 if self.kind == "gauge" else 4)
        family += field(4, metric)
        return varint(len(family)) + family


class Target(http.server.BaseHTTPRequestHandler):
    """Answers scrapes."""

    chance = random.Random(7)
    histograms = [
        Histogram("whole", "whole", 2),
        Histogram("halves", "float", 1),
        Histogram("level", "gauge", 0),
    ]
    classic = [0] * 5
    n_scrapes = 0

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        cls = type(self)
        cls.n_scrapes += 1
        if self.path == "/classic":
            for idx in range(5):
                cls.classic[idx] += cls.chance.randrange(6)
            so_far, lines = 0, ["# TYPE bounded histogram"]
            for bound, n in zip(["0.1", "0.25", "1", "40000.125", "+Inf"], cls.classic):
                so_far += n
                lines.append(f'bounded_bucket{{le="{bound}"}} {so_far}')
            lines += [f"bounded_sum {so_far * 0.7}", f"bounded_count {so_far}"]
            body, content_type = "\n".join([*lines, ""]).encode(), "text/plain; version=0.0.4"
        else:
            for histogram in cls.histograms:
                histogram.observe(cls.chance)
            # Who is away for some scrapes gets a stale marker.
            there = [it for it in cls.histograms if cls.n_scrapes % 60 < 50 or it.kind == "float"]
            body = b"".join(it.encode() for it in there)
            content_type = (
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
                "encoding=delimited"
            )
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def post(url: str) -> dict:
    request = urllib.request.Request(url, method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else {}


def with_prometheus(peers: str, folder: pathlib.Path, port: int, data: pathlib.Path, act) -> object:
    listen = f"127.0.0.1:{port + 1}"
    command = [
        f"{peers}/prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={listen}",
        "--web.enable-admin-api",
        "--enable-feature=native-histograms",
        "--log.level=error",
    ]
    prometheus = subprocess.Popen(command)
    try:
        time.sleep(3)
        return act(f"http://{listen}/api/v1/admin/tsdb")
    finally:
        prometheus.terminate()
        prometheus.wait(20)


def dump(peers: str, block: pathlib.Path, out: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "wal").mkdir()
        shutil.copytree(block, f"{folder}/{block.name}")
        text = subprocess.run(
            [f"{peers}/promtool", "tsdb", "dump", folder], capture_output=True, check=True
        ).stdout
    shutil.copytree(block, out, ignore=shutil.ignore_patterns("tombstones.tmp"))
    (out / "dump.txt").write_bytes(text)


def text_lines() -> str:
    chance, lines = random.Random(3), ["# TYPE work counter"]
    for series in range(6):
        value = 0
        for step in range(300):
            value += chance.randrange(40) if series else chance.random()
            if chance.random() < 0.97:
                at = 1_600_000_000 + step * 15 + chance.randrange(3) / 1000
                lines.append(f'work_total{{job="j{series}",path="\\u00e4 \\"b\\""}} {value} {at}')
    return "\n".join([*lines, "# EOF", ""]).encode().decode("unicode_escape").replace('"b"', '\\"b\\"')


def main(peers: str, out: str, port: int) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Target)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    target = pathlib.Path(out)
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "prometheus.yml").write_text(CONFIG.format(port=port))
        (folder / "rules.yml").write_text(RULES)

        def snapshot(api: str) -> str:
            time.sleep(22)
            return post(f"{api}/snapshot")["data"]["name"]

        name = with_prometheus(peers, folder, port, folder / "head", snapshot)
        (block,) = (folder / "head/snapshots" / name).iterdir()
        dump(peers, block, target / "scraped")

        (folder / "work.txt").write_text(text_lines())
        create = ["tsdb", "create-blocks-from", "openmetrics", f"{folder}/work.txt", f"{folder}/text"]
        subprocess.run([f"{peers}/promtool", *create], check=True, capture_output=True)
        (folder / "prometheus.yml").write_text("")
        deleted = "match[]=work_total{job=~%22j[12]%22}&start=1600001000&end=1600002000"
        with_prometheus(
            peers, folder, port, folder / "text", lambda api: post(f"{api}/delete_series?{deleted}")
        )
        (block,) = (folder / "text").glob("01*")
        dump(peers, block, target / "deleted")
        shutil.copy(folder / "work.txt", target / "work.txt")


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
