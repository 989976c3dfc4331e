"""Settings of `init()`, each from the first place that has it.

Argument, then `FIREBELL_*`, then `OTEL_*`, then `firebell.toml` or `[tool.firebell]` of
`pyproject.toml` (of this folder or one above), then the default. A wrong argument raises; a wrong
value elsewhere is named once and the next place is asked: what somebody else put into the
environment must not end an app.
"""

from __future__ import annotations

import os

from . import _self
from ._duration import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Source = tuple[str, Callable[["Setting"], object]]

DEFAULT_ENDPOINT = "http://127.0.0.1:9494"
FILE_BYTES_MAX = 1 << 20
FOLDERS_UP_MAX = 10


class Setting:
    """One setting: its name (argument and file), type, place in the environment, default."""

    __slots__ = ("default", "env", "name", "otel", "parse")

    def __init__(
        self,
        name: str,
        parse: Callable[[Any, str], Any],
        default: object,
        *,
        env: str | None = None,
        otel: Callable[[Mapping[str, str]], object] | str | None = None,
    ) -> None:
        self.name = name
        self.parse = parse
        self.default = default
        self.env = f"FIREBELL_{name.upper()}" if env is None else env
        self.otel = otel


def resolve(
    arguments: Mapping[str, object],
    environ: Mapping[str, str] | None = None,
    folder: str | None = None,
) -> dict[str, Any]:
    """Return every setting by its name. Raises `ValueError` or `TypeError` for a wrong argument."""
    environ = os.environ if environ is None else environ
    table = _File(os.getcwd() if folder is None else folder)  # noqa: PTH109
    return {setting.name: _resolve(setting, arguments, environ, table) for setting in SETTINGS}


def _resolve(
    setting: Setting, arguments: Mapping[str, object], environ: Mapping[str, str], table: _File
) -> Any:
    given = arguments.get(setting.name)
    if given is not None:
        return setting.parse(given, setting.name)
    for place, value in _elsewhere(setting, environ, table):
        if value is None or value == "":
            continue
        try:
            return setting.parse(value, place)
        except (ValueError, TypeError) as error:
            _self.warn(f"ignored: {error}", kind=place)
    return setting.default


def _elsewhere(
    setting: Setting, environ: Mapping[str, str], table: _File
) -> list[tuple[str, object]]:
    places: list[tuple[str, object]] = [(setting.env, environ.get(setting.env))]
    if isinstance(setting.otel, str):
        places.append((setting.otel, environ.get(setting.otel)))
    elif setting.otel is not None:
        places.append((f"OTEL_* for {setting.name}", setting.otel(environ)))
    places.append((f"{table.name}: {setting.name}", table.get(setting.name)))
    return places


class _File:
    """`firebell.toml`, or `[tool.firebell]`; read when something asks for the first time."""

    def __init__(self, folder: str) -> None:
        self.name = "firebell.toml"
        self._folder = folder
        self._values: Mapping[str, object] | None = None

    def get(self, name: str) -> object:
        if self._values is None:
            self._values = self._read()
            if "token" in self._values:
                _self.warn(
                    f"ignored: {self.name}: token; a secret in a file that is shared is no secret,"
                    " use FIREBELL_TOKEN"
                )
        return None if name == "token" else self._values.get(name)

    def _read(self) -> Mapping[str, object]:
        folder = self._folder
        for _ in range(FOLDERS_UP_MAX):
            for name in ("firebell.toml", "pyproject.toml"):
                text = _bytes_of(f"{folder}/{name}")
                if text is None or (name == "pyproject.toml" and b"[tool.firebell" not in text):
                    continue
                self.name = name
                values = _toml(text, name)
                if name == "pyproject.toml":
                    values = values.get("tool", {}).get("firebell", {})
                return values
            above = folder.rpartition("/")[0]
            if not above or above == folder:
                break
            folder = above
        return {}


