"""Owns plain HTTP to one port of this machine: no redirects, no proxies, every answer returned."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

from proofs.check import ProofError

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    kind: str

    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        """Return the body as JSON, or raise."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise ProofError(f"no JSON but {self.status} {self.text()[:300]!r}") from error


def ask(  # noqa: PLR0913 as many as HTTP has
    port: int,
    path: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> Answer:
    """Send one request; raise `ProofError` when nobody answers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        # By itself: a reset while connecting means that nobody is there.
        connection.connect()
        # Whoever refuses a body need not read it to its end: the answer is there all the same.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(), answer.headers.get("Content-Type", ""))
    except (OSError, HTTPException) as error:
        raise ProofError(f"{method} {path}: {error!r}") from error
    finally:
        connection.close()


def raw(port: int, request: bytes, seconds: float = 2.0) -> bytes:
    """Send bytes as they are, close the sending side, and return what comes back."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        with suppress(OSError):
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            while chunk := connection.recv(65536):
                answer += chunk
    return answer


def is_ready(port: int) -> bool:
    """Say whether `/-/ready` answers 200."""
    with suppress(ProofError):
        return ask(port, "/-/ready", timeout=1.0).status == 200
    return False
