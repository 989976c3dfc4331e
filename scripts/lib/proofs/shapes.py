"""Owns the shapes of documents: which fields each object has, which it has to have, of what kind.

They are what `docs/check.md` promises of Firebell's own document; a field that is not in the table
is a violation.
"""

from __future__ import annotations

import re
from typing import Any, Union

Kind = Union[type, "tuple[type, ...]", str]
# Fields by name; a name that ends with "?" may be missing.
Shape = dict[str, Kind]
Shapes = dict[str, Shape]

NULL = type(None)
CHECK: Shapes = {
    "document": {
        "version": "#1",
        "tool": "tool",
        "fail_on": "=error|warning|info",
        "passed": bool,
        "counts": "counts",
        "files": "[file]",
        "findings": "[finding]",
        "server?": "server",
    },
    "tool": {"name": "=firebell", "version": str},
    "counts": {"error": int, "warning": int, "info": int},
    "file": {
        "file": str,
        "kind": str,
        "given": bool,
        "rules": int,
        "passed": bool,
        "unreadable": (str, NULL),
        "notes": "[]",
    },
    "finding": {
        "id": str,
        "severity": "=error|warning|info",
        "file": str,
        "line": (int, NULL),
        "column": (int, NULL),
        "message": str,
        "hint": (str, NULL),
        "excerpt": (str, NULL),
    },
    "server": {"questions": int, "rules": "[rule]"},
    "rule": {
        "file": str,
        "group": str,
        "name": str,
        "kind": "=alerting|recording",
        "series": (int, NULL),
        "samples": (int, NULL),
        "seconds": (float, int, NULL),
        "fired": "?fired",
    },
    "fired": {
        "window": (float, int),
        "step": (float, int),
        "times": int,
        "total": (float, int),
        "longest": (float, int),
        "at_once": int,
    },
}
URI = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?#\[\]%-]+")


def violations(shapes: Shapes, kind: Kind, value: Any, at: str = "") -> list[str]:
    """Return what is not as the shape says, each with its path."""
    if isinstance(kind, str) and kind in shapes:
        return _fields(shapes, shapes[kind], value, at)
    if isinstance(kind, str) and kind[0] == "?":
        return [] if value is None else violations(shapes, kind[1:], value, at)
    if isinstance(kind, str) and kind[0] == "[" and isinstance(value, list):
        of: Kind = kind[1:-1] or str
        items = enumerate(value)
        return [it for n, item in items for it in violations(shapes, of, item, f"{at}[{n}]")]
    return [] if _is(kind, value) else [f"{at}: {value!r}"]


def _is(kind: Kind, value: Any) -> bool:
    """Return whether a single value is one of those allowed, a number or a reference."""
    if not isinstance(kind, str):
        # A truth value is a number in Python only.
        return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    mark, rest = kind[0], kind[1:]
    if mark == "=":
        return value in rest.split("|")
    if mark == "#":
        return isinstance(value, int) and value >= int(rest)
    return mark == "@" and isinstance(value, str) and URI.fullmatch(value) is not None


def _fields(shapes: Shapes, shape: Shape, value: Any, at: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{at}: no object"]
    known = {name.rstrip("?"): kind for name, kind in shape.items()}
    found = [f"{at}.{name}: not known" for name in value if name not in known]
    for name, kind in shape.items():
        field = name.rstrip("?")
        if field in value:
            found += violations(shapes, kind, value[field], f"{at}.{field}")
        elif not name.endswith("?"):
            found.append(f"{at}.{field}: missing")
    return found
