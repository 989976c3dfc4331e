"""Detectors of an app's own values."""

from __future__ import annotations

import random
from typing import Any

import pytest

import firebell
from firebell.anomaly import Detector


def warm(**more: Any) -> Detector:
    detector = Detector("latency", **{"direction": "up", "clock": lambda: 0.0, **more})
    chance = random.Random(7)
    for nth in range(60):
        detector.update(10 + chance.random(), at=float(nth))
    return detector


def test_a_value_unlike_those_before_is_an_anomaly() -> None:
    detector = warm()
    assert not detector.score(10.5).is_anomaly
    score = detector.score(30)
    assert score.is_anomaly
    assert score.score > 0.5
    assert score.low < 10.5 < score.high < 30
    assert "30 is above" in score.reason
    assert not detector.score(0.0).is_anomaly
    assert warm(direction="both").score(0.0).is_anomaly


def test_sensitivity_says_how_much_is_too_much() -> None:
    assert warm(sensitivity=1.0, min_deviation_ratio=0).score(11.2).is_anomaly
    assert not warm(sensitivity=0.0).score(12.5).is_anomaly


def test_what_was_learned_outlives_the_process() -> None:
    detector = warm(method="zscore", window=40)
    restored = Detector.from_bytes(detector.to_bytes(), clock=lambda: 0.0)
    assert restored.name == "latency"
    assert restored.score(30).expected == pytest.approx(detector.score(30).expected, rel=1e-3)
    for wrong in (b"", b"{}", b"[1]", b'{"format": 9}', detector.to_bytes()[:-9]):
        with pytest.raises(ValueError, match="these bytes are no detector"):
            Detector.from_bytes(wrong)


def test_it_is_a_rule_too(told: Any, clock: Any) -> None:
    detector = warm()
    engine = firebell.AlertEngine([detector.rule(severity="error")], notify=[told], clock=clock)
    assert engine.evaluate() == []
    detector.update(40)
    (event,) = engine.evaluate()
    assert event["message"].startswith("latency: 40 is above")
    values = iter([10.5, 50.0])
    rule = warm().rule(lambda: next(values))
    engine = firebell.AlertEngine([rule], notify=[told], clock=clock)
    assert engine.evaluate() == []
    assert len(engine.evaluate()) == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"method": "ewma"}, "method is 'ewma'"),
        ({"direction": "sideways"}, "direction is"),
        ({"sensitivity": 3}, "sensitivity is 3"),
        ({"window": 2}, "window is 2"),
        ({"warmup": 500}, "warmup is 500"),
    ],
)
def test_what_cannot_be_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Detector("it", **more)
