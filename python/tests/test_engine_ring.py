"""Alerts of checks go through the ring, and checks run from `init()`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from server import Server

AWAY = "http://127.0.0.1:9"


def run(
    program: str, run_dir: Path, folder: Path, endpoint: str
) -> subprocess.CompletedProcess[str]:
    environment = {"FIREBELL_RUN_DIR": str(run_dir), "FIREBELL_ENDPOINT": endpoint}
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def alerts(server: Server) -> dict[str, dict[str, str]]:
    found = [alert for body in server.bodies("/api/v2/alerts") for alert in json.loads(body)]
    return {alert["labels"]["alertname"]: alert["labels"] for alert in found}


def test_a_kill_does_not_lose_an_alert_that_nobody_took_yet(
    server: Server, run_dir: Path, tmp_path: Path
) -> None:
    program = """
import os, signal, firebell
firebell.init("shop")
rule = firebell.AlertRule("disk-full", lambda: True, severity="critical", scope="process")
assert firebell.AlertEngine([rule], service="shop").evaluate()
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run(program, run_dir, tmp_path, AWAY).returncode == -9
    program = """
import firebell, time
client = firebell.init("shop", flush_interval=0.05)
while client.stats["recovered_from_dead_process"] == 0:
    time.sleep(0.05)
"""
    done = run(program, run_dir, tmp_path, server.url)
    assert done.returncode == 0, done.stderr
    assert alerts(server)["disk-full"]["severity"] == "critical"


def test_rules_of_a_module_run_from_init(server: Server, run_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "shop_checks.py").write_text(
        "import firebell\n"
        "@firebell.alert('stuck', every=0.05)\n"
        "def stuck() -> bool:\n"
        "    return True\n"
    )
    program = """
import firebell, time
own = firebell.AlertRule("own", lambda: True, every=0.05)
client = firebell.init("shop", flush_interval=0.05, rules=["shop_checks", own])
while client.stats["exported"] < 2:
    time.sleep(0.05)
"""
    done = run(program, run_dir, tmp_path, server.url)
    assert done.returncode == 0, done.stderr
    assert set(alerts(server)) == {"stuck", "own"}
    done = run("import firebell; firebell.init(rules=['alerts/*.yml'])", run_dir, tmp_path, AWAY)
    assert "Files of rules in PromQL are the server's" in done.stderr
