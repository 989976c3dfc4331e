"""The words that scripts of the twin test are written in; all times are seconds.

A script waits a second before a group is told of, three between two tellings, unless it says
otherwise; `http://twin/NAME` is where its receivers are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proofs.twin import Side

    Act = Callable[[Side], None]

HOUR = 3600.0


class Severity(TypedDict):
    """A label of its own type, so that it is no time."""

    severity: str


@dataclass(frozen=True)
class Alert:
    """An alert as somebody posts it; times are seconds since the script's begin."""

    labels: dict[str, str]
    since: float | None
    until: float | None
    annotations: dict[str, str]

    def body(self, moment: Callable[[float], str]) -> dict[str, Any]:
        """Return it as the API takes it."""
        body: dict[str, Any] = {"labels": self.labels, "annotations": self.annotations}
        if self.since is not None:
            body["startsAt"] = moment(self.since)
        if self.until is not None:
            body["endsAt"] = moment(self.until)
        return body


@dataclass(frozen=True)
class Script:
    """What happens, and for how long it is watched."""

    name: str
    config: dict[str, Any]
    seconds: float
    steps: Sequence[tuple[float, Act]]
    # Nobody is to be told at all.
    is_mute: bool = False
    # When somebody is told may differ: each has its own idea of it, which COMPAT.md tells.
    is_loose: bool = False


def firing(
    name: str, since: float | None = 0.0, until: float | None = HOUR, **labels: str
) -> Alert:
    """Return an alert that burns."""
    return Alert({"alertname": name, **labels}, since, until, {"summary": f"{name} burns"})


def ended(name: str, until: float, since: float = 0.0, **labels: str) -> Alert:
    """Return an alert that has ended."""
    return firing(name, since, until, **labels)


def post(at: float, *alerts: Alert) -> tuple[float, Act]:
    """Post at a time."""
    return at, lambda side: side.post(*alerts)


def silence(
    at: float, name: str, *matchers: str, begins: float | None = None, ends: float = HOUR
) -> tuple[float, Act]:
    """Silence at a time."""
    return at, lambda side: side.silence(name, matchers, at if begins is None else begins, ends)


def expire(at: float, name: str) -> tuple[float, Act]:
    """End a silence at a time."""
    return at, lambda side: side.expire(name)


def reload(at: float, config: dict[str, Any]) -> tuple[float, Act]:
    """Put another configuration in force."""
    return at, lambda side: side.reload(config)


def restart(at: float) -> tuple[float, Act]:
    """Stop and start."""
    return at, lambda side: side.restart()


def answers(at: float, status: int) -> tuple[float, Act]:
    """Have receivers answer with a status from now on."""
    return at, lambda side: side.answers(status)


def receiver(name: str, **options: Any) -> dict[str, Any]:
    """Return a receiver with one webhook."""
    return {"name": name, "webhook_configs": [{"url": f"http://twin/{name}", **options}]}


def config(*routes: dict[str, Any], receivers: Sequence[Any] = (), **more: Any) -> dict[str, Any]:
    """Return a configuration; `route_…` are options of the root route, others sections.

    A line at the end of a name keeps it from being a word of Python.
    """
    root = {
        "receiver": "all",
        "group_by": ["alertname"],
        "group_wait": "1s",
        "group_interval": "3s",
        "repeat_interval": "1h",
        "routes": list(routes),
    }
    sections = {}
    for name, value in more.items():
        if name.startswith("route_"):
            root[name.removeprefix("route_")] = value
        else:
            sections[name.rstrip("_")] = value
    known = {"all", *(it["name"] for it in receivers)}
    named = {it["receiver"] for it in _all_routes(routes) if "receiver" in it}
    others = [receiver(name) for name in sorted(named - known)]
    everybody = [*receivers, *others]
    if all(it["name"] != "all" for it in everybody):
        everybody.insert(0, receiver("all"))
    return {"route": root, "receivers": everybody, **sections}


def _all_routes(routes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    below = [route for it in routes for route in _all_routes(it.get("routes", ()))]
    return [*routes, *below]


def route(*matchers: str, **options: Any) -> dict[str, Any]:
    """Return a route; without a receiver it is its parent's."""
    named = {name.rstrip("_"): value for name, value in options.items()}
    return {"matchers": list(matchers), **named}


PLAIN = config()
# One group for all alerts.
TOGETHER = config(route_group_by=["job"])
INHIBITED = config(
    inhibit_rules=[
        {
            "source_matchers": ["severity=critical"],
            "target_matchers": ["severity=warning"],
            "equal": ["cluster"],
        }
    ]
)
ALWAYS = {"name": "always", "time_intervals": [{"years": ["1970:2999"]}]}
NEVER = {"name": "never", "time_intervals": [{"years": ["1970:1971"]}]}
BROKEN: dict[str, Any] = {"route": {"receiver": "nobody"}, "receivers": []}
CRITICAL: Severity = {"severity": "critical"}
WARNING: Severity = {"severity": "warning"}
