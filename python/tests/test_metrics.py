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


def test_blocks_and_functions_are_timed_and_counted_while_they_run() -> None:
    import asyncio

    took = _native.histogram("test.took")
    running = _native.gauge("test.running")
    seen: list[str] = []

    def now(name: str) -> str:
        lines = _native.expose().splitlines()
        return next((line for line in lines if line.startswith(name)), "")

    @took.time(step="function")
    @running.track()
    def work(n: int) -> int:
        """Its documentation."""
        seen.append(now("test_running"))
        return n if n == 0 else work(n - 1)

    assert (work(2), work.__doc__) == (0, "Its documentation.")
    assert seen == ["test_running 1.0", "test_running 2.0", "test_running 3.0"]

    @took.bind(step="async").time()
    async def awaited() -> None:
        await asyncio.sleep(0.02)
        seen.clear()
        raise KeyError

    async def both() -> None:
        assert len(await asyncio.gather(awaited(), awaited(), return_exceptions=True)) == 2

    asyncio.run(both())
    with took.time(step="block"):
        pass
    assert now("test_running") == "test_running 0.0"
    assert now('test_took_seconds_count{step="function"}').endswith(" 3.0")
    assert now('test_took_seconds_count{step="async"}').endswith(" 2.0")
    total = float(now('test_took_seconds_sum{step="async"}').split(" ")[1])
    assert total >= 0.04
    assert now('test_took_seconds_count{step="block"}').endswith(" 1.0")
