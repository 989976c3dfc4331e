"""Owns random expressions: well-typed trees, their text, and what is simpler than one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from differential.data import CODES, INSTANCES, JOBS, ZONES

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

DEPTH = 4

# Name of a metric → labels that tell its series apart.
FLOATS = {
    "c_total": ("job", "instance", "code"),
    "f_total": ("job", "instance"),
    "g": ("job", "instance", "zone"),
    "few": ("job", "instance"),
    "wild": ("job", "instance"),
    "same": ("job", "instance"),
    "target_info": ("job", "instance", "version", "data"),
    "h_bucket": ("job", "le"),
    "h_count": ("job",),
}
NATIVES = dict.fromkeys(("n", "nc", "ng", "mixed"), ("job", "instance"))
VALUES = {"job": JOBS, "instance": INSTANCES, "code": CODES, "zone": ZONES, "le": ("0.1", "+Inf")}
LABELS = ("job", "instance", "code", "zone", "le", "version")


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(text.split())


MAPS = words(
    "abs acos acosh asin asinh atan atanh ceil cosh deg exp floor ln log10 log2 rad sgn "
    "sinh sqrt tanh minute hour day_of_week day_of_month day_of_year days_in_month month year "
    "round"
)
# Of large numbers the last digit decides: only for what has been scraped.
PERIODIC = words("sin cos tan")
HISTOGRAM_MAPS = words(
    "histogram_avg histogram_count histogram_sum histogram_stddev histogram_stdvar"
)
BUCKETLESS = words("histogram_avg histogram_count histogram_sum")
WINDOWS = words(
    "rate rate increase delta irate idelta deriv avg_over_time min_over_time max_over_time "
    "sum_over_time count_over_time last_over_time present_over_time absent_over_time "
    "stddev_over_time stdvar_over_time changes resets"
)
# To the last digit, so that equals are equals on both sides.
EXACT = words("min_over_time max_over_time count_over_time last_over_time changes resets")
DISCRETE = words("rate increase irate changes resets")
HISTOGRAM_WINDOWS = words(
    "rate increase delta irate idelta avg_over_time sum_over_time count_over_time last_over_time "
    "present_over_time changes resets"
)
NEW_WINDOWS = words("ts_of_min_over_time ts_of_max_over_time ts_of_last_over_time")
FEATURES = ("promql-experimental-functions", "promql-duration-expr")
AGGREGATES = words("sum avg min max count group stddev stdvar")
RANGES = ("10s", "15s", "30s", "1m", "2m", "5m", "7m3s", "20m", "1h")
OFFSETS = ("15s", "1m", "3m7s", "-1m", "10m", "-45s")
STEPS = ("", "7s", "15s", "1m", "2m30s")
# Parts of a whole that are at the end of no bucket.
UNEVEN = ("0", "0.10137", "0.49719", "0.90313", "0.98993", "1", "-1", "NaN")
NUMBERS = ("0", "1", "-1", "2", "0.5", "1e9", "3.7", "NaN", "Inf", "-Inf", "0x1F", "1e-3")
ARITHMETIC = ("+", "-", "*", "/", "^", "atan2")
COMPARISONS = ("==", "!=", ">", "<", ">=", "<=")


@dataclass(frozen=True)
class Node:
    """An expression of a type, as its text with other expressions in it."""

    kind: str
    parts: tuple[str | Node, ...]
    simpler: tuple[Node, ...] = ()

    def text(self) -> str:
        """Return the expression."""
        return "".join(part if isinstance(part, str) else part.text() for part in self.parts)

    def below(self) -> Iterator[Node]:
        """Return all expressions within."""
        for part in self.parts:
            if isinstance(part, Node):
                yield part
                yield from part.below()


def smaller(node: Node) -> Iterator[Node]:
    """Return expressions of the same type with something left out."""
    for inner in node.below():
        if inner.kind == node.kind:
            yield inner
    yield from node.simpler
    for idx, part in enumerate(node.parts):
        if isinstance(part, Node):
            for other in smaller(part):
                yield Node(node.kind, (*node.parts[:idx], other, *node.parts[idx + 1 :]))


def scalar(*parts: str | Node) -> Node:
    """Return a number."""
    return Node("scalar", parts)


def vector(*parts: str | Node, simpler: tuple[Node, ...] = ()) -> Node:
    """Return an instant vector."""
    return Node("vector", parts, simpler)


class Grammar:
    """Makes expressions of a given depth."""

    def __init__(
        self, chance: random.Random, start: int, *, is_old: bool, has_experimental: bool = False
    ) -> None:
        """`is_old`: Prometheus 2, whose windows are closed and which lacks native histograms."""
        self.chance = chance
        self.has_experimental = has_experimental
        self.start = start
        self.is_old = is_old
        self.has_natives = not is_old

    def any(self) -> Node:
        """Return what a query may be."""
        if self.chance.random() < 0.08:
            return self.scalar(2)
        if self.chance.random() < 0.03:
            return self.matrix(1)
        return self.vector(self.chance.randrange(1, DEPTH + 1))

    def scalar(self, depth: int) -> Node:
        """Return a number."""
        pick = self.chance.random()
        if depth <= 0 or pick < 0.5:
            return scalar(self.chance.choice((*NUMBERS, "time()", "pi()")))
        if pick < 0.7:
            return scalar("scalar(", self.vector(depth - 1), ")")
        if pick < 0.8:
            return scalar("-", "(", self.scalar(depth - 1), ")")
        op = self.chance.choice((*ARITHMETIC, *(f"{it} bool" for it in COMPARISONS)))
        return scalar("(", self.scalar(depth - 1), f" {op} ", self.scalar(depth - 1), ")")

    def vector(self, depth: int) -> Node:
        """Return an instant vector."""
        if depth <= 0:
            return self.selector()
        makers: tuple[tuple[int, Callable[[int], Node]], ...] = (
            (24, self.window),
            (12, self.map),
            (20, self.aggregate),
            (10, self.with_number),
            (14, self.matched),
            (6, self.set_operation),
            (6, self.histogram),
            (5, self.labelled),
            (6, self.other),
        )
        if self.has_experimental:
            makers = (*makers, (30, self.experimental))
        weights = [weight for weight, _ in makers]
        return self.chance.choices([maker for _, maker in makers], weights)[0](depth)

    # Leaves

    def metric(self) -> str:
        """Return the name of a metric; histograms are rarer."""
        if self.has_natives and self.chance.random() < 0.2:
            return self.chance.choice(tuple(NATIVES))
        return self.chance.choice(tuple(FLOATS))

    def selector(self, metric: str | None = None) -> Node:
        """Return a selector with whatever may follow it."""
        metric = metric or self.metric()
        plain = vector(metric)
        if not self.is_old and self.chance.random() < 0.02:
            return vector('{"odd.name"}')
        return vector(metric, self.matchers(metric), self.shift(), simpler=(plain,))

    def matchers(self, metric: str) -> str:
        """Return matchers that often match something."""
        found = []
        names = {**FLOATS, **NATIVES}[metric]
        for name in names:
            if name in VALUES and self.chance.random() < 0.25:
                value = self.chance.choice(VALUES[name])
                op = self.chance.choice(("=", "!=", "=~", "!~"))
                if "~" in op:
                    value = self.chance.choice((value[0] + ".*", f"{value}|zz", ".+", "[a-e].*"))
                    value = value.replace("+Inf", "[+]Inf")
                found.append(f'{name}{op}"{value}"')
        return "{" + ",".join(found) + "}" if found else ""

    def shift(self) -> str:
        """Return an offset, an @, both or none."""
        text = ""
        if self.chance.random() < 0.12:
            text += f" offset {self.chance.choice(OFFSETS)}"
        if self.chance.random() < 0.08:
            at = self.start / 1000 + self.chance.randrange(2400)
            text += self.chance.choice((" @ start()", " @ end()", f" @ {at:.3f}"))
        return text

    def matrix(self, depth: int, metric: str | None = None) -> Node:
        """Return windows: of a selector, or of an expression."""
        window = self.chance.choice(RANGES)
        if depth > 0 and not self.is_old and metric is None and self.chance.random() < 0.3:
            step = self.chance.choice(STEPS)
            # Prometheus 3.5 changes histograms that windows share: its answers differ by chance.
            before = self.has_natives, self.has_experimental
            self.has_natives = self.has_experimental = False
            inner = self.vector(depth - 1)
            self.has_natives, self.has_experimental = before
            # One that is neither a call nor a selector needs them.
            return Node("matrix", ("(", inner, f")[{window}:{step}]", self.shift()))
        metric = metric or self.metric()
        parts = (metric, self.matchers(metric), f"[{window}]", self.shift())
        return Node("matrix", parts, (Node("matrix", (f"{metric}[{window}]",)),))

    # Functions

    def window(self, depth: int) -> Node:
        """Return a function of windows."""
        pick = self.chance.random()
        if pick < 0.06:
            inner = self.matrix(depth - 1)
            return vector("quantile_over_time(", self.scalar(depth - 2), ", ", inner, ")")
        if pick < 0.1:
            inner = self.matrix(depth - 1)
            # With a moment of its own, Prometheus evaluates a subquery here at more moments than
            # count, and warns of these as well.
            if inner.parts[0] == "(" and "@" in str(inner.parts[-1]):
                inner = Node("matrix", inner.parts[:-1])
            return vector("predict_linear(", inner, ", ", self.scalar(depth - 2), ")")
        name = self.chance.choice(WINDOWS)
        # A last digit that is smaller is a reset: of what was computed these say too much.
        if name in DISCRETE:
            return self.windowed(self.metric(), name)
        return vector(f"{name}(", self.matrix(depth - 1), ")")

    def map(self, depth: int) -> Node:
        """Return a function of each value."""
        # Sums of such depend on the order of the series, which is chance there.
        is_huge = self.has_natives and self.chance.random() < 0.05
        inner = vector("huge") if is_huge else self.vector(depth - 1)
        return self.map_of(inner, depth)

    def map_of(self, inner: Node, depth: int) -> Node:
        """Return a function of each value of a vector."""
        pick = self.chance.random()
        if pick < 0.1:
            return vector("clamp(", inner, ", ", self.scalar(0), ", ", self.scalar(0), ")")
        if pick < 0.2:
            name = self.chance.choice(("clamp_min", "clamp_max", "round"))
            return vector(f"{name}(", inner, ", ", self.scalar(depth - 2), ")")
        if pick < 0.27:
            return vector("-(", inner, ")")
        if pick < 0.32:
            return vector(f"{self.chance.choice(PERIODIC)}(", self.selector("g"), ")")
        return vector(f"{self.chance.choice(MAPS)}(", inner, ")")

    def histogram(self, depth: int) -> Node:
        """Return something about buckets, classic or native."""
        pick = self.chance.random()
        if not self.has_natives or pick < 0.3:
            by = self.chance.choice(("", "sum by (le) ", "sum by (le, job) ", "avg by (job, le) "))
            inner = vector(by, "(", self.windowed("h_bucket"), ")")
            return vector("histogram_quantile(", self.scalar(0), ", ", inner, ")")
        inner = self.natives(depth)
        if pick < 0.55:
            # Firebell adds histograms up with compensation, as newer Prometheus does, 3.5 without.
            # The last digit then decides in which bucket a rank is that falls between two.
            is_added = inner.text().startswith(("sum", "avg"))
            fraction = scalar(self.chance.choice(UNEVEN)) if is_added else self.fraction()
            return vector("histogram_quantile(", fraction, ", ", inner, ")")
        if pick < 0.7:
            ends = self.scalar(0), ", ", self.scalar(0)
            return vector("histogram_fraction(", *ends, ", ", inner, ")")
        if pick < 0.85:
            name = self.chance.choice(HISTOGRAM_MAPS)
            # Where buckets do not count, Prometheus 3.5 reads one side of a sum without its bounds.
            if name in BUCKETLESS and inner.text().startswith("nc") and " nc" in inner.text():
                name = "histogram_stddev"
            return vector(f"{name}(", inner, ")")
        return inner

    def fraction(self) -> Node:
        """Return a number that is mostly between 0 and 1."""
        return scalar(self.chance.choice(("0", "0.1", "0.5", "0.9", "0.99", "1", "-1", "2", "NaN")))

    def windowed(self, metric: str, name: str = "") -> Node:
        """Return a rate, or the like, of one metric."""
        name = name or self.chance.choice(HISTOGRAM_WINDOWS)
        # Of gauges, Prometheus 3.5 finds other resets when only their sums are asked for.
        if metric == "ng" and name in DISCRETE:
            name = "delta"
        return vector(f"{name}(", self.matrix(0, metric), ")")

    def natives(self, depth: int) -> Node:
        """Return native histograms, perhaps summed or scaled."""
        metric = self.chance.choice(tuple(NATIVES))
        inner = self.windowed(metric) if self.chance.random() < 0.6 else self.selector(metric)
        pick = self.chance.random()
        if depth > 1 and pick < 0.3:
            op = self.chance.choice(("sum", "avg", "count", "group", "min", "stddev"))
            return vector(f"{op}{self.grouping()}(", inner, ")")
        if depth > 1 and pick < 0.45:
            op = self.chance.choice(("*", "/", "+"))
            return vector(inner, f" {op} {self.chance.choice(('2', '-1', '0.5', '1e-3'))}")
        if depth > 1 and pick < 0.6:
            # Whose buckets nobody asks for are compared without them in Prometheus 3.5.
            op = self.chance.choice(("+", "-", "*", ">"))
            return vector(inner, f" {op} ", self.selector(metric))
        return inner

    def labelled(self, depth: int) -> Node:
        """Return something with other labels."""
        inner, label = self.vector(depth - 1), self.chance.choice(LABELS)
        if self.chance.random() < 0.3:
            joined = f', "{label}", "-", "job", "code")'
            return vector("label_join(", inner, joined)
        target = self.chance.choice((label, "new", "job", "__name__"))
        value = self.chance.choice(("$1", "x-$1", "", "${1}y$2", "fixed"))
        pattern = self.chance.choice(("(.*)", "(.+):.", "a(.*)", "([a-c]).*", "", "2.."))
        return vector("label_replace(", inner, f', "{target}", "{value}", "{label}", "{pattern}")')

    def other(self, depth: int) -> Node:
        """Return what fits nowhere else."""
        pick = self.chance.random()
        if pick < 0.25:
            return vector("absent(", self.vector(depth - 1), ")")
        if pick < 0.45:
            return vector("vector(", self.scalar(depth - 1), ")")
        if pick < 0.5:
            # Prometheus 3.5 takes no notice of an offset beside an @ here.
            metric = self.metric()
            return vector("timestamp(", metric, self.matchers(metric), ")")
        if pick < 0.7:
            name = self.chance.choice(("sort", "sort_desc"))
            return vector(f"{name}(", self.vector(depth - 1), ")")
        return vector("(", self.vector(depth - 1), ")")

    # Behind flags, as far as Prometheus 3.5 has it

    def experimental(self, depth: int) -> Node:
        """Return something that is behind a flag."""
        makers = (
            self.new_window,
            self.new_window,
            self.smoothed,
            self.limited,
            self.described,
            self.computed,
            self.sorted_by_label,
        )
        return self.chance.choice(makers)(depth)

    def plain(self) -> Node:
        """Return a selector without shifts, though not of info series: 3.5 describes those, too."""
        metric = self.metric()
        metric = "g" if metric == "target_info" else metric
        return vector(metric, self.matchers(metric))

    def new_window(self, depth: int) -> Node:
        """Return a new function of windows."""
        if self.chance.random() < 0.3:
            # Of a NaN, Prometheus 3.5 makes a number.
            name = self.chance.choice(("g", "few", "c_total", "same"))
            return vector("mad_over_time(", self.matrix(0, name), ")")
        return vector(f"{self.chance.choice(NEW_WINDOWS)}(", self.matrix(depth - 1), ")")

    def smoothed(self, _: int) -> Node:
        """Return an exponential smoothing."""
        factors = self.chance.choice(("0.5, 0.1", "0.01, 0.99", "0.9, 0.9", "1, 0.5", "0, 1"))
        return vector("double_exponential_smoothing(", self.matrix(0), f", {factors})")

    def limited(self, _: int) -> Node:
        """Return some series; which ones is chance there, but for a ratio."""
        if self.chance.random() < 0.5:
            number = self.chance.choice(("1", "3", "0", "-1", "100"))
            outer, inner = self.grouping(), self.grouping()
            return vector(f"count{outer}(limitk{inner}({number}, ", self.plain(), "))")
        ratio = self.chance.choice(("0.3", "-0.3", "1", "0", "-1", "0.75", "2"))
        return vector(f"limit_ratio{self.grouping()}({ratio}, ", self.plain(), ")")

    def described(self, _: int) -> Node:
        """Return series with the labels of what describes them."""
        which = self.chance.choice(("", ', {data=~".*"}', ', {version=~".+"}', ', {data="x"}'))
        return vector("info(", self.plain(), which, ")")

    def computed(self, _: int) -> Node:
        """Return a function of windows whose length is computed."""
        metric, name = self.metric(), self.chance.choice(HISTOGRAM_WINDOWS)
        if metric == "ng" and name in DISCRETE:
            name = "delta"
        window = self.chance.choice(("1m * 2", "(30s + 15s) * 3", "5m / 2", "2 ^ 5", "1h % 7m"))
        offset = self.chance.choice(("", " offset (1m + 15s)", " offset -(30s * 2)"))
        return vector(f"{name}({metric}[{window}]{offset})")

    def sorted_by_label(self, depth: int) -> Node:
        """Return a vector in the order of labels."""
        name = self.chance.choice(("sort_by_label", "sort_by_label_desc"))
        label = self.chance.choice(LABELS)
        return vector(f"{name}(", self.vector(depth - 1), f', "{label}", "instance")')

    # Aggregations and operators

    def grouping(self) -> str:
        """Return which labels count."""
        pick = self.chance.random()
        if pick < 0.25:
            return ""
        names = ", ".join(self.chance.sample(LABELS, self.chance.randrange(0, 4)))
        return f" {'by' if pick < 0.75 else 'without'} ({names}) "

    def aggregate(self, depth: int) -> Node:
        """Return an aggregation."""
        inner, grouping = self.vector(depth - 1), self.grouping()
        pick = self.chance.random()
        if pick < 0.08:
            return vector(f"quantile{grouping}(", self.fraction(), ", ", inner, ")")
        if pick < 0.2:
            name = self.chance.choice(("topk", "bottomk"))
            number = self.chance.choice(("1", "2", "3", "0", "-1", "100"))
            return vector(f"{name}{grouping}({number}, ", self.ordered(depth - 1), ")")
        if pick < 0.24:
            name = self.chance.choice(("value", "job", "code"))
            # Other values may differ in their last digit, and so would the labels.
            inner = vector(self.chance.choice(("few", "h_count", "c_total", "same")))
            return vector(f'count_values{grouping}("{name}", ', inner, ")")
        return vector(f"{self.chance.choice(AGGREGATES)}{grouping}(", inner, ")")

    def ordered(self, depth: int) -> Node:
        """Return series in an order that is no chance: among equals the first ones win."""
        if depth <= 0 or self.chance.random() < 0.4:
            return self.selector()
        return vector(f"{self.chance.choice(EXACT)}(", self.matrix(0), ")")

    def operator(self) -> str:
        """Return one that takes two vectors."""
        if self.chance.random() < 0.6:
            return self.chance.choice(ARITHMETIC)
        return self.chance.choice(COMPARISONS) + self.chance.choice(("", " bool"))

    def with_number(self, depth: int) -> Node:
        """Return a vector and a number, in either order."""
        if self.chance.random() < 0.08:
            return vector("(", self.selector("g"), " % ", self.scalar(0), ")")
        sides = [self.vector(depth - 1), self.scalar(depth - 2)]
        self.chance.shuffle(sides)
        return vector("(", sides[0], f" {self.operator()} ", sides[1], ")")

    def matched(self, depth: int) -> Node:
        """Return two vectors, matched in a way that mostly works."""
        pick, op = self.chance.random(), self.operator()
        if pick < 0.3:
            metric = self.metric()
            left = vector(metric, self.matchers(metric), self.shift())
            return vector("(", left, f" {op} ", self.selector(metric), ")")
        if pick < 0.5:
            labels = ", ".join(self.chance.sample(("job", "instance", "code"), 2))
            name = self.chance.choice(AGGREGATES)
            sides = [vector(f"{name} by ({labels}) (", self.vector(depth - 1), ")") for _ in "12"]
            on = self.chance.choice(("", f"on ({labels}) ", "ignoring (zone) "))
            return vector("(", sides[0], f" {op} {on}", sides[1], ")")
        if pick < 0.8:
            many = self.vector(depth - 1)
            extra = self.chance.choice(("", "version", "version, data", "code"))
            one = vector(self.chance.choice(("target_info", "f_total", "few", "same")))
            on = self.chance.choice(("on (job, instance)", "ignoring (code, zone, version, data)"))
            if self.chance.random() < 0.5:
                return vector("(", many, f" {op} {on} group_left ({extra}) ", one, ")")
            return vector("(", one, f" {op} {on} group_right ({extra}) ", many, ")")
        on = self.chance.choice(
            ("", "on (job) ", "on () ", "ignoring (instance) ", "on (instance) ")
        )
        return vector("(", self.vector(depth - 1), f" {op} {on}", self.vector(depth - 1), ")")

    def set_operation(self, depth: int) -> Node:
        """Return a set operation."""
        op = self.chance.choice(("and", "or", "unless"))
        on = self.chance.choice(("", "", "on (job) ", "ignoring (code) ", "on (job, instance) "))
        return vector("(", self.vector(depth - 1), f" {op} {on}", self.vector(depth - 1), ")")
