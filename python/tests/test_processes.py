"""What becomes of records when processes end, fork, or cannot send."""

from __future__ import annotations

import json
import signal
import socket
import time
from pathlib import Path

import pytest
from server import Run, Server, attributes, decode, wait_for

RECORD = """
native.counter("shop.orders").bind(channel="web").inc(5)
native.histogram("shop.wait").observe(0.25)
with native.span("checkout"):
    native.current_scope().breadcrumb("paid", data={"cents": 5, "token": "s3cret"})
native.log("info", "shop", "order taken", {"order": 7})
"""
STAY_AWAY = RECORD.replace("native.counter", "native.counter", 1)
DEATHS = {
    "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
    "os._exit": "os._exit(3)",
    "segfault": "import ctypes; ctypes.string_at(8)",
}


def names(server: Server, path: str, field: int) -> list[str]:
    return [record[field][0].decode() for _, record in server.records(path)]


def test_all_is_sent_when_a_program_ends(server: Server, run: Run, run_dir: Path) -> None:
    done = run(RECORD + "assert native.close(5), native.stats()", server.url)
    assert done.returncode == 0, done.stderr
    assert server.counted("shop.orders") == 5
    [(resource, span)] = server.records("/v1/traces")
    assert resource["service.name"] == "shop"
    assert span[5] == [b"checkout"]
    [(_, log)] = server.records("/v1/logs")
    assert decode(log[5][0])[1] == [b"order taken"]
    assert attributes(log[6])["order"] == 7
    assert list(run_dir.iterdir()) == []
    assert done.stderr == ""


@pytest.mark.parametrize("death", DEATHS)
def test_what_a_dead_process_recorded_is_sent_by_the_next(
    death: str, server: Server, run: Run, run_dir: Path
) -> None:
    # Its server is away, so that nothing is sent before it dies.
    died = run(RECORD * 5 + DEATHS[death], "http://127.0.0.1:9")
    assert died.returncode in {-signal.SIGKILL, 3, -signal.SIGSEGV}, died.stderr
    [ring] = run_dir.iterdir()
    assert ring.stat().st_mode & 0o777 == 0o600
    assert b"s3cret" not in ring.read_bytes()

    program = """
while native.stats()["recovered_from_dead_process"] == 0:
    native.gauge("alive").set(1)
    time.sleep(0.05)
assert native.close(5)
"""
    done = run(program, server.url, flush_interval=0.05)
    assert done.returncode == 0, done.stderr
    assert server.counted("shop.orders") == 25
    # A histogram's points, their counts: all that it observed, with that of the next process.
    waits = [decode(m[10][0]) for _, m in server.records("/v1/metrics") if m[1] == [b"shop.wait"]]
    counts = [int.from_bytes(decode(w[1][0])[4][0], "little") for w in waits]
    assert sum(counts) == 5
    assert names(server, "/v1/traces", 5) == ["checkout"] * 5
    assert len(server.records("/v1/logs")) == 5
    [alerts] = map(json.loads, server.bodies("/api/v2/alerts"))
    [alert] = alerts
    assert alert["labels"]["alertname"] == "WorkerDied"
    assert alert["labels"]["service"] == "shop"
    crumbs = json.loads(alert["annotations"]["breadcrumbs"])
    assert [crumb["message"] for crumb in crumbs] == ["paid"] * 5
    assert crumbs[0]["data"] == {"cents": 5, "token": "[redacted]"}
    assert list(run_dir.iterdir()) == []


def test_a_sibling_sends_what_a_dead_worker_left(server: Server, run: Run) -> None:
    program = """
child = os.fork()
if child == 0:
    native.counter("shop.orders").inc(3)
    native.current_scope().breadcrumb("in the child")
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
native.counter("shop.orders").inc(1)
while native.stats()["recovered_from_dead_process"] == 0:
    time.sleep(0.05)
assert native.close(5)
"""
    done = run(program, server.url, flush_interval=0.05)
    assert done.returncode == 0, done.stderr
    assert server.counted("shop.orders") == 4


def test_a_forked_child_begins_anew(server: Server, run: Run) -> None:
    program = """
orders = native.counter("shop.orders").bind()
orders.inc(10)
before = native.instance_id()
with native.span("parent's"):
    pass
child = os.fork()
if child == 0:
    orders.inc(3)
    with native.span("child's"):
        pass
    assert native.instance_id() != before
    assert native.stats()["recorded"] == 1, native.stats()
    os._exit(0 if native.close(5) else 1)
_, status = os.waitpid(child, 0)
assert status == 0, status
orders.inc(1)
assert native.close(5)
"""
    done = run(program, server.url)
    assert done.returncode == 0, done.stderr
    assert server.counted("shop.orders") == 14
    assert sorted(names(server, "/v1/traces", 5)) == ["child's", "parent's"]
    instances = {r["service.instance.id"] for r, _ in server.records("/v1/metrics")}
    assert len(instances) == 2
    assert server.bodies("/api/v2/alerts") == []


