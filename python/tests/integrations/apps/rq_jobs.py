"""Jobs of RQ."""

import os
import signal

import firebell


def add(first: int, second: int) -> int:
    """Add."""
    firebell.breadcrumb("adding")
    return first + second


def fail(order: str) -> None:
    """Fail."""
    firebell.set_user("ana")
    raise ValueError(order)


def die() -> None:
    """End as when memory is out."""
    os.kill(os.getpid(), signal.SIGKILL)
