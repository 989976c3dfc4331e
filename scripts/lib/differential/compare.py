"""Owns what counts as the same answer."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

RELATIVE = 1e-9
# What is left when large numbers cancel each other out differs in the order of additions.
ABSOLUTE = 1e-9
ORDERED = ("sort(", "sort_desc(")
# Warnings of Prometheus after 3.5, the newest that there is to compare with.
LATER = ("sort is ineffective for range queries", "conflicting counter resets")
# Likewise: matches are counted now before a comparison leaves some of them out.
LATER_ERROR = "many-to-one matching must be explicit"
# And series that get the same labels are one now, unless they have samples at the same moment.
FORMER_ERROR = "vector cannot contain metrics with the same labelset"


@dataclass(frozen=True)
class Answered:
    """An answer, as far as it is compared."""

    status: int
    body: Any

    @property
    def error(self) -> tuple[int, str]:
        """Status and kind of error; the kind is empty when there is none."""
        return self.status, self.body.get("errorType", "")

    @property
    def texts(self) -> dict[str, list[str]]:
        """What it says besides the result."""
        texts = {
            name: sorted(it for it in self.body.get(name) or () if not any(x in it for x in LATER))
            for name in ("warnings", "infos")
        }
        # Which of two comes first is chance there.
        error = self.body.get("error", "").split("many-to-many matching")[-1]
        return {**texts, "error": [error]}

    def short(self) -> str:
        """Return it in a line or so."""
        # What is said besides comes first: it is shorter.
        first = {name: text for name, text in self.body.items() if name != "data"}
        text = json.dumps({**first, "data": self.body.get("data")}, ensure_ascii=False)
        return f"{self.status} {text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + '…'}"


def difference(theirs: Answered, ours: Answered, *, is_ordered: bool) -> str | None:
    """Say in which way two answers differ, or nothing."""
    if theirs.error != ours.error:
        is_later = theirs.status == 200 and LATER_ERROR in ours.body.get("error", "")
        was_former = ours.status == 200 and FORMER_ERROR in theirs.body.get("error", "")
        return None if is_later or was_former else "status and kind of error"
    both = ("warnings", "infos")
    if found := [it for it in both if bool(theirs.texts[it]) != bool(ours.texts[it])]:
        return f"whether there are {' and '.join(found)}"
    if theirs.status != 200:
        return None
    data = [it.body["data"] for it in (theirs, ours)]
    if data[0]["resultType"] != data[1]["resultType"]:
        return "type of result"
    results = [it["result"] for it in data]
    if data[0]["resultType"] in ("scalar", "string"):
        return None if is_same(*results) else "value"
    return difference_of_series(results[0], results[1], is_ordered=is_ordered)


def difference_of_series(theirs: list[Any], ours: list[Any], *, is_ordered: bool) -> str | None:
    """Compare instant vectors and matrices."""
    if is_ordered and not is_same(*([it.get("value") for it in part] for part in (theirs, ours))):
        return "order"
    # Beyond that, and among equals, the order is chance.
    theirs_by, ours_by = by_labels(theirs), by_labels(ours)
    if theirs_by.keys() != ours_by.keys():
        return "series"
    same = (is_same_series(theirs_by[labels], ours_by[labels]) for labels in theirs_by)
    return None if all(same) else "values"


def differs_by_rounding(theirs: Answered, ours: Answered) -> bool:
    """Return whether answers count as the same, and are not to the last digit."""
    if theirs.status != 200 or difference(theirs, ours, is_ordered=False) is not None:
        return False
    results = [it.body["data"]["result"] for it in (theirs, ours)]
    if theirs.body["data"]["resultType"] in ("vector", "matrix"):
        results = [by_labels(it) for it in results]
    return bool(results[0] != results[1])


def by_labels(result: list[Any]) -> dict[str, Any]:
    """Return series by their labels."""
    return {json.dumps(series["metric"], sort_keys=True): series for series in result}


def narrowed(theirs: Answered, ours: Answered) -> tuple[Answered, Answered]:
    """Leave out series, and samples of range queries, that are the same."""
    bodies = [it.body.get("data", {}) for it in (theirs, ours)]
    if any(body.get("resultType") not in ("vector", "matrix") for body in bodies):
        return theirs, ours
    parts = [by_labels(body["result"]) for body in bodies]
    for labels in parts[0].keys() & parts[1].keys():
        pair = [part[labels] for part in parts]
        if is_same_series(*pair):
            for part in parts:
                del part[labels]
            continue
        for name in ("values", "histograms"):
            samples = [series.get(name) or [] for series in pair]
            for series, own, other in zip(pair, samples, reversed(samples), strict=True):
                differ = [it for it in own if not any(is_same(it, known) for known in other)]
                series.update({name: differ} if differ else {})
    for it, part in zip((theirs, ours), parts, strict=True):
        it.body["data"]["result"] = list(part.values())
    return theirs, ours


def is_same_series(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Compare all samples of a series."""
    names = ("value", "values", "histogram", "histograms")
    return all(is_same(left.get(name), right.get(name)) for name in names)


def is_same(left: Any, right: Any) -> bool:
    """Compare numbers as numbers, in whatever they stand."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(is_same(left[key], right[key]) for key in left)
    if left == right:
        return True
    try:
        first, second = float(left), float(right)
    except (TypeError, ValueError):
        return False
    if math.isnan(first) or math.isnan(second):
        return math.isnan(first) and math.isnan(second)
    return math.isclose(first, second, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


SHOWN_MAX = 700
