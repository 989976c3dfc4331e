from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from server import Run, Server

HERE = Path(__file__).parent

#: What every program begins with; it is told where by its environment.
PROLOGUE = """
import json, os, signal, sys, threading, time
from firebell import _native as native
settings = json.loads(os.environ["TEST_SETTINGS"])
native.configure(**settings)
"""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def run(run_dir: Path) -> Run:
    """Runs a program in a process of its own, set up to send to a URL."""

    def run(program: str, url: str, **settings: object) -> subprocess.CompletedProcess[str]:
        options = {"service": "shop", "endpoint": url, "run_dir": str(run_dir)} | settings
        return subprocess.run(
            [sys.executable, "-c", PROLOGUE + program],
            env=os.environ | {"TEST_SETTINGS": json.dumps(options)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