def _bytes_of(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read(FILE_BYTES_MAX)
    except OSError:
        return None


def _toml(text: bytes, name: str) -> dict[str, Any]:
    try:
        try:
            import tomllib
        except ImportError:  # Python 3.10 has none; most environments have this one.
            import tomli as tomllib  # type: ignore[import-not-found, no-redef, unused-ignore]
        values: dict[str, Any] = tomllib.loads(text.decode())
    except ImportError:
        _self.warn(f"{name} is not read: Python 3.10 needs the package `tomli` for it")
    except ValueError as error:
        _self.warn(f"{name} is not read: {error}")
    else:
        return values
    return {}


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{place} is {value!r}; it must be text")
    return value.strip()


def _url(value: object, place: str) -> str:
    text = _text(value, place).rstrip("/")
    if text == "off":
        return text
    if not text.startswith(("http://", "https://")):
        raise ValueError(
            f"{place} is {text!r}; it must begin with http:// or https://, or be 'off'"
        )
    return text


def _truth(value: object, place: str) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    raise ValueError(f"{place} is {value!r}; it must be true or false")


def _not(value: object, place: str) -> bool:
    return not _truth(value, place)


def _share(value: Any, place: str) -> float:
    share = float(value)
    if not 0 <= share <= 1:
        raise ValueError(f"{place} is {value!r}; it must lie between 0 and 1")
    return share


def _count(value: Any, place: str) -> int:
    count = int(value)
    if count < 0:
        raise ValueError(f"{place} is {value!r}; it must be zero or more")
    return count


def _names(value: Any, place: str) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    names = tuple(str(name).strip() for name in value)
    if not all(names):
        raise ValueError(f"{place} is {value!r}; it must be names of integrations")
    return names


def _auto_or_names(value: Any, place: str) -> str | tuple[str, ...]:
    return "auto" if value == "auto" else _names(value, place)


def _rules(value: Any, place: str) -> tuple[object, ...]:
    rules = _names(value, place) if isinstance(value, str) else tuple(value)
    for rule in rules:
        if isinstance(rule, str) and not rule.replace(".", "_").isidentifier():
            raise ValueError(
                f"{place} has {rule!r}; it must be a rule or the name of a module. Files of"
                " rules in PromQL are the server's: name them in its prometheus.yml"
            )
    return rules


def _as_given(value: object, place: str) -> object:  # noqa: ARG001
    return value


def _redact(value: object, place: str) -> object:
    if isinstance(value, str) and value not in {"strict", "default", "off"}:
        raise ValueError(f"{place} is {value!r}; it must be strict, default or off")
    return value


def _seconds_or_off(value: Any, place: str) -> float:
    # No request takes 30 years: the same as never.
    return 1e9 if value == "off" else seconds(value, place)


def _resource(*keys: str) -> Callable[[Mapping[str, str]], object]:
    def read(environ: Mapping[str, str]) -> object:
        resource = resource_attributes(environ)
        return next((resource[key] for key in keys if key in resource), None)

    return read


def resource_attributes(environ: Mapping[str, str]) -> dict[str, str]:
    """Return `OTEL_RESOURCE_ATTRIBUTES`: `a=b,c=d`, percent-encoded as specified."""
    text = environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    found: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if equals and key.strip():
            found[key.strip()] = percent_decoded(value.strip())
    return found


def percent_decoded(text: str) -> str:
    """Return a text with its `%20` as what they mean."""
    if "%" not in text:
        return text
    from urllib.parse import unquote

    return unquote(text)


def _otel_service(environ: Mapping[str, str]) -> object:
    return environ.get("OTEL_SERVICE_NAME") or _resource("service.name")(environ)


def _otel_sample_rate(environ: Mapping[str, str]) -> object:
    sampler = environ.get("OTEL_TRACES_SAMPLER", "").removeprefix("parentbased_")
    if sampler == "traceidratio":
        return environ.get("OTEL_TRACES_SAMPLER_ARG") or "1"
    known = {"always_on": "1", "always_off": "0", "": None}
    if sampler not in known:
        _self.warn(f"ignored: OTEL_TRACES_SAMPLER is {sampler!r}, which is not known")
    return known.get(sampler)


SETTINGS = (
    Setting("service", _text, None, otel=_otel_service),
    Setting("endpoint", _url, DEFAULT_ENDPOINT),
    Setting("token", _text, None),
    Setting(
        "environment",
        _text,
        None,
        otel=_resource("deployment.environment.name", "deployment.environment"),
    ),
    Setting("release", _text, None, otel=_resource("service.version")),
    Setting("integrations", _auto_or_names, "auto"),
    Setting("disabled_integrations", _names, ()),
    Setting("sample_rate", _share, 1.0, otel=_otel_sample_rate),
    Setting("keep_errors", _truth, True),  # noqa: FBT003
    Setting("keep_slower_than", _seconds_or_off, 2.0),
    Setting("redact", _redact, "default"),
    Setting("before_send", _as_given, None, env="-"),
    Setting("local_variables", _truth, False),  # noqa: FBT003
    Setting("max_breadcrumbs", _count, 50),
    Setting("max_series", _count, 10_000),
    Setting("max_labels_per_metric", _count, 2_000),
    Setting("buffer_bytes", _count, 8 << 20),
    Setting("run_dir", _text, None),
    Setting("flush_interval", seconds, 1.0),
    Setting("shutdown_timeout", seconds, 2.0),
    Setting("rules", _rules, ()),
    Setting("enabled", _truth, None),
    Setting("debug", _truth, False),  # noqa: FBT003
)


def is_disabled(environ: Mapping[str, str]) -> bool:
    """Whether `FIREBELL_DISABLED` or, where that is not set, `OTEL_SDK_DISABLED` says so."""
    for name in ("FIREBELL_DISABLED", "OTEL_SDK_DISABLED"):
        value = environ.get(name)
        if value:
            try:
                return _truth(value, name)
            except ValueError as error:
                _self.warn(f"ignored: {error}", kind=name)
    return False
