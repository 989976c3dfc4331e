"""What the package tells of arrives at a real server, and is what it should be there."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from test_live import BINARY

from firebell import _binary

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import sys
import firebell

client = firebell.init("shop", endpoint=sys.argv[1], run_dir=sys.argv[2], environment="prod")
firebell.heartbeat("nightly", every="1d", grace="30m", severity="critical").beat()
firebell.deploy("v42", commit="c0ffee", url="https://ci.example/42")
firebell.deploy("v42")
firebell.fire("SoldOut", "no milk", labels={"shelf": 3})
firebell.fire("Gone", "for a moment")
assert client.flush(30), client.stats
firebell.resolve("Gone")
assert client.flush(30), client.stats
"""


def test_heartbeats_deploys_and_alerts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not BINARY.is_file():
        pytest.skip("`make build` builds the server that this needs")
    monkeypatch.setattr("firebell._binary.path", lambda: str(BINARY))
    server = _binary.Server([], None, step=1)

    def got(path: str) -> Any:
        with urllib.request.urlopen(f"{server.url}{path}", timeout=30) as answer:
            return json.loads(answer.read())

    try:
        command = [sys.executable, "-c", PROGRAM, server.url, str(tmp_path / "run")]
        subprocess.run(command, check=True, timeout=120)
        (beat,) = got("/api/firebell/v1/heartbeats")["heartbeats"]
        assert (beat["name"], beat["service"], beat["state"]) == ("nightly", "shop", "fine")
        assert (beat["every"], beat["grace"]) == ("1d", "30m")
        assert beat["labels"] == {"severity": "critical"}
        (deploy,) = got("/api/firebell/v1/deploys")["deploys"]
        assert (deploy["service"], deploy["version"]) == ("shop", "v42")
        assert (deploy["environment"], deploy["url"]) == ("prod", "https://ci.example/42")
        # What was resolved no longer fires.
        (alert,) = got("/api/v2/alerts")
        assert alert["labels"]["alertname"] == "SoldOut"
        assert json.loads(alert["annotations"]["deploy"])["version"] == "v42"
        metrics = urllib.request.urlopen(f"{server.url}/metrics", timeout=30).read().decode()
        assert 'firebell_heartbeats{state="fine"} 1\n' in metrics
    finally:
        server.close()
