"""Shows heartbeats: reported by command, over HTTP and as events, missed, kept over a kill."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from proofs.check import Proofs, wait_for
from proofs.process import Firebell, binary, free_port, run
from proofs.world import Receiver

if TYPE_CHECKING:
    from pathlib import Path

    from proofs.client import Answer

CONFIG = """\
alertmanager: am.yml
heartbeats:
  - {name: report, service: shop, every: 6s, grace: 0s, labels: {severity: critical}}
"""

ROUTES = """\
route: {{receiver: hook, group_by: [alertname, heartbeat], group_wait: 0s, group_interval: 1s}}
receivers:
  - name: hook
    webhook_configs: [{{url: 'http://{address}/webhook'}}]
"""

PATH = "/api/firebell/v1/heartbeats"
JSON = {"Content-Type": "application/json"}


def main() -> int:
    """Show it all."""
    proofs = Proofs()
    with proofs.scene("jobs that report, and those that do not") as folder, Receiver() as receiver:
        (folder / "am.yml").write_text(ROUTES.format(address=receiver.address))
        with Firebell(folder, CONFIG) as bell:
            bell.wait_ready()
            report(proofs, bell)
            commands(proofs, bell)
            missed(proofs, bell, receiver)
            before = bell.json(PATH)
            bell.kill()
        again(proofs, folder, before)
    return proofs.finish()


def report(proofs: Proofs, bell: Firebell) -> None:
    """Report over HTTP and as the Python package does."""
    unknown = beat(bell, "sync", "")
    proofs.equal("who is not known has to say how often it runs", unknown.status, 404)
    proofs.check("in words", "every=1d" in unknown.text(), unknown.text())
    proofs.equal("and is known then", beat(bell, "sync", "every=1d&severity=low").status, 200)
    proofs.equal("a beat needs no more from then on", beat(bell, "sync", "").status, 200)
    bad = beat(bell, "sync", "every=soon")
    proofs.equal("what is wrong is told", bad.status, 400)
    answer = bell.ask("/v1/logs", "POST", json.dumps(event()).encode(), JSON)
    proofs.equal("events are taken", answer.status, 200)
    proofs.check("and those that are wrong named", "`every_s`" in answer.text(), answer.text())
    nightly = bell.json(f"{PATH}/nightly?service=backup")
    proofs.equal("an event is a beat", (nightly["state"], nightly["every"]), ("fine", "1d"))


def commands(proofs: Proofs, bell: Firebell) -> None:
    """Report by command."""
    code, text = heartbeat(bell, "run", "clean", "--every", "1d", "--", "sh", "-c", "echo swept")
    proofs.equal("a command is run", (code, text.strip()), (0, "swept"))
    code, text = heartbeat(bell, "run", "clean", "--", "sh", "-c", "exit 7")
    proofs.equal("its exit code is kept", code, 7)
    clean = bell.json(f"{PATH}/clean")
    proofs.equal("and told", clean["state"], "failed")
    proofs.check("with why", "exit status 7" in clean["failed"]["description"], clean)
    code, text = heartbeat(bell, "run", "clean", "--", "no-such-program")
    proofs.check("one that cannot be started", code == 127 and "no-such-program" in text, text)
    ended_by_signal(proofs, bell)
    code, text = heartbeat(bell, "list")
    proofs.check("a list says who failed", code == 1 and "failed  clean" in text, text)
    code, text = heartbeat(bell, "beat", "clean")
    proofs.check("a beat ends it", code == 0 and "fine    clean" in text, text)
    url = f"http://127.0.0.1:{free_port()}"
    code, text = run([binary(), "heartbeat", "beat", "x", "--url", url])
    proofs.check("a server that is away is told of", code == 2 and "127.0.0.1" in text, text)
    code, text = heartbeat(bell, "beat", "x", "--every", "often")
    proofs.check("no duration", code == 2 and "1h30m" in text, text)


def ended_by_signal(proofs: Proofs, bell: Firebell) -> None:
    """End a command that hangs, as `timeout` and supervisors do."""
    hangs = "trap 'exit 9' TERM; echo up; while :; do sleep 0.1; done"
    command = [str(binary()), "heartbeat", "run", "--url", bell.url, "clean", "--"]
    with subprocess.Popen([*command, "sh", "-c", hangs], stdout=subprocess.PIPE) as wrapper:
        if wrapper.stdout is not None:
            wrapper.stdout.readline()
        wrapper.terminate()
        code = wrapper.wait(20)
    proofs.equal("a signal is passed on, and its exit code kept", code, 9)
    clean = bell.json(f"{PATH}/clean")
    proofs.check("and told, too", "exit status 9" in clean["failed"]["description"], clean)
    status = ["grep", "SigIgn", "/proc/self/status"]
    wrapped = [str(binary()), "heartbeat", "run", "--url", bell.url, "kept", "--every", "1d", "--"]
    code, text = run(["nohup", *wrapped, *status])
    is_ignored = code == 0 and int(text.split()[-1], 16) & 1 == 1
    proofs.check("a SIGHUP that is ignored stays so", is_ignored, text)


def missed(proofs: Proofs, bell: Firebell, receiver: Receiver) -> None:
    """Let one be late."""
    told = wait_for("that the declared one is told of", 30, lambda: of(receiver, "report") or None)
    labels = told[0]["alerts"][0]["labels"]
    expected = {
        "alertname": "HeartbeatMissed",
        "heartbeat": "report",
        "service": "shop",
        "severity": "critical",
    }
    proofs.equal("a job that never ran is told of", labels, expected)
    code, text = heartbeat(bell, "forget", "report", "--service", "shop")
    proofs.check("it is not forgotten", code == 1 and "remove it there" in text, text)
    beat(bell, "report", "service=shop")
    told = wait_for("that its end is told", 30, lambda: ended(receiver, "report") or None)
    proofs.equal("it ends with the first beat", told[-1]["status"], "resolved")
    beat(bell, "short", "every=1s&grace=0s")
    wait_for("that another is told of", 30, lambda: of(receiver, "short") or None)
    code, text = heartbeat(bell, "forget", "short")
    proofs.equal("one is forgotten", code, 0)
    wait_for("that its alert ends", 30, lambda: ended(receiver, "short") or None)
    code, text = heartbeat(bell, "forget", "short")
    proofs.check("once", code == 1 and "no job `short` is known" in text, text)
    wait_for("that the first is missed again", 30, lambda: is_missed(bell, "report"))


def again(proofs: Proofs, folder: Path, before: Any) -> None:
    """Go on after a kill."""
    with Firebell(folder, CONFIG) as bell:
        bell.wait_ready()
        proofs.equal("a kill forgets nothing", bell.json(PATH), before)
        code, text = heartbeat(bell, "list")
        proofs.check("not that one is missed", code == 1 and "missed  report of shop" in text, text)
        proofs.check("no panic", "panicked" not in bell.text(), bell.tail())


def beat(bell: Firebell, name: str, said: str) -> Answer:
    """Report by a form, as curl does."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return bell.ask(f"{PATH}/{name}", "POST", said.encode(), kind)


