"""Lengths of time as people write them: `"90s"`, `"1h30m"`, a number of seconds, a `timedelta`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import timedelta
    from typing import TypeAlias

    Duration: TypeAlias = str | float | timedelta

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def seconds(value: Duration, what: str = "duration") -> float:
    """Return `value` in seconds.

    Raises `ValueError` (or `TypeError` for another type) that names `what`, the value, and what is
    allowed; negative and endless lengths are refused.
    """
    if isinstance(value, str):
        result = _parse(value, what)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        result = float(value)
    elif hasattr(value, "total_seconds"):
        result = float(value.total_seconds())  # type: ignore[union-attr, unused-ignore]
    else:
        raise TypeError(
            f"{what} is {value!r}; write seconds, a timedelta, or text such as '90s' or '1h30m'"
        )
    if not 0 <= result < float("inf"):
        raise ValueError(f"{what} is {value!r}; it must be zero or more, and finite")
    return result


def _parse(text: str, what: str) -> float:
    total, rest = 0.0, text.strip()
    if not rest:
        raise _unreadable(text, what)
    try:
        return float(rest)
    except ValueError:
        pass
    while rest:
        digits = len(rest) - len(rest.lstrip("0123456789."))
        letters = len(rest[digits:]) - len(rest[digits:].lstrip("msdhw"))
        unit = _UNITS.get(rest[digits : digits + letters])
        try:
            number = float(rest[:digits])
        except ValueError:
            raise _unreadable(text, what) from None
        if unit is None:
            raise _unreadable(text, what)
        total += number * unit
        rest = rest[digits + letters :].lstrip()
    return total


def _unreadable(text: str, what: str) -> ValueError:
    return ValueError(
        f"{what} is {text!r}; write a number with ms, s, m, h, d or w, such as '90s' or '1h30m'"
    )
