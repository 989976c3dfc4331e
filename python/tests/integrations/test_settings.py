"""Where settings come from, lengths of time, and hooks that wait for imports."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import firebell
from firebell import _config, _duration, _flood, _hooks

if TYPE_CHECKING:
    from pathlib import Path


def resolve(
    folder: Path, environ: dict[str, str] | None = None, **arguments: Any
) -> dict[str, Any]:
    """Resolve as in an empty environment."""
    return _config.resolve(arguments, environ or {}, str(folder))


def test_each_setting_comes_from_the_first_place_that_has_it(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.firebell]\nservice = "file"\nsample_rate = 0.5\n'
    )
    environ: dict[str, str] = {}
    below = tmp_path / "src" / "shop"
    below.mkdir(parents=True)
    expected = ["file"]
    assert resolve(below, environ)["service"] == "file"
    for name, value in (
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=resource,service.version=1%2C2"),
        ("OTEL_SERVICE_NAME", "otel"),
        ("FIREBELL_SERVICE", "own"),
    ):
        environ[name] = value
        expected.append(resolve(below, environ)["service"])
    expected.append(resolve(below, environ, service="argument")["service"])
    assert expected == ["file", "resource", "otel", "own", "argument"]
    found = resolve(below, environ)
    assert (found["release"], found["sample_rate"], found["max_series"]) == ("1,2", 0.5, 10_000)


def test_firebell_toml_wins_and_a_token_in_a_file_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.firebell]\nservice = "second"\n')
    (tmp_path / "firebell.toml").write_text('service = "first"\ntoken = "geheim"\n')
    found = resolve(tmp_path)
    assert (found["service"], found["token"]) == ("first", None)
    assert "use FIREBELL_TOKEN" in caplog.text
    assert "geheim" not in caplog.text
    assert resolve(tmp_path, {"FIREBELL_TOKEN": "geheim"})["token"] == "geheim"


def test_a_wrong_argument_raises_and_a_wrong_value_elsewhere_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong: dict[str, Any] = {
        "sample_rate": 2,
        "endpoint": "localhost",
        "redact": "much",
        "flush_interval": "5 parsecs",
        "max_series": -1,
    }
    for name, value in wrong.items():
        with pytest.raises(ValueError, match=name):
            resolve(tmp_path, **{name: value})
    environ = {
        "FIREBELL_SAMPLE_RATE": "lots",
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.25",
    }
    found = resolve(tmp_path, environ)
    assert found["sample_rate"] == 0.25
    assert "lots" in caplog.text


def test_otel_and_own_switches() -> None:
    for environ, expected in (
        ({}, False),
        ({"OTEL_SDK_DISABLED": "true"}, True),
        ({"OTEL_SDK_DISABLED": "true", "FIREBELL_DISABLED": "0"}, False),
        ({"FIREBELL_DISABLED": "yes"}, True),
    ):
        assert _config.is_disabled(environ) is expected


def test_lengths_of_time() -> None:
    for given, expected in (
        ("90s", 90),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("250ms", 0.25),
        ("2d", 172_800),
        (5, 5),
        (0.5, 0.5),
        ("10", 10),
        (timedelta(minutes=2), 120),
    ):
        assert _duration.seconds(given) == expected
    for wrong in ("", "5x", "s", "1h-3m", "nan", -1, float("inf"), None, True, "1..2s"):
        with pytest.raises((ValueError, TypeError), match="every"):
            _duration.seconds(wrong, "every")  # type: ignore[arg-type]


def test_a_flood_lets_the_first_through_and_says_how_many_it_did_not() -> None:
    now = [0.0]
    flood = _flood.Flood(clock=lambda: now[0])
    admitted = [flood.admit("same") for _ in range(1_000)]
    assert (admitted[:3], set(admitted[3:])) == ([0, 0, 0], {None})
    assert flood.admit("other") == 0
    now[0] = 60.0
    assert [flood.admit("same") for _ in range(4)] == [997, 0, 0, None]
    for number in range(5_000):
        flood.admit(str(number))
    assert len(flood._seen) == _flood.FINGERPRINTS_MAX


def test_a_hook_runs_after_the_import_by_somebody_else(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "hooked_one.py").write_text("VALUE = 1\n")
    (tmp_path / "hooked_bad.py").write_text("VALUE = 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    seen: list[int] = []

    def fails(module: Any) -> None:
        raise AttributeError(module.__name__)

    _hooks.when_imported("hooked_one", lambda module: seen.append(module.VALUE))
    _hooks.when_imported("hooked_bad", fails)
    assert "hooked_one" not in sys.modules
    import hooked_bad  # type: ignore[import-not-found]
    import hooked_one  # type: ignore[import-not-found]

    assert seen == [1]
    assert hooked_bad.VALUE == 2
    assert type(hooked_one.__loader__).__name__ == "SourceFileLoader"
    _hooks.when_imported("hooked_one", lambda module: seen.append(module.VALUE + 1))
    assert seen == [1, 2]


PROBE = """
import sys
before = set(sys.modules)
import firebell
firebell.init("probe", {options})
from firebell import _auto
wanted = {{module.split(".")[0] for module, _ in _auto.TABLE.values()}} - {{"sys", "threading"}}
print(sorted(wanted & (set(sys.modules) - before)))
import asyncio, httpx
import requests
print(hasattr(httpx.Client.send, "__firebell__"), hasattr(requests.adapters.HTTPAdapter.send,
"__firebell__"))
"""


def test_every_public_name_is_there() -> None:
    for name in dir(firebell):
        assert getattr(firebell, name) is not None
    assert all(hasattr(firebell.testing, name) for name in firebell.testing.__all__)
    assert all(hasattr(firebell.escalation, name) for name in firebell.escalation.__all__)
    assert isinstance(firebell.counter("typed"), firebell.Counter)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = firebell.no_such_name


def test_init_imports_no_library_and_single_integrations_can_be_switched_off() -> None:
    for options, switched in (
        ("endpoint=None", "True True"),
        ('disabled_integrations=["httpx"]', "False True"),
        ('integrations=["httpx"]', "True False"),
        ("enabled=False", "False False"),
    ):
        program = PROBE.format(options=options)
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.stdout.splitlines() == ["[]", switched], done.stderr
