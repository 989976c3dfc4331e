"""`init()` and the client that it gives: one of each process."""

from __future__ import annotations

import os
import sys

from . import _config, _events, _native, _self
from ._duration import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal, TypedDict

    from ._duration import Duration
    from ._engine import AlertEngine
    from ._event import BeforeSend
    from ._native import Redactor, Stats
    from ._rules import AlertRule

    class ClientStats(Stats):
        """The native counts, and what never reached them."""

        dropped_by_before_send: int
        suppressed_by_flood_limit: int

    class _Known(TypedDict, total=False):
        client: Client
        endpoint: str | None
        token: str | None
        shutdown_timeout: float
        engine: AlertEngine
        arguments: dict[str, Any]
        of_test: tuple[str, str]


_PASSED_ON = (
    "endpoint",
    "token",
    "environment",
    "release",
    "sample_rate",
    "keep_errors",
    "keep_slower_than",
    "max_breadcrumbs",
    "max_series",
    "max_labels_per_metric",
    "buffer_bytes",
    "run_dir",
    "flush_interval",
    "shutdown_timeout",
    "debug",
)

#: How long what was told may hold up that another destination is taken.
FLUSH_SECONDS = 2.0

_known: _Known = {}


class Client:
    """What `init()` gives: to send what waits, and to look at the counts."""

    def flush(self, timeout: Duration = 2.0) -> bool:
        """Send what was recorded so far. True: all of it arrived within `timeout`."""
        return _native.flush(seconds(timeout, "timeout"))

    def close(self, timeout: Duration = 2.0) -> bool:
        """Send what is left and stop; the rest waits in the ring for the next process."""
        return _native.close(seconds(timeout, "timeout"))

    async def aflush(self, timeout: Duration = 2.0) -> bool:
        """Do what `flush` does without holding up the event loop."""
        import asyncio

        return await asyncio.to_thread(self.flush, timeout)

    @property
    def stats(self) -> ClientStats:
        """What was recorded, sent and lost, by cause, since this process began."""
        return {**_native.stats(), **_events.counts()}  # type: ignore[typeddict-item]


def init(
    service: str | None = None,
    *,
    endpoint: str | None = None,
    token: str | None = None,
    environment: str | None = None,
    release: str | None = None,
    integrations: Sequence[str] | Literal["auto"] | None = None,
    disabled_integrations: Sequence[str] | None = None,
    sample_rate: float | None = None,
    keep_errors: bool | None = None,
    keep_slower_than: Duration | None = None,
    redact: Redactor | Literal["strict", "default", "off"] | None = None,
    before_send: BeforeSend | None = None,
    local_variables: bool | None = None,
    max_breadcrumbs: int | None = None,
    max_series: int | None = None,
    max_labels_per_metric: int | None = None,
    buffer_bytes: int | None = None,
    run_dir: str | None = None,
    flush_interval: Duration | None = None,
    shutdown_timeout: Duration | None = None,
    rules: Sequence[str | AlertRule] | None = None,
    enabled: bool | None = None,
    debug: bool | None = None,
) -> Client:
    """Begin to tell a Firebell of this process. Once, before or after a fork; again reconfigures.

    What is not given is taken from `FIREBELL_*`, `OTEL_*`, `firebell.toml` or `[tool.firebell]` of
    `pyproject.toml`, then from the defaults: the table is in docs/python/settings.md. Libraries are
    not imported; those that the app imports are instrumented, but for `disabled_integrations`.

    `rules` are checks that run from now on in the background: objects, or names of modules whose
    `@firebell.alert` and `@firebell.healthcheck` are meant; their alerts go the way of all else.

    Under pytest nothing is sent unless `endpoint` is given here. Raises `ValueError` or `TypeError`
    for an argument that cannot be; nothing else in this package raises because of its server.
    """
    arguments = {key: value for key, value in locals().items() if value is not None}
    if "client" in _known:
        _self.warn("init() was called again: this process is reconfigured", kind="init again")
    return _begin(arguments)


def redirect(endpoint: str, run_dir: str) -> None:
    """Send to the server of a test until `end_redirect`, whatever `init` was told or will be.

    The ring lies in `run_dir`: what processes of apps left where theirs lie is not of the test.
    """
    _leave_destination()
    _known["of_test"] = endpoint, run_dir
    try:
        if "arguments" in _known:
            _begin(_known["arguments"])
    except BaseException:
        from contextlib import suppress

        # Why it failed says more than that it does so again.
        with suppress(Exception):
            end_redirect()
        raise


def end_redirect() -> None:
    """Send there what is left, and from then on nothing."""
    _leave_destination()
    _known.pop("of_test", None)
    if "arguments" in _known:
        _begin(_known["arguments"])


def _leave_destination() -> None:
    """Let whoever was to have it have what was told; nobody else is told of it."""
    _native.flush(FLUSH_SECONDS)
    _native.discard()


