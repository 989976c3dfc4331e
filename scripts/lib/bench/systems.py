"""Owns the systems that are measured: how each is started, asked, and settled."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from proofs.check import ROOT, ProofError
from proofs.client import ask, is_ready
from proofs.process import Process, binary, free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

PEERS_SCRIPT = ROOT.parent / "shared" / "peers" / "install.sh"
READY_SECONDS_MAX = 300.0
ASK_SECONDS_MAX = 120.0
QUIET_SECONDS_MAX = 300.0
QUIET_SHARE = 0.04


def peers() -> Path:
    """Return the folder of the peers' programs, fetched if need be."""
    done = subprocess.run([str(PEERS_SCRIPT)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ProofError(f"the peers could not be fetched: {done.stderr[-500:]}")
    return Path(done.stdout.split()[-1])


def peers_if_any() -> Path | None:
    """Return the folder of the peers' programs; None, and say why, when there are none here."""
    if not PEERS_SCRIPT.exists():
        print(f"not checked: the peers come by {PEERS_SCRIPT}, which is not there")
        return None
    try:
        return peers()
    except ProofError as error:
        print(f"not checked: {error}")
        return None


class System:
    """A store that takes remote write and answers PromQL."""

    name = ""

    def __init__(self, folder: Path) -> None:
        """Prepare it in a folder of its own."""
        self.folder = folder / self.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "data"
        self.rules: Path | None = None
        self.features: tuple[str, ...] = ()
        self.interval = 15
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes: list[Process] = []

    def commands(self) -> Sequence[Sequence[str | Path]]:
        """Return what to start, the store first."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.processes = [
            Process(command, self.folder / f"{idx}.log")
            for idx, command in enumerate(self.commands())
        ]
        for process in self.processes:
            process.start()
        ends_at = time.monotonic() + READY_SECONDS_MAX
        while not is_ready(self.port):
            popen = self.processes[0].popen
            if time.monotonic() > ends_at or popen is None or popen.poll() is not None:
                raise ProofError(f"{self.name} did not get ready:\n{self.tail()}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it in order."""
        for process in reversed(self.processes):
            process.stop()

    def kill(self) -> None:
        """End it at once."""
        for process in self.processes:
            process.kill()

    def tail(self) -> str:
        """Return the end of its log."""
        lines = [line for it in self.processes for line in it.text().splitlines()[-8:]]
        return "\n".join(lines)

    def cpu(self) -> float:
        """Return the processor seconds used so far, by all its processes."""
        return sum(process.cpu_seconds() for process in self.processes)

    def resident_mib(self) -> float:
        """Return the memory that the store holds."""
        popen = self.processes[0].popen
        status = Path(f"/proc/{popen.pid if popen else 0}/status").read_text()
        held = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(held.split()[1]) / 1024

    def settle(self) -> None:
        """Wait until work in the background is done: two quiet seconds in a row."""
        ends_at = time.monotonic() + QUIET_SECONDS_MAX
        n_quiet = 0
        while n_quiet < 2 and time.monotonic() < ends_at:
            before = self.cpu()
            time.sleep(1)
            n_quiet = n_quiet + 1 if self.cpu() - before < QUIET_SHARE else 0

    def query(self, expr: str, at: float) -> bytes:
        """Ask an instant query; caches of results are left out where there are any."""
        path = f"/api/v1/query?{urlencode({'query': expr, 'time': at, 'nocache': 1})}"
        answer = ask(self.port, path, timeout=ASK_SECONDS_MAX)
        if answer.status != 200:
            raise ProofError(f"{self.name}: {expr}: {answer.status} {answer.text()[:300]}")
        return answer.body

    def metric(self, port: int, name: str) -> float:
        """Return the sum of one of its own metrics over its labels."""
        lines = ask(port, "/metrics").text().splitlines()
        found = [line for line in lines if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)

    def n_evaluated(self) -> float:
        """Return how many rules were evaluated so far."""
        raise NotImplementedError

    def disk(self) -> tuple[int, int | None]:
        """Return bytes of what is sealed on disk, and how many samples that is if not all.

        It may be stopped afterwards.
        """
        raise NotImplementedError


class Prometheus(System):
    """Prometheus, with nothing to scrape."""

    name = "Prometheus"

    def __init__(self, folder: Path, programs: Path) -> None:
        """Prepare it."""
        super().__init__(folder)
        self.program = programs / "prometheus"

    def commands(self) -> Sequence[Sequence[str | Path]]:
        """Return its command line."""
        config = self.folder / "prometheus.yml"
        rules = f"rule_files: ['{self.rules}']\n" if self.rules else ""
        config.write_text(f"global: {{evaluation_interval: {self.interval}s}}\n{rules}")
        return [
            [
                self.program,
                f"--config.file={config}",
                f"--storage.tsdb.path={self.data}",
                "--storage.tsdb.retention.time=60d",
                "--web.enable-remote-write-receiver",
                "--web.enable-admin-api",
                # Off until 3.8; what is no flag (any more) is only warned of.
                f"--enable-feature={','.join(('native-histograms', *self.features))}",
                "--log.level=warn",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ]
        ]

    def n_evaluated(self) -> float:
        """As it counts itself."""
        return self.metric(self.port, "prometheus_rule_evaluations_total")

    def disk(self) -> tuple[int, int | None]:
        """Return the blocks of a snapshot, which holds the head as one too."""
        path = "/api/v1/admin/tsdb/snapshot"
        answer = ask(self.port, path, method="POST", timeout=ASK_SECONDS_MAX)
        snapshot = self.data / "snapshots" / answer.json()["data"]["name"]
        return folder_bytes(snapshot), None


class VictoriaMetrics(System):
    """VictoriaMetrics, and vmalert beside it when there are rules."""

    name = "VictoriaMetrics"

    def __init__(self, folder: Path, programs: Path) -> None:
        """Prepare it."""
        super().__init__(folder)
        self.programs = programs
        self.alert_port = free_port()

    def commands(self) -> Sequence[Sequence[str | Path]]:
        """Return its command lines."""
        store: list[str | Path] = [
            self.programs / "victoria-metrics",
            f"-storageDataPath={self.data}",
            "-retentionPeriod=60d",
            "-search.latencyOffset=0s",
            "-loggerLevel=WARN",
            f"-httpListenAddr=127.0.0.1:{self.port}",
        ]
        rules: list[str | Path] = [
            self.programs / "vmalert",
            f"-rule={self.rules}",
            f"-datasource.url={self.url}",
            "-notifier.blackhole",
            f"-evaluationInterval={self.interval}s",
            "-loggerLevel=ERROR",
            f"-httpListenAddr=127.0.0.1:{self.alert_port}",
        ]
        return [store, rules] if self.rules else [store]

    def n_evaluated(self) -> float:
        """As vmalert counts."""
        return self.metric(self.alert_port, "vmalert_execution_total")

    def disk(self) -> tuple[int, int | None]:
        """Return all of its data after a merge that it was asked for."""
        for path in ("/internal/force_flush", "/internal/force_merge"):
            ask(self.port, path, timeout=ASK_SECONDS_MAX)
        self.settle()
        return sum(folder_bytes(self.data / name) for name in ("data", "indexdb")), None


class Firebell(System):
    """The release build."""

    name = "Firebell"

    def commands(self) -> Sequence[Sequence[str | Path]]:
        """Return its command line."""
        config = self.folder / "firebell.yml"
        rules = f"rule_files: ['{self.rules}']\n" if self.rules else ""
        config.write_text(
            f"global: {{evaluation_interval: {self.interval}s}}\n{rules}"
            "storage: {retention: 60d}\n"
        )
        command: list[str | Path] = [binary(), "serve", "--config", config]
        command += ["--listen", f"127.0.0.1:{self.port}", "--data-dir", self.data]
        if self.features:
            command.append(f"--enable-feature={','.join(self.features)}")
        return [command]

    def n_evaluated(self) -> float:
        """As it counts itself."""
        return self.metric(self.port, "prometheus_rule_evaluations_total")

    def disk(self) -> tuple[int, int | None]:
        """Return all but what a restart reads back, once the store has had its upkeep."""

        def sealed_bytes() -> int:
            logs = sum(folder_bytes(self.data / name) for name in ("wal", "pages"))
            return folder_bytes(self.data) - logs

        sealed = -1
        while sealed != (sealed := sealed_bytes()):
            time.sleep(UPKEEP_SECONDS)
        self.stop()
        return sealed, int(self.bench("figures")["filed"])

    def bench(self, *args: str) -> dict[str, float]:
        """Ask the example `store`, which reads the data folder itself; Firebell must be stopped."""
        program = binary().parent / "examples" / "store"
        done = subprocess.run(
            [str(program), str(self.data), *args], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise ProofError(f"the example `store` failed: {done.stderr[-500:]}")
        pairs = (line.split("=", 1) for line in done.stdout.splitlines())
        return {name: float(value) for name, value in pairs}


def folder_bytes(folder: Path) -> int:
    """Return what the files below a folder take, as far as they are there."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# Firebell looks after its store once a minute.
UPKEEP_SECONDS = 65
