"""Owns the processes of the demo: starts them, keeps their logs, ends every one of them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STOP_SECONDS = 5.0
TAIL_LINES = 15


class DemoError(Exception):
    """The demo cannot go on; the message is for the person who runs it."""


@dataclass(frozen=True)
class Process:
    """One started program with a process group of its own."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def tail(self) -> str:
        """Return the last lines of its log, headed by its name."""
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        body = "\n".join(f"    {line}" for line in lines) or "    (nothing)"
        return f"  {self.name} ({self.log}):\n{body}"

    def resident_kib(self) -> int:
        """Return the memory it holds, in KiB; 0 when the system does not tell."""
        try:
            status = Path(f"/proc/{self.popen.pid}/status").read_text()
        except OSError:
            return 0
        held = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(held[0]) if held else 0


class Processes:
    """All that was started here, in order."""

    def __init__(self, logs: Path) -> None:
        """Keep logs in the folder `logs`."""
        self._logs = logs
        self._started: list[Process] = []

    def start(
        self, name: str, command: Sequence[str | Path], folder: Path, extra: Mapping[str, str]
    ) -> Process:
        """Start `command` in `folder` with `extra` environment."""
        log = self._logs / f"{name}.log"
        with log.open("wb") as output:
            try:
                popen = subprocess.Popen(
                    [str(part) for part in command],
                    cwd=folder,
                    env={**os.environ, **extra},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # A group of its own: it can be ended with its children, and Ctrl-C in the
                    # terminal reaches only the demo, which then ends things in order.
                    start_new_session=True,
                )
            except OSError as error:
                raise DemoError(f"could not start {name} (`{command[0]}`): {error}") from error
        process = Process(name, popen, log)
        self._started.append(process)
        return process

    def check_alive(self) -> None:
        """Raise when one of them has ended on its own."""
        for process in self._started:
            code = process.popen.poll()
            if code is not None:
                raise DemoError(f"{process.name} ended by itself with exit code {code}")

    def tails(self) -> str:
        """Return the ends of all logs."""
        return "\n".join(process.tail() for process in self._started)

    def stop_all(self) -> None:
        """End every process group, last started first; what does not listen is killed."""
        for process in reversed(self._started):
            _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in reversed(self._started):
            _reap(process, max(0.0, deadline - time.monotonic()))
        self._started.clear()


def check_port_free(port: int, who: str) -> None:
    """Raise when somebody listens on `port` already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoError(
                f"port {port} on 127.0.0.1, where {who} would listen, is in use; "
                f"`ss -ltnp 'sport = :{port}'` says by whom"
            ) from error


def _signal_group(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.popen.pid, number)


def _reap(process: Process, seconds: float) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.popen.wait(seconds)
    # Also after a clean exit: a worker may have outlived its parent.
    _signal_group(process, signal.SIGKILL)
    process.popen.wait()
