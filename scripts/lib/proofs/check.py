"""Owns the counting: what was shown, what was not, and the closing line that CI reads."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import traceback
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[3]
NOT_CHECKED = 77
POLL_SECONDS = 0.05

T = TypeVar("T")


class ProofError(Exception):
    """A scene cannot go on; the message says what did not happen."""


@dataclass
class Proofs:
    """Counts what holds and what does not; prints a line for each."""

    passed: int = 0
    failed: int = 0

    def __post_init__(self) -> None:
        """Scenes may run on several threads."""
        self._lock = Lock()

    def check(self, what: str, holds: object, detail: object = "") -> None:
        """Note one fact; `detail` is shown when it does not hold."""
        with self._lock:
            if holds:
                self.passed += 1
                print(f"  ok      {what}", flush=True)
            else:
                self.failed += 1
                print(f"  FAILED  {what}\n          {_short(detail)}", flush=True)

    def equal(self, what: str, got: object, wanted: object) -> None:
        """Note that two values are the same."""
        self.check(what, got == wanted, f"got    {got!r}\n          wanted {wanted!r}")

    def holds_for(self, what: str, n_cases: int, violations: list[str]) -> None:
        """Note that something held in every case."""
        shown = "\n          ".join(violations[:VIOLATIONS_SHOWN])
        more = len(violations) - VIOLATIONS_SHOWN
        if more > 0:
            shown += f"\n          and {more} more"
        self.check(
            f"{what} ({n_cases} cases)",
            n_cases > 0 and not violations,
            shown or "no case",
        )

    def skip(self, what: str, why: str) -> None:
        """Say that something could not be tried on this machine."""
        print(f"  skipped {what}: {why}", flush=True)

    @contextmanager
    def scene(self, title: str) -> Iterator[Path]:
        """Give a folder of its own; an error in it counts as one failure and ends only it."""
        print(f"\n{title}", flush=True)
        folder = Path(tempfile.mkdtemp(prefix="firebell-proof-"))
        failed_before = self.failed
        try:
            yield folder
        except ProofError as error:
            self.check(title, holds=False, detail=error)
        except Exception:  # noqa: BLE001 a broken scene must not hide the others
            self.check(title, holds=False, detail=traceback.format_exc())
        if self.failed == failed_before and "KEEP" not in os.environ:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"  kept for a look: {folder}", flush=True)

    def finish(self) -> int:
        """Print the closing line; return the exit code."""
        print(f"\n{self.passed} passed, {self.failed} failed", flush=True)
        return 0 if self.failed == 0 and self.passed > 0 else 1


def wait_for(what: str, seconds: float, look: Callable[[], T | None]) -> T:
    """Look again and again until something other than `None` or False is there."""
    ends_at = time.monotonic() + seconds
    last_error = ""
    while True:
        try:
            seen = look()
        except (ProofError, OSError, ValueError, KeyError, IndexError) as error:
            seen, last_error = None, f"; last error: {error!r}"
        if seen is not None and seen is not False:
            return seen
        if time.monotonic() >= ends_at:
            raise ProofError(f"did not happen within {seconds:g} s: {what}{last_error}")
        time.sleep(POLL_SECONDS)


def median(values: list[float]) -> float:
    """Return the middle one."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def remove(folder: Path) -> None:
    """Remove a folder that may be gone."""
    with suppress(OSError):
        shutil.rmtree(folder)


def _short(detail: object) -> str:
    text = str(detail)
    return text if len(text) <= DETAIL_MAX else text[:DETAIL_MAX] + "…"


VIOLATIONS_SHOWN = 8
DETAIL_MAX = 4000
