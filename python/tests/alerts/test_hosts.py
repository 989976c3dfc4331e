"""Which of several hosts evaluates a check of a service."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from serving import Answer, Asked, Serving
from test_live import BINARY

import firebell
from firebell import _binary, _hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Told


class Leases(Serving):
    """A server that gives each lease to whoever asks first, until it is given up."""

    def __init__(self) -> None:
        self.holders: dict[tuple[str, str], str] = {}
        self.status = 200
        super().__init__(self._lease)

    def _lease(self, asked: Asked) -> Answer:
        url = urlsplit(asked.path)
        params = parse_qs(url.query)
        key = (params["service"][0], url.path.rpartition("/")[2])
        holder = params["holder"][0]
        if asked.method == "DELETE":
            if self.holders.get(key) != holder:
                return Answer(404)
            del self.holders[key]
            return Answer(self.status, b"{}")
        holder = self.holders.setdefault(key, holder)
        body = {"name": key[1], "service": key[0], "holder": holder}
        return Answer(self.status, json.dumps(body).encode())


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is not a server that is away."""
    monkeypatch.setattr(_hosts, "TIMEOUT_SECONDS", 60.0)
    monkeypatch.setattr(_hosts, "GIVE_UP_SECONDS", 60.0)


@pytest.fixture
def leases(monkeypatch: pytest.MonkeyPatch) -> Iterator[Leases]:
    with Leases() as found:
        monkeypatch.setenv("FIREBELL_ENDPOINT", found.url)
        yield found


def until(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit, "waited too long"
        time.sleep(0.01)


def host(folder: Path, told: Told, check: Callable[[], Any]) -> firebell.AlertEngine:
    rule = firebell.AlertRule("queue-depth", check, every=0.05)
    engine = firebell.AlertEngine([rule], notify=[told], service="shop", run_dir=str(folder))
    engine.start()
    return engine


def test_one_host_of_a_service_evaluates_and_the_next_when_it_ends(
    leases: Leases, tmp_path: Path, told: Told
) -> None:
    first = host(tmp_path / "a", told, lambda: True)
    until(lambda: first.stats["evaluated"] > 2)
    second = host(tmp_path / "b", told, lambda: False)
    until(lambda: second.stats["held_by_others"] > 2)
    assert second.stats["evaluated"] == 0
    first.stop()
    until(lambda: second.stats["evaluated"] > 2)
    second.stop()
    until(lambda: leases.holders == {})


def test_who_loses_a_lease_forgets_its_alerts(leases: Leases, tmp_path: Path, told: Told) -> None:
    engine = host(tmp_path / "a", told, lambda: True)
    until(lambda: engine.alerts)
    leases.holders["shop", "queue-depth"] = "somebody else"
    until(lambda: not engine.alerts)
    assert told.lines == ["fired queue-depth warning: queue-depth fires"], "nobody is told"
    n_evaluated = engine.stats["evaluated"]
    leases.holders.clear()
    until(lambda: engine.stats["evaluated"] > n_evaluated)
    engine.stop()


def test_where_no_server_has_a_word_each_host_evaluates(
    leases: Leases, tmp_path: Path, told: Told
) -> None:
    leases.status = 404
    engines = [host(tmp_path / name, told, lambda: False) for name in "ab"]
    until(lambda: all(it.stats["evaluated"] > 2 for it in engines))
    leases.close()
    before = [it.stats["evaluated"] for it in engines]
    until(lambda: all(it.stats["evaluated"] > n + 2 for it, n in zip(engines, before, strict=True)))
    for engine in engines:
        engine.stop()


def test_processes_with_one_run_folder_are_one_host(tmp_path: Path) -> None:
    names = {_hosts._holder(str(tmp_path)) for _ in range(3)}
    (tmp_path / "other").mkdir()
    others = {_hosts._holder(str(tmp_path / "other")), _hosts._holder("/does/not/exist")}
    assert len(names) == 1 and len(names | others) == 3


def test_a_real_server_elects_a_host(
    tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not BINARY.is_file():
        pytest.skip("`make build` builds the server that this needs")
    monkeypatch.setattr("firebell._binary.path", lambda: str(BINARY))
    # A machine that stands still for a second does not end a lease.
    monkeypatch.setattr(_hosts, "_duration", lambda _: "10s")
    server = _binary.Server([], None, step=1)
    try:
        monkeypatch.setenv("FIREBELL_ENDPOINT", server.url)
        first = host(tmp_path / "a", told, lambda: False)
        until(lambda: first.stats["evaluated"] > 0)
        second = host(tmp_path / "b", told, lambda: False)
        until(lambda: second.stats["held_by_others"] > 0)
        assert second.stats["evaluated"] == 0
        first.stop()
        until(lambda: second.stats["evaluated"] > 0)
        second.stop()
    finally:
        server.close()


def test_what_was_lost_meanwhile_keeps_nothing_else_from_others(leases: Leases) -> None:
    hosts = _hosts.Hosts(leases.url, None, "shop", "a")
    for rule in ("x", "y", "z"):
        until(lambda rule=rule: hosts.is_ours(rule, 60.0))  # type: ignore[misc]
    leases.holders[("shop", "y")] = "b"
    hosts.give_up()
    assert leases.holders == {("shop", "y"): "b"}


def test_a_server_that_cannot_be_asked_holds_up_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = _hosts.Hosts("http://127.0.0.1:9", None, "shop", "a")
    answers = threading.Event()
    monkeypatch.setattr(hosts, "_call", lambda *_, **__: answers.wait(60))
    monkeypatch.setattr(_hosts, "TIMEOUT_SECONDS", 0.05)
    assert hosts.is_ours("x", 60.0) is None
    until(lambda: hosts.is_ours("x", 60.0))
    assert hosts.is_ours("x", 60.0)
    answers.set()
    # It is asked anew when the old question is over.
    until(lambda: hosts.is_ours("x", 60.0) is None)
