"""Prints what unit tests of rules cost beside promtool and vmalert-tool, and a cycle of all rules.

Usage: rules [--quick]               or `make bench-rules [QUICK=1]`
  --quick  a tenth of the rules and of the series, without the cycle's peers

Processor time, user and system, of each program for one test file; wall time beside it. Three
files: one rule; 500 rules of which one is asserted; the same with each asserted. vmalert-tool is
not given the third, which costs it what the second does. A program that takes longer than a
quarter of an hour is ended, and what it had used by then stands in the table after `>`; one that
fails is a cell that says so, unless it is Firebell. The folder of 1,000 rules in which
`firebell check` finds much is ours alone. The cycle is the row `rules` of bench-metrics: 10,000
rules over their series, once.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from proofs.check import ProofError
from proofs.process import binary

from bench.load import CODES
from bench.metrics import FULL, QUICK, Bench
from bench.systems import peers
from bench.table import OURS, digits

SECONDS_MAX = 900.0
# What is over in a moment is run so often, and the least is shown: the rest is the machine's.
MOMENT_SECONDS = 1.0
MOMENT_RUNS = 9
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
    """What a run took, in seconds, and how it ended."""

    cpu: float
    wall: float
    is_done: bool = True
    has_failed: bool = False


@dataclass(frozen=True)
class Asked:
    """What Firebell is to keep below, in seconds."""

    cpu: float = float("inf")
    wall: float = float("inf")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A test file, who is given it, and what is asked of Firebell."""

    title: str
    size: Size
    asked: Asked
    is_each: bool = False
    has_vmalert: bool = True


SMALL = Size(1, 2, 4)
LARGE = Size(500, 1000, 361)
LARGE_QUICK = Size(50, 100, 361)
SMALL_ASKED = Asked(wall=0.02)
LARGE_ASKED = Asked(cpu=5.0)
CHECK_ASKED = Asked(cpu=0.2)
RULES_PER_FILE = 20


def main() -> int:
    """Measure; 0 when it could be measured, whatever came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true")
    is_quick = parser.parse_args().quick
    # What is measured ends with us, also when a time limit ends us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        folder = peers()
        measure_tests(folder, LARGE_QUICK if is_quick else LARGE)
        measure_check(100 if is_quick else 1000)
        bench = Bench(QUICK if is_quick else FULL, {"rules"})
        for name in [OURS] if is_quick else ["Prometheus", OURS]:
            bench.measure(name)
        bench.table.notes.append(
            f"{bench.live.n_services * len(CODES)} rules over ten series each, every "
            f"{bench.size.interval} s"
        )
        bench.table.print()
    except (ProofError, subprocess.CalledProcessError) as error:
        print(f"bench-rules: {error}", file=sys.stderr)
        return 1
    return 0


def measure_tests(programs: Path, large: Size) -> None:
    """Run each file through each program, and print the table."""
    commands = {
        "promtool": [str(programs / "promtool"), "test", "rules", "test.yml"],
        # It wants the group named beside each alert unless alerts do not carry it.
        "vmalert-tool": [
            *(str(programs / "vmalert-tool"), "unittest"),
            *("--files=test.yml", "--disableAlertgroupLabel"),
        ],
        OURS: [str(binary()), "test", "test.yml"],
    }
    title = f"{large.n_rules} rules x {large.n_ticks} steps x {large.n_series} series"
    each = {"is_each": True, "has_vmalert": False}
    cases = (
        Case(title="1 rule, 2 series, 4 steps", size=SMALL, asked=SMALL_ASKED),
        Case(title=f"{title}, 1 asserted", size=large, asked=LARGE_ASKED),
        Case(title=f"{title}, all asserted", size=large, asked=LARGE_ASKED, **each),
    )
    heads = "".join(f"{name:>18}" for name in commands)
    print(f"{'CPU seconds (wall)':<54}{heads}  asked", flush=True)
    for case in cases:
        print(f"{case.title:<54}", end="", flush=True)
        used: dict[str, Used] = {}
        for name, command in commands.items():
            if name == "vmalert-tool" and not case.has_vmalert:
                print(f"{'-':>18}", end="", flush=True)
                continue
            used[name] = measured(name, command, case)
            print(f"{shown(used[name]):>18}", end="", flush=True)
        print(f"  {judged(case.asked, used)}", flush=True)


def measure_check(n_rules: int) -> None:
    """Print what `firebell check` costs on a folder of rules with much to find in each."""
    rule = """  - alert: alert_N
    expr: sum by (job) (errors_total{job="N"}) / sum by (pod) (rate(requests_total[15s])) > 0
    labels: {severity: page}
    annotations: {summary: "{{ $labels.instance }} is at {{ $value }}"}
