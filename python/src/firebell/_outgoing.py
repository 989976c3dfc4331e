"""A request that the app makes: client span, `http.client.request.duration`, trace context."""

from __future__ import annotations

import time

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from ._native import Histogram

_durations: list[Histogram] = []


def _duration() -> Histogram:
    if not _durations:
        _durations.append(
            _native.histogram(
                "http.client.request.duration", "time of outgoing HTTP requests", unit="s"
            )
        )
    return _durations[0]


class Outgoing:
    """One request, from its making to `end`. The URL loses its query and its credentials."""

    __slots__ = ("_began", "_labels", "_span")

    def __init__(
        self,
        method: str,
        url: str,
        host: str,
        port: int | None,
        headers: MutableMapping[str, Any],
    ) -> None:
        self._labels: dict[str, Any] = {
            "http.request.method": method,
            "server.address": host,
        }
        if port:
            self._labels["server.port"] = port
        scheme, _, rest = url.partition("://")
        bare = rest.split("?", 1)[0].split("#", 1)[0]
        if "@" in bare.split("/", 1)[0]:
            bare = bare.partition("@")[2]
        attributes = {**self._labels, "url.full": f"{scheme}://{bare}"}
        self._span = _native.span(method, "client", attributes)
        self._span.__enter__()
        found: dict[str, str] = {}
        _native.inject(found)
        for name, value in found.items():
            headers.setdefault(name, value)
        self._began = time.perf_counter()

    def end(self, status: int | None, error: BaseException | None = None) -> None:
        """Tell how it ended."""
        labels = self._labels
        if status is not None:
            labels["http.response.status_code"] = status
            self._span.set_attribute("http.response.status_code", status)
            if status >= 400:
                labels["error.type"] = str(status)
                self._span.fail(str(status))
        if error is not None:
            labels["error.type"] = type(error).__qualname__
        _duration().observe(time.perf_counter() - self._began, **labels)
        self._span.__exit__(None if error is None else type(error), error, None)
