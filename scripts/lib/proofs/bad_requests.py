"""Owns bad requests: remote writes that are broken, and garbage on every route."""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING

from proofs import shop
from proofs.check import ProofError, Proofs, wait_for
from proofs.client import raw
from proofs.process import Firebell
from proofs.remote_write import HEADERS as PROTOBUF
from proofs.remote_write import snappy, varint, write_request
from proofs.world import FIRING, Receiver, Target

if TYPE_CHECKING:
    from pathlib import Path

ROUTES = (
    "/-/healthy",
    "/-/ready",
    "/metrics",
    "/api/firebell/v1/status",
    "/api/firebell/v1/alerts",
    "/api/firebell/v1/inbox",
    "/api/v1/query",
    "/api/v1/query_range",
    "/api/v1/series",
    "/api/v1/labels",
    "/api/v1/label/job/values",
    "/api/v1/label/%FF/values",
    "/api/v1/rules",
    "/api/v1/alerts",
    "/api/v1/targets",
    "/api/v1/status/buildinfo",
    "/api/v1/write",
    "/api/v2/status",
    "/api/v2/receivers",
    "/api/v2/alerts",
    "/api/v2/alerts/groups",
    "/api/v2/silences",
    "/api/v2/silence/nonsense",
    "/api/v2/silence/00000000-0000-4000-8000-000000000000",
    "/api/v1/nothing",
    "/api/nothing",
    "/../../etc/passwd",
    "/assets/..%2f..%2fCargo.toml",
    "/%00",
)

QUERIES = (
    "",
    "?query=sum(",
    "?query=%FF%FE&time=NaN",
    "?query=up&time=99999999999999999999",
    "?query=up&start=0&end=99999999999&step=0.001",
    "?query=up&start=5&end=1&step=-1",
    "?query=" + "(" * 3000,
    "?query=" + "-" * 3000 + "1",
    "?query=" + "%2B".join(["1"] * 3000),
    "?query=rate(up[100000y])&time=1",
    "?match[]={&match[]=" + "a" * 5000,
    "?match[]=%7B__name__%3D~%22(((a*)*)*)*b%22%7D",
    "?filter=nonsense%3D%3D%3D&receiver=(&active=perhaps&limit=-1",
)

BODIES: tuple[tuple[bytes, str], ...] = (
    (b"", "application/json"),
    (b"nonsense", "application/json"),
    (b"{}", "application/json"),
    (b"[{}]", "application/json"),
    (b'[{"labels":{}}]', "application/json"),
    (b'[{"labels":{"alertname":5}}]', "application/json"),
    (b'[{"labels":{"\\u0000":"x","a b":"y"},"startsAt":"yesterday"}]', "application/json"),
    (b'[{"labels":{"a":"b"},"startsAt":"9999-12-31T23:59:59Z"}]', "application/json"),
    (b"[" * 20_000, "application/json"),
    (
        b'{"matchers":[{"name":"a","value":"(","isRegex":true}],"comment":"","createdBy":""}',
        "application/json",
    ),
    (
        b'{"matchers":[],"startsAt":"0001-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z"}',
        "application/json",
    ),
    (b"query=sum(&time=x", "application/x-www-form-urlencoded"),
    (b"query=%", "application/x-www-form-urlencoded"),
    (bytes(range(256)) * 20, "application/octet-stream"),
)


def show(proofs: Proofs) -> None:
    """Try it all."""
    with proofs.scene("bad remote writes") as folder:
        remote_writes(proofs, folder)
    with proofs.scene("garbage on every route") as folder:
        garbage(proofs, folder)
    with proofs.scene("asked to stop while busy") as folder:
        stop_while_busy(proofs, folder)


