"""The demo is the end-to-end test, so it has to be able to fail."""

from __future__ import annotations

import copy
import json
import os
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from demo.client import Firebell, InboxEntry, Shop, _seconds
from demo.processes import DemoError, Processes
from demo.receivers import PayloadError, Receivers, check_slack, check_webhook
from demo.story import Round, Stage

PORT = 9483
URL = f"http://127.0.0.1:{PORT}"

SLACK: dict[str, Any] = {
    "channel": "#alerts",
    "attachments": [
        {"title": "[FIRING:1] A", "text": "burns", "fallback": "A", "color": "danger"},
    ],
}
WEBHOOK: dict[str, Any] = {
    "receiver": "r",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "A"},
            "annotations": {},
            "startsAt": "2026-01-01T00:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "",
            "fingerprint": "0123456789abcdef",
        },
    ],
    "groupLabels": {},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "",
    "version": "4",
    "groupKey": "{}:{}",
    "truncatedAlerts": 0,
}


def changed(body: dict[str, Any], path: list[Any], value: object) -> dict[str, Any]:
    """Return `body` with the value at `path` replaced."""
    body = copy.deepcopy(body)
    place: Any = body
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return body


class Payloads(unittest.TestCase):
    """What a receiver takes."""

    def test_bodies_as_upstream_sends_them_are_taken(self) -> None:
        """Status and text come back."""
        assert check_slack(SLACK) == ("firing", "[FIRING:1] A burns")
        assert check_webhook(WEBHOOK) == ("firing", "{}:{}")

    def test_bodies_that_slack_or_a_person_could_not_use_are_refused(self) -> None:
        """One change each."""
        for path, value in (
            (["channel"], "alerts"),
            (["attachments"], []),
            (["attachments", 0, "text"], " "),
            (["attachments", 0, "text"], "value <no value>"),
            (["attachments", 0, "color"], "good"),
            (["attachments", 0, "title"], "[RESOLVED] A"),
        ):
            with self.subTest(path=path), self.assertRaises(PayloadError):
                check_slack(changed(SLACK, path, value))
        for path, value in (
            (["version"], "3"),
            (["status"], "pending"),
            (["alerts"], []),
            (["alerts", 0, "fingerprint"], "0123"),
        ):
            with self.subTest(path=path), self.assertRaises(PayloadError):
                check_webhook(changed(WEBHOOK, path, value))

    def test_times_are_read_with_any_number_of_decimals(self) -> None:
        """Python 3.10 alone would not."""
        for text, seconds in (
            ("1970-01-01T00:00:01Z", 1.0),
            ("1970-01-01T00:00:01.5Z", 1.5),
            ("1970-01-01T01:00:01.123456789+01:00", 1.123456789),
        ):
            assert _seconds(text) == seconds
        assert _seconds(None) is None


class SilentFirebell(Firebell):
    """A Firebell whose inbox has what is put into it."""

    def __init__(self, statuses: list[str]) -> None:
        """Have one entry per status."""
        super().__init__("")
        self._statuses = statuses

    def inbox(self, since: float, status: str) -> list[InboxEntry]:
        """Return the entries of that status."""
        return [InboxEntry(since, "r", s, "first") for s in self._statuses if s == status]


class Stories(unittest.TestCase):
    """What a round of the demo notices."""

    def setUp(self) -> None:
        """Set an empty stage."""
        self.receivers = Receivers(PORT)
        self.addCleanup(self.receivers.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.processes = Processes(self.folder)
        self.addCleanup(self.processes.stop_all)

    def settled(self, n_firing: int, inbox: list[str]) -> None:
        """End a round in which Slack was told `n_firing` times, everybody else as they should."""
        resolved = changed(SLACK, ["attachments", 0, "color"], "good")
        resolved["attachments"][0]["title"] = "[RESOLVED] A"
        for _ in range(n_firing):
            post("/slack", SLACK)
        post("/slack", resolved)
        post("/webhook", WEBHOOK)
        post("/webhook", changed(WEBHOOK, ["status"], "resolved"))
        stage = Stage(SilentFirebell(inbox), Shop(""), self.receivers, self.processes)
        Round(stage).stays_quiet(seconds=0)

    def test_everybody_told_once_of_each_is_fine(self) -> None:
        """The one good way."""
        self.settled(1, ["firing", "resolved"])

    def test_a_repeated_or_missing_notification_is_noticed(self) -> None:
        """By whom it was, and how often."""
        for n_firing, inbox, told in (
            (2, ["firing", "resolved"], "slack firing: 2"),
            (0, ["firing", "resolved"], "slack firing: 0"),
            (1, ["firing"], "inbox resolved: 0"),
        ):
            with self.subTest(told), self.assertRaisesRegex(DemoError, told):
                self.receivers.forget()
                self.settled(n_firing, inbox)

    def test_a_refused_body_is_noticed(self) -> None:
        """Even when a good one follows."""
        bodies: tuple[object, ...] = ({"channel": "#alerts"}, [], "text")
        for body in bodies:
            with self.assertRaises(HTTPError):
                post("/slack", body)
        with self.assertRaisesRegex(DemoError, "refused"):
            self.settled(1, ["firing", "resolved"])

    def test_a_hop_that_does_not_come_is_named(self) -> None:
        """With its name, after its time."""
        stage = Stage(SilentFirebell([]), Shop(""), self.receivers, self.processes)
        with self.assertRaisesRegex(DemoError, "`firing` did not happen"):
            stage.wait("firing", 0, lambda: None)

    def test_a_process_that_ends_by_itself_is_named(self) -> None:
        """With its exit code."""
        process = self.processes.start("shop", ["sh", "-c", "exit 3"], self.folder, {})
        process.popen.wait()
        with self.assertRaisesRegex(DemoError, "shop ended by itself with exit code 3"):
            self.processes.check_alive()

    def test_children_end_with_their_parent(self) -> None:
        """Also those that do not listen to SIGTERM."""
        script = 'trap "" TERM; sleep 60 & echo $!; wait'
        process = self.processes.start("parent", ["sh", "-c", script], self.folder, {})
        while not (child := process.log.read_text().strip()):
            time.sleep(0.01)
        self.processes.stop_all()
        # A busy machine takes its time to end what was killed.
        ends_at = time.monotonic() + 30
        while not is_gone(int(child)):
            assert time.monotonic() < ends_at
            time.sleep(0.01)


def post(path: str, body: object) -> None:
    """Send a body to the receivers."""
    with urlopen(Request(URL + path, json.dumps(body).encode()), timeout=5):  # noqa: S310
        pass


def is_gone(pid: int) -> bool:
    """Say whether a process is dead; one that nobody has waited for yet counts as dead."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
        os.kill(pid, 0)
    except OSError:
        return True
    return status.rsplit(")", 1)[1].split()[0] == "Z"
