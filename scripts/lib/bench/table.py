"""Owns the figures of a run: rows with targets, as a table for people and as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SYSTEMS = ("Prometheus", "VictoriaMetrics", "Firebell")
OURS = SYSTEMS[-1]

# Figures of a row by system; `None` where it was not measured.
Figures = dict[str, float]


@dataclass(frozen=True)
class Row:
    """One line: what, in which unit, and what Firebell is to reach given the figures of all."""

    key: str
    title: str
    unit: str
    target: Callable[[Figures], float | None] = lambda _: None


def below(limit: float) -> Callable[[Figures], float | None]:
    """Return a target that is a fixed figure."""
    return lambda _: limit


def share_of(system: str, share: float) -> Callable[[Figures], float | None]:
    """Return a target that is a share of what another system needs."""
    return lambda figures: figures[system] * share if system in figures else None


def below_both(figures: Figures) -> float | None:
    """Return a target that is the better of the peers."""
    peers = [figures[name] for name in SYSTEMS[:-1] if name in figures]
    return min(peers) if peers else None


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
    Row("ready", "ready after kill -9: wall time", "s", below_both),
    Row("million_ingest", "a million series: ingest, per sample", "ns"),
    Row("million_memory", "a million series: resident memory", "MiB"),
    Row("million_values", "a million series: values of a label", "ms"),
    Row("million_series", "a million series: fifty by a label", "ms"),
    Row("million_ready", "a million series: ready after kill -9", "s"),
)


@dataclass
class Table:
    """Figures as they come in."""

    size: str
    figures: dict[str, Figures] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, key: str, system: str, figure: float) -> None:
        """Keep one, and say it at once: a run is long."""
        row = next(row for row in ROWS if row.key == key)
        self.figures.setdefault(key, {})[system] = figure
        print(f"  {system:<16} {row.title:<38} {digits(figure)} {row.unit}", flush=True)

    def print(self) -> None:
        """Print all rows that were measured."""
        print(f"\n{'':<38} {'Prometheus':>12} {'VictoriaM.':>12} {'Firebell':>12}  target")
        for row in ROWS:
            if row.key in self.figures:
                print(self._line(row, self.figures[row.key]))
        for note in self.notes:
            print(f"  {note}")

    def _line(self, row: Row, figures: Figures) -> str:
        cells = "".join(
            f"{digits(figures[name]) if name in figures else '-':>13}" for name in SYSTEMS
        )
        line = f"{row.title:<38}{cells}  {row.unit}"
        target = row.target(figures)
        if target is not None and OURS in figures:
            verdict = "ok" if figures[OURS] <= target else "missed"
            line += f" <= {digits(target)}: {verdict}"
        if ours := figures.get(OURS):
            peers = [name for name in SYSTEMS[:-1] if name in figures]
            shares = ", ".join(f"{digits(figures[name] / ours)}x {name[:4]}" for name in peers)
            line += f" ({shares})" if peers else ""
        return line

    def write(self, path: Path) -> None:
        """Write figures and verdicts as JSON."""
        rows = {
            row.key: {
                "title": row.title,
                "unit": row.unit,
                "figures": self.figures[row.key],
                "target": row.target(self.figures[row.key]),
            }
            for row in ROWS
            if row.key in self.figures
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"size": self.size, "rows": rows, "notes": self.notes}))


def digits(figure: float) -> str:
    """Return three significant digits."""
    return f"{figure:.3g}" if abs(figure) < 1000 else f"{figure:.0f}"
