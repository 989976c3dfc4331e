"""Owns processes: Firebell and its real neighbours, each ended by its own id."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs.check import ROOT, ProofError, wait_for
from proofs.client import Answer, ask, is_ready

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

READY_SECONDS = 20.0
STOP_SECONDS = 10.0


def binary() -> Path:
    """Return the binary under test, or raise with how to build it."""
    path = Path(os.environ.get("FIREBELL", ROOT / "target" / "release" / "firebell")).resolve()
    if not path.is_file():
        raise ProofError(f"there is no Firebell at {path}; `make build` builds it")
    return path


def free_port() -> int:
    """Return a free port that the system does not give to outgoing connections meanwhile."""
    chance = random.SystemRandom()
    for _ in range(200):
        port = chance.randrange(20_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise ProofError("no free port between 20000 and 32000")


@dataclass
class Process:
    """A program that runs in the background and writes its log into a file."""

    command: Sequence[str | Path]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; what it logged before stays."""
        with self.log.open("ab") as output:
            self.popen = subprocess.Popen(
                [str(part) for part in self.command],
                env={**os.environ, "NO_COLOR": "1", **self.env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.log.parent,
            )

    def kill(self) -> None:
        """End it with SIGKILL, at once."""
        if self.popen is not None:
            self.popen.kill()
            self.popen.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        if self.popen is not None:
            self.popen.send_signal(number)

    def stop(self) -> int:
        """End it with SIGTERM; return its exit code. One that does not listen is killed."""
        if self.popen is None:
            return 0
        self.popen.terminate()
        try:
            return self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL

    def exit_code(self, seconds: float = STOP_SECONDS) -> int:
        """Wait for it to end by itself."""
        if self.popen is None:
            raise ProofError("it was not started")
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise ProofError(f"`{self.command[0]}` did not end within {seconds} s") from error

    def text(self) -> str:
        """Return what it has logged so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def cpu_seconds(self) -> float:
        """Return the processor time that all of its threads have used so far.

        Linux keeps a clock for each process; `/proc/PID/stat` has the same in hundredths only.
        """
        if self.popen is None:
            return 0.0
        clock = (~self.popen.pid << 3) | 2
        return time.clock_gettime_ns(clock) / 1e9

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it, whatever happened."""
        self.kill()


class Firebell(Process):
    """`firebell serve` on a port of its own."""

    def __init__(
        self,
        folder: Path,
        config: str | None = None,
        *,
        data: Path | None = None,
        prefix: Sequence[str | Path] = (),
    ) -> None:
        """Prepare it; `config` is the text of a firebell.yml, `prefix` what runs it."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = data or folder / "data"
        self.config = folder / "firebell.yml"
        command = [*prefix, binary(), "serve", "--listen", f"127.0.0.1:{self.port}"]
        command += ["--data-dir", self.data]
        if config is not None:
            self.config.write_text(config)
            command += ["--config", self.config]
        super().__init__(command, folder / "firebell.log")

    def wait_ready(self, seconds: float = READY_SECONDS) -> float:
        """Wait until it answers; return when that was."""
        ends_at = time.monotonic() + seconds
        while not is_ready(self.port):
            if self.popen is not None and self.popen.poll() is not None:
                raise ProofError(f"it ended with {self.popen.returncode}:\n{self.tail()}")
            if time.monotonic() > ends_at:
                raise ProofError(f"not ready within {seconds} s:\n{self.tail()}")
            time.sleep(0.002)
        return time.time()

    def tail(self) -> str:
        """Return the end of its log."""
        return "\n".join(self.text().splitlines()[-15:])

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask over HTTP."""
        return ask(self.port, path, method=method, body=body, headers=headers)

    def json(self, path: str) -> Any:
        """Ask for JSON, and raise when the answer is not 200."""
        answer = self.ask(path)
        if answer.status != 200:
            raise ProofError(f"{path}: {answer.status} {answer.text()[:300]}")
        return answer.json()

    def status(self) -> Any:
        """Return the own API's status."""
        return self.json("/api/firebell/v1/status")

    def inbox(self) -> list[Any]:
        """Return the inbox's entries, newest first."""
        entries: list[Any] = self.json("/api/firebell/v1/inbox")["entries"]
        return entries

    def alerts(self) -> list[Any]:
        """Return all alerts as the page sees them."""
        alerts: list[Any] = self.json("/api/firebell/v1/alerts")["alerts"]
        return alerts

    def value(self, query: str) -> float | None:
        """Return the value of the first series of an instant query."""
        answer = self.ask("/api/v1/query", "POST", f"query={_quote(query)}".encode())
        result = answer.json()["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def metric(self, name: str) -> float:
        """Return the sum of one of its own metrics over its labels; 0 when it is not there."""
        lines = self.ask("/metrics").text().splitlines()
        of_name = [line for line in lines if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.rsplit(" ", 1)[1]) for line in of_name)

    def resident_mib(self, figure: str = "VmRSS") -> float:
        """Return the memory that it holds; the most that it ever held is `VmHWM`."""
        if self.popen is None:
            return 0.0
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        held = [line.split()[1] for line in status.splitlines() if line.startswith(f"{figure}:")]
        return int(held[0]) / 1024

    def wait_reloaded(self, since: str) -> None:
        """Wait until the configuration is newer than `since`, as the status API tells it."""
        wait_for("reload", 10, lambda: self.status()["configLoadedAt"] != since)


def run(command: Sequence[str | Path], seconds: float = 20.0) -> tuple[int, str]:
    """Run a program to its end; return exit code and all it said."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            env={**os.environ, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProofError(f"`{command[0]}` did not end within {seconds} s") from error
    return done.returncode, done.stdout.decode(errors="replace")


def _quote(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())
