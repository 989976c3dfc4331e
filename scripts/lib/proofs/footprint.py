"""Shows how small Firebell is: time from start to ready, memory when idle, size on disk."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING

from proofs import shop
from proofs.check import ROOT, Proofs, median, wait_for
from proofs.process import Firebell, binary
from proofs.world import FIRING, RESOLVED, Receiver, Target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STARTS = 10
READY_SECONDS_MAX = 0.3
IDLE_SECONDS = 20.0
IDLE_MIB_MAX = 60.0


def main() -> int:
    """Measure; 0 when all is below its bound."""
    proofs = Proofs()
    print(f"  binary: {binary().stat().st_size / 2**20:.1f} MiB")
    with proofs.scene("an empty data folder, no configuration") as folder:
        measure(proofs, folder, lambda idx: Firebell(folder, data=folder / f"data{idx}"))
    with proofs.scene("the data folder and configuration of a played demo") as folder:
        data = played(folder)
        config = (folder / "firebell.yml").read_text()

        def with_copy(idx: int) -> Firebell:
            copy = folder / f"copy{idx}"
            shutil.copytree(data, copy)
            return Firebell(folder, config, data=copy)

        measure(proofs, folder, with_copy)
    return proofs.finish()


def measure(proofs: Proofs, folder: Path, make: Callable[[int], Firebell]) -> None:
    """Start it several times, then let one idle."""
    waits, spent = [], []
    for idx in range(STARTS):
        server = make(idx)
        started_at = time.time()
        with server:
            waits.append(server.wait_ready() - started_at)
            spent.append(server.cpu_seconds())
    print(
        f"  start to ready: {1000 * min(waits):.0f} ms at best, median {1000 * median(waits):.0f} "
        f"ms, at worst {1000 * max(waits):.0f} ms; processor time {1000 * median(spent):.0f} ms"
    )
    # The least of ten: what others do on this machine is not Firebell's.
    proofs.check(f"ready in under {READY_SECONDS_MAX} s", min(waits) < READY_SECONDS_MAX)
    with make(STARTS) as server:
        server.wait_ready()
        time.sleep(IDLE_SECONDS)
        held = server.resident_mib()
        print(f"  memory after {IDLE_SECONDS:.0f} s: {held:.1f} MiB")
        proofs.check(f"idle below {IDLE_MIB_MAX:.0f} MiB", held < IDLE_MIB_MAX, f"{held:.1f}")
        proofs.equal("and it stops when asked", server.stop(), 0)
    proofs.check("no panic", "panicked" not in (folder / "firebell.log").read_text())


def played(folder: Path) -> Path:
    """Return a data folder with alerts, messages and samples: the demo's, if it was played."""
    of_demo = ROOT / ".demo" / "data"
    with Target() as target, Receiver() as receiver:
        config = shop.firebell(folder, target, receiver)
        with Firebell(folder, config, data=folder / "played") as server:
            server.wait_ready()
            since = target.break_it()
            wait_for("firing told", 30, lambda: receiver.has_told(FIRING, since))
            target.mend()
            wait_for("resolved told", 30, lambda: receiver.has_told(RESOLVED, since))
            n_samples = server.metric("firebell_samples")
            server.kill()
    data = of_demo if of_demo.is_dir() else folder / "played"
    n_bytes = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    print(f"  {data}: {n_bytes / 2**20:.2f} MiB; the own round took {n_samples:.0f} samples")
    return data


if __name__ == "__main__":
    sys.exit(main())
