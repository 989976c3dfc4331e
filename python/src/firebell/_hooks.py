"""Runs a function once a named module has been imported by somebody else; imports nothing itself.

One finder stands first in `sys.meta_path`. For a name that it knows it asks the others, and wraps
the loader that they found. For every other name it costs one look into a dict.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    Hook = Callable[[ModuleType], None]

_waiting: dict[str, list[Hook]] = {}


def when_imported(name: str, hook: Hook) -> None:
    """Call `hook(module)` after `name` was imported; at once where that has already happened."""
    module = sys.modules.get(name)
    if module is not None and not _is_loading(module):
        _call(hook, module)
        return
    _waiting.setdefault(name, []).append(hook)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def forget_all() -> None:
    """Drop hooks that still wait."""
    _waiting.clear()
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)


def _is_loading(module: ModuleType) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def _call(hook: Hook, module: ModuleType) -> None:
    # A library of an unknown version may lack what a hook looks for: the app goes on without it.
    try:
        hook(module)
    except Exception as error:  # noqa: BLE001
        from . import _self

        _self.warn(f"the integration for {module.__name__} was not installed: {error!r}")


class _Loader:
    """Stands for another loader, and tells the hooks when it is done."""

    def __init__(self, loader: object) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        created: ModuleType | None = self._loader.create_module(spec)  # type: ignore[attr-defined]
        return created

    def exec_module(self, module: ModuleType) -> None:
        # What the module sees of itself is its own loader.
        module.__loader__ = self._loader  # type: ignore[assignment]
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader  # type: ignore[assignment]
        self._loader.exec_module(module)  # type: ignore[attr-defined]
        for hook in _waiting.pop(module.__name__, ()):
            _call(hook, module)


class _Finder:
    """Finds nothing itself."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in _waiting:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: ModuleSpec | None = find(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
                return spec
        return None


_finder = _Finder()
