"""Alerts, metrics, traces and logs, sent to Firebell.

Every name is imported when it is first used.
"""

from typing import Any

#: Public name → the module that has it.
_EXPORTS: dict[str, str] = {
    "counter": "_native",
    "gauge": "_native",
    "histogram": "_native",
    "Redactor": "_native",
}

__all__ = sorted(_EXPORTS)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    module = _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"module 'firebell' has no attribute {name!r}")
    value = getattr(__import__(f"firebell.{module}", fromlist=[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