def _begin(arguments: dict[str, Any]) -> Client:
    settings = _config.resolve(arguments)
    _known["arguments"] = arguments
    of_test = _known.get("of_test")
    is_test = of_test is None and "endpoint" not in arguments and "pytest" in sys.modules
    if of_test is not None:
        settings["endpoint"], settings["run_dir"] = of_test
        settings["token"] = os.environ.get("FIREBELL_TOKEN")
    elif is_test or settings["endpoint"] == "off":
        settings["endpoint"] = None
    is_on = settings["enabled"]
    if is_on is None:
        is_on = not _config.is_disabled(os.environ)
    name = settings["service"] or _name_of_program()
    _configure(
        {} if is_test or of_test is not None else _of_otel(),
        service=name,
        resource=_further_resource(),
        redactor=_redactor(settings["redact"]),
        enabled=is_on,
        **{key: settings[key] for key in _PASSED_ON},
    )
    facts = {"service": name}
    facts.update({key: settings[key] for key in ("environment", "release") if settings[key]})
    _events.set_up(settings["before_send"], facts, local_variables=settings["local_variables"])
    if is_on:
        from . import _auto

        _auto.install(settings["integrations"], settings["disabled_integrations"])
    _known["endpoint"], _known["token"] = settings["endpoint"], settings["token"]
    if "client" not in _known:
        import atexit

        atexit.register(_at_exit)
    _known["shutdown_timeout"] = settings["shutdown_timeout"]
    _known["client"] = client = _known.get("client") or Client()
    if is_on and settings["rules"]:
        _run_rules(settings["rules"], name, settings["run_dir"])
    return client


def _run_rules(rules: Sequence[str | AlertRule], service: str, run_dir: str | None) -> None:
    """Let an engine of this process evaluate them; again replaces it."""
    from importlib import import_module

    from ._engine import AlertEngine

    given = [rule for rule in rules if not isinstance(rule, str)]
    names = [rule for rule in rules if isinstance(rule, str)]
    for name in names:
        import_module(name)
    before = _known.get("engine")
    if before is not None:
        before.stop(0)
    # Without rules of its own it takes those of decorators.
    engine = AlertEngine(None if names else given, service=service, run_dir=run_dir)
    if names:
        engine.add(*given)
    engine.start()
    _known["engine"] = engine


def _configure(of_otel: dict[str, Any], **settings: Any) -> None:
    try:
        _native.configure(**settings, **of_otel)
    except ValueError as error:
        if of_otel.get("otlp") is None:
            raise
        # What somebody else put into the environment must not end an app.
        _native.configure(**settings, **{**of_otel, "otlp": None})
        _self.warn(f"OTEL_EXPORTER_OTLP_* is ignored: {error}", kind="otlp")


def _of_otel() -> dict[str, Any]:
    """Return what `OTEL_*` says beyond single settings; mostly there is nothing."""
    if not any(key.startswith("OTEL_") for key in os.environ):
        return {}
    from . import _otel_env

    _otel_env.warn_of_others(os.environ)
    trace, baggage = _otel_env.propagates(os.environ)
    return {
        "otlp": _otel_env.collector(os.environ),
        "propagate_trace": trace,
        "propagate_baggage": baggage,
    }


def _at_exit() -> None:
    _native.close(_known.get("shutdown_timeout", 2.0))


def flush(timeout: Duration = 2.0) -> bool:
    """Send what was recorded so far. True: all of it arrived within `timeout`."""
    return _native.flush(seconds(timeout, "timeout"))


def destination() -> tuple[str | None, str | None]:
    """Return endpoint and token; None before `init()`, or where nothing is to be sent."""
    of_test = _known.get("of_test")
    if of_test is not None:
        return of_test[0], os.environ.get("FIREBELL_TOKEN")
    return _known.get("endpoint"), _known.get("token")


def _redactor(given: Any) -> Redactor | None:
    if given is None or given == "default":
        return None
    if isinstance(given, str):
        return _native.Redactor(level=given)  # type: ignore[arg-type]
    if isinstance(given, dict):  # From a file: redact = { level = "strict", keys = ["iban"] }
        return _native.Redactor(**given)
    return given  # type: ignore[no-any-return]


def _further_resource() -> dict[str, str]:
    """Return what `OTEL_RESOURCE_ATTRIBUTES` has beyond the settings."""
    own = {
        "service.name",
        "service.version",
        "deployment.environment.name",
        "deployment.environment",
    }
    found = _config.resource_attributes(os.environ)
    return {key: value for key, value in found.items() if key not in own}


def _name_of_program() -> str:
    """`shop` of `/srv/shop.py`, `celery` of `/usr/bin/celery`, the folder of `python -m shop`."""
    path = sys.argv[0] if getattr(sys, "argv", None) else ""
    folder, _, file = path.rpartition("/")
    if file in {"__main__.py", "__init__.py", "-m", "-c"}:
        file = folder.rpartition("/")[2]
    return file.removesuffix(".py") or "unknown_service:python"
