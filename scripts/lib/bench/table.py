"""Owns the figures of a run: rows with targets, as a table for people and as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OURS = "Firebell"

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


def below_peers(figures: Figures) -> float | None:
    """Return a target that is the best of the peers."""
    peers = [figure for name, figure in figures.items() if name != OURS]
    return min(peers) if peers else None


@dataclass
class Table:
    """Figures as they come in."""

    size: str
    rows: tuple[Row, ...]
    systems: tuple[str, ...]
    figures: dict[str, Figures] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, key: str, system: str, figure: float) -> None:
        """Keep one, and say it at once: a run is long."""
        row = next(row for row in self.rows if row.key == key)
        self.figures.setdefault(key, {})[system] = figure
        print(f"  {system:<16} {row.title:<{self._width}} {digits(figure)} {row.unit}", flush=True)

    def print(self) -> None:
        """Print all rows that were measured."""
        heads = "".join(f"{name[:12]:>13}" for name in self.systems)
        print(f"\n{'':<{self._width}}{heads}  target")
        for row in self.rows:
            if row.key in self.figures:
                print(self._line(row, self.figures[row.key]))
        for note in self.notes:
            print(f"  {note}")

    @property
    def _width(self) -> int:
        return max(len(row.title) for row in self.rows)

    def _line(self, row: Row, figures: Figures) -> str:
        cells = "".join(
            f"{digits(figures[name]) if name in figures else '-':>13}" for name in self.systems
        )
        line = f"{row.title:<{self._width}}{cells}  {row.unit}"
        target = row.target(figures)
        if target is not None and OURS in figures:
            verdict = "ok" if figures[OURS] <= target else "missed"
            line += f" <= {digits(target)}: {verdict}"
        if ours := figures.get(OURS):
            peers = [name for name in self.systems if name != OURS and name in figures]
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
            for row in self.rows
            if row.key in self.figures
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"size": self.size, "rows": rows, "notes": self.notes}))


def digits(figure: float) -> str:
    """Return three significant digits."""
    return f"{figure:.3g}" if abs(figure) < 1000 else f"{figure:.0f}"
