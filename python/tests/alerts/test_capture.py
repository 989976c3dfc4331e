"""What a test records is seen as a server would see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import firebell
from firebell import _native

if TYPE_CHECKING:
    from firebell.testing import Captured


def test_alerts_spans_logs_and_metrics_are_captured(firebell_capture: Captured) -> None:
    orders = firebell.counter("test.captured.orders")
    orders.inc(channel="web")
    orders.inc(2, channel="app")
    firebell.gauge("test.captured.depth").set(7, queue="mail")
    with pytest.raises(OSError, match="refused"), firebell.span("charge", gateway="x"):
        raise OSError("refused")
    _native.log("warning", "shop", "card refused", {"card": "visa"})
    assert firebell_capture.metric("test.captured.orders") == 3.0
    assert firebell_capture.metric("test.captured.orders", channel="web") == 1.0
    assert firebell_capture.metric("test_captured_depth", queue="mail") == 7.0
    assert firebell_capture.metric("test.captured.nothing") == 0.0
    (span,) = firebell_capture.spans
    assert (span["name"], span["failed"]) == ("charge", True)
    assert span["attributes"]["gateway"] == "x"
    (log,) = firebell_capture.logs
    assert (log["level"], log["logger"], log["message"]) == ("warning", "shop", "card refused")
    assert log["attributes"]["card"] == "visa"


def test_alerts_of_checks_and_of_the_app_are_captured(firebell_capture: Captured) -> None:
    is_full = True
    firebell.fire("StockGone", "no milk", severity="warning", labels={"shelf": "3"})
    rule = firebell.AlertRule("Full", lambda: is_full, severity="critical", message="it is full")
    engine = firebell.AlertEngine([rule])
    engine.evaluate()
    is_full = False
    engine.evaluate()
    told = [(it.rule, it.severity, it.message, it.labels) for it in firebell_capture.alerts]
    assert told == [
        ("StockGone", "warning", "no milk", {"shelf": "3"}),
        ("Full", "critical", "it is full", {}),
    ]
    assert [event["kind"] for event in firebell_capture.events] == ["alert", "check", "check"]


def test_a_test_sees_only_its_own(firebell_capture: Captured) -> None:
    firebell.counter("test.captured.orders").inc(channel="web")
    assert firebell_capture.metric("test.captured.orders") == 1.0
    assert firebell_capture.events == []
    assert list(firebell_capture.logs) == []
