"""Owns the story: which hops there are, how each is seen, and how it is told."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from demo.client import AlertView, Firebell, NoAnswerError, Shop
from demo.processes import DemoError, Processes
from demo.receivers import FIRING, RESOLVED, Arrival, Receivers

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

ALERT = "CheckoutFailing"
FAILED_CHECKOUTS = 'sum(checkout_total{job="shop", outcome="failed"})'
FAILURE_RATIO = 0.2

CALM_SECONDS = 60.0
FAULT_SECONDS_MAX = 600.0
HOLD_SECONDS = 3.0
SETTLE_SECONDS = 15.0
POLL_SECONDS = 0.25
ORDER_SECONDS = 3.0
"""How far a hop's time may lie before the one that led to it: integrations run side by side."""

HTTP_INTEGRATIONS = ("slack", "webhook")


@dataclass
class Stage:
    """Everything that plays."""

    firebell: Firebell
    shop: Shop
    receivers: Receivers
    processes: Processes
    deadline: float | None = None
    """`time.monotonic()` by when the whole demo has to be through, if it has to."""

    def wait(self, hop: str, seconds: float, look: Callable[[], T | None]) -> T:
        """Look until there is something to see; `seconds` is the hop's own limit."""
        ends_at = time.monotonic() + seconds
        if self.deadline is not None:
            ends_at = min(ends_at, self.deadline)
        last_error = ""
        while True:
            try:
                seen = look()
            except NoAnswerError as error:
                seen, last_error = None, f" (last error: {error})"
            if seen is not None:
                return seen
            if time.monotonic() >= ends_at:
                raise DemoError(f"the hop `{hop}` did not happen in time{last_error}")
            self.sleep(POLL_SECONDS)

    def sleep(self, seconds: float) -> None:
        """Let time pass, and notice when somebody leaves the stage."""
        self.processes.check_alive()
        time.sleep(seconds)