"""
    with tempfile.TemporaryDirectory(prefix="firebell-bench-") as name:
        folder = Path(name)
        (folder / "firebell.yml").write_text("rule_files: [rules-*.yml]\n")
        for first in range(0, n_rules, RULES_PER_FILE):
            rules = "".join(rule.replace("N", str(first + n)) for n in range(RULES_PER_FILE))
            text = f"groups:\n- name: group\n  rules:\n{rules}"
            (folder / f"rules-{first}.yml").write_text(text)
        command = [str(binary()), "check", "firebell.yml"]
        runs = [run(command, folder) for _ in range(MOMENT_RUNS)]
        n_found = (folder / "out").read_text().count(" | ") // 2
    least = min(runs, key=lambda it: it.cpu)
    title = f"check of {n_rules} rules, {n_found} findings"
    told = judged(CHECK_ASKED, {OURS: least})
    print(f"{title:<54}{'-':>18}{'-':>18}{shown(least):>18}  {told}", flush=True)


def measured(name: str, command: list[str], case: Case) -> Used:
    """Run a program on a case of its own; what is short more than once, and the least counts."""
    with tempfile.TemporaryDirectory(prefix="firebell-bench-") as folder:
        generate(Path(folder), case.size, is_each=case.is_each)
        used = run(command, Path(folder))
        if used.has_failed and name == OURS:
            raise ProofError(f"{name} fails:\n{(Path(folder) / 'out').read_text()[-500:]}")
        if used.is_done and not used.has_failed and used.wall < MOMENT_SECONDS:
            others = [run(command, Path(folder)) for _ in range(MOMENT_RUNS - 1)]
            cpu, wall = zip(*((it.cpu, it.wall) for it in [used, *others]), strict=True)
            return Used(min(cpu), min(wall))
        return used


def judged(asked: Asked, used: dict[str, Used]) -> str:
    """Say what is asked, whether it is so, and what promtool takes of ours."""
    ours = used[OURS]
    wanted = [
        f"{kind} <= {digits(limit)} s: {'ok' if figure <= limit else 'missed'}"
        for kind, figure, limit in (
            ("CPU", ours.cpu, asked.cpu),
            ("wall", ours.wall, asked.wall),
        )
        if limit < float("inf")
    ]
    shares = [
        f"{digits(it.cpu / max(ours.cpu, 0.001))}x {name}"
        for name, it in used.items()
        if name != OURS and not it.has_failed
    ]
    beside = f" ({', '.join(shares)})" if shares else ""
    return f"{', '.join(wanted)}{beside}"


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
    """Run a program in a folder, and wait for it; it does not outlive us."""
    env = {**os.environ, "TMPDIR": str(folder)}
    started = time.monotonic()
    with (folder / "out").open("wb") as out:
        popen = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out, env=env)
    is_done = False
    try:
        while time.monotonic() - started < SECONDS_MAX:
            if os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
                is_done = True
                break
            # Looks often while a look's time would show in the figure.
            time.sleep(0.001 if time.monotonic() - started < MOMENT_SECONDS else 0.05)
    finally:
        if not is_done:
            popen.kill()
        _, status, usage = os.wait4(popen.pid, 0)
        popen.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - started
    return Used(usage.ru_utime + usage.ru_stime, wall, is_done, is_done and popen.returncode != 0)


def shown(used: Used) -> str:
    """Return a cell."""
    if used.has_failed:
        return "fails"
    text = f"{digits(used.cpu)} ({digits(used.wall)})"
    return text if used.is_done else f"> {text}"


if __name__ == "__main__":
    sys.exit(main())
