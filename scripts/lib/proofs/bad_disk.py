"""Owns the full disk: alerts still page, it is said everywhere, and nothing is lost afterwards."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs import shop
from proofs.check import ProofError, Proofs, wait_for
from proofs.process import Firebell
from proofs.world import FIRING, RESOLVED, Receiver, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

TMPFS_MIB = 8
MEND_SECONDS = 90.0
# More than a block of a file system holds.
SILENCES_MAX = 200


def show(proofs: Proofs) -> None:
    """Try it on a small disk of its own, and with a limit on the size of files."""
    with proofs.scene("a full disk (tmpfs)") as folder, small_disk(folder) as disk:
        if disk is None:
            proofs.skip("a full disk", "only root can mount one; the size limit is tried")
        else:
            full(proofs, folder, disk)
    with proofs.scene("no file may grow (size limit)") as folder:
        full(proofs, folder, Limit(folder / "data"))


class Disk:
    """A small file system in a namespace of its own, which a sleeping process holds."""

    def __init__(self, data: Path, holder: int) -> None:
        """Reach it through the process `holder`."""
        self.data = data
        self.prefix = ["nsenter", f"--mount=/proc/{holder}/ns/mnt", "--"]
        self._filler = Path(f"/proc/{holder}/root{data}/filler")

    def fill(self, _: Firebell) -> None:
        """Leave no room."""
        with suppress(OSError), self._filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)

    def make_room(self, _: Firebell) -> None:
        """Take the filler away."""
        self._filler.unlink()


class Limit:
    """No room through a limit on the size of files; works for anybody."""

    prefix = ("sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh")

    def __init__(self, data: Path) -> None:
        """Remember where the data is."""
        self.data = data

    def fill(self, server: Firebell) -> None:
        """Let no file grow, the log file neither."""
        self._limit(server, 1)

    def make_room(self, server: Firebell) -> None:
        """Let them grow again."""
        self._limit(server, resource.RLIM_INFINITY)

    def _limit(self, server: Firebell, n_bytes: int) -> None:
        if server.popen is None:
            raise ProofError("it does not run")
        hard = resource.prlimit(server.popen.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(server.popen.pid, resource.RLIMIT_FSIZE, (n_bytes, hard))


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk | None]:
    """Mount a small disk that only processes of this scene see."""
    data = folder / "data"
    data.mkdir()
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("nsenter"):
        yield None
        return
    script = f"mount -t tmpfs -o size={TMPFS_MIB}m none '{data}' && echo there && exec sleep 600"
    command = ["unshare", "-m", "sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as holder:
        try:
            is_there = holder.stdout is not None and holder.stdout.readline() == b"there\n"
            yield Disk(data, holder.pid) if is_there else None
        finally:
            holder.kill()


def full(proofs: Proofs, folder: Path, disk: Disk | Limit) -> None:
    """One fault while there is no room; then room again, and a kill."""
    with Target() as target, Receiver() as told:
        config = shop.firebell(folder, target, told)
        server = Firebell(folder, config, data=disk.data, prefix=disk.prefix)
        with server:
            server.wait_ready()
            wait_for("scrapes", 20, lambda: target.n_scrapes > 8)
            disk.fill(server)
            # The last block of each file takes some bytes more.
            wait_for("samples find no room", 60, lambda: bool(problems(server)))
            fault_at = target.break_it()
            wait_for("firing told without room", 20, lambda: told.has_told(FIRING, fault_at))
            proofs.check("the fault is noticed and told", holds=True)
            says_so(proofs, server)
            alert = server.alerts()[0]
            disk.make_room(server)
            wait_for("all is written down again", MEND_SECONDS, lambda: not problems(server))
            proofs.check("with room again, nothing is left to write", holds=True)
            n_samples = samples(server)
            server.kill()
            server.start()
            server.wait_ready()
            kept = samples(server)
            lost = [at for at in n_samples if at not in kept]
            proofs.check("no sample was lost", not lost, f"{len(lost)} of {len(n_samples)}")
            again = server.alerts()[0]
            same = {name: again[name] for name in ("state", "activeAt", "firedAt")}
            proofs.equal("the alert burns as before", same, {name: alert[name] for name in same})
            target.mend()
            wait_for("resolved told", 20, lambda: told.has_told(RESOLVED, fault_at))
            time.sleep(1.5)
            counts = [told.count(n, s) for n in ("slack", "webhook") for s in (FIRING, RESOLVED)]
            proofs.equal("everybody was told once of each", counts, [1, 1, 1, 1])
            proofs.equal(
                "so was the inbox", [e["status"] for e in server.inbox()], [RESOLVED, FIRING]
            )
            proofs.equal("it ends in order", server.stop(), 0)
        text = server.text()
        proofs.check(
            "no panic, no damage", "panicked" not in text and "damage" not in text, text[-3000:]
        )


def says_so(proofs: Proofs, server: Firebell) -> None:
    """See that metrics and status say that there is no room, and that wishes are refused."""
    proofs.check("a silence that could not be kept is refused", *refused(server))
    for name in ("firebell_journal_failures_total", "firebell_store_unlogged_bytes"):
        proofs.check(f"{name} says so", server.metric(name) > 0)
    said = wait_for("the status says so", 10, lambda: problems(server))
    proofs.check(
        f"the status says so: {said[0][:100]}", all("failed to" in it for it in said), said
    )


def refused(server: Firebell) -> tuple[bool, str]:
    """Silence until it is refused: what the last block of the journal still takes is kept."""
    silence = b"""{"matchers":[{"name":"a","value":"b","isRegex":false}],"createdBy":"me",
        "comment":"c","startsAt":"2020-01-01T00:00:00Z","endsAt":"2099-01-01T00:00:00Z"}"""
    kind = {"Content-Type": "application/json"}
    for _ in range(SILENCES_MAX):
        answer = server.ask("/api/v2/silences", "POST", silence, kind)
        if answer.status != 200:
            break
    return answer.status == 503, f"{answer.status} {answer.text()}"


def problems(server: Firebell) -> list[str]:
    """Return what the status says of the disk."""
    found: list[str] = server.status()["storageProblems"]
    return found


def samples(server: Firebell) -> list[Any]:
    """Return the samples of the shop, of the last ten minutes."""
    answer = server.ask("/api/v1/query?query=checkout_total[10m]")
    return [value for series in answer.json()["data"]["result"] for value in series["values"]]
