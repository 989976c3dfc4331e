"""Who of a host's processes evaluates a rule: whoever holds the lock of its file.

The system gives a lock up when its holder dies, however it does: the next turn finds another.
What the holder knew of the rule's alerts lies beside the lock, where a service was named: otherwise
nobody could tell whose they are.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from . import _self

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    # The file descriptor, and how many leases of this process use it.
    Held: TypeAlias = tuple[int, int]

STATE_BYTES_MAX = 1 << 20

# By path: locks of one process do not exclude one another.
_held: dict[str, Held] = {}


class Lease:
    """The right to evaluate one rule."""

    __slots__ = ("_keeps_state", "_path", "is_held")

    def __init__(self, path: str | None, *, keeps_state: bool) -> None:
        self._path = path
        self._keeps_state = keeps_state
        self.is_held = False

    def take(self) -> bool:
        """Return whether this process has it now; it always has where locks have no place."""
        if self._path is None or self.is_held:
            return True
        try:
            self.is_held = _take(self._path)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            _self.warn(
                f"no lock can be taken in the run folder ({reason}): each process evaluates its"
                " rules for itself",
                kind="no lease",
            )
            self._path = None
            return True
        return self.is_held

    def release(self) -> None:
        """Give it up."""
        if self._path is None or not self.is_held:
            return
        self.is_held = False
        fd, n_users = _held.get(self._path, (-1, 0))
        if n_users > 1:
            _held[self._path] = fd, n_users - 1
        elif n_users == 1:
            del _held[self._path]
            os.close(fd)

    def save(self, state: bytes) -> None:
        """Keep what is known of the rule's alerts for whoever is next."""
        if self._path is None or not self.is_held or not self._keeps_state:
            return
        path = f"{self._path}.state"
        try:
            fd = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(state)
            os.replace(f"{path}.new", path)  # noqa: PTH105
        except OSError as error:
            _self.warn(f"the state of a rule cannot be kept: {error.strerror}", kind="no state")

    def load(self) -> bytes | None:
        """Return what the last holder knew."""
        if self._path is None or not self._keeps_state:
            return None
        try:
            with open(f"{self._path}.state", "rb") as file:  # noqa: PTH123
                return file.read(STATE_BYTES_MAX)
        except OSError:
            return None


def of_rule(name: str, service: str | None, run_dir: str | None) -> Lease:
    """Return the lease of a rule of a service; without a service, of this program."""
    from hashlib import sha256

    program = sys.argv[0] if getattr(sys, "argv", None) else ""
    whose = service or os.path.abspath(program)  # noqa: PTH100
    key = sha256(f"{whose}\0{name}".encode()).hexdigest()[:24]
    return Lease(f"{folder_of(run_dir)}/check-{key}.lock", keeps_state=service is not None)


def folder_of(run_dir: str | None) -> str:
    """Return the run folder, made if it can be."""
    folder = run_dir or os.environ.get("FIREBELL_RUN_DIR") or _standard_folder()
    with suppress(OSError):  # Taking the lock says so.
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
    return folder


def _standard_folder() -> str:
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base:
        return f"{base}/firebell"
    import tempfile

    return f"{tempfile.gettempdir()}/firebell-{os.getuid() if hasattr(os, 'getuid') else 0}"


def _take(path: str) -> bool:
    known = _held.get(path)
    if known is not None:
        _held[path] = known[0], known[1] + 1
        return True
    import fcntl

    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    fd = os.open(path, flags, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return False
    except OSError:
        os.close(fd)
        raise
    _held[path] = fd, 1
    return True


def _after_fork() -> None:
    # A child has its parent's locks by accident: they would outlive the parent.
    for fd, _ in _held.values():
        with suppress(OSError):
            os.close(fd)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
