"""Owns places that cannot be had: ports, addresses, data folders, and a log that is full."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from functools import partial
from typing import TYPE_CHECKING

from proofs import shop
from proofs.check import Proofs, wait_for
from proofs.process import Firebell, Process, binary, free_port, run
from proofs.world import FIRING, Receiver, Target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def show(proofs: Proofs) -> None:
    """Try it all."""
    with proofs.scene("a port or an address that cannot be had") as folder:
        no_address(proofs, folder)
    with proofs.scene("a data folder that cannot be had") as folder:
        no_folder(proofs, folder)
    with proofs.scene("nobody takes the log") as folder:
        no_log(proofs, folder)
        no_reader(proofs, folder)


def no_address(proofs: Proofs, folder: Path) -> None:
    """Try a port in use, and addresses that others could reach."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refuses(proofs, folder, "a port in use", address, [address, "in use", "--listen"])
    port = free_port()
    for address in (f"0.0.0.0:{port}", f"[::]:{port}", f"192.0.2.1:{port}"):
        words = ["refused to listen", address, "no authentication", "127.0.0.1"]
        refuses(proofs, folder, f"address {address}", address, words)
    proofs.check("no data folder was made", not (folder / "data").exists())


def refuses(proofs: Proofs, folder: Path, what: str, address: str, words: list[str]) -> None:
    """See that it ends with exit code 2 and says these words."""
    command: list[str | Path] = [
        binary(),
        "serve",
        "--data-dir",
        folder / "data",
        "--listen",
        address,
    ]
    with Process(command, folder / "log") as process:
        code = process.exit_code()
    said = process.text()
    process.log.unlink()
    holds = code == 2 and all(word in said for word in words) and "panicked" not in said
    proofs.check(f"{what} is refused", holds, f"exit code {code}: {said}")


def no_folder(proofs: Proofs, folder: Path) -> None:
    """Try a folder of another process, a file in its place, one that cannot be written."""
    first = Firebell(folder)
    with first:
        first.wait_ready()
        pid = str(first.popen.pid) if first.popen else ""
        words = ["in use by process", pid, "--data-dir"]
        refuses_folder(proofs, folder / "data", "a folder of another process", words)
        proofs.equal("that one goes on", first.ask("/-/ready").status, 200)
    (folder / "file").write_text("not a folder")
    refuses_folder(proofs, folder / "file", "a file", ["failed to", "file"])
    (folder / "foreign" / "wal").mkdir(parents=True)
    (folder / "foreign" / "wal" / "00000000").write_bytes(b"something else, longer than a magic")
    words = ["wal/00000000", "left as it is"]
    refuses_folder(proofs, folder / "foreign", "a folder of another program", words)
    prefix = read_only(folder / "fixed")
    if prefix is None:
        proofs.skip("a read-only folder", "no way to make one here")
        return
    words = ["fixed", "failed to", "--data-dir"]
    refuses_folder(proofs, folder / "fixed", "a read-only folder", words, prefix)


def refuses_folder(
    proofs: Proofs,
    data: Path,
    what: str,
    words: list[str],
    prefix: Sequence[str] = (),
) -> None:
    """See that it ends with exit code 2 and says these words."""
    server = Firebell(data.parent, data=data, prefix=prefix)
    server.log = data.parent / "refused.log"
    with server:
        code = server.exit_code()
    said = server.text()
    server.log.unlink()
    holds = code == 2 and all(word in said for word in words) and "panicked" not in said
    proofs.check(f"{what} is refused", holds, f"exit code {code}: {said}")


def read_only(folder: Path) -> list[str] | None:
    """Make a folder that cannot be written; return what to run a program under to find it so."""
    folder.mkdir()
    if os.geteuid() != 0:
        folder.chmod(0o555)
        return []
    mount = f"mount -t tmpfs -o ro none '{folder}'"
    if shutil.which("unshare") is None:
        return None
    tried = subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True, check=False)
    return (
        ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh"]
        if tried.returncode == 0
        else None
    )


def no_reader(proofs: Proofs, folder: Path) -> None:
    """Let nobody read what a check says: it ends quietly."""
    (folder / "empty.yml").write_text("")
    for name, where in (("full", ">/dev/full"), ("closed", ">&-"), ("head", "| true")):
        script = f'"$@" {where}'
        _, said = run(["sh", "-c", script, "sh", binary(), "check", folder / "empty.yml"])
        proofs.check(f"check with its output {name}: no panic", "panicked" not in said, said)


def no_log(proofs: Proofs, folder: Path) -> None:
    """Put standard error on a full disk, or close it: the page goes out all the same."""
    for name, where in (("full", "2>/dev/full"), ("closed", "2>&-")):
        with Target() as target, Receiver() as told:
            apart = folder / name
            apart.mkdir(exist_ok=True)
            config = shop.firebell(apart, target, told)
            prefix = ["sh", "-c", f'exec "$@" {where}', "sh"]
            with Firebell(apart, config, prefix=prefix) as server:
                server.wait_ready()
                fault_at = target.break_it()
                wait_for(f"firing told with {where}", 20, partial(told.has_told, FIRING, fault_at))
                proofs.equal(f"with {where} it ends in order", server.stop(), 0)
