"""A world for engines: a clock that is set, and somebody who is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from serving import Answer, Asked, Serving

from firebell import _rules

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Hook(Serving):
    """A server that takes what is posted."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200
        super().__init__(self._take)

    def _take(self, asked: Asked) -> Answer:
        self.requests.append((asked.path, dict(asked.headers.items()), asked.body))
        if self.status == 200:
            self.bodies.append(json.loads(asked.body))
        return Answer(self.status, headers=[("Location", "/elsewhere")])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as found:
        yield found


@pytest.fixture(autouse=True)
def _no_rules_of_others() -> Iterator[None]:
    before = dict(_rules._defined)
    _rules._defined.clear()
    yield
    _rules._defined.clear()
    _rules._defined.update(before)


class Told:
    """A notifier that remembers."""

    def __init__(self, name: str = "told") -> None:
        self.name = name
        self.events: list[Any] = []
        self.error: Exception | None = None

    async def send(self, alert: Any, /) -> None:
        if self.error is not None:
            raise self.error
        self.events.append(alert)

    @property
    def lines(self) -> list[str]:
        return [
            f"{it['change']} {it['name']} {it['severity']}: {it['message']}" for it in self.events
        ]


@pytest.fixture
def told() -> Told:
    return Told()
