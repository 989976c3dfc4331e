"""The guides say what is so: their code runs as it stands, and prints what they show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest
    from conftest import Hook

DOCS = Path(__file__).resolve().parents[3] / "docs" / "python"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Of an engine that runs in the background, once it has told what it should.
END = """
import time
while not engine.stats["sent"]:
    time.sleep(0.01)
engine.stop()
"""


def blocks(file: str) -> list[tuple[str, str]]:
    return BLOCK.findall((DOCS / file).read_text(encoding="utf-8"))


def printed(block: str, hook: Hook) -> str:
    """Run a block to its end, and return what it prints."""
    code = f"{block}\n{END}" if "engine.start" in block else block
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "SLACK_URL": hook.url},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_readme(hook: Hook) -> None:
    found = [block for kind, block in blocks("../../python/README.md") if kind == "python"]
    assert len(found) == 2
    for block in found:
        printed(block, hook)
    (told,) = hook.bodies
    assert told["text"] == "[FIRING critical] DiskFull: 93% in use"


def test_checks(hook: Hook) -> None:
    found = blocks("checks.md")
    n_run = 0
    for (kind, block), (next_kind, text) in zip(found, [*found[1:], ("", "")], strict=True):
        if kind != "python":
            continue
        said = printed(block, hook)
        if next_kind == "text":
            assert said == text
        n_run += 1
    assert n_run == 5
    assert [body["text"] for body in hook.bodies] == [
        "[FIRING critical] HighErrorRate: More than 5 % of requests fail"
    ]


def test_testing(pytester: pytest.Pytester) -> None:
    for nth, (kind, code) in enumerate(blocks("testing.md")):
        if kind == "yaml":
            (pytester.mkdir("alerts") / "http.yml").write_text(code)
        else:
            pytester.makepyfile(**{f"test_{nth}": code})
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=3, skipped=1)
