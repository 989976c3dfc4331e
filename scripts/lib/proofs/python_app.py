"""Shows a Python app with workers before Firebell: what it records is seen, also after a kill.

The package is the one of `make python`; without it nothing is checked.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from proofs.check import NOT_CHECKED, ROOT, Proofs, wait_for
from proofs.process import Firebell, Process, binary, free_port, run
from proofs.world import Receiver

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = ROOT / ".venv-python" / "bin" / "python"

CONFIG = "alertmanager: am.yml\n"

ROUTES = """\
route: {{receiver: team, group_by: [alertname], group_wait: 0s, group_interval: 1s}}
receivers:
  - name: team
    slack_configs: [{{api_url: 'http://{address}/slack'}}]
    webhook_configs: [{{url: 'http://{address}/webhook'}}]
"""

MESSAGES = "messages: firebell\n"

APP = '''\
"""A shop whose orders get stuck, and whose workers die."""

import logging
import os
import signal

import firebell
import firebell.logging
from fastapi import FastAPI

firebell.init("shop")
firebell.logging.setup()

app = FastAPI()
log = logging.getLogger("shop.orders")
orders = firebell.counter("shop.orders", "orders placed")


@app.get("/orders/{order}")
def place(order: int) -> dict[str, int]:
    orders.inc()
    with firebell.span("charge"):
        log.info("charging order %s", order)
    return {"pid": os.getpid()}


@app.get("/stuck/{order}")
def stuck(order: int) -> dict[str, str | None]:
    firebell.set_user("dana")
    firebell.breadcrumb("asked the bank twice", order=order)
    firebell.fire("OrderStuck", "an order waits for the bank", severity="critical")
    return {"trace": firebell.current_trace_id()}


@app.get("/die")
def die() -> None:
    orders.inc(1000)
    firebell.breadcrumb("about to die")
    log.warning("the last words")
    os.kill(os.getpid(), signal.SIGKILL)
'''

N_WORKERS = 2
N_ORDERS = 40
ORDERS_OF_THE_DEAD = 1000
# A machine that is busy with other things delays everything.
SECONDS = 60.0


def main() -> int:
    """Show it all."""
    if not (PYTHON.parent / "uvicorn").is_file():
        print(f"nothing was checked: there is no {PYTHON.parent}/uvicorn; `make python` makes it")
        return NOT_CHECKED
    proofs = Proofs()
    with proofs.scene("a Python app with workers") as folder, Receiver() as receiver:
        (folder / "am.yml").write_text(ROUTES.format(address=receiver.address))
        with Firebell(folder, CONFIG + MESSAGES) as bell:
            bell.wait_ready()
            with Shop(folder, bell) as shop:
                shop.wait_ready()
                show_records(proofs, bell, shop)
                show_alert(proofs, bell, shop, receiver)
                show_commands(proofs, bell, shop.trace)
                show_last_words(proofs, bell, shop)
            proofs.check("no panic", "panicked" not in bell.text(), bell.tail())
    return proofs.finish()


class Shop(Process):
    """The app under uvicorn, which starts a worker anew when it dies."""

    def __init__(self, folder: Path, bell: Firebell) -> None:
        """Prepare it."""
        (folder / "app.py").write_text(APP)
        self.port = free_port()
        #: The trace in which an order got stuck.
        self.trace = ""
        command: list[str | Path] = [PYTHON, "-m", "uvicorn", "app:app", "--log-level", "warning"]
        command += ["--port", f"{self.port}", "--workers", f"{N_WORKERS}"]
        environment = {
            "FIREBELL_ENDPOINT": bell.url,
            "FIREBELL_RUN_DIR": str(folder / "run"),
            "FIREBELL_FLUSH_INTERVAL": "0.2",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        super().__init__(command, folder / "shop.log", environment)

    def get(self, path: str) -> Any:
        """Ask it; each time over a connection of its own, so that any worker may answer."""
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            return json.load(answer)

    def wait_ready(self) -> None:
        """Wait until it answers."""
        wait_for("that the app answers", SECONDS, lambda: self.get("/openapi.json"))

    def __exit__(self, *_: object) -> None:
        """End it with its workers."""
        self.stop()


def show_records(proofs: Proofs, bell: Firebell, shop: Shop) -> None:
    """Ask for orders; show that metrics are summed, and that spans and logs arrive."""
    n_asked = 0
    pids: set[int] = set()
    # Which worker takes a connection is the system's choice.
    while n_asked < N_ORDERS or (len(pids) < N_WORKERS and n_asked < 50 * N_ORDERS):
        pids.add(shop.get(f"/orders/{n_asked}")["pid"])
        n_asked += 1
    proofs.equal("all workers answered", len(pids), N_WORKERS)
    wait_for("that all orders are counted", SECONDS, lambda: n_orders(bell) == n_asked)
    proofs.equal("what workers count is summed", n_orders(bell), float(n_asked))
    wait_for("that spans arrive", SECONDS, lambda: traces(bell, "text=charge"))
    found = traces(bell, "service=shop&text=charge&limit=5")
    facts = {(it["name"], it["service"], it["spans"] >= 2) for it in found}
    proofs.equal("traces of requests", facts, {("GET /orders/{order}", "shop", True)})
    logs = wait_for("that logs arrive", SECONDS, lambda: logged(bell, "text=charging"))
    proofs.check("a log record names its trace and its span", logs[0]["traceId"], logs[0])
    of = logged(bell, f"trace_id={logs[0]['traceId']}")
    proofs.check("the logs of a trace are found", of is not None and logs[0] in of, of)


def show_alert(proofs: Proofs, bell: Firebell, shop: Shop, receiver: Receiver) -> None:
    """Raise an alert; show that it has its context, on the page and in messages."""
    shop.trace = shop.get("/stuck/77")["trace"]
    alert = wait_for("that the alert is there", SECONDS, lambda: named(bell, "OrderStuck"))
    said = alert["annotations"]
    context = (said["trace_id"], said["path"], json.loads(said["user"]))
    wanted = (shop.trace, "/stuck/77", {"id": "dana"})
    proofs.equal("the alert has its trace, path and user", context, wanted)
    proofs.check("and breadcrumbs", "asked the bank twice" in said["breadcrumbs"], said)
    kept = wait_for("its trace", SECONDS, lambda: whole_trace(bell, shop.trace))
    names = {span["name"] for span in kept["spans"]}
    proofs.check("its trace is kept", "GET /stuck/{order}" in names, names)
    told = wait_for("the message", SECONDS, lambda: of_slack(receiver, "OrderStuck"))
    for part in (shop.trace, "/stuck/77", "dana", "asked the bank twice"):
        proofs.check(f"the message says `{part}`", part in told, told)
    hooks = [it for it in receiver.arrivals() if "OrderStuck" in it.alert_names]
    given = [it.body["alerts"][0]["annotations"].get("trace_id") for it in hooks]
    proofs.check("webhooks get the trace id", given and given[0] == shop.trace, given)


def show_commands(proofs: Proofs, bell: Firebell, trace: str) -> None:
    """Look by the command line."""

    def firebell(*words: str) -> tuple[int, str]:
        return run([binary(), *words, "--url", bell.url])

    code, text = firebell("traces", "--service", "shop", "--text", "charge", "--limit", "3")
    lines = text.splitlines()
    is_list = code == 0 and len(lines) == 3 and "GET /orders/{order} of shop: " in lines[0]
    proofs.check("`firebell traces` lists them", is_list, text)
    code, text = firebell("traces", trace)
    is_shown = code == 0 and "] GET /stuck/{order} of shop" in text
    proofs.check("and shows one", is_shown, text)
    code, text = firebell("logs", "--text", "CHARGING order", "--limit", "2")
    lines = text.splitlines()
    is_list = code == 0 and len(lines) == 2 and "info  shop.orders: charging order " in lines[0]
    proofs.check("`firebell logs` lists log records", is_list, text)
    code, text = firebell("logs", "--severity", "warn", "--json")
    proofs.check("as JSON too", code == 0 and json.loads(text)["isWhole"] is True, text)
    for words, wanted in (
        (["traces", "1" * 32], (1, "nothing is kept")),
        (["traces", "x/../y"], (2, "32 hexadecimal digits")),
        (["traces", "--min-duration", "long"], (2, "no duration")),
        (["logs", "--severity", "loud"], (2, "trace, debug, info")),
    ):
        code, text = firebell(*words)
        is_said = code == wanted[0] and wanted[1] in text
        proofs.check(f"`{' '.join(words)}` says what is wrong", is_said, (code, text))


def show_last_words(proofs: Proofs, bell: Firebell, shop: Shop) -> None:
    """Kill a worker; show that what it recorded arrives."""
    before = n_orders(bell)
    # Nobody is left to answer.
    with suppress(OSError):
        shop.get("/die")
    wanted = before + ORDERS_OF_THE_DEAD
    wait_for("that its last count arrives", SECONDS, lambda: n_orders(bell) == wanted)
    proofs.check("a killed worker's last count arrives, once", n_orders(bell) == wanted)
    logs = wait_for("its last log record", SECONDS, lambda: logged(bell, "text=last+words"))
    proofs.equal("and its last log record, once", len(logs), 1)
    died = wait_for("that it is told of", SECONDS, lambda: named(bell, "WorkerDied"))
    crumbs = died["annotations"].get("breadcrumbs", "")
    proofs.check("with its last breadcrumbs", "about to die" in crumbs, died)


def n_orders(bell: Firebell) -> float:
    """Return what all workers counted."""
    return bell.value('sum(shop_orders_total{job="shop"})') or 0.0


def traces(bell: Firebell, query: str) -> list[Any]:
    """Return traces, the newest first."""
    found: list[Any] = bell.json(f"/api/firebell/v1/traces?{query}")["traces"]
    return found


def logged(bell: Firebell, query: str) -> list[Any] | None:
    """Return log records, the newest first; none when there are none."""
    found: list[Any] = bell.json(f"/api/firebell/v1/logs?{query}")["logs"]
    return found or None


def whole_trace(bell: Firebell, trace: str) -> Any:
    """Return what is kept of a trace, once there is a span."""
    kept = bell.json(f"/api/firebell/v1/traces/{trace}")
    return kept if kept["spans"] else None


def named(bell: Firebell, name: str) -> Any:
    """Return the alert of a name, once it is there."""
    found = [it for it in bell.alerts() if it["labels"]["alertname"] == name]
    return found[0] if found else None


def of_slack(receiver: Receiver, name: str) -> str | None:
    """Return what Slack was told of an alert."""
    bodies = (it.body for it in receiver.arrivals() if it.integration == "slack")
    texts = (json.dumps(body, ensure_ascii=False) for body in bodies)
    return next((text for text in texts if name in text), None)


if __name__ == "__main__":
    sys.exit(main())
