"""Owns the load: `../shared/bench/loadgen`, built out of its tree, and the two sets of series."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from proofs.check import ROOT, ProofError

if TYPE_CHECKING:
    from bench.systems import System

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
SOURCE = ROOT.parent / "shared" / "bench" / "loadgen"
STEP = 15
METRIC = "http_requests_total"
CODES = ("200", "201", "404", "500", "503")
FILL_SECONDS_MAX = 1800


@dataclass(frozen=True)
class Shape:
    """Series and how long they go back from `end`, in seconds of Unix time."""

    n_services: int
    n_instances: int
    days: float
    end: int
    step: int = STEP

    @property
    def n_series(self) -> int:
        """Five codes for each instance of each service."""
        return self.n_services * self.n_instances * len(CODES)

    @property
    def n_samples(self) -> int:
        """As the generator counts its steps."""
        return self.n_series * int(self.days * 86400 / self.step)

    def until(self, end: float) -> Shape:
        """Return what goes on where this one ends, until a later moment."""
        n_steps = math.ceil((end - self.end) / self.step)
        # A little more than the steps take: the generator rounds down.
        days = (n_steps + 0.5) * self.step / 86400
        return replace(self, days=days, end=self.end + n_steps * self.step)


def build() -> Path:
    """Build the generator and return it."""
    if not SOURCE.is_dir():
        raise ProofError(f"there is no load generator at {SOURCE}")
    copy = TARGET / "loadgen"
    # A copy: building leaves a lock file beside the source.
    shutil.copytree(SOURCE, copy / "source", dirs_exist_ok=True)
    manifest = copy / "source" / "Cargo.toml"
    # An empty table ends the search for a workspace: the copy lies below ours.
    if "[workspace]" not in manifest.read_text():
        with manifest.open("a") as file:
            file.write("\n[workspace]\n")
    command = ["cargo", "build", "-q", "--release", "--manifest-path", str(manifest)]
    subprocess.run([*command, "--target-dir", str(copy)], check=True)
    return copy / "release" / "loadgen"


def fill(loadgen: Path, system: System, shape: Shape) -> int:
    """Write a shape into a system; return how many samples that were."""
    options = {
        "services": shape.n_services,
        "instances": shape.n_instances,
        "days": f"{shape.days:.9f}",
        "step": shape.step,
        "end": shape.end,
    }
    command = [str(loadgen), "fill", f"{system.url}/api/v1/write"]
    command += [f"{name}={value}" for name, value in options.items()]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=FILL_SECONDS_MAX, check=False
    )
    counted = re.search(r"samples=(\d+)", done.stdout)
    if done.returncode != 0 or counted is None:
        raise ProofError(f"{system.name} was not filled: {done.stderr[-500:]}\n{system.tail()}")
    return int(counted[1])


def now() -> int:
    """Return this moment, on a step."""
    return int(time.time()) // STEP * STEP
