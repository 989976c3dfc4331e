"""One collector and one client for all tests here: libraries are instrumented once in a process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from collector import Collector

import firebell
from integrations.waiting import free_port, is_listening, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """Where this process sends everything."""
    with Collector() as collector:
        client = firebell.init(
            "tests",
            endpoint=collector.url,
            environment="test",
            run_dir=str(tmp_path_factory.mktemp("run")),
            flush_interval=0.1,
        )
        yield collector
        client.close(5)


@pytest.fixture
def told(everything: Collector) -> Collector:
    """What this test's process sends, from here on."""
    firebell.flush(5)
    everything.forget()
    return everything


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector for processes of the test's own."""
    with Collector() as collector:
        yield collector


@pytest.fixture
def start(collector: Collector, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a program of `apps/` with everything pointed at `collector`; ended after the test."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(*command: str, **environment: str) -> subprocess.Popen[bytes]:
        values = {
            **os.environ,
            "FIREBELL_ENDPOINT": collector.url,
            "FIREBELL_FLUSH_INTERVAL": "0.2",
            "FIREBELL_RUN_DIR": str(tmp_path / "run"),
            "FIREBELL_DEBUG": "0",
            **environment,
        }
        scripts = Path(sys.executable).parent
        program = command[0] if Path(command[0]).is_absolute() else str(scripts / command[0])
        process = subprocess.Popen([program, *command[1:]], cwd=HERE / "apps", env=values)
        running.append(process)
        return process

    yield begin
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of our own. Debian's `redis-tools` has the server under another name."""
    program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
    if program is None:
        pytest.skip("there is no redis-server; apt-get install redis-tools brings one")
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(
        ["redis-server", *options],
        executable=program,
        cwd=tmp_path_factory.mktemp("redis"),
        stdout=subprocess.DEVNULL,
    )
    wait_until(lambda: is_listening(port), "redis")
    yield f"redis://127.0.0.1:{port}/0"
    process.terminate()
    process.wait(10)
