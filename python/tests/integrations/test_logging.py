"""Logs of the standard library, structlog and loguru."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import loguru
import pytest
import structlog

import firebell
import firebell.logging
from firebell import _events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collector import Collector


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger that nothing else listens to."""
    logger = logging.Logger("shop.cart", logging.DEBUG)
    yield logger
    logger.handlers.clear()


def test_lines_are_json_with_the_ids_of_the_span_and_without_secrets(
    told: Collector, logger: logging.Logger
) -> None:
    stream = io.StringIO()
    logger.addHandler(firebell.logging.Handler(stream=stream))
    with firebell.span("outside") as span, firebell.scope():
        firebell.set_user("dana", mail="dana@shop.example")
        logger.info(
            "paid %s with %s", 5, "4111111111111111", extra={"cart": 7, "password": "geheim"}
        )
    (line,) = stream.getvalue().splitlines()
    found = json.loads(line)
    assert (found["trace_id"], found["span_id"]) == (span.trace_id, span.span_id)
    assert found["cart"] == 7
    assert found["user.id"] == "dana" and "dana@" not in line
    assert "geheim" not in line
    assert "4111111111111111" not in line
    record = told.wait(lambda: next((it for it in told.logs if "paid" in str(it.body)), None))
    assert record.trace_id == span.trace_id
    assert record.attributes["user.id"] == "dana"


def test_records_become_breadcrumbs_and_alerts(told: Collector, logger: logging.Logger) -> None:
    logger.addHandler(firebell.logging.Handler(alert_from=logging.ERROR))
    with firebell.scope():
        logger.debug("too small")
        logger.info("step one")
        logger.error("the card was refused")
    alert = told.alert("Log: shop.cart", severity="error")
    assert "step one" in alert["annotations"]["breadcrumbs"]
    assert "too small" not in alert["annotations"]["breadcrumbs"]
    try:
        raise OSError("disk")
    except OSError:
        logger.critical("no disk", exc_info=True)
    told.alert("Exception", exception="OSError", severity="critical")


def test_before_send_sees_records_too(
    told: Collector, logger: logging.Logger, monkeypatch: Any
) -> None:
    def hook(event: Any, hint: Any) -> Any:
        assert hint["record"].name == "shop.cart"
        if event["message"] == "noise":
            return None
        if event["message"] == "odd":
            raise KeyError("hook")
        return {**event, "message": event["message"].upper()}

    monkeypatch.setattr(_events._State, "before_send", staticmethod(hook))
    stream = io.StringIO()
    logger.addHandler(firebell.logging.Handler(stream=stream))
    for message in ("noise", "odd", "changed"):
        logger.info(message, extra={"shelf": 3})
    odd, changed = map(json.loads, stream.getvalue().splitlines())
    assert (changed["message"], changed["shelf"]) == ("CHANGED", 3)
    assert (odd["message"], odd["before_send_failed"]) == ("odd", "KeyError('hook')")
    told.wait(lambda: any(it.body == "CHANGED" for it in told.logs))


def test_setup_adds_one_handler_and_leaves_the_others(monkeypatch: Any) -> None:
    root = logging.Logger("root", logging.WARNING)
    monkeypatch.setattr(logging, "root", root)
    monkeypatch.setattr(logging, "getLogger", lambda name=None: root)
    theirs = logging.StreamHandler(io.StringIO())
    root.addHandler(theirs)
    for _ in range(2):
        firebell.logging.setup("DEBUG", stream=io.StringIO())
    assert root.handlers[0] is theirs
    assert [type(it) for it in root.handlers[1:]] == [firebell.logging.Handler]
    assert root.level == logging.DEBUG
    with pytest.raises(ValueError, match="level"):
        logging.Logger.removeHandler(root, root.handlers[1])
        firebell.logging.setup("LOUD")


def test_what_firebell_says_of_itself_is_not_exported(told: Collector) -> None:
    handler = firebell.logging.Handler()
    record = logging.LogRecord("firebell", logging.WARNING, "f", 1, "export failed", None, None)
    handler.handle(record)
    firebell.fire("Barrier")
    told.alert("Barrier")
    assert not any("export failed" in str(it.body) for it in told.logs)


def test_the_formatter_serves_handlers_that_are_there(logger: logging.Logger) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(firebell.logging.JSONFormatter())
    logger.addHandler(handler)
    logger.warning("low", extra={"left": 2})
    assert json.loads(stream.getvalue())["left"] == 2


def test_structlog_gets_the_ids_and_goes_on(told: Collector) -> None:
    lines: list[str] = []

    class Printer:
        def msg(self, message: str) -> None:
            lines.append(message)

        info = error = msg

    log = structlog.wrap_logger(
        Printer(),
        processors=[firebell.logging.structlog_processor, structlog.processors.JSONRenderer()],
    )
    with firebell.span("outside") as span:
        log.info("paid", amount=5, password="geheim")
    found = json.loads(lines[0])
    assert (found["trace_id"], found["amount"]) == (span.trace_id, 5)
    assert "geheim" not in lines[0]
    record = told.wait(lambda: next((it for it in told.logs if it.body == "paid"), None))
    assert record.attributes["amount"] == 5


def test_loguru_has_a_sink(told: Collector) -> None:
    number = loguru.logger.add(firebell.logging.loguru_sink, format="{message}")
    try:
        loguru.logger.bind(shelf="a").warning("from loguru")
    finally:
        loguru.logger.remove(number)
    record = told.wait(lambda: next((it for it in told.logs if it.body == "from loguru"), None))
    assert record.attributes["shelf"] == "a"
