"""Prints how Firebell compares with Prometheus and VictoriaMetrics as stores of metrics.

Usage: metrics [--quick] [ROWS]      or `make bench-metrics [QUICK=1] [ROWS=query,ingest]`
  ROWS     of query, ingest, disk, memory, rules, restart, million; default: all but the last
  --quick  smaller sets of series, about three minutes; targets are for the full size
  SYSTEMS  in the environment: of Prometheus, VictoriaMetrics, Firebell; default: all

Processor time, user and system, of the servers alone; wall time only where it says so. One system
runs at a time. Ingest counts until the background work is done. On disk: Prometheus's snapshot,
VictoriaMetrics after a forced merge, Firebell's files but for the log, by the samples in them; of
the seven days at 15 s alone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proofs.check import ProofError, wait_for
from proofs.client import ask

from bench.load import CODES, METRIC, TARGET, Shape, build, fill, now
from bench.systems import Firebell, Prometheus, System, VictoriaMetrics, peers
from bench.table import OURS, Row, Table, below, below_peers, share_of

if TYPE_CHECKING:
    from collections.abc import Callable

SYSTEMS = ("Prometheus", "VictoriaMetrics", OURS)
ROWS = (
    Row("query_5m", "burn-rate query, W = 5m, over HTTP", "ms"),
    Row("query_6h", "same, W = 6h", "ms"),
    Row("query_1d", "same, W = 1d", "ms"),
    Row("query_7d", "same, W = 7d", "ms", below(3)),
    Row("query_30d", "same, W = 30d", "ms"),
    Row("query_ratio", "30d / 5m, over HTTP", "x", below(3)),
    Row("prepared_5m", "prepared, as a rule: W = 5m", "ms", below(0.3)),
    Row("prepared_6h", "prepared: W = 6h", "ms"),
    Row("prepared_1d", "prepared: W = 1d", "ms"),
    Row("prepared_7d", "prepared: W = 7d", "ms", below(3)),
    Row("prepared_30d", "prepared: W = 30d", "ms"),
    Row("prepared_ratio", "prepared: 30d / 5m", "x", below(3)),
    Row("ingest", "ingest by remote write, per sample", "ns", below(150)),
    Row("disk", "on disk, per sample", "bytes", below(0.6)),
    Row("memory", "resident memory, live series, 2 h", "MiB", share_of("Prometheus", 1 / 3)),
    Row("rules", "all rules once", "s", share_of("Prometheus", 1 / 30)),
    Row("ready_cpu", "ready after kill -9: processor", "s", below(2)),
    Row("ready", "ready after kill -9: wall time", "s", below_peers),
    Row("million_ingest", "a million series: ingest, per sample", "ns"),
    Row("million_memory", "a million series: resident memory", "MiB"),
    Row("million_values", "a million series: values of a label", "ms"),
    Row("million_series", "a million series: fifty by a label", "ms"),
    Row("million_ready", "a million series: ready after kill -9", "s"),
)
WINDOWS = ("5m", "6h", "1d", "7d", "30d")
HISTORY_ROWS = ("query", "ingest", "disk")
LIVE_ROWS = ("memory", "rules", "restart")
MILLION_ROWS = ("million",)
ANSWER_SECONDS_MAX = 60.0
REPEAT_SECONDS_MAX = 20.0
REPEAT_CPU_SECONDS = 1.0
REPEATS_MIN = 3
REPEATS_MAX = 3000
RULES_PER_GROUP = 100
CYCLES = 3
CYCLE_WAIT_SECONDS_MAX = 120.0
SETTLED_SECONDS = 20
AHEAD_SECONDS = 240


@dataclass(frozen=True)
class Size:
    """How much is loaded."""

    name: str
    # Twenty-three days that only the 30-day window reads, then seven at full rate.
    old_step: int
    full_days: float
    n_live_services: int
    interval: int


FULL = Size("full", old_step=60, full_days=7, n_live_services=2000, interval=15)
QUICK = Size("quick", old_step=900, full_days=1, n_live_services=200, interval=10)


def main() -> int:
    """Measure what is asked for; 0 when it could be measured, whatever came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("rows", nargs="?", default="", help="such as query,ingest")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    rows = {row for row in args.rows.split(",") if row} or {*HISTORY_ROWS, *LIVE_ROWS}
    if unknown := rows - {*HISTORY_ROWS, *LIVE_ROWS, *MILLION_ROWS}:
        parser.error(f"unknown rows: {', '.join(sorted(unknown))}")
    systems = [s for s in os.environ.get("SYSTEMS", ",".join(SYSTEMS)).split(",") if s]
    try:
        bench = Bench(QUICK if args.quick else FULL, rows)
        for name in systems:
            bench.measure(name)
    except (ProofError, subprocess.CalledProcessError) as error:
        print(f"bench-metrics: {error}", file=sys.stderr)
        return 1
    bench.finish()
    return 0


