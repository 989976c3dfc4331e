"""Owns the other end of the notifications: a fake Slack and a webhook that check what arrives."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

BODY_BYTES_MAX = 1 << 20

FIRING = "firing"
RESOLVED = "resolved"

_SLACK_COLORS = {"danger": FIRING, "good": RESOLVED}
_WEBHOOK_FIELDS = (
    "receiver",
    "status",
    "alerts",
    "groupLabels",
    "commonLabels",
    "commonAnnotations",
    "externalURL",
    "version",
    "groupKey",
    "truncatedAlerts",
)
_ALERT_FIELDS = ("status", "labels", "annotations", "startsAt", "endsAt", "generatorURL")


class PayloadError(Exception):
    """The body is not what the receiver's API takes."""


@dataclass(frozen=True)
class Arrival:
    """One accepted notification."""

    integration: str
    status: str
    at: float
    text: str


class Receivers:
    """A server that answers `/slack` and `/webhook`, and remembers."""

    def __init__(self, port: int) -> None:
        """Listen on 127.0.0.1."""
        self._lock = Lock()
        self._arrivals: list[Arrival] = []
        self._refused: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        Thread(target=self._server.serve_forever, daemon=True).start()

    def arrivals(self, integration: str, status: str) -> list[Arrival]:
        """Return what arrived so far."""
        with self._lock:
            return [a for a in self._arrivals if (a.integration, a.status) == (integration, status)]

    def refused(self) -> list[str]:
        """Return why bodies were refused."""
        with self._lock:
            return list(self._refused)

    def forget(self) -> None:
        """Begin a new round with nothing arrived."""
        with self._lock:
            self._arrivals.clear()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def _accept(self, path: str, body: bytes) -> None:
        at = time.time()
        try:
            status, text = _CHECKS[path](json.loads(body))
        except (PayloadError, ValueError, KeyError, TypeError, AttributeError) as error:
            with self._lock:
                self._refused.append(f"{path}: {error!r} in {body[:500]!r}")
            raise PayloadError(str(error)) from error
        with self._lock:
            self._arrivals.append(Arrival(path.lstrip("/"), status, at, text))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receivers = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = min(int(self.headers.get("Content-Length", 0)), BODY_BYTES_MAX)
                try:
                    receivers._accept(self.path, self.rfile.read(length))
                except PayloadError:
                    self._answer(400, b"invalid_payload")
                else:
                    self._answer(200, b"ok")

            def log_message(self, *_: object) -> None:
                pass

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler


def check_slack(body: Any) -> tuple[str, str]:
    """Return status and text of a Slack incoming-webhook body, or raise `PayloadError`."""
    if not str(body.get("channel", "")).startswith("#"):
        raise PayloadError("`channel` is no channel")
    attachments = body.get("attachments")
    if not isinstance(attachments, list) or len(attachments) != 1:
        raise PayloadError("`attachments` is not a list of one")
    attachment = attachments[0]
    for field in ("title", "text", "fallback", "color"):
        if not isinstance(attachment.get(field), str) or not attachment[field].strip():
            raise PayloadError(f"the attachment has no `{field}`")
        if "<no value>" in attachment[field]:
            raise PayloadError(f"`{field}` has an unfilled place")
    status = _SLACK_COLORS.get(attachment["color"])
    if status is None or not attachment["title"].startswith(f"[{status.upper()}"):
        raise PayloadError("`color` and `title` do not say the same status")
    return status, f"{attachment['title']} {attachment['text']}".strip()


def check_webhook(body: Any) -> tuple[str, str]:
    """Return status and group key of an Alertmanager webhook body, or raise `PayloadError`."""
    missing = [field for field in _WEBHOOK_FIELDS if field not in body]
    if missing or body["version"] != "4":
        raise PayloadError(f"not a version 4 body; missing: {missing}")
    if body["status"] not in (FIRING, RESOLVED) or not body["alerts"]:
        raise PayloadError("no alerts, or a status that is neither firing nor resolved")
    for alert in body["alerts"]:
        absent = [field for field in _ALERT_FIELDS if field not in alert]
        if absent or len(alert.get("fingerprint", "")) != 16:
            raise PayloadError(f"an alert lacks {absent or 'a fingerprint of 16 digits'}")
    return body["status"], body["groupKey"]


_CHECKS = {"/slack": check_slack, "/webhook": check_webhook}
