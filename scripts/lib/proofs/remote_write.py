"""Owns remote write 1 as bytes: protobuf by hand, snappy of literals only."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}


@dataclass(frozen=True)
class Histogram:
    """A native histogram with whole counts; buckets by index, negative ones first."""

    count: int
    total: float
    schema: int
    zero_threshold: float
    zero_count: int
    negative: Mapping[int, int]
    positive: Mapping[int, int]
    reset_hint: int = 0
    custom_bounds: Sequence[float] = ()

    def encoded(self, at: int) -> bytes:
        """Return the protobuf message of one at a moment in milliseconds."""
        out = b"\x08" + varint(self.count) + b"\x19" + struct.pack("<d", self.total)
        out += b"\x20" + varint(zigzag(self.schema))
        out += b"\x29" + struct.pack("<d", self.zero_threshold) + b"\x30" + varint(self.zero_count)
        out += buckets(8, self.negative) + buckets(11, self.positive)
        out += b"\x70" + varint(self.reset_hint) + b"\x78" + varint(at)
        if self.custom_bounds:
            bounds = b"".join(struct.pack("<d", bound) for bound in self.custom_bounds)
            out += field(16, bounds)
        return out


def buckets(number: int, counts: Mapping[int, int]) -> bytes:
    """Return the fields of spans and of deltas, which is the one that follows."""
    spans, deltas = b"", b""
    indexes = sorted(counts)
    start, before, end = 0, 0, 0
    while start < len(indexes):
        stop = start
        while stop + 1 < len(indexes) and indexes[stop + 1] == indexes[stop] + 1:
            stop += 1
        # The first span counts from zero, others from the end of the one before.
        span = b"\x08" + varint(zigzag(indexes[start] - end))
        spans += field(number, span + b"\x10" + varint(stop - start + 1))
        for idx in indexes[start : stop + 1]:
            deltas += varint(zigzag(counts[idx] - before))
            before = counts[idx]
        end = indexes[stop] + 1
        start = stop + 1
    return spans + (field(number + 1, deltas) if deltas else b"")


def write_request(
    series: Sequence[tuple[Mapping[str, str], Sequence[tuple[int, float | Histogram]]]],
) -> bytes:
    """Return a `WriteRequest`."""
    out = b""
    for labels, samples in series:
        body = b"".join(
            field(1, field(1, name.encode()) + field(2, value.encode()))
            for name, value in sorted(labels.items())
        )
        for at, value in samples:
            if isinstance(value, Histogram):
                body += field(4, value.encoded(at))
            else:
                body += field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(at))
        out += field(1, body)
    return out


def field(number: int, content: bytes) -> bytes:
    """Return a field of bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(number: int) -> bytes:
    """Return a number, seven bits a byte."""
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def zigzag(number: int) -> int:
    """Return a signed number as an unsigned one."""
    return number * 2 if number >= 0 else -number * 2 - 1


def snappy(content: bytes) -> bytes:
    """Return a block, of literals only."""
    out = varint(len(content))
    for start in range(0, len(content), 60):
        part = content[start : start + 60]
        out += bytes([len(part) - 1 << 2]) + part
    return out
