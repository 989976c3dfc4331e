"""Which of several hosts evaluates a rule of a service: the one that the server gives its lease.

A turn never waits for a server: it is asked in the background, and the turn comes when it has
answered. Where it has no word (it is away, or knows no leases), each host evaluates, as without it.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from os import urandom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TIMEOUT_SECONDS = 2.0
# At the end nobody waits for long.
GIVE_UP_SECONDS = 0.3
ANSWER_BYTES_MAX = 1 << 16
# A holder renews with each turn, and may be late by this share of it, or by so many seconds.
LATE_SHARE, LATE_SECONDS_MAX = 0.5, 60.0


class Hosts:
    """The leases of a service's rules, as a server knows them; `holder` is who asks for them."""

    def __init__(self, server: str, token: str | None, service: str, holder: str) -> None:
        self._server = server
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._service = service
        self._holder = holder
        # By rule: since when it is asked, and what was answered.
        self._asked: dict[str, float] = {}
        self._answers: dict[str, bool] = {}
        self._held: set[str] = set()
        self._is_over = False

    def is_ours(self, rule: str, every: float) -> bool | None:
        """Return whether this host evaluates a rule at this turn; None: ask again soon."""
        answer = self._answers.pop(rule, None)
        if answer is not None:
            return answer
        now = time.monotonic()
        if rule in self._asked:
            # Whoever looks a name up may wait for longer than for any answer.
            return True if now - self._asked[rule] > TIMEOUT_SECONDS else None
        self._asked[rule] = now
        lasts = every + min(every * LATE_SHARE, LATE_SECONDS_MAX)
        asking = threading.Thread(
            target=self._ask, args=(rule, lasts), name="firebell-lease", daemon=True
        )
        try:
            asking.start()
        except RuntimeError:  # There are too many threads.
            del self._asked[rule]
            return True
        return None

    def give_up(self) -> None:
        """Let others have what this host holds, at the end; unless the server is away."""
        from urllib.error import HTTPError

        self._is_over = True
        while self._held:
            try:
                self._call("DELETE", self._held.pop(), GIVE_UP_SECONDS)
            except HTTPError:  # noqa: PERF203 - each for itself.
                continue  # It was another's already.
            except Exception:  # noqa: BLE001 - a server may answer anything, and be away.
                return

    def _ask(self, rule: str, lasts: float) -> None:
        is_ours = True
        try:
            found = self._call("POST", rule, TIMEOUT_SECONDS, **{"for": _duration(lasts)})
            is_ours = found["holder"] == self._holder
            (self._held.add if is_ours else self._held.discard)(rule)
            if self._is_over:
                # It was asked before the end, and answered behind it.
                self.give_up()
        except Exception:  # noqa: BLE001 - a server may answer anything, and be away.
            self._held.discard(rule)
        finally:
            # What comes too late is not heeded: by then the turn has come.
            if time.monotonic() - self._asked[rule] <= TIMEOUT_SECONDS:
                self._answers[rule] = is_ours
            del self._asked[rule]

    def _call(self, method: str, rule: str, timeout: float, **params: str) -> Any:
        import json
        from urllib.parse import quote, urlencode
        from urllib.request import Request

        from . import _notify

        query = urlencode({"service": self._service, "holder": self._holder, **params})
        url = f"{self._server}/api/firebell/v1/leases/{quote(rule, safe='')}?{query}"
        request = Request(url, headers=self._headers, method=method)  # noqa: S310 - of init()
        with _notify.opener().open(request, timeout=timeout) as answer:
            return json.loads(answer.read(ANSWER_BYTES_MAX))


def of_service(service: str | None, run_dir: str) -> Hosts | None:
    """Return what a server knows of a service; None where there is none, or no name for it."""
    from . import _notify

    server, token = _notify.known_server()
    if service is None or server is None:
        return None
    return Hosts(server.rstrip("/"), token, service, _holder(run_dir))


def _holder(run_dir: str) -> str:
    """Return a name of those processes that have this run folder in common, and of no others."""
    import socket

    path = f"{run_dir}/host.id"
    new = f"{path}.{urandom(8).hex()}"
    own = urandom(8).hex()
    try:
        with open(new, "x", encoding="ascii") as file:  # noqa: PTH123
            file.write(own)
        try:
            # Whole or not at all, and never over another's.
            with suppress(FileExistsError):
                os.link(new, path)
            with open(path, encoding="ascii") as file:  # noqa: PTH123
                own = file.read(64)
        finally:
            os.unlink(new)  # noqa: PTH108
    except (OSError, ValueError):
        # Nor can locks be taken there: each process is a host of its own.
        pass
    return f"{socket.gethostname()[:100]}-{own}"


def _duration(seconds: float) -> str:
    return f"{max(1000, round(seconds * 1000))}ms"