class Bench:
    """One run."""

    def __init__(self, size: Size, rows: set[str]) -> None:
        """Fetch and build what it needs."""
        self.size = size
        self.rows = rows
        self.table = Table(size.name, ROWS, SYSTEMS)
        self.loadgen = build()
        self.peers = peers()
        end = now()
        self.history = Shape(100, 2, size.full_days, end)
        old_end = int(end - size.full_days * 86400)
        self.old = Shape(100, 2, 30 - size.full_days, old_end, size.old_step)
        self.live = Shape(size.n_live_services, 10, 2 / 24, end)
        # Ten minutes of ten times as many series.
        self.million = Shape(10 * size.n_live_services, 10, 10 / 1440, end)

    def measure(self, name: str) -> None:
        """Measure one system."""
        print(f"\n{name}", flush=True)
        if self.rows & {"query", "ingest"}:
            self.with_system(name, self.measure_history)
        if "disk" in self.rows:
            self.with_system(name, self.measure_disk)
        if self.rows & set(LIVE_ROWS):
            self.with_system(name, self.measure_live)
        if "million" in self.rows:
            self.with_system(name, self.measure_million)

    def with_system(self, name: str, measure: Callable[[System], None]) -> None:
        """Run something with a system whose folder and processes end with it."""
        with tempfile.TemporaryDirectory(prefix="firebell-bench-") as folder:
            system = self.make(name, Path(folder))
            try:
                system.start()
                measure(system)
            finally:
                system.kill()

    def make(self, name: str, folder: Path) -> System:
        """Prepare a system by its name."""
        if name == "Prometheus":
            return Prometheus(folder, self.peers)
        if name == "VictoriaMetrics":
            return VictoriaMetrics(folder, self.peers)
        if name == OURS:
            return Firebell(folder)
        raise ProofError(f"there is no system `{name}`")

    def measure_history(self, system: System) -> None:
        """Thirty days of a thousand series: ingest, queries."""
        if "query" in self.rows:
            fill(self.loadgen, system, self.old)
        system.settle()
        before = system.cpu()
        n_samples = fill(self.loadgen, system, self.history)
        system.settle()
        self.table.note("ingest", system.name, (system.cpu() - before) / n_samples * 1e9)
        if "query" in self.rows:
            self.measure_queries(system)
        if "query" in self.rows and isinstance(system, Firebell):
            self.measure_prepared(system)

    def measure_disk(self, system: System) -> None:
        """Measure the seven days alone: samples a minute apart say more each, and cost more."""
        n_samples = fill(self.loadgen, system, self.history)
        system.settle()
        n_bytes, n_sealed = system.disk()
        self.table.note("disk", system.name, n_bytes / (n_sealed or n_samples))

    def measure_queries(self, system: System) -> None:
        """Ask the same query over windows of every length."""
        spent = {window: self.cost(system, burn_rate(window)) for window in WINDOWS}
        for window in WINDOWS:
            self.table.note(f"query_{window}", system.name, spent[window])
        self.table.note("query_ratio", system.name, spent["30d"] / spent["5m"])

    def cost(self, system: System, expr: str) -> float:
        """Return milliseconds of processor time for one answer."""
        at = self.history.end
        # VictoriaMetrics shows what is new when it comes to it.
        wait_for(expr, ANSWER_SECONDS_MAX, lambda: b'"value"' in system.query(expr, at))
        system.query(expr, at)
        before, began, n = system.cpu(), time.monotonic(), 0
        while n < REPEATS_MAX:
            system.query(expr, at)
            n += 1
            is_long = time.monotonic() - began > REPEAT_SECONDS_MAX
            if n >= REPEATS_MIN and (is_long or system.cpu() - before > REPEAT_CPU_SECONDS):
                break
        return (system.cpu() - before) / n * 1000

    def measure_prepared(self, system: Firebell) -> None:
        """Evaluate as rules do: bound once, then again and again over the same store."""
        system.stop()
        exprs = [burn_rate(window) for window in WINDOWS]
        spent = system.bench("prepared", str(self.history.end), *exprs)
        for idx, window in enumerate(WINDOWS):
            self.table.note(f"prepared_{window}", system.name, spent[str(idx)])
        ratio = spent[str(len(WINDOWS) - 1)] / spent["0"]
        self.table.note("prepared_ratio", system.name, ratio)

    def measure_live(self, system: System) -> None:
        """Many series for two hours: memory, start after a kill, rules."""
        fill(self.loadgen, system, self.live)
        system.settle()
        time.sleep(SETTLED_SECONDS)
        if "memory" in self.rows:
            self.table.note("memory", system.name, system.resident_mib())
        if "restart" in self.rows:
            system.kill()
            began = time.monotonic()
            system.start()
            seconds = time.monotonic() - began
            self.table.note("ready_cpu", system.name, system.cpu())
            self.table.note("ready", system.name, seconds)
            self.check_count(system, self.live)
        if "rules" in self.rows:
            self.measure_rules(system)

    def measure_million(self, system: System) -> None:
        """As many series as one process should hold: memory, ingest, labels, start after a kill."""
        before = system.cpu()
        n_samples = fill(self.loadgen, system, self.million)
        system.settle()
        self.table.note("million_ingest", system.name, (system.cpu() - before) / n_samples * 1e9)
        self.table.note("million_memory", system.name, system.resident_mib())
        span = f"start={self.million.end - 600}&end={self.million.end}"
        for key, path in (
            ("million_values", f"/api/v1/label/service/values?{span}"),
            ("million_series", f"/api/v1/series?match[]={METRIC}{{service='svc-0007'}}&{span}"),
        ):
            before = system.cpu()
            for _ in range(REPEATS_MIN):
                answer = ask(system.port, path, timeout=ANSWER_SECONDS_MAX)
                if answer.status != 200 or b"svc-0007" not in answer.body:
                    raise ProofError(f"{system.name}: {path}: {answer.status}")
            self.table.note(key, system.name, (system.cpu() - before) / REPEATS_MIN * 1000)
        system.kill()
        system.start()
        self.table.note("million_ready", system.name, system.cpu())
        self.check_count(system, self.million)

    def check_count(self, system: System, shape: Shape) -> None:
        """See that a restart lost nothing."""
        answer = system.query(f"count({METRIC})", shape.end)
        if f'"{shape.n_series}"'.encode() not in answer:
            raise ProofError(f"{system.name} lost series in the restart: {answer.decode()[:300]}")

    def measure_rules(self, system: System) -> None:
        """Let it evaluate rules over samples that go on."""
        system.stop()
        system.rules = system.folder / "rules.yml"
        system.rules.write_text(self.rules_file())
        system.interval = self.size.interval
        system.start()
        fill(self.loadgen, system, self.live.until(now() + AHEAD_SECONDS))
        n_rules = self.live.n_services * len(CODES)
        # The first cycle binds; it is not measured.
        self.wait_evaluated(system, n_rules)
        # Nor is the counting: a look at the page of metrics costs as much as 200 rules,
        # so there is one before the processor's time is taken and one after.
        n_before, before = system.n_evaluated(), system.cpu()
        time.sleep(CYCLES * self.size.interval)
        spent = system.cpu() - before
        n_done = system.n_evaluated() - n_before
        if n_done < n_rules:
            raise ProofError(f"{system.name} evaluated {n_done} of {CYCLES * n_rules} rules")
        self.table.note("rules", system.name, spent / n_done * n_rules)

    def wait_evaluated(self, system: System, n: int) -> None:
        """Wait until so many more rules were evaluated."""
        wanted = system.n_evaluated() + n
        ends_at = time.monotonic() + CYCLE_WAIT_SECONDS_MAX
        while system.n_evaluated() < wanted:
            if time.monotonic() > ends_at:
                raise ProofError(f"{system.name} evaluates no rules:\n{system.tail()}")
            time.sleep(0.5)

    def rules_file(self) -> str:
        """Return a rule for each service and code, in groups."""
        pairs = [(s, c) for s in range(self.live.n_services) for c in CODES]
        text = ["groups:"]
        for idx, (service, code) in enumerate(pairs):
            if idx % RULES_PER_GROUP == 0:
                text.append(f"- {{name: group{idx}, interval: {self.size.interval}s, rules: [")
            expr = f'rate({METRIC}{{service="svc-{service:04}",code="{code}"}}[5m]) > 1e6'
            text.append(f"  {{alert: Busy{idx}, expr: '{expr}', for: 1m}},")
            if idx % RULES_PER_GROUP == RULES_PER_GROUP - 1:
                text.append("]}")
        return "\n".join(text)

    def finish(self) -> None:
        """Print and keep the figures."""
        history = (
            f"{self.history.n_series} series for {self.size.full_days:g} days every 15 s, "
            f"before that to 30 days every {self.size.old_step} s; "
            f"ingest and disk are of the {self.history.n_samples} at 15 s"
        )
        live = (
            f"live: {self.live.n_series} series, {self.live.n_samples} samples; "
            f"{self.live.n_services * len(CODES)} rules of ten series each"
        )
        million = f"million: {self.million.n_series} series, {self.million.n_samples} samples"
        self.table.notes += [history, live, million]
        self.table.print()
        path = TARGET / "bench-metrics.json"
        self.table.write(path)
        print(f"  figures: {path}")


def burn_rate(window: str) -> str:
    """Return the share of errors by service over a window."""
    failed, total = f'{METRIC}{{code=~"5.."}}', METRIC
    return f"sum by (service)(rate({failed}[{window}])) / sum by (service)(rate({total}[{window}]))"


if __name__ == "__main__":
    sys.exit(main())
