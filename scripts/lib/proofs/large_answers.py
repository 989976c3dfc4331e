"""Shows that large answers take no memory beside their data, and end with their reader."""

from __future__ import annotations

import hashlib
import http.client
import sys
import time
import zlib
from urllib.parse import urlencode

from proofs.check import Proofs, wait_for
from proofs.process import Firebell
from proofs.remote_write import HEADERS, snappy, write_request

SERIES = 2_000
STEPS = 11_000
LISTED = 100_000
PER_REQUEST = 10_000
POINT_BYTES = 8
TEXT_BYTES_MIN = 18
ROOM_MIB = 96.0
READERS = 3
PIECE = 1 << 16


def main() -> int:
    """Ask for much; 0 when the server holds little."""
    proofs = Proofs()
    with proofs.scene("a range query with 22 million points") as folder:
        with Firebell(folder, "{}") as server:
            server.wait_ready()
            start = int(time.time()) - STEPS
            fill(server, "wide", SERIES, start)
            ranges(proofs, server, start)
        proofs.check("no panic", "panicked" not in (folder / "firebell.log").read_text())
    with proofs.scene("lists of 100,000 series") as folder:
        with Firebell(folder, "{}") as server:
            server.wait_ready()
            fill(server, "listed", LISTED, int(time.time()))
            lists(proofs, server)
        proofs.check("no panic", "panicked" not in (folder / "firebell.log").read_text())
    return proofs.finish()


def ranges(proofs: Proofs, server: Firebell, start: int) -> None:
    """Read the answer of a range query whole, compressed, and not to its end."""
    before = server.resident_mib()
    asked = {"query": "wide", "start": start, "end": start + STEPS - 1, "step": 1}
    path = "/api/v1/query_range?" + urlencode({**asked, "lookback_delta": "1d"})
    n_points = SERIES * STEPS
    first, n_bytes, digest = read(server, path)
    print(f"  first bytes after {first:.2f} s, then {n_bytes / 2**20:.0f} MiB of text")
    proofs.check("all points are there", n_bytes > n_points * TEXT_BYTES_MIN, n_bytes)
    most = server.resident_mib("VmHWM") - before
    data = n_points * POINT_BYTES / 2**20
    print(f"  the data has {data:.0f} MiB, the most memory was {most:.0f} MiB above idle")
    proofs.check("memory for the data, not for the text", most < data + ROOM_MIB, f"{most:.0f}")
    settled(server, before)
    _, n_unpacked, same = read(server, path, gzip=True)
    proofs.equal("compressed it is the same", (n_unpacked, same), (n_bytes, digest))
    most = server.resident_mib("VmHWM") - before
    proofs.check("with no more memory", most < data + ROOM_MIB, f"{most:.0f}")
    readers = [opened(server, path) for _ in range(READERS)]
    for connection, answer in readers:
        answer.read(PIECE)
        connection.close()
        answer.close()

    def is_idle() -> bool:
        spent = server.cpu_seconds()
        time.sleep(0.5)
        return server.cpu_seconds() - spent < 0.1

    wait_for("readers that went away cost nothing", 10, is_idle)
    settled(server, before)
    held = server.resident_mib() - before
    proofs.check("and hold nothing", held < ROOM_MIB, f"{held:.0f} MiB above idle")


def settled(server: Firebell, idle: float) -> None:
    """Wait until what nobody reads any more is given back."""
    wait_for("memory given back", 10, lambda: server.resident_mib() - idle < ROOM_MIB)


def lists(proofs: Proofs, server: Firebell) -> None:
    """Read lists of many series."""
    before = server.resident_mib()
    for path in ("/api/v1/series?match[]=listed", "/federate?match[]=listed"):
        _, n_bytes, digest = read(server, path)
        _, n_unpacked, same = read(server, path, gzip=True)
        proofs.check(f"{path}: all are there", n_bytes > LISTED * TEXT_BYTES_MIN, n_bytes)
        proofs.equal(f"{path}: the same, compressed", (n_unpacked, same), (n_bytes, digest))
    most = server.resident_mib("VmHWM") - before
    print(f"  the most memory was {most:.0f} MiB above idle")
    proofs.check("lists take little", most < ROOM_MIB, f"{most:.0f}")


def fill(server: Firebell, name: str, n: int, at: int) -> None:
    """Write a sample of so many series."""
    for begin in range(0, n, PER_REQUEST):
        series = [
            ({"__name__": name, "n": f"{number:06}"}, [(at * 1000, 1.5)])
            for number in range(begin, min(begin + PER_REQUEST, n))
        ]
        body = snappy(write_request(series))
        server.ask("/api/v1/write", method="POST", body=body, headers=HEADERS)


def opened(
    server: Firebell, path: str, *, gzip: bool = False
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """Ask for something."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"} if gzip else {})
    return connection, connection.getresponse()


def read(server: Firebell, path: str, *, gzip: bool = False) -> tuple[float, int, str]:
    """Return the seconds to the first bytes, and length and digest of the text."""
    began_at = time.time()
    connection, answer = opened(server, path, gzip=gzip)
    first = time.time() - began_at
    unpacker = zlib.decompressobj(31)
    digest, n_bytes = hashlib.sha256(), 0
    while piece := answer.read(PIECE):
        text = unpacker.decompress(piece) if gzip else piece
        digest.update(text)
        n_bytes += len(text)
    connection.close()
    return first, n_bytes, digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
