"""Prints what unit tests of rules cost beside promtool and vmalert-tool, and a cycle of all rules.

Usage: rules [--quick]               or `make bench-rules [QUICK=1]`
  --quick  a tenth of the rules and of the series, without the cycle's peers

Processor time, user and system, of each program for one test file; wall time beside it. Three
files: one rule; 500 rules of which one is asserted; the same with each asserted. vmalert-tool is
given the first two only, and is ended after ten minutes. The cycle is the row `rules` of
bench-metrics: 10,000 rules over their series, once.
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

from proofs.check import ProofError
from proofs.process import binary

from bench.metrics import FULL, QUICK, Bench
from bench.systems import peers
from bench.table import OURS, digits

SECONDS_MAX = 600.0
RULE = """- alert: A{idx}
  expr: rate(errors_total[5m]) / rate(requests_total[5m]) > 0.{idx:03}
  for: 5m
  labels: {{severity: page}}
  annotations: {{summary: "{{{{ $labels.instance }}}} is at {{{{ $value }}}}"}}
"""


@dataclass(frozen=True)
class Size:
    """How much is generated."""

    n_rules: int
    n_series: int
    n_ticks: int


@dataclass(frozen=True)
class Used:
    """What a run took, in seconds, and whether it came to its end."""

    cpu: float
    wall: float
    is_done: bool


SMALL = Size(1, 2, 4)
LARGE = Size(500, 1000, 361)
LARGE_QUICK = Size(50, 100, 361)


def main() -> int:
    """Measure; 0 when it could be measured, whatever came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true")
    is_quick = parser.parse_args().quick
    try:
        folder = peers()
        measure_tests(folder, LARGE_QUICK if is_quick else LARGE)
        bench = Bench(QUICK if is_quick else FULL, {"rules"})
        for name in [OURS] if is_quick else ["Prometheus", OURS]:
            bench.measure(name)
        bench.table.print()
    except (ProofError, subprocess.CalledProcessError) as error:
        print(f"bench-rules: {error}", file=sys.stderr)
        return 1
    return 0


def measure_tests(programs: Path, large: Size) -> None:
    """Run each file through each program, and print the table."""
    ours = [str(binary()), "test", "test.yml"]
    theirs = [str(programs / "promtool"), "test", "rules", "test.yml"]
    other = [str(programs / "vmalert-tool"), "unittest", "--files=test.yml"]
    title = f"{large.n_rules} rules x {large.n_ticks} steps x {large.n_series} series"
    rows = (
        ("1 rule, 2 series, 4 steps", SMALL, False, (theirs, other, ours)),
        (f"{title}, 1 asserted", large, False, (theirs, other, ours)),
        (f"{title}, all asserted", large, True, (theirs, ours)),
    )
    print(f"{'CPU seconds (wall)':<52}{'promtool':>18}{'vmalert-tool':>18}{'firebell':>18}")
    for name, size, is_each, commands in rows:
        with tempfile.TemporaryDirectory(prefix="firebell-bench-") as folder:
            generate(Path(folder), size, is_each=is_each)
            used = {command[0]: run(command, Path(folder)) for command in commands}
        cells = [shown(used.get(command[0])) for command in (theirs, other, ours)]
        ratio = used[theirs[0]].cpu / max(used[ours[0]].cpu, 0.001)
        print(f"{name:<52}{''.join(f'{cell:>18}' for cell in cells)}  {digits(ratio)}x", flush=True)


def generate(folder: Path, size: Size, *, is_each: bool) -> None:
    """Write a rule file and its test; nothing fires, so that every program has to pass."""
    rules = "".join(RULE.format(idx=idx + 400) for idx in range(size.n_rules))
    indented = "".join(f"  {line}\n" for line in rules.splitlines())
    (folder / "rules.yml").write_text(f"groups:\n- name: fleet\n  rules:\n{indented}")
    series = [
        f"  - {{series: '{name}{{instance=\"{idx}\"}}', values: '0+{step}x{size.n_ticks - 1}'}}"
        for idx in range(size.n_series // 2)
        for name, step in (("errors_total", idx % 7), ("requests_total", 20))
    ]
    last = size.n_rules if is_each else 1
    asserted = [
        f"  - {{eval_time: {size.n_ticks - 1}m, alertname: A{400 + idx}, exp_alerts: []}}"
        for idx in range(last)
    ]
    (folder / "test.yml").write_text(
        "rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n"
        "  input_series:\n" + "\n".join(series) + "\n  alert_rule_test:\n" + "\n".join(asserted)
    )


def run(command: list[str], folder: Path) -> Used:
    """Run a program in a folder, and wait for it."""
    started = time.monotonic()
    with (folder / "out").open("wb") as out:
        popen = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out)
        is_done = True
        while os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            if time.monotonic() - started > SECONDS_MAX:
                popen.kill()
                is_done = False
                break
            time.sleep(0.001)
        _, status, usage = os.wait4(popen.pid, 0)
    popen.returncode = os.waitstatus_to_exitcode(status)
    if is_done and popen.returncode != 0:
        said = (folder / "out").read_text()[-500:]
        raise ProofError(f"{Path(command[0]).name} fails:\n{said}")
    return Used(usage.ru_utime + usage.ru_stime, time.monotonic() - started, is_done)


def shown(used: Used | None) -> str:
    """Return a cell."""
    if used is None:
        return "-"
    text = f"{digits(used.cpu)} ({digits(used.wall)})"
    return text if used.is_done else f"> {text}"


if __name__ == "__main__":
    sys.exit(main())
