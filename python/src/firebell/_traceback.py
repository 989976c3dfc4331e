"""An exception as data: what was raised, where, by which frames, because of what; bounded."""

from __future__ import annotations

import linecache
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import Any

FRAMES_MAX = 50
CAUSES_MAX = 5
TEXT_CHARS_MAX = 1_000
LOCALS_MAX = 30

_LIBRARIES = ("/site-packages/", "/dist-packages/", "<frozen")


def describe(exc: BaseException, *, with_locals: bool = False) -> dict[str, Any]:
    """Return `type`, `module`, `message`, `where` (`module:function` of the app's last frame).

    Besides `frames` (outermost first, the middle left out beyond `FRAMES_MAX`), `causes` and
    `traceback`, its text. `with_locals` adds local variables to the frames, redacted.
    """
    frames = _frames(exc.__traceback__, with_locals=with_locals)
    causes = [_brief(cause) for cause in _causes(exc)]
    described: dict[str, Any] = {
        **_brief(exc),
        "where": _where(frames),
        "frames": frames,
    }
    if causes:
        described["causes"] = causes
    described["traceback"] = _text(described)
    return described


def _brief(exc: BaseException) -> dict[str, Any]:
    kind = type(exc)
    try:
        message = str(exc)
    except Exception as error:  # noqa: BLE001 - __str__ of the app may raise anything.
        message = f"(its text raised {type(error).__name__})"
    return {
        "type": kind.__qualname__,
        "module": kind.__module__,
        "message": message[:TEXT_CHARS_MAX],
    }


def _causes(exc: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    seen = {id(exc)}
    while len(found) < CAUSES_MAX:
        below = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
        if below is None or id(below) in seen:
            break
        seen.add(id(below))
        found.append(below)
        exc = below
    return found


def _frames(traceback: TracebackType | None, *, with_locals: bool) -> list[dict[str, Any]]:
    entries: list[tuple[FrameType, int]] = []
    while traceback is not None:
        entries.append((traceback.tb_frame, traceback.tb_lineno))
        traceback = traceback.tb_next
    if len(entries) > FRAMES_MAX:
        half = FRAMES_MAX // 2
        entries = entries[:half] + entries[-half:]
    return [_frame(frame, line, with_locals=with_locals) for frame, line in entries]


def _frame(frame: FrameType, line: int, *, with_locals: bool) -> dict[str, Any]:
    code = frame.f_code
    path = code.co_filename
    found: dict[str, Any] = {
        "file": path,
        "line": line,
        "function": getattr(code, "co_qualname", code.co_name),
        "module": frame.f_globals.get("__name__", ""),
        "in_app": _is_of_app(path, frame.f_globals.get("__name__", "")),
        "code": linecache.getline(path, line, frame.f_globals).strip()[:200],
    }
    if with_locals and found["in_app"]:
        items = list(frame.f_locals.items())[:LOCALS_MAX]
        found["locals"] = {name: _shown(value) for name, value in items}
    return found


def _shown(value: object) -> str:
    try:
        return repr(value)[:200]
    except Exception as error:  # noqa: BLE001 - __repr__ of the app may raise anything.
        return f"(its repr raised {type(error).__name__})"


def _is_of_app(path: str, module: str) -> bool:
    if module.startswith("firebell.") or any(part in path for part in _LIBRARIES):
        return False
    return not path.startswith((sys.base_prefix + "/lib/python", "<"))


def _where(frames: list[dict[str, Any]]) -> str:
    last = next((frame for frame in reversed(frames) if frame["in_app"]), None)
    last = last or (frames[-1] if frames else None)
    if last is None:
        return "unknown"
    module = last["module"]
    if module == "__main__":  # Every script is: its file says which.
        module = last["file"].rpartition("/")[2].removesuffix(".py")
    return f"{module}:{last['function']}"


def _text(described: dict[str, Any]) -> str:
    lines = ["Traceback (most recent call last):"]
    for frame in described["frames"]:
        lines.append(f'  File "{frame["file"]}", line {frame["line"]}, in {frame["function"]}')
        if frame["code"]:
            lines.append(f"    {frame['code']}")
    lines.append(f"{described['type']}: {described['message']}")
    lines += [
        f"because of {cause['type']}: {cause['message']}" for cause in described.get("causes", ())
    ]
    return "\n".join(lines)
