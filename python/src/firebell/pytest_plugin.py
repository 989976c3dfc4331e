"""The pytest plugin: fixtures, the marker `firebell`, and promtool's test files as tests.

It is loaded in every run of the environment: nothing is imported before it is needed.
"""

from __future__ import annotations

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import Any

    from .testing import Captured, ChaosFactory, SimFactory

STEP_SECONDS = 5.0
SEED = 7


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options `--firebell-seed` and `--firebell-live`, and the settings `firebell_*`."""
    group = parser.getgroup("firebell", "alerts")
    group.addoption(
        "--firebell-seed", type=int, metavar="N", help="seed of the traffic of firebell_sim"
    )
    group.addoption(
        "--firebell-live",
        nargs="?",
        const="own",
        metavar="URL",
        help="play firebell_sim in real time, and let faults of firebell_chaos be seen, on a"
        " Firebell that is begun with the test's rules, or on one that runs already:"
        " --firebell-live=http://127.0.0.1:9494",
    )
    parser.addini("firebell_step", "seconds between two evaluations of firebell_sim", default="5")
    parser.addini("firebell_seed", "seed of the traffic of firebell_sim", default=str(SEED))
    parser.addini(
        "firebell_collect",
        "collect promtool's test files (*_test.yml, *.test.yml) as tests",
        type="bool",
        default=True,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, so that `--strict-markers` passes; check the address of a server."""
    config.addinivalue_line(
        "markers", "firebell(step, seed): how often firebell_sim evaluates, and its chance"
    )
    live = config.getoption("--firebell-live")
    if live not in {None, "own"} and not live.startswith(("http://", "https://")):
        raise pytest.UsageError(
            f"--firebell-live is {live!r}; it must begin with http:// or https://. To begin a"
            " server with the test's rules, give it last, or as --firebell-live=own"
        )


@pytest.fixture
def firebell_sim(request: pytest.FixtureRequest) -> SimFactory:
    """Rules on simulated time: `firebell_sim("alerts/http.yml", rule)` gives a `Simulation`.

    Paths are relative to the test's folder, or to the root of the run. With `--firebell-live` the
    same is played on a Firebell, in real time.
    """
    from ._duration import seconds

    settings = _settings(request)

    def make(*rules: Any, step: Any = None, seed: int | None = None) -> Any:
        __tracebackhide__ = True
        found = [_found(request, rule) for rule in rules]
        chosen = settings["step"] if step is None else seconds(step, "step")
        live = request.config.getoption("--firebell-live")
        if live:
            from ._live import LiveSimulation

            made = LiveSimulation(live, *found, step=chosen, seed=seed or settings["seed"])
            request.addfinalizer(made.close)
            return made
        from ._sim import Simulation

        return Simulation(*found, step=chosen, seed=settings["seed"] if seed is None else seed)

    return make


@pytest.fixture
def firebell_chaos(request: pytest.FixtureRequest) -> ChaosFactory:
    """Faults in front of an app: `firebell_chaos(app)` gives an app to serve in its place.

    With `--firebell-live` a Firebell sees them: what this process tells goes there, its alerts
    count. It evaluates the rules that are given besides, `firebell_chaos(app, "http.yml")`; without
    it a test that gives some is skipped.
    """
    from . import _chaos, testing

    live = request.config.getoption("--firebell-live")

    def make(app: Any, /, *rules: Any) -> Any:
        if live:
            from ._live import Drill

            found = [_found(request, rule) for rule in rules]
            drill = Drill(live, *found, step=_settings(request)["step"])
            request.addfinalizer(drill.close)
            return _chaos.wrap(app, drill.fired, is_told=True)
        if rules:
            pytest.skip("a server evaluates these rules: --firebell-live begins one")
        return testing.chaos(app)

    return make


@pytest.fixture
def firebell_capture() -> Iterator[Captured]:
    """Capture what this test records: `.alerts`, `.events`, `.logs`, `.spans`, `.metric(…)`."""
    from ._capture import Captured

    captured = Captured()
    captured.begin()
    try:
        yield captured
    finally:
        captured.end()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take promtool's test files for what they are."""
    name = file_path.name
    if not name.endswith(("_test.yml", "_test.yaml", ".test.yml", ".test.yaml")):
        return None
    if not parent.config.getini("firebell_collect"):
        return None
    try:
        text = file_path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # Other tools have files of such names too.
    if "tests:" not in text or "rule_files:" not in text:
        return None
    return RuleTestFile.from_parent(parent, path=file_path)


class RuleTestFile(pytest.File):
    """A test file of promtool's."""

    _ran: list[tuple[str, list[str]]] | None = None

    def collect(self) -> Iterable[pytest.Item]:
        """Give an item for each test of the file."""
        from . import _native

        try:
            names = _native.unit_test_names(str(self.path))
        except ValueError as error:
            raise self.CollectError(str(error)) from None
        for idx, name in enumerate(names):
            yield RuleTestItem.from_parent(self, name=name or f"unnamed#{idx}", idx=idx)

    def failures(self, idx: int) -> list[str]:
        """Return why a test fails; the file is run once."""
        if self._ran is None:
            from . import _native

            self._ran, abort = _native.run_unit_tests(str(self.path))
            if abort is not None:
                raise RuleTestFailed([abort])
        return self._ran[idx][1] if idx < len(self._ran) else ["it was not run"]


class RuleTestItem(pytest.Item):
    """One of its tests."""

    def __init__(self, *, idx: int, parent: RuleTestFile, **kwargs: Any) -> None:
        super().__init__(parent=parent, **kwargs)
        self._idx = idx
        self._file = parent

    def runtest(self) -> None:
        """Run it."""
        failures = self._file.failures(self._idx)
        if failures:
            raise RuleTestFailed(failures)

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """Show what promtool would."""
        if isinstance(excinfo.value, RuleTestFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Say where it stands."""
        return self.path, None, f"rules: {self.name}"


class RuleTestFailed(Exception):  # noqa: N818 - what happened
    """A test of rules failed."""

    def __init__(self, failures: list[str]) -> None:
        super().__init__("\n".join(failures))


def _settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    from ._duration import seconds

    config = request.config
    seed = config.getoption("--firebell-seed")
    found: dict[str, Any] = {
        "step": seconds(config.getini("firebell_step"), "firebell_step"),
        "seed": int(config.getini("firebell_seed")) if seed is None else seed,
    }
    for marker in reversed(list(request.node.iter_markers("firebell"))):
        given = dict(zip(("step", "seed"), marker.args, strict=False)) | marker.kwargs
        unknown = set(given) - {"step", "seed"}
        if unknown:
            raise ValueError(f"the marker firebell has no {', '.join(sorted(unknown))}")
        if "step" in given:
            found["step"] = seconds(given["step"], "step")
        if "seed" in given and seed is None:
            found["seed"] = int(given["seed"])
    return found


def _found(request: pytest.FixtureRequest, rule: Any) -> Any:
    """Return a path of a rule file so that it is found from the test's folder."""
    from pathlib import Path

    is_path = hasattr(rule, "__fspath__") or (isinstance(rule, str) and "\n" not in rule)
    if not is_path:
        return rule
    path = Path(rule)
    for folder in (request.path.parent, request.config.rootpath):
        if path.is_absolute() or any(folder.glob(str(path))):
            return str(folder / path)
    return str(path)
