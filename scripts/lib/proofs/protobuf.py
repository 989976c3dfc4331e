"""Owns a few lines of protobuf: fields one after the other, as the formats of the proofs need."""

from __future__ import annotations

import struct


def varint(number: int) -> bytes:
    """Return a number in groups of seven bits."""
    number &= (1 << 64) - 1
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def integer(field: int, number: int) -> bytes:
    """Return a field with an `int64`, `uint64`, `bool` or enumeration."""
    return varint(field << 3) + varint(number)


def signed(field: int, number: int) -> bytes:
    """Return a field with an `sint64`."""
    return integer(field, (number << 1) ^ (number >> 63))


def double(field: int, number: float) -> bytes:
    """Return a field with a `double`."""
    return varint(field << 3 | 1) + struct.pack("<d", number)


def fixed(field: int, number: int) -> bytes:
    """Return a field with a `fixed64`."""
    return varint(field << 3 | 1) + struct.pack("<Q", number)


def blob(field: int, content: bytes | str) -> bytes:
    """Return a field with a message, a text or bytes."""
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def family(name: str, kind: int, *metrics: bytes) -> bytes:
    """Return a `MetricFamily` after its length."""
    message = blob(1, name) + blob(2, f"Help of {name}.") + integer(3, kind)
    message += b"".join(blob(4, metric) for metric in metrics)
    return varint(len(message)) + message


def pair(name: str, value: str) -> bytes:
    """Return a label of a metric."""
    return blob(1, blob(1, name) + blob(2, value))
