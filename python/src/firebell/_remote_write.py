"""Prometheus's remote write, version 1, as much as tests need: floats of one moment."""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TIMEOUT_SECONDS = 10.0
# The value that says that a series has ended.
STALE: float = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
LITERAL_BYTES_MAX = 65_536


def send(url: str, series: Iterable[tuple[Mapping[str, str], float]], at: float) -> None:
    """Write samples of one moment. Raises `OSError` when the server does not take them."""
    import urllib.request

    body = b"".join(_message(1, _series(labels, value, at)) for labels, value in series)
    if not body:
        return
    sent = {
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
        **headers(),
    }
    request = urllib.request.Request(  # noqa: S310 - the address is the tester's own
        f"{url}/api/v1/write", _snappy(body), sent, method="POST"
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310
        pass


def headers() -> dict[str, str]:
    """Return what a server wants that asks for a token."""
    import os

    token = os.environ.get("FIREBELL_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _series(labels: Mapping[str, str], value: float, at: float) -> bytes:
    pairs = sorted(labels.items())
    texts = [
        _message(1, _message(1, name.encode()) + _message(2, text.encode())) for name, text in pairs
    ]
    sample = b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(int(at * 1000))
    return b"".join(texts) + _message(2, sample)


def _message(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _snappy(data: bytes) -> bytes:
    """Pack as snappy without making it smaller: literals only."""
    found = [_varint(len(data))]
    for at in range(0, len(data), LITERAL_BYTES_MAX):
        part = data[at : at + LITERAL_BYTES_MAX]
        found.append(b"\xf4" + struct.pack("<H", len(part) - 1) + part)
    return b"".join(found)
