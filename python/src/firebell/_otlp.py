"""A receiver of OTLP/HTTP for tests: as much of protobuf as spans and logs need, and no more."""

from __future__ import annotations

import struct
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

BODY_BYTES_MAX = 64 << 20
KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")


class Receiver:
    """Listens on loopback until it is closed."""

    def __init__(self) -> None:
        from http.server import ThreadingHTTPServer

        self.spans: list[dict[str, Any]] = []
        self.logs: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="firebell-capture", daemon=True
        ).start()

    def close(self) -> None:
        """Listen no longer."""
        self._server.shutdown()
        self._server.server_close()

    def take(self, path: str, body: bytes) -> None:
        """Take what was sent."""
        if path.endswith("/v1/traces"):
            self.spans += [_span(it) for it in _inner(body, 1, 2, 2)]
        elif path.endswith("/v1/logs"):
            self.logs += [_log(it) for it in _inner(body, 1, 2, 2)]


def exposed(text: str) -> dict[str, float]:
    """Return the series of an exposition with their values."""
    found: dict[str, float] = {}
    gauges: set[str] = set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ", 3)
            if kind == "gauge":
                gauges.add(name)
        elif line and not line.startswith("#"):
            series, _, value = line.partition("} ") if "{" in line else line.partition(" ")
            name = series.partition("{")[0]
            # What is no gauge counts from the beginning of a test.
            mark = GAUGE if name in gauges else ""
            try:
                found[mark + series] = float(value.split(" ", 1)[0])
            except ValueError:
                continue
    return found


def is_gauge(series: str) -> bool:
    """Whether a series is one of a gauge."""
    return series.startswith(GAUGE)


def matches(series: str, name: str, labels: dict[str, str]) -> bool:
    """Whether a series is of a metric and has these labels."""
    import re

    found, _, rest = series.removeprefix(GAUGE).partition("{")
    plain = re.sub(r"[^a-zA-Z0-9_:]", "_", name)
    if found not in {name, plain, f"{plain}_total"}:
        return False
    given = dict(re.findall(r'([^\s,{=]+)="((?:[^"\\]|\\.)*)"', rest))
    return all(given.get(re.sub(r"[^a-zA-Z0-9_]", "_", k)) == v for k, v in labels.items())


GAUGE = "gauge "


def _handler(receiver: Receiver) -> Any:
    import gzip
    from http.server import BaseHTTPRequestHandler

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = min(int(self.headers.get("Content-Length") or 0), BODY_BYTES_MAX)
            body = self.rfile.read(length)
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            receiver.take(self.path, body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield the fields of a message: numbers, and bytes."""
    at = 0
    value: Any
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 1:
            value, at = data[at : at + 8], at + 8
        elif kind == 5:
            value, at = data[at : at + 4], at + 4
        else:
            length, at = _varint(data, at)
            value, at = data[at : at + length], at + length
        yield tag >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _inner(data: bytes, *path: int) -> list[bytes]:
    """Return the messages at the end of a path of field numbers."""
    found = [data]
    for number in path:
        found = [value for it in found for field, value in _fields(it) if field == number]
    return found


def _span(data: bytes) -> dict[str, Any]:  # noqa: C901 - a field each
    span: dict[str, Any] = {
        "name": "",
        "kind": "internal",
        "parent_id": None,
        "failed": False,
        "attributes": {},
    }
    began = ended = 0
    for field, value in _fields(data):
        if field == 1:
            span["trace_id"] = value.hex()
        elif field == 2:
            span["span_id"] = value.hex()
        elif field == 4 and value:
            span["parent_id"] = value.hex()
        elif field == 5:
            span["name"] = value.decode()
        elif field == 6:
            span["kind"] = KINDS[value] if value < len(KINDS) else str(value)
        elif field == 7:
            began = int.from_bytes(value, "little")
        elif field == 8:
            ended = int.from_bytes(value, "little")
        elif field == 9:
            span["attributes"].update(_attribute(value))
        elif field == 15:
            span["failed"] = dict(_fields(value)).get(3) == 2
    span["seconds"] = (ended - began) / 1e9
    return span


def _log(data: bytes) -> dict[str, Any]:
    log: dict[str, Any] = {"level": "", "message": "", "logger": "", "attributes": {}}
    for field, value in _fields(data):
        if field == 3:
            log["level"] = value.decode().lower()
        elif field == 5:
            log["message"] = _any(value)
        elif field == 6:
            log["attributes"].update(_attribute(value))
        elif field == 9 and value:
            log["trace_id"] = value.hex()
        elif field == 12 and value:
            log["event"] = value.decode()
    for key in ("logger", "logger.name", "log.logger"):
        log["logger"] = log["logger"] or log["attributes"].get(key, "")
    return log


def _attribute(data: bytes) -> dict[str, Any]:
    found = dict(_fields(data))
    return {found.get(1, b"").decode(): _any(found.get(2, b""))}


def _any(data: bytes) -> Any:  # noqa: PLR0911 - a kind each
    for field, value in _fields(data):
        if field == 1:
            return value.decode()
        if field == 2:
            return bool(value)
        if field == 3:
            return value - (1 << 64) if value >> 63 else value
        if field == 4:
            return struct.unpack("<d", value)[0]
        if field == 5:
            return [_any(it) for number, it in _fields(value) if number == 1]
        if field == 6:
            pairs = [_attribute(it) for number, it in _fields(value) if number == 1]
            return {key: it for pair in pairs for key, it in pair.items()}
        if field == 7:
            return value
    return None
