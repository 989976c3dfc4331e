"""Faults that a live server sees: what leaves the process of the tests, what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from serving import Answer, Asked, Serving

from firebell import _client, _live

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Told(Serving):
    """A Firebell that takes everything, and where nothing fires."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes]] = []
        super().__init__(self._take)

    def _take(self, asked: Asked) -> Answer:
        if asked.method == "GET":
            return Answer(200, b'{"alerts": []}')
        self.requests.append((asked.path, asked.body))
        return Answer(200)

    def has(self, text: str) -> bool:
        return any(text.encode() in body for _, body in self.requests)


@pytest.fixture
def told() -> Iterator[Told]:
    with Told() as found:
        yield found


@pytest.fixture
def rings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where rings of this user lie, for the processes that this test begins."""
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.delenv("FIREBELL_RUN_DIR", raising=False)
    return folder / "firebell"


#: Its server is away, and it is killed.
APP = """
import firebell, os, signal
firebell.init("of-an-app", endpoint="http://127.0.0.1:9")
firebell.fire("Precious", "of an app")
os.kill(os.getpid(), signal.SIGKILL)
"""

TESTS = """
import firebell

async def app(scope, receive, send):
    pass

def test_before():
    firebell.init("shop"%(given)s)
    firebell.fire("Before", "no server is there")

def test_a_fault(firebell_chaos):
    firebell_chaos(app)
    firebell.fire("OfTheDrill", "to its server")
    assert firebell.flush(20)
    firebell.fire("Last", "when it is over")

def test_another_fault(firebell_chaos):
    firebell_chaos(app)
    firebell.fire("OfAnother", "to its server")

def test_after():
    firebell.fire("After", "no server is there any more")
"""


def run(pytester: pytest.Pytester, url: str) -> None:
    ran = pytester.runpytest_subprocess("-q", f"--firebell-live={url}", "-p", "no:cacheprovider")
    ran.assert_outcomes(passed=4)


def test_a_drill_takes_no_rings_of_other_processes_and_leaves_none_behind(
    pytester: pytest.Pytester, told: Told, rings: Path
) -> None:
    subprocess.run([sys.executable, "-c", APP], check=False, timeout=60)
    left = list(rings.iterdir())
    assert len(left) == 1

    pytester.makepyfile(TESTS % {"given": ""})
    run(pytester, told.url)
    # It waits for its own server.
    assert not told.has("Precious") and not told.has("WorkerDied")
    assert list(rings.iterdir()) == left
    assert told.has("OfTheDrill") and told.has("Last") and told.has("OfAnother")
    assert not told.has("Before") and not told.has("After")


@pytest.mark.usefixtures("rings")
def test_a_drill_sends_nothing_to_a_collector_of_the_environment(
    pytester: pytest.Pytester, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Told() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        pytester.makepyfile(TESTS % {"given": ""})
        run(pytester, told.url)
        assert told.has("OfTheDrill")
        assert collector.requests == []


#: A process that sends before the drill, in which one of its children and an app of the user die.
SENDING = """
import glob, os, signal, subprocess, sys, time
import firebell
from firebell import _client

async def app(scope, receive, send):
    pass

def test_before():
    firebell.init("shop", endpoint="%(url)s")
    firebell.fire("Before", "to its server")
    assert firebell.flush(20)

def test_children(firebell_chaos):
    firebell_chaos(app)
    subprocess.run([sys.executable, "-c", %(app)r])
    child = os.fork()
    if child == 0:
        firebell.fire("OfAChild", "of the drill")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    folder = _client._known["of_test"][1]
    assert glob.glob(folder + "/*.ring")
    until = time.monotonic() + 30
    while glob.glob(folder + "/*.ring"):
        assert time.monotonic() < until
        firebell.flush(1)
        time.sleep(0.1)
"""


def test_children_of_a_drill_are_of_it_and_apps_are_not_wherever_its_own_ring_lies(
    pytester: pytest.Pytester, told: Told, rings: Path
) -> None:
    with Told() as real:
        pytester.makepyfile(SENDING % {"url": real.url, "app": APP})
        ran = pytester.runpytest_subprocess(
            "-q", f"--firebell-live={told.url}", "-p", "no:cacheprovider"
        )
        ran.assert_outcomes(passed=2)
        assert real.has("Before") and not told.has("Before")
        assert told.has("OfAChild") and told.has("WorkerDied")
        assert not real.has("OfAChild")
        assert not told.has("Precious")
        assert len(list(rings.iterdir())) == 1


TWICE = """
async def app(scope, receive, send):
    pass

def test_twice(firebell_chaos):
    firebell_chaos(app)
    firebell_chaos(app)

def test_once_more(firebell_chaos):
    firebell_chaos(app)
"""


@pytest.mark.usefixtures("rings")
def test_a_second_drill_is_refused_while_one_is_open(pytester: pytest.Pytester, told: Told) -> None:
    pytester.makepyfile(TWICE)
    ran = pytester.runpytest_subprocess("-q", f"--firebell-live={told.url}")
    ran.assert_outcomes(passed=1, failed=1)
    ran.stdout.fnmatch_lines([f"*{told.url} sees the faults of this test already*"])


def test_a_server_that_was_begun_ends_when_nothing_can_be_sent_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Begun:
        url = "http://127.0.0.1:9"
        is_closed = False

        def close(self) -> None:
            self.is_closed = True

    def refuse(_endpoint: str, run_dir: str) -> None:
        assert os.stat(run_dir).st_mode & 0o777 == 0o700  # noqa: PTH116
        folders.append(run_dir)
        raise ValueError("no endpoint")

    begun, folders = Begun(), list[str]()
    monkeypatch.setattr(_live, "_begin_own", lambda *_: begun)
    monkeypatch.setattr(_client, "redirect", refuse)
    with pytest.raises(ValueError, match="no endpoint"):
        _live.Drill(_live.OWN, step=1)
    assert begun.is_closed and not os.path.exists(folders[0])  # noqa: PTH110
    assert _live.Drill._open is None
