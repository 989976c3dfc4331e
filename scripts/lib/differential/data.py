"""Owns the random series: what real ones look like, and everything that makes engines stumble."""

from __future__ import annotations

import itertools
import math
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from proofs.remote_write import Histogram, snappy, write_request

if TYPE_CHECKING:
    import random

SECONDS = 2400
STEP = 15
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
JOBS = ("api", "db")
INSTANCES = ("a:1", "b:1", "c:2")
CODES = ("200", "404", "500")
ZONES = ("eu", "us")
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, math.inf)
CUSTOM_BOUNDS = (0.1, 0.5, 1.0, 5.0)
WILD = (math.nan, math.inf, -math.inf, 0.0, -0.0, 1e6, -1e6, 1e-9, 1.0, -1.0, 3.5)
# Close to where numbers end. No subnormal ones: Go's logarithms of them are wrong on amd64,
# and its powers of e end at 1.27e308.
HUGE = (1.2e308, -1.2e308, 1e308, 3e-300, -3e-300, 4e15, 1e-160)
LEAST_MIN = 16
SERIES_PER_REQUEST = 50

Value = float | Histogram
Samples = list[tuple[int, Value]]
Series = tuple[dict[str, str], Samples]


@dataclass(frozen=True)
class Data:
    """Series from `start` for `SECONDS`, in milliseconds of Unix time."""

    start: int
    series: list[Series]

    @property
    def end(self) -> int:
        """The latest moment with samples."""
        return self.start + SECONDS * 1000

    def requests(self) -> list[bytes]:
        """Return the bodies of remote writes that bring it all."""
        # In order of labels: where the order of series shows, as between ties, it is the same then.
        ordered = sorted(self.series, key=lambda it: sorted(it[0].items()))
        parts = range(0, len(ordered), SERIES_PER_REQUEST)
        bodies = [runs(ordered[start : start + SERIES_PER_REQUEST]) for start in parts]
        return [snappy(write_request(part)) for body in bodies for part in body]


def runs(series: list[Series]) -> list[list[Series]]:
    """Return requests one after the other: within one, a series has samples of one kind.

    A request has floats and histograms apart, so that their order would be lost; and Prometheus
    makes a histogram of a stale marker that follows one.
    """
    requests: list[list[Series]] = []
    for labels, samples in series:
        has_histograms = any(isinstance(value, Histogram) for _, value in samples)
        kinds = itertools.groupby(samples, kind_of if has_histograms else lambda _: None)
        for idx, (_, run) in enumerate(kinds):
            if idx == len(requests):
                requests.append([])
            requests[idx].append((labels, list(run)))
    return requests


def kind_of(sample: tuple[int, Value]) -> str:
    """Say what a sample is."""
    value = sample[1]
    if isinstance(value, Histogram):
        return "histogram"
    return "stale" if struct.pack("<d", value) == struct.pack("<d", STALE) else "float"


def make(chance: random.Random, start: int, *, has_histograms: bool) -> Data:
    """Return random series, the same for the same `chance`."""
    maker = Maker(chance, start)
    for job in JOBS:
        for instance in INSTANCES:
            of = {"job": job, "instance": instance}
            maker.floats(of, job)
            if has_histograms:
                maker.native(of)
        maker.classic({"job": job})
    return Data(start, maker.series)


