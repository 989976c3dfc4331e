"""What Firebell says of itself: the logger `firebell`, one line a minute for each kind of message.

It never reaches Firebell's own handler: a failing export must not feed the next one.
"""

from __future__ import annotations

import time

SECONDS_BETWEEN_LINES = 60.0
KINDS_MAX = 200

_said_at: dict[str, float] = {}


def warn(message: str, *, kind: str | None = None) -> None:
    """Log `message` as a warning, unless its `kind` (by default its text) was said this minute."""
    kind = message if kind is None else kind
    now = time.monotonic()
    if now - _said_at.get(kind, -SECONDS_BETWEEN_LINES) < SECONDS_BETWEEN_LINES:
        return
    if len(_said_at) >= KINDS_MAX:
        _said_at.clear()
    _said_at[kind] = now
    import logging

    logging.getLogger("firebell").warning("%s", message)
