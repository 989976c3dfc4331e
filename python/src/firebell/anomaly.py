"""Anomaly detectors for values that an app has itself: the detectors of the server's rules.

>>> latency = Detector("checkout-latency", direction="up")
>>> score = latency.update(0.21)
>>> if score.is_anomaly: print(score.reason)
"""

from __future__ import annotations

import time
from typing import NamedTuple

from ._duration import seconds
from ._rules import AlertRule, one_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    from typing_extensions import Self

    from ._duration import Duration
    from ._rules import Severity, Verdict

METHODS = ("auto", "robust_z", "zscore")
DIRECTIONS = ("both", "up", "down")
FORMAT = 1
# How many spreads a value may be off at a sensitivity of 0.5; each 0.25 halves or doubles it.
SPREADS = 3.5


class Score(NamedTuple):
    """What a value is held against."""

    score: float  # 0 to 1; 0.5 is where an anomaly begins, whatever the detector.
    is_anomaly: bool
    expected: float  # NaN, as the next two, while the detector warms up.
    low: float
    high: float
    reason: str


class Detector:
    """Learns from each value what the next will be, and says which are not like that.

    `method`: "robust_z" (median, and median of the distances from it; also "auto") or "zscore"
    (mean and standard deviation). `sensitivity` from 0 (hardly ever) to 1 (at anything). It goes by
    the latest `window` values (8 to 2048), and judges once it has `warmup`. Values that are off by
    less than `min_deviation`, or that part of what was expected (`min_deviation_ratio`), are never
    anomalies; nor are those that have been so for less than `min_duration`. `clock` gives seconds.

    Raises `ValueError` for what cannot be.
    """

    def __init__(
        self,
        name: str,
        *,
        method: Literal["auto", "robust_z", "zscore"] = "auto",
        sensitivity: float = 0.5,
        direction: Literal["both", "up", "down"] = "both",
        window: int = 120,
        warmup: int = 30,
        min_deviation: float = 0.0,
        min_deviation_ratio: float = 0.05,
        min_duration: Duration = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        one_of("method", method, METHODS)
        one_of("direction", direction, DIRECTIONS)
        if not 0 <= sensitivity <= 1:
            raise ValueError(f"sensitivity is {sensitivity!r}; it must be from 0 to 1")
        if not 8 <= window <= 2048:
            raise ValueError(f"window is {window!r}; it must be from 8 to 2048 values")
        if not 1 <= warmup <= window:
            raise ValueError(f"warmup is {warmup!r}; it must be from 1 to the window, {window}")
        self.name = name
        self._options: dict[str, Any] = {
            "method": method,
            "sensitivity": sensitivity,
            "direction": direction,
            "window": window,
            "warmup": warmup,
            "min_deviation": min_deviation,
            "min_deviation_ratio": min_deviation_ratio,
            "min_duration": seconds(min_duration, "min_duration"),
        }
        self._clock = clock
        self._native = self._begin()
        self._last: Score | None = None

    def update(self, value: float, /, at: float | None = None) -> Score:
        """Judge a value by those before it, then learn it. NaN and infinities are not learned."""
        now = self._clock() if at is None else at
        self._last = self._score(value, self._native.update(value, now))
        return self._last

    def score(self, value: float, /) -> Score:
        """Judge a value as if it were the next, and learn nothing."""
        return self._score(value, self._native.score(value, self._clock()))

    @property
    def last(self) -> Score | None:
        """What was said of the latest value."""
        return self._last

    def rule(
        self,
        read: Callable[[], float | None] | None = None,
        *,
        severity: Severity = "warning",
        runbook: str | None = None,
        every: Duration = 30,
        hold: Duration = 0,
        cooldown: Duration = "15m",
    ) -> AlertRule:
        """Make a rule of it: it fires while the latest value is an anomaly.

        With `read`, each evaluation reads a value first; else it goes by what `update` was given.
        """
        from ._rules import firing, ok

        def check() -> Verdict | None:
            if read is not None:
                value = read()
                if value is None:
                    return None
                self.update(value)
            last = self._last
            if last is None:
                return None
            if not last.is_anomaly:
                return ok()
            return firing(
                f"{self.name}: {last.reason}",
                score=last.score,
                expected=last.expected,
                low=last.low,
                high=last.high,
            )

        return AlertRule(
            self.name,
            check,
            severity=severity,
            runbook=runbook,
            every=every,
            hold=hold,
            cooldown=cooldown,
        )

    def to_bytes(self) -> bytes:
        """Return name, options and what was learned, for `from_bytes`."""
        import json

        saved = {
            "format": FORMAT,
            "name": self.name,
            "options": self._options,
            "learned": self._native.saved().decode(),
        }
        return json.dumps(saved).encode()

    @classmethod
    def from_bytes(cls, b: bytes, /, *, clock: Callable[[], float] = time.time) -> Self:
        """Go on with what `to_bytes` gave. Raises `ValueError` for anything else."""
        import json

        try:
            saved = json.loads(b)
            is_known = saved["format"] == FORMAT
            made = cls(str(saved["name"]), clock=clock, **saved["options"])
            is_read = is_known and made._native.restore(saved["learned"].encode())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"these bytes are no detector: {error}") from None
        if not is_read:
            raise ValueError("these bytes are no detector: they are of another version")
        return made

    def _begin(self) -> Any:
        from . import _native

        options = dict(self._options)
        sensitivity = options.pop("sensitivity")
        return _native.Detector(spreads=SPREADS * 2 ** (4 * (0.5 - sensitivity)), **options)

    def _score(self, value: float, told: tuple[float, bool, float, float, float, bool]) -> Score:
        score, is_anomaly, expected, low, high, warms_up = told
        if warms_up:
            reason = "too little is known yet"
        else:
            side = "in" if low <= value <= high else ("above" if value > high else "below")
            reason = f"{value:g} is {side} {low:g} to {high:g}, {expected:g} was expected"
        return Score(score, is_anomaly, expected, low, high, reason)
