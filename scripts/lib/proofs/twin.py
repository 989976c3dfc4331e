"""Shows that the same script of posts, silences, reloads and restarts has the same webhooks.

Usage: twin [--all] [NAME…]
  --all  also the scripts that take longer than CI has time for
  NAME   only those whose name has it

Each script of `proofs/twin_scripts` runs against a real Alertmanager and `firebell alertmanager`
at the same time, with the same configuration. What their receivers get is compared: which webhooks
to whom, in which order in each group, every field of each body that older versions have too, and
when, to a tolerance. Times that no script wrote, such as an end by time-out, count as the same.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from proofs.check import NOT_CHECKED, ProofError, Proofs, wait_for
from proofs.client import ask, is_ready
from proofs.process import Process, binary, free_port
from proofs.real_prometheus import neighbour
from proofs.twin_scripts import SCRIPTS
from proofs.world import Served, answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proofs.twin_scripts.words import Alert, Script

# So many scripts at a time: two programs each, which mostly wait.
PARALLEL = 10
CI_SECONDS = 9.0
TOLERANCE_SECONDS = 1.2
STARTS_SECONDS = 20.0
JSON = {"Content-Type": "application/json"}
EXTERNAL_URL = "http://twin.example"
# Of newer Alertmanagers; the twin may be an older one.
NEWER_FIELDS = ("notification_reason", "routeLabels")


def main() -> int:
    """Show it; 77 when there is no real Alertmanager."""
    arguments = sys.argv[1:]
    names = [argument for argument in arguments if not argument.startswith("--")]
    chosen = [
        script
        for script in SCRIPTS
        if any(name in script.name for name in names)
        or (not names and ("--all" in arguments or script.seconds <= CI_SECONDS))
    ]
    try:
        real = Path(neighbour("prometheus-alertmanager"))
    except ProofError as error:
        print(f"not checked: {error}")
        return NOT_CHECKED
    proofs = Proofs()
    print(f"{len(chosen)} of {len(SCRIPTS)} scripts", flush=True)
    with ThreadPoolExecutor(PARALLEL) as pool:
        played = pool.map(lambda it: play(it, real), chosen)
        for script, first in zip(chosen, played, strict=True):
            told, difference = first, difference_of(script, first)
            if difference:
                # Each goes by the clock: where the machine stands still for half a second, one of
                # the two may be late.
                print(f"once more: {script.name}\n{difference}", flush=True)
                told = play(script, real)
                difference = difference_of(script, told)
            n_told = 0 if isinstance(told, str) else len(told[0])
            proofs.check(f"{script.name} ({n_told} webhooks)", not difference, difference)
    return proofs.finish()


@dataclass(frozen=True)
class Told:
    """A webhook that was taken."""

    after: float
    receiver: str
    body: dict[str, Any]

    @property
    def group(self) -> tuple[str, str]:
        """Whose notifications come in an order."""
        return self.receiver, str(self.body["groupKey"])


class Receiver(Served):
    """Takes webhooks, and refuses them while it is told to."""

    def __init__(self) -> None:
        """Begin to listen."""
        self.status = 200
        self.arrivals: list[tuple[float, str, dict[str, Any]]] = []
        self._lock = Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if receiver.status == 200:
                    with receiver._lock:
                        arrival = (time.time(), self.path.strip("/"), json.loads(body))
                        receiver.arrivals.append(arrival)
                answer(self, receiver.status, b"{}", "application/json")

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)


class Side:
    """One of the two, as a script sees it."""

    def __init__(self, folder: Path, program: Sequence[str | Path], script: Script) -> None:
        """Prepare it."""
        folder.mkdir()
        self.receiver = Receiver()
        self.base = 0.0
        self.silences: dict[str, str] = {}
        # Moments that the script wrote, as seconds since its begin.
        self.written = {_plain("0001-01-01T00:00:00Z"): "none"}
        self.config = folder / "alertmanager.yml"
        self.write(script.config)
        self.port = free_port()
        self.process = Process(
            [
                *program,
                f"--config.file={self.config}",
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                f"--web.external-url={EXTERNAL_URL}",
                "--cluster.listen-address=",
                "--log.level=error",
            ],
            folder / "log",
        )

    def write(self, config: dict[str, Any]) -> None:
        """Write a configuration: JSON is YAML, too."""
        text = json.dumps(config)
        self.config.write_text(text.replace("http://twin/", f"http://{self.receiver.address}/"))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process.start()
        wait_for("ready", STARTS_SECONDS, lambda: is_ready(self.port))

    def moment(self, after: float) -> str:
        """Return a moment of the script, in words of the API."""
        at = datetime.fromtimestamp(self.base + after, timezone.utc)
        text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.written[_plain(text)] = f"{after:g}"
        return text

    def post(self, *alerts: Alert) -> None:
        """Post alerts."""
        self.send("/api/v2/alerts", [alert.body(self.moment) for alert in alerts])

    def silence(self, name: str, matchers: Sequence[str], begins: float, ends: float) -> None:
        """Make a silence, or change the one of that name."""
        body = {
            "matchers": [_matcher(text) for text in matchers],
            "startsAt": self.moment(begins),
            "endsAt": self.moment(ends),
            "createdBy": "twin",
            "comment": name,
        }
        if name in self.silences:
            body["id"] = self.silences[name]
        self.silences[name] = self.send("/api/v2/silences", body)["silenceID"]

    def expire(self, name: str) -> None:
        """End a silence."""
        path = f"/api/v2/silence/{self.silences[name]}"
        done = ask(self.port, path, method="DELETE")
        if done.status != 200:
            raise ProofError(f"DELETE {path}: {done.status} {done.text()}")

    def reload(self, config: dict[str, Any]) -> None:
        """Put another configuration in force, if it is a good one."""
        self.write(config)
        self.process.send(signal.SIGHUP)

    def restart(self) -> None:
        """Stop it in order and start it again."""
        self.process.stop()
        self.start()

    def answers(self, status: int) -> None:
        """Have its receivers answer with this from now on."""
        self.receiver.status = status

    def send(self, path: str, body: object) -> Any:
        """Post JSON; anything but 200 ends the script."""
        sent = json.dumps(body).encode()
        done = ask(self.port, path, method="POST", body=sent, headers=JSON)
        if done.status != 200:
            raise ProofError(f"POST {path}: {done.status} {done.text()}")
        return done.json() if done.body else None

    def run(self, script: Script, base: float) -> list[Told]:
        """Do what the script says, each step at its time; return what was told."""
        self.base = base
        for after, act in script.steps:
            time.sleep(max(0.0, base + after - time.time()))
            act(self)
        time.sleep(max(0.0, base + script.seconds - time.time()))
        arrivals = sorted(self.receiver.arrivals, key=lambda it: it[0])
        told = [Told(at - base, receiver, body) for at, receiver, body in arrivals]
        return [_steady(it, self.written) for it in told]


def _matcher(text: str) -> dict[str, Any]:
    """Read `name=value` with any of the four operators."""
    for op, is_regex, is_equal in (
        ("!~", True, False),
        ("=~", True, True),
        ("!=", False, False),
        ("=", False, True),
    ):
        name, found, value = text.partition(op)
        if found:
            return {"name": name, "value": value, "isRegex": is_regex, "isEqual": is_equal}
    raise ProofError(f"`{text}` is no matcher")


def play(script: Script, real: Path) -> tuple[list[Told], list[Told]] | str:
    """Run a script against both; return what each told, or why it could not be run."""
    with tempfile.TemporaryDirectory(prefix="firebell-proof-") as name:
        programs: dict[str, list[str | Path]] = {"real": [real], "ours": [binary(), "alertmanager"]}
        sides = [Side(Path(name) / who, program, script) for who, program in programs.items()]
        try:
            for side in sides:
                side.start()
            # Whole seconds, so that every moment of the script has few digits.
            base = float(int(time.time()) + 1)
            with ThreadPoolExecutor(len(sides)) as pool:
                theirs, ours = pool.map(lambda side: side.run(script, base), sides)
        except ProofError as error:
            return f"{error}\n" + "\n".join(side.process.text()[-500:] for side in sides)
        finally:
            for side in sides:
                side.process.kill()
                side.receiver.__exit__()
        return theirs, ours


def _steady(told: Told, written: dict[str, str]) -> Told:
    """Leave out what differs by nature: moments that the script did not write."""
    body = {name: value for name, value in told.body.items() if name not in NEWER_FIELDS}
    for alert in body["alerts"]:
        for field in ("startsAt", "endsAt"):
            alert[field] = written.get(_plain(alert[field]), "some time")
    return Told(told.after, told.receiver, body)


def _plain(moment: str) -> str:
    """Return a moment without the zeros that one writes and the other does not."""
    whole, _, fraction = moment.rstrip("Z").partition(".")
    return f"{whole}.{fraction.rstrip('0')}"


def difference_of(script: Script, told: tuple[list[Told], list[Told]] | str) -> str:
    """Say how what both told differs; nothing when it is the same."""
    if isinstance(told, str):
        return told
    if not told[0] and not script.is_mute:
        return "nothing was told at all"
    theirs, ours = (_by_group(side) for side in told)
    late = [
        f"at {their.after:.2f} s, ours at {our.after:.2f} s"
        for group, list_ in theirs.items()
        for their, our in zip(list_, ours.get(group, []), strict=False)
        if not script.is_loose and abs(their.after - our.after) > TOLERANCE_SECONDS
    ]
    bodies = [
        {group: [it.body for it in list_] for group, list_ in side.items()}
        for side in (theirs, ours)
    ]
    if bodies[0] == bodies[1] and not late:
        return ""
    return f"{late}\n{_transcript(told[0])}\nOURS\n{_transcript(told[1])}"


def _by_group(told: list[Told]) -> dict[tuple[str, str], list[Told]]:
    groups: dict[tuple[str, str], list[Told]] = {}
    for it in told:
        groups.setdefault(it.group, []).append(it)
    return groups


def _transcript(told: list[Told]) -> str:
    return "\n".join(
        f"{it.after:6.2f} {it.receiver} {json.dumps(it.body, ensure_ascii=False)}" for it in told
    )


if __name__ == "__main__":
    sys.exit(main())
