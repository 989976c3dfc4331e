"""`--firebell-live`: the same tests on a running Firebell, in real time; and faults that it sees.

The server is one that is begun for the test, with its rules; or one that runs already, whose own
rules are tested, by their names: those that are in force. Traffic is made up as in a simulation,
and written to the server by remote write.
"""

from __future__ import annotations

import time

from . import _remote_write, _sim
from ._sim import Alerted, Simulation, _told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, ClassVar

    from ._binary import Server
    from ._duration import Duration
    from ._rules import AlertRule

#: In place of an address: a server of the test's own.
OWN = "own"
TIMEOUT_SECONDS = 10.0
NAME = "__name__"


class LiveSimulation(Simulation):
    """A simulation whose time is that of everybody, and whose rules are the server's.

    `url` is the server's address, or `OWN`. `FIREBELL_TOKEN` is its token, where it wants one.
    Labels of the traffic are unlike in each run (`firebell_run`), so that runs are not taken for
    one another's.
    """

    def __init__(
        self, url: str, *rules: AlertRule | str, step: Duration = 5, seed: int = 7
    ) -> None:
        from os import urandom

        from . import _native

        super().__init__(*rules, step=step, seed=seed)
        self._run = urandom(4).hex()
        self._own = _begin_own(self._given, self._step) if url == OWN else None
        self._url = url.rstrip("/") if self._own is None else self._own.url
        try:
            self._names = _names_of_server(self._url)
            _check_names(self._native.alert_names(), self._names)
        except BaseException:
            self._end_own()
            raise
        # Only traffic is made up here; the server evaluates.
        self._native = _native.Rehearsal([], None, step=self._step, seed=seed)
        self._began = time.time()
        self._firing: dict[str, dict[str, Any]] = {}

    def close(self) -> None:
        """Let what was written go stale; a server of the test's own ends."""
        if self._own is None:
            _remote_write.send(self._url, self._series(_remote_write.STALE), time.time())
        self._end_own()

    def _end_own(self) -> None:
        if self._own is not None:
            self._own.close()

    def _known_rules(self) -> list[str]:
        return [*self._names, *self._checks.names()]

    def _until(self, until: float) -> None:
        while self.now < until:
            due_at = min(until, self._checks.due_at(), self.now + self._step)
            time.sleep(max(0.0, self._began + due_at - time.time()))
            self._native.advance(due_at - self.now)
            _remote_write.send(self._url, self._series(), time.time())
            self._take()
            if self._checks.due_at() <= due_at:
                self._changes += self._checks.evaluate(due_at)

    def _wait(self, until: float, done: Callable[[], object]) -> None:
        while self.now < until and not done():
            self._until(min(until, self.now + self._step))

    def _take(self) -> None:
        firing = {}
        for alert in _alerts(self._url):
            if alert["state"] != "firing" or not self._is_ours(alert):
                continue
            key = repr(sorted(alert["labels"].items()))
            firing[key] = alert
            if key not in self._firing:
                self._note(alert, "firing")
        for key, alert in self._firing.items():
            if key not in firing:
                self._note(alert, "inactive")
        self._firing = firing

    def _is_ours(self, alert: dict[str, Any]) -> bool:
        # An alert that aggregates has no label of a run.
        return bool(alert["labels"].get("firebell_run", self._run) == self._run)

    def _note(self, alert: dict[str, Any], state: str) -> None:
        change = {
            "rule": alert["labels"].get("alertname", ""),
            "state": state,
            "labels": alert["labels"],
            "annotations": alert.get("annotations", {}),
            "value": float(alert.get("value") or 0),
            "at": self.now,
        }
        self._changes.append(_told(change, self._expressions.get(change["rule"])))

    def _series(self, value: float | None = None) -> list[tuple[dict[str, str], float]]:
        found = self._native.query('{__name__=~".+"}')
        return [
            ({**labels, "firebell_run": self._run}, now if value is None else value)
            for labels, now in found
        ]


class Drill:
    """A server that sees the faults of a test: what this process tells goes there until `close`.

    `url` is the server's address, or `OWN`: then it is begun with `rules`. Without these, one that
    runs is asked for all that fires. A process has one at a time; it raises `RuntimeError` when
    another is open.
    """

    _open: ClassVar[Drill | None] = None

    def __init__(self, url: str, *rules: AlertRule | str, step: float) -> None:
        from tempfile import TemporaryDirectory

        from . import _client, _native

        files, text, _, checks = _sim.sorted_rules(rules)
        if checks:
            raise ValueError(
                f"{checks[0].name!r} is a check of Python, which no server evaluates: give it to an"
                " AlertEngine of the test"
            )
        names = _native.Rehearsal(files, text, step=step, seed=0).alert_names() if rules else []
        if Drill._open is not None:
            raise RuntimeError(
                f"{Drill._open.url} sees the faults of this test already, and a process tells one"
                " server: let one firebell_chaos have all rules and serve all apps of a test"
            )
        self._own = _begin_own(rules, step) if url == OWN else None
        # Rings of the user's other processes are not of the test, nor is its own of theirs.
        self._folder = TemporaryDirectory(prefix="firebell-", ignore_cleanup_errors=True)
        try:
            self.url: str = url.rstrip("/") if self._own is None else self._own.url
            if self._own is None and names:
                _check_names(names, _names_of_server(self.url))
            _client.redirect(self.url, self._folder.name)
        except BaseException:
            self._end()
            raise
        Drill._open = self

    def close(self) -> None:
        """Send nothing there any more; a server of the test's own ends."""
        from . import _client

        Drill._open = None
        try:
            _client.end_redirect()
        finally:
            self._end()

    def _end(self) -> None:
        if self._own is not None:
            self._own.close()
        self._folder.cleanup()

    def fired(self) -> Iterable[Alerted]:
        """Return what fires now, there and in the engines of this process."""
        from . import testing

        yield from testing.fired()
        yield from fired(self.url)


def _begin_own(rules: Sequence[AlertRule | str], step: float) -> Server:
    from glob import glob

    from . import _binary

    files, text, _, _ = _sim.sorted_rules(rules)
    found = [path for file in files for path in glob(file)]  # noqa: PTH207
    return _binary.Server(found, text, step=step)


def _names_of_server(url: str) -> list[str]:
    groups = _get(url, "/api/v1/rules?type=alert")["data"]["groups"]
    return [rule["name"] for group in groups for rule in group["rules"]]


def _check_names(wanted: Iterable[str], there: list[str]) -> None:
    missing = [it for it in wanted if it not in there]
    if missing:
        raise ValueError(
            f"the server has no rule {missing[0]!r}: nothing can be loaded into one that runs, its"
            " own rules are tested; --firebell-live without an address begins one with the test's"
            " rules"
        )


def fired(url: str) -> Iterable[Alerted]:
    """Return what fires on a server now: alerts of its rules, and those that it was sent."""
    for alert in _get(url, "/api/firebell/v1/alerts")["alerts"]:
        if alert["state"] == "firing":
            change = {
                "rule": alert["labels"].get("alertname", ""),
                "state": "firing",
                "labels": alert["labels"],
                "annotations": alert.get("annotations", {}),
                "value": float(alert.get("value") or 0),
                "at": time.time(),
            }
            yield Alerted(_told(change, None), 0.0)


def _alerts(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _get(url, "/api/v1/alerts")["data"]["alerts"]
    return found


def _get(url: str, path: str) -> Any:
    import json
    import urllib.request

    request = urllib.request.Request(f"{url}{path}", headers=_remote_write.headers())  # noqa: S310
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
        return json.loads(answer.read())