def heartbeat(bell: Firebell, what: str, *more: str) -> tuple[int, str]:
    """Run a command about heartbeats."""
    return run([binary(), "heartbeat", what, "--url", bell.url, *more])


def of(receiver: Receiver, name: str) -> list[Any]:
    """Return what was told of a job."""
    bodies = [it.body for it in receiver.arrivals()]
    return [it for it in bodies if it["groupLabels"].get("heartbeat") == name]


def is_missed(bell: Firebell, name: str) -> bool:
    """Say whether a job that is declared is missed."""
    return bool(bell.json(f"{PATH}/{name}?service=shop")["state"] == "missed")


def ended(receiver: Receiver, name: str) -> list[Any]:
    """Return the same once its last state is the end."""
    told = of(receiver, name)
    return told if told and told[-1]["status"] == "resolved" else []


def event() -> Any:
    """Return two events as the Python package sends them; the second says too little."""

    def record(**attributes: str) -> Any:
        return {
            "timeUnixNano": str(time.time_ns()),
            "eventName": "firebell.heartbeat",
            "attributes": [
                {"key": key, "value": {"stringValue": it}} for key, it in attributes.items()
            ],
        }

    good = record(name="nightly", every_s="86400.0", grace_s="1800.0", severity="error")
    records = [good, record(name="nothing")]
    service = {"key": "service.name", "value": {"stringValue": "backup"}}
    return {
        "resourceLogs": [
            {"resource": {"attributes": [service]}, "scopeLogs": [{"logRecords": records}]}
        ]
    }


if __name__ == "__main__":
    sys.exit(main())