def test_a_child_that_leaves_a_pool_has_not_died(server: Server, run: Run) -> None:
    program = """
import multiprocessing
context = multiprocessing.get_context("fork")
def work():
    native.counter("shop.orders").inc()
native.counter("shop.orders").inc(2)
child = context.Process(target=work)
child.start()
child.join()
while native.stats()["recovered_from_dead_process"] == 0:
    time.sleep(0.05)
assert native.close(5)
"""
    done = run(program, server.url, flush_interval=0.05)
    assert done.returncode == 0, done.stderr
    assert server.counted("shop.orders") == 3
    assert server.bodies("/api/v2/alerts") == []


def test_forks_beside_recording_threads_never_hang(server: Server, run: Run) -> None:
    program = """
orders = native.counter("shop.orders").bind()
is_over = False
def work():
    while not is_over:
        orders.inc()
        with native.span("s"):
            native.log("info", "shop", "x")
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
for _ in range(30):
    child = os.fork()
    if child == 0:
        with native.span("c"):
            orders.inc()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
is_over = True
for thread in threads: thread.join()
native.close(5)
"""
    done = run(program, server.url, flush_interval=0.01)
    assert done.returncode == 0, done.stderr


def silent_port() -> socket.socket:
    """Takes connections and never answers."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)
    return listener


@pytest.mark.parametrize("is_hung", [False, True])
def test_the_end_waits_for_no_server(run: Run, *, is_hung: bool) -> None:
    listener = silent_port()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}" if is_hung else "http://127.0.0.1:9"
    program = """
for _ in range(5000):
    with native.span("s"):
        pass
time.sleep(0.2)
began = time.monotonic()
native.close(0.3)
print(time.monotonic() - began)
"""
    done = run(program, url, flush_interval=0.05)
    assert done.returncode == 0, done.stderr
    # The bound is 0.3 s; the rest is for a machine that has other things to do.
    assert float(done.stdout) < 2
    listener.close()


def test_no_folder_no_file_but_all_works(server: Server, run: Run, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = run(RECORD + "assert native.close(5)", server.url, run_dir=str(blocked / "run"))
    assert done.returncode == 0, done.stderr
    assert server.counted("shop.orders") == 5
    assert done.stderr.count("\n") == 1
    assert "kept in memory only" in done.stderr


def test_a_full_disk_is_like_no_folder(server: Server, run: Run, run_dir: Path) -> None:
    # A limit on the size of files stands for the disk: room is asked for in the same way.
    program = f"""
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
{RECORD}
assert native.close(5)
"""
    done = run(program, server.url)
    assert done.returncode == 0, done.stderr
    assert server.counted("shop.orders") == 5
    assert "kept in memory only" in done.stderr
    assert list(run_dir.iterdir()) == []


def test_a_folder_of_others_is_not_used(server: Server, run: Run, run_dir: Path) -> None:
    run_dir.chmod(0o755)
    done = run(RECORD + "assert native.close(5)", server.url)
    assert "others may look into it" in done.stderr
    assert list(run_dir.iterdir()) == []


def test_a_refused_token_stops_sending_but_not_recording(server: Server, run: Run) -> None:
    server.answer = lambda _path: 401
    program = """
with native.span("s"):
    pass
native.flush(5)
stats = native.stats()
assert stats["state"] == "stopped", stats
with native.span("t"):
    pass
assert native.stats()["recorded"] == 2
native.close(1)
"""
    done = run(program, server.url)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    assert "answered 401" in done.stderr


def test_what_the_server_does_not_have_is_counted_and_harms_nothing(
    server: Server, run: Run
) -> None:
    server.answer = lambda path: 404 if path == "/v1/traces" else 200
    program = (
        RECORD
        + """
assert native.flush(5)
stats = native.stats()
assert stats["dropped_rejected"] == 1, stats
assert native.close(5)
"""
    )
    done = run(program, server.url)
    assert done.returncode == 0, done.stderr
    assert server.counted("shop.orders") == 5
    assert done.stderr.count("\n") == 1


def test_it_goes_on_when_the_server_comes_back(server: Server, run: Run) -> None:
    times: list[float] = []

    def answer(_path: str) -> int:
        times.append(time.monotonic())
        return 503 if len(times) < 3 else 200

    server.answer = answer
    program = (
        RECORD
        + """