@dataclass
class Round:
    """One fault, from the switch to the resolved notification."""

    stage: Stage
    fault_at: float = 0.0
    previous_at: float = 0.0
    times: dict[str, float] = field(default_factory=dict)

    def play(self) -> None:
        """Tell the whole round, or raise with the hop that did not happen."""
        self.stage.receivers.forget()
        self._fault()
        self._until_notified()
        self._clear()
        self._until_resolved()
        self.stays_quiet(SETTLE_SECONDS)

    def _fault(self) -> None:
        self.stage.shop.switch_fault(FAILURE_RATIO, FAULT_SECONDS_MAX)
        self.fault_at = self.previous_at = time.time()
        self._hop("fault", self.fault_at, f"{FAILURE_RATIO:.0%} of checkouts fail from now on")

    def _until_notified(self) -> None:
        stage = self.stage
        at = stage.wait(
            "first bad sample",
            30,
            lambda: stage.firebell.first_increase(FAILED_CHECKOUTS, self.fault_at, time.time()),
        )
        self._hop("first bad sample", at, "a scrape brought failed checkouts")
        pending = stage.wait("pending", 40, lambda: self._alert("pending"))
        self._hop("pending", pending.active_at, f"{ALERT}: over the limit, `for` runs")
        firing = stage.wait("firing", 40, lambda: self._alert("firing"))
        self._hop("firing", firing.fired_at, f"{ALERT}: it stayed over the limit")
        self._notified(FIRING)

    def _clear(self) -> None:
        time.sleep(HOLD_SECONDS)
        self.stage.shop.switch_fault(0.0, 0.0)
        self._hop("fault cleared", time.time(), "checkouts work again")

    def _until_resolved(self) -> None:
        resolved = self.stage.wait("resolved", 60, lambda: self._alert("resolved"))
        self._hop("resolved", resolved.resolved_at, f"{ALERT}: under the limit")
        self._notified(RESOLVED)

    def _notified(self, status: str) -> None:
        stage = self.stage
        name = "notified" if status == FIRING else "notified resolved"
        for integration in HTTP_INTEGRATIONS:
            arrival = stage.wait(f"{name} ({integration})", 30, self._arrival(integration, status))
            self._hop(f"{name} ({integration})", arrival.at, arrival.text)
        entry = stage.wait(
            f"{name} (inbox)",
            30,
            lambda: next(iter(stage.firebell.inbox(self.fault_at, status)), None),
        )
        detail = f"{entry.receiver}: {entry.reason}; {stage.firebell.url}/"
        self._hop(f"{name} (inbox)", entry.at, detail)

    def stays_quiet(self, seconds: float) -> None:
        """Wait for what should not come, then count: once per status and integration."""
        self.stage.sleep(seconds)
        refused = self.stage.receivers.refused()
        if refused:
            raise DemoError("a receiver refused a notification: " + refused[0])
        counts = {
            (integration, status): len(self.stage.receivers.arrivals(integration, status))
            for integration in HTTP_INTEGRATIONS
            for status in (FIRING, RESOLVED)
        }
        for status in (FIRING, RESOLVED):
            counts["inbox", status] = len(self.stage.firebell.inbox(self.fault_at, status))
        wrong = {key: count for key, count in counts.items() if count != 1}
        if wrong:
            told = ", ".join(f"{where} {what}: {n}" for (where, what), n in wrong.items())
            raise DemoError(f"each integration is to be told once of each, but: {told}")
        tell("told once each: " + ", ".join(f"{where} {what}" for where, what in counts))

    def _alert(self, state: str) -> AlertView | None:
        """Return the alert in that state, if it has come to it in this round."""
        for alert in self.stage.firebell.alerts(ALERT):
            if alert.state == state and (alert.active_at or 0.0) >= self.fault_at:
                return alert
        return None

    def _arrival(self, integration: str, status: str) -> Callable[[], Arrival | None]:
        return lambda: next(iter(self.stage.receivers.arrivals(integration, status)), None)

    def _hop(self, name: str, at: float | None, detail: str) -> None:
        if at is None:
            raise DemoError(f"Firebell shows `{name}` without its time")
        if at < self.previous_at - ORDER_SECONDS:
            raise DemoError(f"`{name}` is shown before what led to it")
        clock = time.strftime("%H:%M:%S", time.localtime(at)) + f".{int(at % 1 * 10)}"
        since = f"{at - self.fault_at:+7.1f} s"
        step = f"({at - self.previous_at:+.1f})".replace("-0.0", "+0.0")
        print(f"  {clock}  {since}  {step:>8}  {name:<27} {_short(detail)}", flush=True)
        self.times[name] = at
        self.previous_at = at


def calm(stage: Stage, seconds: float) -> None:
    """See that the shop is scraped and that nothing is said while all is well."""
    stage.wait("both targets scraped", 30, lambda: both_are_up(stage.firebell))
    tell(f"calm for {seconds:.0f} s: visitors come, Firebell scrapes, nothing burns")
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        stage.sleep(min(2.0, max(0.0, ends_at - time.monotonic())))
        states = {alert.state for alert in stage.firebell.alerts(ALERT)}
        if states & {"pending", "firing"}:
            raise DemoError(f"{ALERT} showed up while all was well")


def both_are_up(firebell: Firebell) -> bool | None:
    """Say whether the shop and its queue worker were scraped just now; `None` for not yet."""
    now = time.time()
    return bool(firebell.samples("sum(up) == 2", now - 5, now, 1)) or None


def tell(text: str) -> None:
    """Say something that is not a hop."""
    print(f"  {time.strftime('%H:%M:%S')}    {text}", flush=True)


def summary(times: dict[str, float]) -> str:
    """Return the two figures that matter."""
    told = times["notified (slack)"] - times["fault"]
    over = times["notified resolved (slack)"] - times["fault cleared"]
    return f"fault to Slack {told:.1f} s, mended to Slack {over:.1f} s"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 90 else line[:89] + "…"
