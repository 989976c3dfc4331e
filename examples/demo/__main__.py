"""Sets the stage of `make demo`, lets the story play, and clears up.

Environment: `FIREBELL` is the binary; `ONCE=1` plays one round and ends by itself, with exit
code 0 only if every hop happened; `ROUNDS=n` plays n.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from demo.client import Firebell, NoAnswerError, Shop
from demo.processes import DemoError, Process, Processes, check_port_free
from demo.receivers import Receivers
from demo.story import CALM_SECONDS, Round, Stage, calm, summary, tell

EXAMPLES = Path(__file__).resolve().parents[1]
ROOT = EXAMPLES.parent
STATE = ROOT / ".demo"

FIREBELL_PORT = 9494
SHOP_PORT = 9480
QUEUE_PORT = 9481
RECEIVERS_PORT = 9482

ONCE_SECONDS_MAX = 230.0
READY_SECONDS = 20.0
PAUSE_SECONDS = 120.0
TRAFFIC_SECONDS = 24 * 3600


def main() -> int:
    """Play; 0 when all went well, 1 when a hop did not happen, 2 when the stage is not there."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    once = os.environ.get("ONCE", "") not in ("", "0")
    rounds = 1 if once else int(os.environ.get("ROUNDS", "0"))
    try:
        binary = check_stage()
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    processes = Processes(fresh_state())
    receivers = Receivers(RECEIVERS_PORT)
    try:
        perform(binary, processes, receivers, rounds)
    except KeyboardInterrupt:
        print()
        tell("stopped; every process is ended")
        return 130 if rounds else 0
    except (DemoError, NoAnswerError) as error:
        print(f"\ndemo: {error}\nThe ends of the logs:\n{processes.tails()}", file=sys.stderr)
        return 1
    finally:
        # An impatient second Ctrl-C must not leave half of them running.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        processes.stop_all()
        receivers.close()
    return 0


def perform(binary: Path, processes: Processes, receivers: Receivers, rounds: int) -> None:
    """Start everything and play `rounds` rounds, or for ever when that is 0."""
    started_at = time.monotonic()
    firebell = Firebell(f"http://127.0.0.1:{FIREBELL_PORT}")
    shop = Shop(f"http://127.0.0.1:{SHOP_PORT}")
    stage = Stage(firebell, shop, receivers, processes)
    stage.deadline = started_at + ONCE_SECONDS_MAX if rounds == 1 else None
    print("Firebell demo: a shop breaks, and somebody is told.\n")
    server = start_all(binary, stage)
    print(f"  The page: {firebell.url}/ · the shop: {shop.url} · logs: {STATE / 'logs'}\n")
    calm(stage, CALM_SECONDS)
    played = 0
    while True:
        story = Round(stage)
        story.play()
        played += 1
        memory = f"Firebell holds {server.resident_kib() / 1024:.0f} MiB"
        tell(f"round {played}: {summary(story.times)}; {memory}")
        if played == rounds:
            break
        tell(f"the next fault comes in {PAUSE_SECONDS:.0f} s; Ctrl-C ends the demo")
        calm(stage, PAUSE_SECONDS)
    print(f"\n  Every hop happened, in {time.monotonic() - started_at:.0f} s.")


def start_all(binary: Path, stage: Stage) -> Process:
    """Start Firebell, the shop, its queue worker and the visitors; return Firebell."""
    start = stage.processes.start
    python = sys.executable
    shop_file = {"SHOP_DB": str(STATE / "shop.db")}
    server = start(
        "firebell",
        [
            binary,
            "serve",
            "--config",
            EXAMPLES / "shop" / "firebell.yml",
            "--listen",
            f"127.0.0.1:{FIREBELL_PORT}",
            "--data-dir",
            STATE / "data",
        ],
        ROOT,
        {},
    )
    web = ["uvicorn", "shop.app:app", "--port", str(SHOP_PORT), "--workers", "2"]
    start(
        "shop",
        [python, "-m", *web, "--no-access-log"],
        EXAMPLES,
        {**shop_file, "PROMETHEUS_MULTIPROC_DIR": str(STATE / "metrics")},
    )
    start("queue", [python, "-m", "shop.queue_worker", str(QUEUE_PORT)], EXAMPLES, shop_file)
    stage.wait("Firebell is ready", READY_SECONDS, lambda: stage.firebell.is_ready() or None)
    stage.wait("the shop is ready", READY_SECONDS, lambda: stage.shop.is_ready() or None)
    visitors = ["shop.traffic", stage.shop.url, "--seconds", str(TRAFFIC_SECONDS)]
    start("traffic", [python, "-m", *visitors], EXAMPLES, {})
    return server


def check_stage() -> Path:
    """Return the binary, or raise with what is missing and how to get it."""
    binary = Path(os.environ.get("FIREBELL", ROOT / "target" / "release" / "firebell"))
    if not binary.is_file():
        raise DemoError(f"there is no Firebell at {binary}; `make demo` builds it")
    for module in ("fastapi", "uvicorn", "prometheus_client"):
        if importlib.util.find_spec(module) is None:
            raise DemoError(f"Python has no `{module}`; `make demo` installs it into .venv")
    for port, who in (
        (FIREBELL_PORT, "Firebell"),
        (SHOP_PORT, "the shop"),
        (QUEUE_PORT, "the queue worker"),
        (RECEIVERS_PORT, "the fake Slack"),
    ):
        check_port_free(port, who)
    return binary


def fresh_state() -> Path:
    """Empty the demo's folder and return where logs go."""
    shutil.rmtree(STATE, ignore_errors=True)
    for folder in ("logs", "metrics", "data"):
        (STATE / folder).mkdir(parents=True)
    return STATE / "logs"


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
