"""Messages on their way to notifiers: a line for each, so that nobody waits for another's network.

What cannot be delivered is tried again, later and later; of an alert only the newest message waits.
A notifier that fails three times in a row is told of to the others.
"""

from __future__ import annotations

import threading
import time

from . import _self

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ._event import CheckEvent, Notifier

WAITING_MAX = 1_000
ATTEMPTS_MAX = 20
LONGEST_PAUSE = 60.0
FAILURES_TOLD = 3
IDLE_SECONDS = 5.0
# What the app's own notifiers have.
SEND_SECONDS = 30.0


class Outbox:
    """All notifiers of an engine."""

    def __init__(self, notifiers: Sequence[Notifier]) -> None:
        names: dict[str, int] = {}
        self._lines: list[_Line] = []
        for notifier in notifiers:
            name = getattr(notifier, "name", None) or type(notifier).__name__
            names[name] = names.get(name, 0) + 1
            if names[name] > 1:
                name = f"{name} {names[name]}"
            self._lines.append(_Line(self, name, notifier))

    def put(self, event: CheckEvent) -> None:
        """Tell everybody."""
        for line in self._lines:
            line.put(event)

    def refresh(self, event: CheckEvent) -> None:
        """Tell those who keep alerts for as long as they hear of them."""
        for line in self._lines:
            if getattr(line.notifier, "keeps_alerts", False):
                line.put(event)

    def wait(self, timeout: float) -> bool:
        """Wait until everything was tried once at least. False: not within `timeout` seconds."""
        until = time.monotonic() + timeout
        return all(line.wait(until) for line in self._lines)

    def counts(self) -> dict[str, int]:
        """Return what was sent and what was not."""
        return {
            "sent": sum(line.n_sent for line in self._lines),
            "failed_attempts": sum(line.n_failed for line in self._lines),
            "dropped": sum(line.n_dropped for line in self._lines),
        }

    def told_of(self, line: _Line, error: str | None) -> None:
        """Tell everybody else that a notifier fails, or no longer does."""
        labels = {"notifier": line.name}
        event: Any = {
            "kind": "check",
            "id": f"notifier {line.name}",
            "name": "FirebellNotifierFailing",
            "severity": "error",
            "status": "resolved" if error is None else "firing",
            "change": "resolved" if error is None else "fired",
            "message": f"{line.name} is not told of alerts: {error or 'it was, again'}",
            "labels": labels,
            "fingerprint": f"FirebellNotifierFailing|notifier={line.name}",
            "started_at": line.failing_since,
            "refresh_seconds": 300.0,
        }
        if error is None:
            event["ended_at"] = time.time()
        for other in self._lines:
            if other is not line:
                other.put(event)


class _Line:
    """One notifier, and what it has yet to be told."""

    def __init__(self, outbox: Outbox, name: str, notifier: Notifier) -> None:
        self.name = name
        self.notifier = notifier
        self.n_sent = 0
        self.n_failed = 0
        self.n_dropped = 0
        self.failing_since = 0.0
        self._outbox = outbox
        self._change = threading.Condition()
        # By fingerprint, the longest waiting first; and how often each was tried.
        self._waiting: dict[str, tuple[CheckEvent, int]] = {}
        self._sending = False
        self._pause_until = 0.0
        self._n_in_a_row = 0
        self._thread: threading.Thread | None = None

    def put(self, event: CheckEvent) -> None:
        with self._change:
            self._waiting.pop(event["fingerprint"], None)
            self._waiting[event["fingerprint"]] = event, 0
            if len(self._waiting) > WAITING_MAX:
                self._waiting.pop(next(iter(self._waiting)))
                self.n_dropped += 1
            # News do not wait for a pause that old ones have earned.
            self._pause_until = min(self._pause_until, time.monotonic() + 1.0)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._work, name=f"firebell-notify-{self.name}", daemon=True
                )
                self._thread.start()
            self._change.notify_all()

    def wait(self, until: float) -> bool:
        with self._change:
            return self._change.wait_for(self._has_tried, max(0.0, until - time.monotonic()))

    def _has_tried(self) -> bool:
        return not self._sending and all(n > 0 for _, n in self._waiting.values())

    def _work(self) -> None:
        while True:
            with self._change:
                now = time.monotonic()
                if not self._waiting:
                    if not self._change.wait(IDLE_SECONDS) and not self._waiting:
                        # The next message begins another thread.
                        self._thread = None
                        return
                    continue
                if now < self._pause_until:
                    self._change.wait(self._pause_until - now)
                    continue
                fingerprint = next(iter(self._waiting))
                event, n_tried = self._waiting.pop(fingerprint)
                self._sending = True
            error = attempt(self.notifier, event)
            with self._change:
                self._sending = False
                if error is None:
                    self.n_sent += 1
                else:
                    self._failed(event, n_tried + 1)
                self._change.notify_all()
            self._say(error)

    def _failed(self, event: CheckEvent, n_tried: int) -> None:
        self.n_failed += 1
        pause = min(LONGEST_PAUSE, 2.0 ** min(self._n_in_a_row, 10))
        self._pause_until = time.monotonic() + pause
        fingerprint = event["fingerprint"]
        if fingerprint in self._waiting:
            return  # Something newer is known of the same alert.
        if n_tried >= ATTEMPTS_MAX:
            self.n_dropped += 1
            return
        # It goes first again.
        self._waiting = {fingerprint: (event, n_tried), **self._waiting}

    def _say(self, error: str | None) -> None:
        if error is None:
            if self._n_in_a_row >= FAILURES_TOLD:
                self._outbox.told_of(self, None)
            self._n_in_a_row = 0
            return
        self._n_in_a_row += 1
        _self.warn(f"the notifier {self.name} failed: {error}", kind=f"notifier {self.name}")
        if self._n_in_a_row == 1:
            self.failing_since = time.time()
        if self._n_in_a_row == FAILURES_TOLD:
            self._outbox.told_of(self, error)


def attempt(notifier: Notifier, event: CheckEvent) -> str | None:
    """Return what went wrong, without anything secret."""
    try:
        send_now = getattr(notifier, "send_now", None)
        if send_now is not None:
            send_now(event)
        else:
            _await(notifier, event)
    except Exception as error:  # noqa: BLE001 - a notifier of the app may raise anything.
        return f"{type(error).__name__}: {error}"[:300]
    return None


def _await(notifier: Notifier, event: CheckEvent) -> None:
    import asyncio
    from concurrent.futures import TimeoutError as TooLate  # Its own one before Python 3.11.

    from . import _pool

    future = asyncio.run_coroutine_threadsafe(notifier.send(event), _pool.loop())
    try:
        future.result(SEND_SECONDS)
    except TooLate:
        future.cancel()
        # It may hold the loop up instead of waiting.
        _pool.renew_loop()
        raise TimeoutError(f"it took longer than {SEND_SECONDS:g} s") from None