while native.stats()["exported"] < 4:
    time.sleep(0.05)
assert native.stats()["failed_export_attempts"] == 2
assert native.close(5)
"""
    )
    done = run(program, server.url, flush_interval=0.05)
    assert done.returncode == 0, done.stderr
    assert server.counted("shop.orders") == 5
    wait_for(lambda: len(server.records("/v1/logs")) == 1)


def test_the_oldest_make_room_and_are_counted(run: Run) -> None:
    program = """
for idx in range(20000):
    with native.span("s"):
        pass
stats = native.stats()
assert stats["recorded"] == 20000
assert 0 < stats["dropped_buffer_full"] < 20000, stats
"""
    done = run(program, "http://127.0.0.1:9", buffer_bytes=65536)
    assert done.returncode == 0, done.stderr


def test_labels_without_bound_go_to_one_series(server: Server, run: Run) -> None:
    program = """
orders = native.counter("shop.orders")
for idx in range(500):
    orders.inc(order=idx)
stats = native.stats()
assert stats["dropped_cardinality"] == 400, stats
assert native.close(5)
"""
    done = run(program, server.url, max_labels_per_metric=100)
    assert done.returncode == 0, done.stderr
    assert server.counted("shop.orders") == 500
    points = [decode(decode(m[7][0])[1][0]) for _, m in server.records("/v1/metrics") if 7 in m]
    overflow = [p for p in points if attributes(p[7]) == {"otel.metric.overflow": 1}]
    assert len(overflow) == 1


def test_requests_of_one_series_are_counted_each_and_find_room_when_there_is_some(
    server: Server, run: Run
) -> None:
    program = """
def ask(method, route, times=1):
    for _ in range(times):
        native.begin_request(method, route).end(200, route)

ask("GET", "/first")
ask("GET", "/second")
ask("GET", "/hot", 100)
assert native.stats()["dropped_cardinality"] == 100, native.stats()
# Methods are labels of those that are active, too: of these there is room for two.
ask("POST", "/first")
ask("PUT", "/first", 10)
assert native.stats()["dropped_cardinality"] == 121, native.stats()
native.configure(**settings | {"max_labels_per_metric": 1000})
ask("GET", "/hot")
ask("PUT", "/first")
assert native.stats()["dropped_cardinality"] == 121, native.stats()
assert native.close(5)
"""
    done = run(program, server.url, max_labels_per_metric=2)
    assert done.returncode == 0, done.stderr
    metrics = [m for _, m in server.records("/v1/metrics")]
    duration, active = b"http.server.request.duration", b"http.server.active_requests"
    series = {
        (m[1][0], tuple(attributes(point[of_point]).values()))
        for m in metrics
        for field, of_point in ((5, 7), (10, 1))
        for point in map(decode, decode(m[field][0])[1] if field in m else [])
    }
    assert (duration, ("GET", "200", "/hot", "http")) in series, series
    assert (active, ("PUT", "http")) in series, series


def test_recording_from_finalizers_and_signal_handlers_hangs_nowhere(
    server: Server, run: Run
) -> None:
    program = """
import gc
orders = native.counter("shop.orders")
class Loop:
    def __init__(self): self.me = self
    def __del__(self):
        orders.inc(where="gc")
        native.log("info", "gc", "collected")
class Label:
    def __str__(self):
        orders.inc(where="label")
        return "x"
def handler(*_):
    orders.inc(where="signal")
    with native.span("signal"):
        native.current_scope().breadcrumb("signal")
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
gc.set_threshold(5)
until = time.monotonic() + 1
while time.monotonic() < until:
    Loop()
    orders.inc(where=Label())
    native.log("info", "shop", "x", {"loop": [Label()]})
    with native.span("s") as span:
        span.set(label=Label())
signal.setitimer(signal.ITIMER_REAL, 0)
native.close(5)
"""
    done = run(program, server.url, flush_interval=0.01)
    assert done.returncode == 0, done.stderr


def test_a_clock_that_jumps_changes_no_duration(server: Server, run: Run) -> None:
    # Python's own clock is set back; the native one is asked for no duration either.
    program = """
time.time = lambda: 0.0
with native.span("s"):
    time.sleep(0.05)
assert native.close(5)
"""
    done = run(program, server.url)
    assert done.returncode == 0, done.stderr
    [(_, span)] = server.records("/v1/traces")
    start, end = (int.from_bytes(span[field][0], "little") for field in (7, 8))
    assert 0.04e9 < end - start < 20e9
