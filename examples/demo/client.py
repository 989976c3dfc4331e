"""Owns the questions that the demo asks Firebell and the shop, over HTTP."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

TIMEOUT_SECONDS = 5.0


class NoAnswerError(Exception):
    """The other side did not answer, or not with what it should."""


@dataclass(frozen=True)
class AlertView:
    """One alert as Firebell shows it; times in Unix seconds, `None` for not (yet)."""

    state: str
    active_at: float | None
    fired_at: float | None
    resolved_at: float | None


@dataclass(frozen=True)
class InboxEntry:
    """One notification in the built-in inbox."""

    at: float
    receiver: str
    status: str
    reason: str


class Firebell:
    """A running `firebell serve`."""

    def __init__(self, url: str) -> None:
        """Ask at `url`."""
        self.url = url

    def is_ready(self) -> bool:
        """Say whether `/-/ready` answers 200."""
        return _answers(f"{self.url}/-/ready")

    def samples(
        self, query: str, start: float, end: float, step: float
    ) -> list[tuple[float, float]]:
        """Evaluate `query` over a range; the first series, as (time, value), or nothing."""
        asked = urlencode({"query": query, "start": start, "end": end, "step": step})
        series = _json(f"{self.url}/api/v1/query_range?{asked}")["data"]["result"]
        return [(float(at), float(value)) for at, value in series[0]["values"]] if series else []

    def first_increase(self, query: str, since: float, until: float) -> float | None:
        """Return when a sample of the counter `query` first stood above its value at `since`."""
        samples = self.samples(query, since - 10, until, 0.5)
        before = max((value for at, value in samples if at <= since), default=0.0)
        return next((at for at, value in samples if at > since and value > before), None)

    def alerts(self, name: str) -> list[AlertView]:
        """Return the alerts called `name`."""
        found = _json(f"{self.url}/api/firebell/v1/alerts")["alerts"]
        return [
            AlertView(
                state=alert["state"],
                active_at=_seconds(alert.get("activeAt")),
                fired_at=_seconds(alert.get("firedAt")),
                resolved_at=_seconds(alert.get("resolvedAt")),
            )
            for alert in found
            if alert["labels"].get("alertname") == name
        ]

    def inbox(self, since: float, status: str) -> list[InboxEntry]:
        """Return the inbox's entries of that status from `since` on, oldest first."""
        entries = [
            InboxEntry(
                at=_seconds(entry["at"]) or 0.0,
                receiver=entry["receiver"],
                status=entry["status"],
                reason=entry["reason"],
            )
            for entry in _json(f"{self.url}/api/firebell/v1/inbox")["entries"]
        ]
        recent = [entry for entry in entries if entry.at >= since and entry.status == status]
        return sorted(recent, key=lambda entry: entry.at)


class Shop:
    """The shop's web side."""

    def __init__(self, url: str) -> None:
        """Ask at `url`."""
        self.url = url

    def is_ready(self) -> bool:
        """Say whether a worker answers."""
        return _answers(f"{self.url}/healthz")

    def switch_fault(self, checkout_failure_ratio: float, seconds: float) -> None:
        """Break that share of checkouts, or mend them with a ratio of 0."""
        switch = {"checkout_failure_ratio": checkout_failure_ratio, "seconds": seconds}
        _json(f"{self.url}/fault", json.dumps(switch).encode())


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def _json(url: str, body: bytes | None = None) -> Any:
    request = Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            return json.load(response)
    except (URLError, OSError, ValueError) as error:
        raise NoAnswerError(f"{url}: {error}") from error


def _seconds(text: str | None) -> float | None:
    """Read an RFC 3339 time; Python 3.10 takes neither `Z` nor more than six decimals."""
    if not text:
        return None
    match = re.fullmatch(r"(.{19})(\.\d+)?(Z|[+-]\d\d:\d\d)", text)
    if match is None:
        raise NoAnswerError(f"`{text}` is not a time")
    whole, fraction, zone = match.groups()
    at = datetime.fromisoformat(whole + ("+00:00" if zone == "Z" else zone))
    return at.astimezone(timezone.utc).timestamp() + float(fraction or 0)
