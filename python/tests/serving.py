"""A server of a test's own, on a free port of this machine."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterable
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from typing_extensions import Self

POLL_SECONDS = 0.02


class Asked(NamedTuple):
    """A request; its path is the target as it came, its body is unpacked."""

    method: str
    path: str
    headers: Message
    body: bytes


class Answer(NamedTuple):
    """What it is answered."""

    status: int = 200
    body: bytes = b""
    headers: Iterable[tuple[str, str]] = ()


class Serving:
    """Has `answer` say what each request is answered; `url` is where."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer))
        # Connections that clients keep hold nobody up.
        self._http.daemon_threads = True
        self.address = f"127.0.0.1:{self._http.server_port}"
        self.url = f"http://{self.address}"
        serve = self._http.serve_forever
        threading.Thread(target=serve, args=(POLL_SECONDS,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _handler(answer: Callable[[Asked], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.take()

        def do_POST(self) -> None:
            self.take()

        def do_DELETE(self) -> None:
            self.take()

        def do_CONNECT(self) -> None:
            self.take()

        def take(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            found = answer(Asked(self.command, self.path, self.headers, body))
            self.send_response(found.status)
            for name, value in found.headers:
                self.send_header(name, value)
            self.send_header("content-length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
