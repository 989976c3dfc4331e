from firebell import _native


def test_a_counter_counts_by_labels_in_any_order() -> None:
    orders = _native.counter("test.orders", "orders placed")
    orders.inc(channel="web", country="at")
    orders.inc(2, country="at", channel="web")
    placed = orders.bind(channel="app", country="at")
    for _ in range(5):
        placed.inc()
    text = _native.expose()
    assert '\ntest_orders_total{channel="web",country="at"} 3.0\n' in text
    assert '\ntest_orders_total{channel="app",country="at"} 5.0\n' in text
    assert text.endswith("# EOF\n")


def test_what_cannot_be_counted_is_counted_as_such() -> None:
    refused = _native.counter("test.refused").bind()
    before = _native.stats()["bad_arguments"]
    refused.inc(-1)
    refused.inc("many")  # type: ignore[arg-type]
    refused.inc(float("nan"))
    assert _native.stats()["bad_arguments"] == before + 3
    assert "\ntest_refused_total 0.0\n" in _native.expose()


def test_a_histogram_and_a_gauge_hold_what_they_were_given() -> None:
    wait = _native.histogram("test.wait", unit="s")
    for value in (0.1, 0.1, 3, -1):
        wait.observe(value)
    size = _native.gauge("test.size", unit="By")
    size.set(10, shelf="a")
    size.bind(shelf="a").add(-3)
    text = _native.expose()
    assert "\ntest_wait_seconds_count 4.0\n" in text
    assert "\ntest_wait_seconds_sum 2.2\n" in text
    assert '\ntest_size_bytes{shelf="a"} 7.0\n' in text


def test_a_name_stands_for_one_metric() -> None:
    _native.counter("test.taken")
    try:
        _native.gauge("test.taken")
    except ValueError as error:
        assert str(error) == "`test.taken` is a counter in `1` already"
    else:
        raise AssertionError("a second metric of the same name")


def test_every_bad_option_is_named() -> None:
    try:
        _native.configure(service="", endpoint="localhost:1", sample_rate=3, colour="red")  # type: ignore[call-arg]
    except ValueError as error:
        for word in ("service", "endpoint", "sample_rate", "colour"):
            assert word in str(error)
    else:
        raise AssertionError("bad options were taken")


def test_secrets_are_replaced() -> None:
    dirty = {"user": "ana", "Password": "x", "lines": ["token=abcdef", 3]}
    assert _native.redact(dirty) == {
        "user": "ana",
        "Password": "[redacted]",
        "lines": ["token=[redacted]", 3],
    }
