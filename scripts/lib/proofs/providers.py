"""Owns fakes of those who carry pages: they remember who was told what, and fail when asked to."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

from proofs.check import wait_for
from proofs.world import Served, answer

LINK = re.compile(r"http://[^\s|>\"]+(/a/[0-9a-z.~A-Z]+)")
TELLS_SECONDS = 30.0


@dataclass(frozen=True)
class Message:
    """One message that was taken."""

    by: str
    to: str
    text: str
    # What its buttons tell of a press, by what they say.
    buttons: dict[str, str] = field(default_factory=dict)

    def links(self) -> dict[str, str]:
        """Return the paths of its links by what they do."""
        names = {"a": "acknowledge", "r": "resolve", "s": "snooze", "h": "hand-over"}
        return {names[path.split(".")[2]]: path for path in LINK.findall(self.text)}


class Providers(Served):
    """Ntfy, Twilio, Slack, Telegram, and somebody's webhook, each below a path of its own."""

    def __init__(self) -> None:
        """Begin willing."""
        self.messages: list[Message] = []
        self.n_refused = 0
        # Those that are down.
        self.down: set[str] = set()
        providers = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                by = self.path.split("/")[1]
                if by in providers.down:
                    providers.n_refused += 1
                    answer(self, 503, b"not now", "text/plain")
                    return
                providers.messages.append(_message(by, self.path, body))
                answer(self, 200, b'{"ok":true,"channel":"D1","ts":"1.5"}', "application/json")

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)

    def to(self, who: str) -> list[Message]:
        """Return what somebody was told."""
        return [it for it in self.messages if it.to == who]

    def wait(self, who: str, n_messages: int = 1) -> Message:
        """Wait until somebody was told so often; return the last message."""
        what = f"{who} is told {n_messages} times"
        wait_for(what, TELLS_SECONDS, lambda: len(self.to(who)) >= n_messages)
        return self.to(who)[n_messages - 1]


def _message(by: str, path: str, body: bytes) -> Message:
    if by == "twilio":
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        return Message("phone" if "Twiml" in form else "sms", form["To"], path + str(form))
    told: dict[str, Any] = json.loads(body)
    if by == "ntfy":
        return Message(by, told["topic"], f"{told['title']}\n{told['message']}")
    if by == "slack":
        attachment = told["attachments"][0]
        actions = attachment.get("actions", []) if attachment["callback_id"] else []
        # One without a name does nothing.
        buttons = {it["text"]: it["value"] for it in actions if it["name"] and "value" in it}
        return Message(by, told["channel"], attachment["text"], buttons)
    if by == "telegram":
        rows = told.get("reply_markup", {}).get("inline_keyboard", [])
        buttons = {it["text"]: it["callback_data"] for row in rows for it in row}
        return Message(by, told["chat_id"], told["text"], buttons)
    return Message(by, told["receiver"], json.dumps(told))
