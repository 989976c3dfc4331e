"""The Python of the guides passes the checkers that its readers use."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PYTHON = Path(__file__).parents[2]
DOCS = PYTHON.parent / "docs" / "python"
SCRIPTS = Path(sys.executable).parent
CHECKERS = {
    "mypy": "mypy --strict --cache-dir /dev/null --python-version 3.11 --explicit-package-bases",
    "pyright": "pyright --level error --pythonpath",
    "ruff": "ruff check --isolated --no-cache --select E,F,B,UP,I,ANN,ASYNC,S,N",
}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder with the files of all guides; their names differ."""
    root = tmp_path_factory.mktemp("examples")
    written = []
    for guide in sorted(DOCS.glob("*.md")):
        blocks = re.findall(r"```python\n(# (\S+\.py)\n.*?)```", guide.read_text(), re.DOTALL)
        for block, name in blocks:
            path = root / name
            assert not path.exists()
            path.parent.mkdir(exist_ok=True)
            path.write_text(block)
            written.append(name)
    assert len(written) >= 7
    (root / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [str(PYTHON / "src")]}))
    return root


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder with what is shown without a name: as in a page, not as in a file."""
    root = tmp_path_factory.mktemp("pieces")
    for page in (DOCS / "checks.md", PYTHON / "README.md"):
        blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
        for number, block in enumerate(blocks):
            (root / f"{page.stem.lower()}_{number}.py").write_text(block)
    (root / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [str(PYTHON / "src")]}))
    return root


@pytest.mark.parametrize("checker", CHECKERS)
def test_the_guides_pass(checker: str, examples: Path) -> None:
    check(checker, examples)


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_what_is_shown_in_pieces_has_right_types(checker: str, pieces: Path) -> None:
    check(checker, pieces)


def check(checker: str, examples: Path) -> None:
    """Run a checker over a folder."""
    program, *options = CHECKERS[checker].split()
    if options[-1] == "--pythonpath":
        options.append(sys.executable)
    environment = {**os.environ, "MYPYPATH": f"{PYTHON / 'src'}:{examples}"}
    done = subprocess.run(
        [str(SCRIPTS / program), *options, "."],
        cwd=examples,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
