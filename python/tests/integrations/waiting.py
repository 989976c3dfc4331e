"""Ports, and waiting for somebody to listen there."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

from collector import SECONDS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    """Return the first true answer; fails after `SECONDS_MAX`."""
    until = time.monotonic() + SECONDS_MAX
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come")


def is_listening(port: int) -> bool:
    """Say whether somebody answers there."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