class Maker:
    """Adds series one by one."""

    def __init__(self, chance: random.Random, start: int) -> None:
        """Begin without any."""
        self.chance = chance
        self.start = start
        self.series: list[Series] = []

    def floats(self, of: dict[str, str], job: str) -> None:
        """Add counters and gauges of an instance."""
        chance = self.chance
        for code in CODES:
            self.add("c_total", {**of, "code": code}, self.counter(whole=True))
        self.add("f_total", of, self.counter(whole=False))
        for zone in ZONES:
            values = [round(chance.gauss(5, 20), 2) for _ in self.moments()]
            self.add("g", {**of, "zone": zone}, values)
        self.add("few", of, [float(chance.randrange(3)) for _ in self.moments()])
        self.add("wild", of, [chance.choice(WILD) for _ in self.moments()])
        self.add("huge", of, [chance.choice(HUGE) for _ in self.moments()])
        self.add("same", of, [chance.choice((0.0, 0.1, 7.0))] * SECONDS)
        info = {**of, "version": chance.choice(("1.0", "1.1")), "data": "x"}
        self.add("target_info", info, [1.0] * SECONDS)
        if job == "api":
            self.add("odd.name", {**of, "odd.label": chance.choice(("é", "b c"))}, [2.0] * SECONDS)

    def classic(self, of: dict[str, str]) -> None:
        """Add a classic histogram; its buckets grow as buckets do."""
        buckets = [0.0] * len(BOUNDS)
        rows = []
        for _ in self.moments():
            for _ in range(self.chance.randrange(8)):
                seen = self.chance.expovariate(2)
                buckets = [n + (seen <= bound) for n, bound in zip(buckets, BOUNDS, strict=True)]
            rows.append(buckets)
        for idx, bound in enumerate(BOUNDS):
            le = "+Inf" if math.isinf(bound) else f"{bound:g}"
            self.add("h_bucket", {**of, "le": le}, [row[idx] for row in rows], is_regular=True)
        self.add("h_count", of, [row[-1] for row in rows], is_regular=True)
        self.add("h_sum", of, [row[-1] * 0.5 for row in rows], is_regular=True)

    def native(self, of: dict[str, str]) -> None:
        """Add native histograms: exponential, with custom bounds, and mixed with floats."""
        schema = self.chance.choice((-1, 0, 1, 3))
        self.add("n", of, self.histograms(schema))
        self.add("nc", of, self.histograms(-53))
        gauges = [replace(it, reset_hint=3) for it in self.histograms(schema)]
        self.add("ng", of, gauges)
        mixed: list[Value] = list(self.histograms(2))
        for idx in range(0, len(mixed), self.chance.randrange(20, 40)):
            mixed[idx] = float(idx)
        self.add("mixed", of, mixed)

    def histograms(self, schema: int) -> list[Histogram]:
        """Return histograms that count on, start anew, and change their resolution.

        They begin with something in every bucket: otherwise Prometheus's answers would depend on
        which buckets share a chunk. And each time with less than they lose: Prometheus 3.5 does not
        extrapolate to a count of zero.
        """
        chance, out, least = self.chance, [], 1024
        is_custom = schema == -53
        indexes = range(len(CUSTOM_BOUNDS) + 1) if is_custom else range(-4, 8)
        sides = self.first_counts(indexes, least, is_custom=is_custom)
        zero, total = 20, 100.0
        for _ in self.moments():
            if chance.random() < 0.02 and least > LEAST_MIN:
                least //= 2
                sides = self.first_counts(indexes, least, is_custom=is_custom)
                zero, total = 20, 100.0
                if not is_custom and chance.random() < 0.3:
                    schema = chance.choice((-1, 0, 1, 2))
            for _ in range(chance.randrange(6)):
                side = sides[0] if not is_custom and chance.random() < 0.2 else sides[1]
                side[chance.choice(indexes)] += 1
                total += chance.uniform(-1, 3)
            zero = 0 if is_custom else zero + (chance.random() < 0.3)
            count = zero + sum(sum(side.values()) for side in sides)
            copies = [dict(side) for side in sides]
            threshold, bounds = (0.0, CUSTOM_BOUNDS) if is_custom else (0.001, ())
            known = (threshold, zero, copies[0], copies[1])
            out.append(Histogram(count, total, schema, *known, custom_bounds=bounds))
        return out

    def first_counts(self, indexes: range, least: int, *, is_custom: bool) -> list[dict[int, int]]:
        """Return negative and positive buckets to begin with."""
        counts = range(least, least + least // 4)
        positive = {idx: self.chance.choice(counts) for idx in indexes}
        negative = {} if is_custom else {idx: self.chance.choice(counts) for idx in indexes}
        return [negative, positive]

    def counter(self, *, whole: bool) -> list[float]:
        """Return values that grow and now and then begin again."""
        chance, value, out = self.chance, 0.0, []
        pace = chance.choice((0.2, 3.0, 500.0))
        for _ in self.moments():
            if chance.random() < 0.02:
                value = 0.0
            value += round(chance.expovariate(1 / pace)) if whole else chance.expovariate(1 / pace)
            out.append(value)
        return out

    def moments(self) -> range:
        """Return the steps of a series."""
        return range(SECONDS // STEP)

    def add(
        self,
        name: str,
        labels: dict[str, str],
        values: list[float] | list[Histogram] | list[Value],
        *,
        is_regular: bool = False,
    ) -> None:
        """Put values at moments: on a grid or off it, with gaps, and stale markers before some."""
        chance = self.chance
        phase, jitter = chance.randrange(STEP * 1000), chance.choice((0, 0, 40, 3000))
        if is_regular or chance.random() < 0.4:
            phase, jitter = 0, 0
        samples: Samples = []
        gap_until = -1
        for idx in self.moments():
            if idx < gap_until:
                continue
            offset = idx * STEP * 1000 + phase + (chance.randrange(jitter) if jitter else 0)
            at = self.start + offset
            if not is_regular and chance.random() < 0.015:
                gap_until = idx + chance.choice((2, 8, 30))
                if chance.random() < 0.6:
                    samples.append((at, STALE))
                    continue
            samples.append((at, values[idx]))
        self.series.append(({"__name__": name, **labels}, samples))