def remote_writes(proofs: Proofs, folder: Path) -> None:
    """Each is answered with its status; the store goes on."""
    now = int(time.time() * 1000)
    good = write_request([({"__name__": "good", "job": "x"}, [(now, 1.0)])])
    later = write_request([({"__name__": "good", "job": "x"}, [(now + 1, 2.0)])])
    mixed = write_request(
        [({"job": "no name"}, [(now, 1.0)]), ({"__name__": "mixed"}, [(now, 4.0)])]
    )
    cases = (
        ("a good one", snappy(good), PROTOBUF, 204),
        ("the same once more", snappy(good), PROTOBUF, 204),
        (
            "another value for the same time",
            snappy(write_request([({"__name__": "good", "job": "x"}, [(now, 9.0)])])),
            PROTOBUF,
            400,
        ),
        (
            "an older sample",
            snappy(write_request([({"__name__": "good", "job": "x"}, [(now - 5, 9.0)])])),
            PROTOBUF,
            400,
        ),
        ("nothing", b"", PROTOBUF, 400),
        ("no snappy", good, PROTOBUF, 400),
        ("snappy cut in the middle", snappy(good)[:-5], PROTOBUF, 400),
        ("protobuf cut in the middle", snappy(good[:-5]), PROTOBUF, 400),
        ("no protobuf", snappy(b"\xff" * 100), PROTOBUF, 400),
        ("one that claims to be 4 GB", varint(2**32 - 1) + b"\x00a", PROTOBUF, 413),
        ("33 MB", b"a" * (33 << 20), PROTOBUF, 413),
        ("gzip", snappy(good), {**PROTOBUF, "Content-Encoding": "gzip"}, 415),
        ("JSON", b"{}", {**PROTOBUF, "Content-Type": "application/json"}, 415),
        ("a series without a name beside a good one", snappy(mixed), PROTOBUF, 400),
        ("a good one after all that", snappy(later), PROTOBUF, 204),
    )
    with Firebell(folder) as server:
        server.wait_ready()
        for what, body, headers, wanted in cases:
            try:
                answer = server.ask("/api/v1/write", "POST", body, headers)
                got, said = answer.status, answer.text()
            except ProofError as error:
                got, said = 0, str(error)
            says_why = wanted == 204 or len(said.strip()) > 10
            proofs.check(f"{what}: {wanted}", got == wanted and says_why, f"{got} {said}")
        values = [server.value("good"), server.value("mixed")]
        proofs.equal("what was good is stored", values, [2.0, 4.0])
        chance = random.Random(1)
        body = snappy(good)
        for _ in range(300):
            broken = bytearray(body)
            broken[chance.randrange(len(broken))] = chance.randrange(256)
            server.ask("/api/v1/write", "POST", bytes(broken), PROTOBUF)
        proofs.equal(
            "300 with one wrong byte later it is there", server.ask("/-/ready").status, 200
        )
        values = [server.value("good"), server.value("mixed")]
        server.kill()
        server.start()
        server.wait_ready()
        proofs.equal("and after a kill", [server.value("good"), server.value("mixed")], values)
        no_panic(proofs, server)


# What a real Prometheus answers with 500 and these words, too.
NOT_IMPLEMENTED = ("DELETE", "/api/v1/series")


def garbage(proofs: Proofs, folder: Path) -> None:
    """Every route, every method, bodies and parameters of every kind: an answer, never a 5xx."""
    wrong, n_asked = [], 0
    with Firebell(folder) as server:
        server.wait_ready()
        for route in ROUTES:
            asked = [("GET", query, b"", "") for query in QUERIES]
            asked += [("POST", "", body, kind) for body, kind in BODIES]
            asked += [(m, "", b"x", "text/plain") for m in ("PUT", "DELETE", "PATCH", "BREW")]
            for method, query, body, kind in asked:
                n_asked += 1
                what = f"{method} {route}{query[:60]} {body[:60]!r}"
                try:
                    answer = server.ask(route + query, method, body or None, {"Content-Type": kind})
                except ProofError as error:
                    wrong.append(f"{what}: {error}")
                    continue
                if answer.status >= 500 and (method, route) != NOT_IMPLEMENTED:
                    wrong.append(f"{what}: {answer.status} {answer.text()[:200]}")
                if answer.kind.startswith("application/json"):
                    json.loads(answer.body)
        proofs.holds_for("answered, and not with a 5xx", n_asked, wrong)
        for bytes_ in (
            b"\x00" * 1000,
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET " + b"a" * 200_000,
            b"\x16\x03\x01",
        ):
            raw(server.port, bytes_)
        half = b"POST /api/v1/write HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf"
        raw(server.port, half)
        for headers in ({"Host": "example.org"}, {"Origin": "https://example.org"}):
            answer = server.ask("/api/v2/alerts", headers=headers)
            proofs.equal(f"a foreign {headers} is refused", answer.status, 403)
        proofs.equal("it is still there", server.ask("/-/ready").status, 200)
        alerts = server.json("/api/v2/alerts")
        names = [alert["labels"] for alert in alerts]
        proofs.check(
            "only alerts with good labels were taken", all("" not in n for n in names), names
        )
        no_panic(proofs, server)


def stop_while_busy(proofs: Proofs, folder: Path) -> None:
    """SIGTERM while a delivery hangs and scrapes come in: five seconds, and it is told again."""
    with Target() as target, Receiver() as told:
        told.plan = lambda _: (200, 8.0)
        server = Firebell(folder, shop.firebell(folder, target, told))
        with server:
            server.wait_ready()
            fault_at = target.break_it()
            wait_for("a delivery is under way", 20, lambda: bool(told.arrivals(fault_at)))
            n_before = len(told.arrivals())
            started_at = time.monotonic()
            code = server.stop()
            seconds = time.monotonic() - started_at
            proofs.check(
                "it ends in order", (code, seconds < 10) == (0, True), f"{code}, {seconds} s"
            )
            told.plan = lambda _: (200, 0.0)
            server.start()
            server.wait_ready()
            wait_for("told again", 20, lambda: len(told.arrivals()) > n_before)
            time.sleep(1)
            entries = [entry["status"] for entry in server.inbox()]
            proofs.equal("what was not confirmed is told again, the inbox once", entries, [FIRING])
            no_panic(proofs, server)


def no_panic(proofs: Proofs, server: Firebell) -> None:
    """See that nothing broke inside."""
    proofs.check("no panic", "panicked" not in server.text(), server.tail())
