"""The pytest plugin, in runs of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

RULES = (Path(__file__).parent / "http.yml").read_text()

UNIT_TEST = """
rule_files: [alerts/http.yml]
evaluation_interval: 15s
tests:
- name: errors
  interval: 15s
  input_series:
  - series: http_requests_total{status="500", route="/"}
    values: 0+10x20
  alert_rule_test:
  - eval_time: 4m
    alertname: HighErrorRate
    exp_alerts:
    - exp_labels: {route: /, severity: SEVERITY}
      exp_annotations:
        summary: 100% of requests to / fail
        runbook_url: https://run.example/errors
"""


def project(pytester: pytest.Pytester, test: str = "") -> None:
    folder = pytester.mkdir("alerts")
    (folder / "http.yml").write_text(RULES)
    if test:
        pytester.makepyfile(test)


def test_simulations_read_as_the_sentence_that_they_prove(pytester: pytest.Pytester) -> None:
    project(
        pytester,
        """
        def test_high_error_rate(firebell_sim):
            sim = firebell_sim("alerts/http.yml")
            sim.http(rps=50, error_rate=0.001, during="10m")
            sim.http(rps=50, error_rate=0.05, during="120s", mark="fault")
            sim.http(rps=50, error_rate=0.001, during="20m")
            a = sim.assert_fires("HighErrorRate", within="300s", after="fault", severity="critical")
            assert a.runbook and sim.pages == 1
            sim.assert_resolves("HighErrorRate", within="10m")

        def test_missed(firebell_sim):
            sim = firebell_sim("alerts/http.yml").http(rps=50, during="10m", mark="calm")
            sim.assert_fires("HighErrorRate", within="300s", after="calm")
        """,
    )
    result = pytester.runpytest("--strict-markers", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*HighErrorRate did not fire within 300 s after 'calm' began*"])
    # The helper that raised is not what somebody looks for.
    result.stdout.no_fnmatch_line("*def assert_fires*")


def test_seed_and_step_are_set_for_a_run_a_module_or_a_test(pytester: pytest.Pytester) -> None:
    project(
        pytester,
        """
        import pytest
        pytestmark = pytest.mark.firebell(step="30s")

        def settings(sim):
            return sim._step, sim._seed

        def test_module(firebell_sim):
            assert settings(firebell_sim("alerts/http.yml")) == (30, 11)

        @pytest.mark.firebell(step=1, seed=3)
        def test_own(firebell_sim):
            assert settings(firebell_sim("alerts/http.yml")) == (1, 11)
            assert settings(firebell_sim("alerts/http.yml", step=2, seed=4)) == (2, 4)
        """,
    )
    result = pytester.runpytest("--firebell-seed=11", "--strict-markers")
    result.assert_outcomes(passed=2)


def test_test_files_of_promtool_are_tests(pytester: pytest.Pytester) -> None:
    project(pytester)
    for name, severity in (("good_test.yml", "critical"), ("bad_test.yml", "warning")):
        (pytester.path / name).write_text(UNIT_TEST.replace("SEVERITY", severity))
    (pytester.path / "other_test.yml").write_text("tests: 3\n")
    (pytester.path / "broken_test.yml").write_text("rule_files: [\ntests: []\n")
    result = pytester.runpytest("-v", "--continue-on-collection-errors")
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["good_test.yml::errors PASSED*", "*FAILED bad_test.yml::errors*"])
    result = pytester.runpytest("-o", "firebell_collect=false", "-q")
    result.assert_outcomes()


def test_the_plugin_imports_nothing_before_it_is_needed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing():
            assert not [it for it in sys.modules if it.startswith("firebell._")]
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
