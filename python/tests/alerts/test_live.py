"""`--firebell-live`: the same test on simulated time, and on the real server in real time."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from firebell import _binary

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("FIREBELL", ROOT / "target" / "release" / "firebell"))

RULES = """
groups:
- name: http
  interval: 1s
  rules:
  - alert: HighErrorRate
    expr: |
      sum by (firebell_run) (rate(http_requests_total{status=~"5.."}[4s]))
        / sum by (firebell_run) (rate(http_requests_total[4s])) > 0.2
    labels: {severity: critical}
    annotations: {summary: errors, runbook_url: "https://run.example/errors"}
"""

TEST = """
def test_high_error_rate(firebell_sim):
    sim = firebell_sim("http.yml", step=1)
    sim.http(rps=50, during="3s")
    sim.http(rps=50, error_rate=0.9, during="5s", mark="fault")
    sim.http(rps=50, during="1s")
    alert = sim.assert_fires("HighErrorRate", within="60s", after="fault", severity="critical")
    assert alert.runbook and sim.pages == 1
    sim.http(rps=50, during="3s")
    sim.assert_resolves("HighErrorRate", within="90s")
"""


TEST_WITH_RULES = """
import firebell

def test_two_rules(firebell_sim):
    busy = firebell.AlertRule(
        "Busy", expr="queue_depth > 3", severity="error", message="{value:.0f} wait"
    )
    sim = firebell_sim("http.yml", busy, step=1)
    sim.http(rps=50, error_rate=0.9)
    sim.series("queue_depth 7x90")
    assert sim.assert_fires("HighErrorRate", within="60s").runbook
    assert sim.assert_fires("Busy", within="60s", severity="error").message == "7 wait"
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    if not BINARY.is_file():
        pytest.skip("`make build` builds the server that this needs")
    (tmp_path / "http.yml").write_text(RULES)
    config = tmp_path / "firebell.yml"
    config.write_text("rule_files: [http.yml]\nglobal: {evaluation_interval: 1s}\n")
    chance = random.SystemRandom()
    with socket.socket() as probe:
        # Not of those that the system gives to outgoing connections meanwhile.
        port = chance.randrange(20_000, 32_000)
        probe.bind(("127.0.0.1", port))
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [
            BINARY,
            "serve",
            "--config",
            config,
            "--listen",
            f"127.0.0.1:{port}",
            "--data-dir",
            tmp_path / "data",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        limit = time.monotonic() + 60
        while not is_ready(url):
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < limit, "the server did not become ready"
            time.sleep(0.05)
        yield url
    finally:
        process.kill()
        process.wait()


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_the_same_test_passes_on_simulated_and_on_real_time(
    pytester: pytest.Pytester, server: str
) -> None:
    (pytester.path / "http.yml").write_text(RULES)
    pytester.makepyfile(TEST)
    pytester.runpytest("-q").assert_outcomes(passed=1)
    pytester.runpytest("-q", f"--firebell-live={server}").assert_outcomes(passed=1)


def test_a_server_with_the_rules_of_the_test_is_begun_and_ended(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not BINARY.is_file():
        pytest.skip("`make build` builds the server that this needs")
    monkeypatch.setattr("firebell._binary.path", lambda: str(BINARY))
    begun: list[_binary.Server] = []
    begin = _binary.Server._ready
    monkeypatch.setattr(
        "firebell._binary.Server._ready", lambda self: begun.append(self) or begin(self)
    )
    (pytester.path / "http.yml").write_text(RULES)
    pytester.makepyfile(TEST_WITH_RULES)
    pytester.runpytest("-q", "--firebell-live").assert_outcomes(passed=1)
    (server,) = begun
    assert server._process.returncode is not None and not Path(server._folder.name).exists()


def test_a_server_that_does_not_start_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not BINARY.is_file():
        pytest.skip("`make build` builds the server that this needs")
    monkeypatch.setattr("firebell._binary.path", lambda: str(BINARY))
    with pytest.raises(RuntimeError, match=r"(?s)the server ended: .*rules\.yml"):
        _binary.Server([], "groups: 3", step=1)


CHAOS = """
import asyncio
import firebell
from firebell import _client
from firebell.testing import load

async def app(scope, receive, send):
    firebell.fire("Slow", scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"well"})

def test_a_fault(firebell_chaos):
    firebell.init("shop", flush_interval="0.1s")

    async def main():
        chaos = firebell_chaos(app, "http.yml")
        async with chaos.errors(rate=0.9, status=503, during="60s", path="/pay", seed=1) as fault:
            told = asyncio.ensure_future(fault.alert("Errors", within="60s"))
            while not told.done():
                await load(chaos, "GET /pay", rps=50, during="0.5s")
            assert (await told).runbook == "https://run.example/errors"
            await load(chaos, "GET /", rps=50, during="0.1s")
            assert (await fault.alert("Slow", within="60s")).message

    asyncio.run(main())

def test_nothing_is_sent_there_any_more():
    assert _client.destination() == (None, None)
"""

RULES_OF_CHAOS = """
groups:
- name: http
  interval: 1s
  rules:
  - alert: Errors
    expr: |
      histogram_count(
        sum(rate(http_server_request_duration_seconds{http_response_status_code="503"}[5s]))
      ) > 1
    annotations: {summary: errors, runbook_url: "https://run.example/errors"}
"""


def test_a_server_that_is_begun_for_a_test_sees_the_faults_of_its_chaos(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not BINARY.is_file():
        pytest.skip("`make build` builds the server that this needs")
    monkeypatch.setenv("PATH", str(BINARY.parent), prepend=os.pathsep)
    (pytester.path / "http.yml").write_text(RULES_OF_CHAOS)
    pytester.makepyfile(CHAOS)
    # What is sent is of the whole process.
    ran = pytester.runpytest_subprocess("-q", "--firebell-live", "-p", "no:cacheprovider")
    ran.assert_outcomes(passed=2)
    ran = pytester.runpytest_subprocess("-q", "-rs", "-p", "no:cacheprovider")
    ran.assert_outcomes(passed=1, skipped=1)
    ran.stdout.fnmatch_lines(["*a server evaluates these rules: --firebell-live begins one*"])


def test_rules_of_chaos_that_the_server_does_not_have_are_named(
    pytester: pytest.Pytester, server: str
) -> None:
    (pytester.path / "http.yml").write_text(RULES_OF_CHAOS)
    pytester.makepyfile(CHAOS)
    ran = pytester.runpytest_subprocess("-q", f"--firebell-live={server}")
    ran.assert_outcomes(passed=1, failed=1)
    ran.stdout.fnmatch_lines(["*the server has no rule 'Errors'*"])


def test_what_is_no_address_is_refused(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest("--firebell-live", "tests/")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--firebell-live is 'tests/'; it must begin with http*"])


def test_rules_that_the_server_does_not_have_are_named(
    pytester: pytest.Pytester, server: str
) -> None:
    (pytester.path / "http.yml").write_text(RULES.replace("HighErrorRate", "Other"))
    pytester.makepyfile(TEST)
    result = pytester.runpytest("-q", f"--firebell-live={server}")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the server has no rule 'Other'*"])
