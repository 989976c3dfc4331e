"""Lets the first few of what is the same through, each minute; counts the rest.

A loop that fails 1,000 times a second must not become 1,000 messages, nor be silent: the next one
that goes through says how many did not.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

IN_FULL_PER_WINDOW = 3
WINDOW_SECONDS = 60.0
FINGERPRINTS_MAX = 1_000


class Flood:
    """Counts by fingerprint; holds at most `FINGERPRINTS_MAX`, and forgets the oldest beyond."""

    def __init__(
        self,
        in_full: int = IN_FULL_PER_WINDOW,
        window: float = WINDOW_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._in_full = in_full
        self._window = window
        self._clock = clock
        # Fingerprint -> [window began at, let through in it, suppressed since the last let through]
        self._seen: dict[str, list[float]] = {}

    def admit(self, fingerprint: str) -> int | None:
        """Return how many were suppressed since the last in full; None: suppress this too."""
        now = self._clock()
        state = self._seen.get(fingerprint)
        if state is None:
            if len(self._seen) >= FINGERPRINTS_MAX:
                self._seen.pop(next(iter(self._seen)), None)
            self._seen[fingerprint] = [now, 1, 0]
            return 0
        if now - state[0] >= self._window:
            state[0], state[1] = now, 0
        if state[1] >= self._in_full:
            state[2] += 1
            return None
        state[1] += 1
        suppressed, state[2] = int(state[2]), 0
        return suppressed
