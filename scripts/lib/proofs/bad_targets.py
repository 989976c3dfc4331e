"""Owns targets that misbehave: each is down with its reason, and the others are not troubled."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from proofs import shop
from proofs.check import ProofError, Proofs, wait_for
from proofs.process import Firebell
from proofs.world import TEXT, Target, answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.server import BaseHTTPRequestHandler

BODY_LIMIT = 1 << 20
RESIDENT_MIB_MAX = 120.0


def garbage(handler: BaseHTTPRequestHandler) -> None:
    """Answer with bytes that mean nothing."""
    answer(handler, 200, bytes(range(256)) * 10, TEXT)


def half_a_line(handler: BaseHTTPRequestHandler) -> None:
    """Answer with one good line and half of another."""
    answer(handler, 200, b'good 1\nbad{le="', TEXT)


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Answer too late."""
    time.sleep(2)
    answer(handler, 200, b"late 1\n", TEXT)


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Begin an answer that does not end."""
    handler.send_response(200)
    handler.send_header("Content-Type", TEXT)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    for _ in range(20):
        handler.wfile.write(b"drip 1\n")
        time.sleep(0.1)


def huge(handler: BaseHTTPRequestHandler) -> None:
    """Answer with far more than is read."""
    answer(handler, 200, b"huge_metric_with_a_long_name 1\n" * 200_000, TEXT)


def image(handler: BaseHTTPRequestHandler) -> None:
    """Answer with another type of content."""
    answer(handler, 200, b"good 1\n", "image/png")


def error(handler: BaseHTTPRequestHandler) -> None:
    """Answer with an error."""
    answer(handler, 500, b"oops\n", TEXT)


def cut(handler: BaseHTTPRequestHandler) -> None:
    """Close without an answer."""
    handler.close_connection = True


def in_circles(handler: BaseHTTPRequestHandler) -> None:
    """Redirect to itself."""
    handler.send_response(302)
    handler.send_header("Location", "/metrics")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def as_openmetrics(handler: BaseHTTPRequestHandler) -> None:
    """Change the format: this is fine."""
    body = b"# TYPE good gauge\ngood 1\n# EOF\n"
    answer(handler, 200, body, "application/openmetrics-text; version=1.0.0; charset=utf-8")


BEHAVIOURS: tuple[tuple[Callable[[BaseHTTPRequestHandler], None], str], ...] = (
    (garbage, "not valid UTF-8"),
    (half_a_line, "line 2"),
    (hang, "no answer in time"),
    (drip, "no answer in time"),
    (huge, "body size limit exceeded"),
    (image, "image/png"),
    (error, "500"),
    (cut, ""),
    (in_circles, "redirect"),
)


def states_of(server: Firebell) -> dict[str, Any]:
    """Return what the server says of each target."""
    targets = server.json("/api/v1/targets")["data"]["activeTargets"]
    return {target["labels"]["job"]: target for target in targets}


def is_wanted(state: dict[str, Any], reason: str) -> bool:
    """Tell whether a target is down for this reason."""
    said = state["lastError"]
    return bool(state["health"] == "down" and said and reason in said)


def wanted_states(server: Firebell) -> dict[str, Any] | None:
    """Return the same, when each that misbehaves is down for its own reason."""
    states = states_of(server)
    bad = enumerate(BEHAVIOURS, start=1)
    return states if all(is_wanted(states[f"shop{n}"], why) for n, (_, why) in bad) else None


def show(proofs: Proofs) -> None:
    """Try it all."""
    with proofs.scene("targets that misbehave") as folder, ExitStack() as stack:
        good = stack.enter_context(Target())
        bad = [stack.enter_context(Target()) for _ in (*BEHAVIOURS, as_openmetrics)]
        more = f", scrape_interval: 500ms, scrape_timeout: 500ms, body_size_limit: {BODY_LIMIT}B"
        server = stack.enter_context(Firebell(folder, shop.scrape_of(good, *bad, more=more)))
        server.wait_ready()
        wait_for("all are up", 20, lambda: server.value("sum(up)") == len(bad) + 1)
        for target, (behave, _) in zip(bad, BEHAVIOURS, strict=False):
            target.behave = behave
        bad[-1].behave = as_openmetrics
        wait_for("the bad are down", 20, lambda: server.value("sum(up)") == 2)
        time.sleep(2)
        # A scrape that comes late on a busy machine has another problem than the wanted one.
        states = states_of(server)
        with suppress(ProofError):
            states = wait_for("each has its own problem", 20, lambda: wanted_states(server))
        for idx, (behave, reason) in enumerate(BEHAVIOURS):
            state = states[f"shop{idx + 1}"]
            what = f"{behave.__name__.replace('_', ' ')}: {state['lastError'][:80]}"
            proofs.check(what, is_wanted(state, reason), f"wanted {reason!r}: {state}")
        both = [states[f"shop{idx}"]["health"] for idx in ("", len(bad))]
        proofs.equal("the good one and the one that changed its format are up", both, ["up", "up"])
        stale = 'count({__name__=~"good|checkout_total",job=~"shop[1-9]"})'
        proofs.equal("what the bad ones told before has ended", server.value(stale), None)
        n_good = 'count_over_time(up{job="shop"}[2s]) >= 3'
        wait_for("the good one is asked as often as ever", 20, lambda: server.value(n_good))
        held = server.resident_mib()
        proofs.check(f"memory stays small ({held:.0f} MiB)", held < RESIDENT_MIB_MAX)
        for target in bad:
            target.behave = None
        wait_for("all are up again", 20, lambda: server.value("sum(up)") == len(bad) + 1)
        proofs.check("all come back", holds=True)
        proofs.check("no panic", "panicked" not in server.text(), server.tail())
