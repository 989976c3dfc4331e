"""A server that keeps what it is sent, and a reader of protobuf for looking at it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any

from serving import Answer, Asked, Serving

Message = dict[int, list[Any]]
#: Runs a program in a process of its own; see the fixture.
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def decode(data: bytes) -> Message:
    """Field → its values: numbers, or bytes."""
    fields: Message = {}
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            value: Any = varint()
        else:
            size = {1: 8, 5: 4}.get(kind) or varint()
            value = data[at : at + size]
            at += size
        fields.setdefault(key >> 3, []).append(value)
    return fields


def attributes(encoded: list[bytes]) -> dict[str, Any]:
    found = {}
    for pair in map(decode, encoded):
        [(kind, [value])] = decode(pair[2][0]).items()
        found[pair[1][0].decode()] = value.decode() if kind == 1 else value
    return found


class Server(Serving):
    """`answer` decides on the status of each path."""

    def __init__(self, answer: Callable[[str], int] = lambda _path: 200) -> None:
        self.requests: list[tuple[str, bytes]] = []
        #: Of each request its target as it came, with its headers in small letters.
        self.heads: list[tuple[str, dict[str, str]]] = []
        self.answer = answer
        super().__init__(self._take)

    def _take(self, asked: Asked) -> Answer:
        headers = {key.lower(): value for key, value in asked.headers.items()}
        self.heads.append((asked.path, headers))
        status = self.answer(asked.path)
        if status < 300:
            self.requests.append((asked.path, asked.body))
        return Answer(status)

    def bodies(self, path: str) -> list[bytes]:
        return [body for of, body in list(self.requests) if of == path]

    def records(self, path: str) -> list[tuple[dict[str, Any], Message]]:
        """Every record with the attributes of its resource."""
        found = []
        for body in self.bodies(path):
            for group in map(decode, decode(body)[1]):
                resource = attributes(decode(group[1][0])[1])
                for scope in map(decode, group[2]):
                    found += [(resource, decode(record)) for record in scope.get(2, [])]
        return found

    def counted(self, name: str) -> float:
        """What a counter's deltas come to."""
        import struct

        total = 0.0
        for _, metric in self.records("/v1/metrics"):
            if metric[1] == [name.encode()] and 7 in metric:
                [point] = map(decode, decode(metric[7][0])[1])
                total += struct.unpack("<d", point[4][0])[0]
        return total


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.02)
