"""Runs the same unit tests of rules through promtool and Firebell; prints what differs.

Keys that only Firebell has are shown on the example, and refused where they are wrong.

The corpus's files, the functions of templates as docs/templates.md has them, and random files:
rules of every kind, series in every notation, expectations that are wrong, and those that promtool
itself said would be right. Exit code, stdout and stderr have to be the same. In the environment:
`N`, how many random files; `SEED`, another number than the suite's, or `SEED=random`.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.sax.saxutils import unescape

from bench.systems import peers_if_any
from proofs.check import NOT_CHECKED, ROOT, Proofs
from proofs.process import binary

from differential import templates
from differential.unit_tests import UnitTests, only_first, with_answers

SEED = "100"
FILES = 30
SECONDS_MAX = 50.0
SECONDS_EACH_MAX = 30.0
SHOWN_MAX = 5
CORPUS = Path(os.environ.get("FIREBELL_CORPUS", ROOT.parent / "shared" / "corpus")) / "promtool"
# Which two series collide is said in the order in which a store happens to give them.
PAIR = re.compile(r"(for the match group ).*?(on the .*? of the operation: )\[.*?\];")
EXAMPLE = ROOT / "examples" / "unit-tests" / "shop.test.yml"
# What is changed in the example, and what is said of it.
OTHERWISE = (
    (
        "a text that differs is shown",
        'orders: 120 messages wait"\n            channel',
        'orders: 121 messages wait"\n            channel',
        ("exp:", "orders: 121 messages wait", "orders: 120 messages wait"),
    ),
    (
        "a budget that differs is shown",
        "exp_budget_spent: 4.63%",
        "exp_budget_spent: 5%",
        ("spent 5%", "spent 4.63%"),
    ),
    (
        "a key that is misspelt has its place and a hint",
        "exp_burn_rates",
        "exp_burn_rate",
        ("has no field `exp_burn_rate`", "shop.test.yml:", "did you mean `exp_burn_rates`?"),
    ),
    (
        "a page that comes at another time is shown",
        "{at: 17m, to: ben, step: 2}",
        "{at: 18m, to: ben, step: 2}",
        ("pages until: 30m", "18m … ben", "17m page ben by ntfy: sev2 INC-1 QueueFull (orders)"),
    ),
)
FLAGS = ((), (), ("--diff",), ("--run", "third|first"))


@dataclass(frozen=True)
class Said:
    """What a run came to."""

    code: int
    out: str
    err: str


def main() -> int:
    """Run; 77 when there is no promtool here."""
    programs = peers_if_any()
    if programs is None:
        return NOT_CHECKED
    promtool = programs / "promtool"
    given = os.environ.get("SEED", "") or SEED
    seed = random.SystemRandom().randrange(1 << 32) if given == "random" else int(given)
    n_wanted = int(os.environ.get("N", "") or FILES)
    print(f"SEED={seed}")
    proofs = Proofs()
    if CORPUS.is_dir():
        files = sorted(CORPUS.glob("*.yml"))
        files = [file for file in files if "tests:" in file.read_text()]
        found = [name for file in files if (name := differs(promtool, file, ()))]
        proofs.holds_for("the corpus's files say the same", len(files), found)
    with proofs.scene("functions of templates") as folder:
        theirs, ours = (partial(err_of, program) for program in (promtool, Path()))
        templates.compare(proofs, folder, theirs, ours)
    with proofs.scene("random files") as folder:
        found, n_files, n_passed = play(promtool, folder, seed, n_wanted)
        print(f"  {n_files} files, {n_passed} of them passed")
        proofs.holds_for("random files say the same", n_files, found)
        proofs.check("some passed, and some did not", 0 < n_passed < n_files)
    with proofs.scene("keys of our own") as folder:
        own_keys(proofs, folder)
    return proofs.finish()


def own_keys(proofs: Proofs, folder: Path) -> None:
    """Run the example, alone and among others, then with what it should not say."""
    shutil.copytree(EXAMPLE.parent, folder, dirs_exist_ok=True)
    file = folder / EXAMPLE.name
    good = file.read_text()
    said = said_by(Path(), file, ("--strict",))
    proofs.equal("the example passes, strictly", said, Said(0, "  SUCCESS\n\n", ""))
    said = said_by(Path(), file, ("--run", "a month", *[file.name] * 7))
    proofs.equal("so do eight at the same time", said, Said(0, "  SUCCESS\n\n" * 8, ""))
    for what, old, new, wanted in OTHERWISE:
        file.write_text(good.replace(old, new))
        said = said_by(Path(), file, ("--junit", "junit.xml"))
        is_told = said.code == 1 and all(text in said.err for text in wanted)
        proofs.check(what, is_told, said)
        junit = (folder / "junit.xml").read_text()
        proofs.check(f"{what}: JUnit knows", wanted[0] in unescape(junit), junit)


def play(promtool: Path, folder: Path, seed: int, n_wanted: int) -> tuple[list[str], int, int]:
    """Make files and run them; returns what differed, and how many files there were and passed."""
    ends_at = time.monotonic() + SECONDS_MAX * max(1.0, n_wanted / FILES)
    found: list[str] = []
    n_files = n_passed = 0
    for idx in range(n_wanted):
        if time.monotonic() > ends_at:
            break
        chance = random.Random(seed + idx)
        made = UnitTests(chance)
        at = folder / str(idx)
        at.mkdir()
        file = made.write(at)
        flags = chance.choice(FLAGS)
        found += explained(promtool, file, flags, seed + idx, len(found))
        # What promtool got is right: expecting it has to pass, in both.
        answered = at / "answered.yml"
        answered.write_text(only_first(file.read_text()))
        answers = said_by(promtool, answered, ()).err
        answered.write_text(with_answers(answered.read_text(), answers))
        found += explained(promtool, answered, (), seed + idx, len(found))
        n_files += 2
        n_passed += sum(said_by(Path(), it, ()).code == 0 for it in (file, answered))
    return found, n_files, n_passed


def explained(
    promtool: Path, file: Path, flags: tuple[str, ...], seed: int, n_found: int
) -> list[str]:
    """Return and print a difference, if there is one."""
    how = differs(promtool, file, flags)
    if how and n_found < SHOWN_MAX:
        print(f"  DIFFERS SEED={seed} N=1 {file.name}: {how}", flush=True)
    return [f"SEED={seed} N=1 {file.name}: {how.splitlines()[0]}"] if how else []


def differs(promtool: Path, file: Path, flags: tuple[str, ...]) -> str:
    """Say how the two differ; empty when they do not."""
    theirs, ours = said_by(promtool, file, flags), said_by(Path(), file, flags)
    if theirs == ours:
        return ""
    if theirs.code != ours.code:
        return f"{file.name}: exit {theirs.code}, ours {ours.code}\n{theirs.err}\n--\n{ours.err}"
    if theirs.out != ours.out:
        return f"{file.name}: stdout {theirs.out!r}, ours {ours.out!r}"
    pairs = zip(theirs.err.split("\n"), ours.err.split("\n"), strict=False)
    first = next(((a, b) for a, b in pairs if a != b), ("an end", "an end"))
    return f"{file.name}: {first[0]!r}, ours {first[1]!r}"


def err_of(promtool: Path, file: Path) -> str:
    """Run one of the two, and return what it says of tests that fail."""
    return said_by(promtool, file, ()).err


def said_by(promtool: Path, file: Path, flags: tuple[str, ...]) -> Said:
    """Run promtool, or Firebell where that is no path."""
    is_theirs = promtool != Path()
    command = [promtool, "test", "rules"] if is_theirs else [binary(), "test"]
    done = subprocess.run(
        [*map(str, command), *flags, file.name],
        cwd=file.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_EACH_MAX,
    )
    return Said(done.returncode, done.stdout, PAIR.sub(r"\1\2[];", done.stderr))


if __name__ == "__main__":
    sys.exit(main())
