"""The guides of docs/python, run as they are written, against a server that looks at what they
tell.

Blocks that begin with `# name` become files, `sh` blocks are run line by line; what ends with `&`
is awaited at its port and ended at the end. Left out are `pip install` and `firebell serve`: both
are there already. Comments `told: …` say what has to arrive.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from integrations.waiting import free_port, is_listening, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collector import Collector

DOCS = Path(__file__).parents[3] / "docs" / "python"
GUIDES = sorted(path.stem for path in DOCS.glob("*.md") if "<!-- told:" in path.read_text())


class Guide:
    """One guide in a folder of its own."""

    def __init__(self, name: str, folder: Path, collector: Collector) -> None:
        self.port = free_port()
        self.text = (DOCS / f"{name}.md").read_text().replace("8000", str(self.port))
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "FIREBELL_ENDPOINT": collector.url,
            "FIREBELL_RUN_DIR": str(folder / "run"),
            "FIREBELL_FLUSH_INTERVAL": "0.2",
            "BROKER": f"sqla+sqlite:///{folder}/queue.db",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def run(self) -> None:
        """Write every file and run every line, in the order of the guide."""
        for language, block in re.findall(r"```(\w*)\n(.*?)```", self.text, re.DOTALL):
            name = re.match(r"# (\S+\.\w+)\n", block)
            if name:
                (self.folder / name[1]).write_text(block)
            elif language == "sh":
                for line in block.splitlines():
                    self.run_line(line)

    def run_line(self, line: str) -> None:
        """Run one line of a shell."""
        if line.startswith(("pip install", "firebell serve")):
            return
        if line.endswith(" &"):
            command = shlex.split(line[:-2])
            self.running.append(subprocess.Popen(command, cwd=self.folder, env=self.environment))
            if str(self.port) in line:
                wait_until(lambda: is_listening(self.port), line)
            return
        done = subprocess.run(
            line, cwd=self.folder, env=self.environment, shell=True, check=False, timeout=120
        )
        assert done.returncode == 0, line

    def end(self) -> None:
        """End what runs on."""
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def guide(request: pytest.FixtureRequest, tmp_path: Path, collector: Collector) -> Iterator[Guide]:
    """The guide of the parameter, ended afterwards."""
    guide = Guide(request.param, tmp_path, collector)
    yield guide
    guide.end()


@pytest.mark.parametrize("guide", GUIDES, indirect=True)
def test_a_guide_does_what_it_says(guide: Guide, collector: Collector) -> None:
    guide.run()
    expectations = re.findall(r"<!-- (told|untold): (.*?) -->", guide.text)
    assert expectations
    for kind, text in expectations:
        words = shlex.split(text)
        if kind == "told":
            check_told(collector, words[0], words[1], words[2:])
    for kind, text in expectations:
        if kind == "untold":
            assert text not in collector.summary()


def check_told(collector: Collector, kind: str, name: str, rest: list[str]) -> None:
    """Wait for what a comment of a guide promises."""
    labels: dict[str, Any] = dict(word.split("=", 1) for word in rest if "=" in word)
    if kind == "span":
        wanted = {key: int(value) if value.isdigit() else value for key, value in labels.items()}
        collector.span(name, **{key.replace(".", "__"): it for key, it in wanted.items()})
    elif kind == "metric":
        dotted = {key.replace(".", "__"): value for key, value in labels.items()}
        collector.wait_count(name, float(rest[0]), **dotted)
    elif kind == "alert":
        collector.alert(name, **labels)
    elif kind == "event":
        assert collector.event(name).attributes["name"] == rest[0]
    elif kind == "text":
        collector.wait(lambda: any(name in str(it) for it in collector.alerts), name)
    else:
        raise AssertionError(f"{kind} is nothing that can be expected")
