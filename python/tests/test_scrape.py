"""`/metrics` of all processes of a service, whichever of them is asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from server import Run, Server, wait_for

AWAY = "http://127.0.0.1:9"
#: Forks children that count and leave, each in its own way.
CHILDREN = """
native.keep_totals()
orders = native.counter("shop.orders").bind(channel="web")
waits = native.histogram("shop.wait").bind()
held = native.gauge("shop.held").bind()
def child(leave):
    pid = os.fork()
    if pid == 0:
        orders.inc(3)
        waits.observe(0.25)
        held.set(7)
        leave()
    return pid
def total(name):
    lines = native.expose_all().splitlines()
    return [line for line in lines if line.startswith(name)]
def kill():
    os.kill(os.getpid(), signal.SIGKILL)
def end():
    native.close(5)
    os._exit(0)
import ctypes
LEAVE = [kill, end, lambda: os._exit(3), lambda: os._exit(0), lambda: ctypes.string_at(8)]
def all_leave():
    for leave in LEAVE:
        os.waitpid(child(leave), 0)
orders.inc()
all_leave()
"""


@pytest.mark.parametrize("is_away", [True, False])
def test_what_dead_processes_counted_stays_in_the_total(
    server: Server, run: Run, *, is_away: bool
) -> None:
    program = """
EXPECTED = ['shop_orders_total{channel="web"} 16.0']
assert total("shop_orders_total") == EXPECTED, total("shop_orders_total")
assert total("shop_wait_seconds_count") == ["shop_wait_seconds_count 5.0"]
assert total("shop_held") == [], "what the dead held nobody holds"
held.set(1)
assert total("shop_held") == ["shop_held 1.0"]
# Their rings are sent, or too many: what they counted stays.
while len(os.listdir(settings["run_dir"])) > 3 and not AWAY:
    time.sleep(0.05)
assert total("shop_orders_total") == EXPECTED, total("shop_orders_total")
all_leave()
assert total("shop_orders_total") == ['shop_orders_total{channel="web"} 31.0']
if not AWAY:
    while len(os.listdir(settings["run_dir"])) > 3:
        time.sleep(0.05)
    assert native.close(5)
"""
    url = AWAY if is_away else server.url
    done = run(CHILDREN + program.replace("AWAY", str(is_away)), url, flush_interval=0.05)
    assert done.returncode == 0, done.stderr
    if not is_away:
        assert server.counted("shop.orders") == 31


def test_living_processes_are_added_up_and_their_gauges_have_a_pid(run: Run) -> None:
    program = """
ready, told = os.pipe(), os.pipe()
def wait():
    os.write(ready[1], b".")
    os.read(told[0], 1)
    os._exit(0)
pid = child(wait)
os.read(ready[0], 1)
held.set(2)
assert total("shop_orders_total") == ['shop_orders_total{channel="web"} 19.0']
pids = sorted([f'shop_held{{pid="{pid}"}} 7.0', f'shop_held{{pid="{os.getpid()}"}} 2.0'])
assert sorted(total("shop_held")) == pids, total("shop_held")
os.write(told[1], b".")
os.waitpid(pid, 0)
"""
    done = run(CHILDREN + program, AWAY)
    assert done.returncode == 0, done.stderr


def test_the_next_run_goes_on_counting_and_other_services_are_not_told_of(
    run: Run, run_dir: Path
) -> None:
    assert run("native.keep_totals(); native.counter('shop.orders').inc(2)", AWAY).returncode == 0
    other = "native.keep_totals(); native.counter('shop.orders').inc(50)"
    assert run(other, AWAY, service="other").returncode == 0
    program = """
native.keep_totals()
native.counter("shop.orders").inc()
assert "shop_orders_total 3.0" in native.expose_all(), native.expose_all()
"""
    done = run(program, AWAY)
    assert done.returncode == 0, done.stderr
    # Who never asked for totals leaves none behind.
    assert run("native.counter('shop.orders').inc(2)", AWAY).returncode == 0
    done = run(program.replace("3.0", "4.0"), AWAY)
    assert done.returncode == 0, done.stderr
    assert len(list(run_dir.glob("*.sums"))) <= 2


def test_damaged_files_are_as_if_they_were_not_there(run: Run, run_dir: Path) -> None:
    for name, content in {
        "a.ring": b"",
        "b.ring": os.urandom(100_000),
        "c.ring": b"FBELRING" + (1).to_bytes(8, "little") + b"\xff" * 3_000_000,
    }.items():
        (run_dir / name).write_bytes(content)
    program = "native.keep_totals(); native.counter('shop.orders').inc(2); "
    program += "assert 'shop_orders_total 2.0' in native.expose_all()"
    done = run(program, AWAY)
    assert done.returncode == 0, done.stderr


def test_an_exemplar_stands_with_what_it_is_of(run: Run) -> None:
    program = """
with native.span("checkout") as span:
    native.counter("shop.orders").inc(2)
    native.histogram("shop.wait").observe(0.25)
ids = f'# {{trace_id="{span.trace_id}",span_id="{span.span_id}"}} '
lines = native.expose().splitlines()
[counted] = [line for line in lines if line.startswith("shop_orders_total")]
assert counted.startswith("shop_orders_total 2.0 " + ids + "2.0 "), counted
[bucket] = [line for line in lines if ids in line and "bucket" in line]
assert bucket.startswith('shop_wait_seconds_bucket{le="0.25"} 1.0 ' + ids + "0.25 "), bucket
"""
    done = run(program, AWAY)
    assert done.returncode == 0, done.stderr


WORKERS = """
import os
import firebell
from fastapi import FastAPI

app = FastAPI()
app.mount("/metrics", firebell.metrics_app())
orders = firebell.counter("shop.orders")

@app.get("/order")
async def order() -> int:
    orders.inc()
    return os.getpid()

@app.get("/die")
async def die() -> None:
    os._exit(9)
"""


def test_any_worker_of_a_server_tells_of_all(tmp_path: Path, run_dir: Path) -> None:
    import httpx

    (tmp_path / "shop.py").write_text("import firebell\nfirebell.init('shop')\n" + WORKERS)
    environment = os.environ | {"FIREBELL_RUN_DIR": str(run_dir), "FIREBELL_ENDPOINT": AWAY}
    command = [sys.executable, "-m", "uvicorn", "shop:app", "--workers", "3", "--port", "0"]
    log = (tmp_path / "log").open("w+b")
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=log, stdout=log, start_new_session=True
    )
    try:
        port = _port(tmp_path / "log")
        url = f"http://127.0.0.1:{port}"
        n_orders, pids = 0, set()

        def order() -> bool:
            nonlocal n_orders
            try:
                pids.add(httpx.get(f"{url}/order").json())
            except httpx.HTTPError:
                return False
            n_orders += 1
            return len(pids) > 1

        wait_for(order)
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"{url}/die")
        pids.clear()
        wait_for(order)
        told = httpx.get(f"{url}/metrics/").text
        [line] = [it for it in told.splitlines() if it.startswith("shop_orders_total")]
        assert line.split(" ")[1] == f"{n_orders}.0", told
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
        log.close()


def _port(log: Path) -> str:
    import re

    found: list[str] = []

    def is_there() -> bool:
        found.extend(re.findall(r"running on http://127\.0\.0\.1:(\d+)", log.read_text()))
        return bool(found)

    wait_for(is_there)
    return found[0]
