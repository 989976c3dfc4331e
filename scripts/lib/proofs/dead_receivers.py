"""Shows that receivers which cannot be told are told of, each with its cause, another way.

One alert goes to receivers that fail in every way there is; a backup hears of each of them, over a
kill too, and that it is over once one takes its message.
"""

from __future__ import annotations

import socket
import sys
import time
from signal import SIGTERM
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from proofs.check import ProofError, Proofs, wait_for
from proofs.process import Firebell, binary, free_port, run
from proofs.world import Receiver

if TYPE_CHECKING:
    from pathlib import Path

TELLS_SECONDS = 60.0
# So many messages of an integration may be under way.
TURNS = 16
ALERT = "FirebellNotificationsFailing"
# Of each way to fail a part of what people are told.
CAUSES = {
    "refused": "connection refused",
    "failing": "status code 500",
    "limited": "status code 429",
    "unwilling": "status code 400",
    "garbage": "invalid HTTP",
    "silent": "no answer in time",
    "nameless": "dns error",
    "plain": "InvalidContentType",
}

CONFIG = """\
delivery_alert: {after: 2s, receiver: backup, labels: {severity: page}}
alertmanager: alertmanager.yml
"""


class Odd:
    """Answers connections with bytes that are no HTTP, or with nothing."""

    def __init__(self, said: bytes | None) -> None:
        """Listen; `None` keeps silent."""
        self._said = said
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._held: list[socket.socket] = []
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._said is None:
                self._held.append(connection)
            else:
                with connection:
                    connection.recv(65536)
                    connection.sendall(self._said)

    def close(self) -> None:
        """Let go of everything."""
        self._listener.close()
        for connection in self._held:
            connection.close()


def main() -> int:
    """Run it; 0 when everything held."""
    proofs = Proofs()
    with proofs.scene("receivers that cannot be told, each in its way") as folder:
        garbage, silent = Odd(b"\x00\x01 not HTTP\r\n\r\n"), Odd(None)
        try:
            play(proofs, folder, garbage.port, silent.port)
        finally:
            garbage.close()
            silent.close()
    with proofs.scene("a receiver that takes its time while firebell is told to stop") as folder:
        stopping(proofs, folder)
    with proofs.scene("firebell is told to stop while more waits than may be told") as folder:
        draining(proofs, folder)
    return proofs.finish()


def stopping(proofs: Proofs, folder: Path) -> None:
    """Stop it between a message and its answer: what is answered is not told again."""
    with Receiver() as receiver:
        receiver.plan = lambda _: (200, 2.0)
        urls = {"slow": f"http://{receiver.address}/slow"}
        text = alertmanager(urls, f"http://{receiver.address}/backup")
        (folder / "alertmanager.yml").write_text(text.replace("timeout: 1s", "timeout: 9s"))
        with Firebell(folder, CONFIG) as server:
            server.wait_ready()
            post(server)
            wait_for("it is told", TELLS_SECONDS, lambda: receiver.count("slow", "firing"))
            code = server.stop()
            proofs.equal("it ends well", code, 0)
            server.start()
            server.wait_ready()
            time.sleep(3)
            proofs.equal("it is told once", receiver.count("slow", "firing"), 1)


def draining(proofs: Proofs, folder: Path) -> None:
    """Stop it while all turns are taken: these end, nothing begins, and the rest is told later."""
    begun: list[str] = []
    held, n_alerts = Event(), TURNS + 4

    def plan(integration: str) -> tuple[int, float]:
        begun.append(integration)
        held.wait(TELLS_SECONDS)
        return 200, 0.0

    with Receiver() as receiver:
        receiver.plan = plan
        urls = {name: f"http://{receiver.address}/{name}" for name in ("slow", "late")}
        text = alertmanager(urls, f"http://{receiver.address}/backup").replace("1s", "9s")
        late = "{receiver: late, matchers: [alertname=Fire], continue: true"
        text = text.replace(late, late.replace("Fire", "Late") + ", group_wait: 1s")
        (folder / "alertmanager.yml").write_text(text)
        with Firebell(folder, CONFIG) as server:
            server.wait_ready()
            for nth in range(n_alerts):
                post(server, nth=nth)
            wait_for("all turns are taken", TELLS_SECONDS, lambda: len(begun) >= TURNS)
            post(server, "Late")
            server.send(SIGTERM)
            wait_for("it stops", TELLS_SECONDS, lambda: "stopping" in server.text())
            # The wait of the late one is over meanwhile.
            time.sleep(1.5)
            held.set()
            proofs.equal("it ends well", server.exit_code(), 0)
            proofs.equal("nothing begins that waits or is due", begun, ["slow"] * TURNS)
            ended = named(receiver)
            proofs.equal("what was under way ends", len(ended), TURNS)
            server.start()
            server.wait_ready()
            wanted = sorted([f"slow Fire {nth}" for nth in range(n_alerts)] + ["late Late 0"])
            wait_for("the rest is told", TELLS_SECONDS, lambda: len(named(receiver)) >= len(wanted))
            time.sleep(1)
            proofs.equal("after a start the rest is told, and each once", named(receiver), wanted)


def named(receiver: Receiver) -> list[str]:
    """Return who was told of which alerts."""
    return sorted(
        f"{arrival.integration} {alert['labels']['alertname']} {alert['labels']['nth']}"
        for arrival in receiver.arrivals()
        for alert in arrival.body["alerts"]
    )


def play(proofs: Proofs, folder: Path, garbage: int, silent: int) -> None:
    """Have all fail, then one recover."""
    status = {"failing": 500, "limited": 429, "unwilling": 400}
    with Receiver() as receiver:
        receiver.plan = lambda integration: (status.get(integration, 200), 0.0)
        base = f"http://{receiver.address}"
        urls = {
            "refused": f"http://127.0.0.1:{free_port()}/",
            **{name: f"{base}/{name}" for name in status},
            "garbage": f"http://127.0.0.1:{garbage}/",
            "silent": f"http://127.0.0.1:{silent}/",
            "nameless": "http://nowhere.invalid/",
            "plain": f"https://{receiver.address}/plain",
        }
        (folder / "alertmanager.yml").write_text(alertmanager(urls, f"{base}/backup"))
        with Firebell(folder, CONFIG) as server:
            server.wait_ready()
            post(server)
            failed = wait_for(
                "the backup heard of all", TELLS_SECONDS, lambda: heard(receiver, "firing", urls)
            )
            for name, cause in CAUSES.items():
                said = failed[name]["annotations"]["description"]
                proofs.check(f"{name}: why", cause.lower() in said.lower(), said)
            summary = failed["failing"]["annotations"]["summary"]
            proofs.check("since when", "webhook[0]) fail since 2" in summary, summary)
            labels = failed["failing"]["labels"]
            proofs.equal(
                "its labels", (labels["integration"], labels["severity"]), ("webhook[0]", "page")
            )
            proofs.check(
                "metrics count the attempts",
                server.metric("alertmanager_notification_requests_failed_total") >= len(CAUSES),
            )
            _, told = run([binary(), "explain", "alert", "Fire", "--url", server.url])
            untold = [name for name, cause in CAUSES.items() if cause.lower() not in told.lower()]
            proofs.check("`firebell explain` says why of each", not untold, f"{untold}: {told}")
            server.kill()
            server.start()
            server.wait_ready()
            del status["failing"]
            wait_for(
                "the backup heard of the end",
                TELLS_SECONDS,
                lambda: heard(receiver, "resolved", ["failing"]),
            )
            proofs.check("and of the end of one that recovered, over a kill", holds=True)
            proofs.check("of no other", not heard(receiver, "resolved", ["limited"]))


def alertmanager(urls: dict[str, str], backup: str) -> str:
    """Return an alertmanager.yml by which all hear of the alert, and one of what failed."""
    routes = "".join(
        f"    - {{receiver: {name}, matchers: [alertname=Fire], continue: true}}\n" for name in urls
    )
    receivers = "".join(
        f"  - name: {name}\n    webhook_configs: [{{url: '{url}', timeout: 1s}}]\n"
        for name, url in {**urls, "backup": backup}.items()
    )
    return f"""\
route:
  receiver: none
  group_by: ['...']
  group_wait: 100ms
  group_interval: 1s
  routes:
{routes}receivers:
  - name: none
{receivers}"""


def post(server: Firebell, name: str = "Fire", nth: int = 0) -> None:
    """Have one alert fire for long."""
    moment = "%Y-%m-%dT%H:%M:%SZ"
    starts_at, ends_at = (time.strftime(moment, time.gmtime(time.time() + s)) for s in (0, 3600))
    times = f'"startsAt": "{starts_at}", "endsAt": "{ends_at}"'
    body = f'[{{"labels": {{"alertname": "{name}", "nth": "{nth}"}}, {times}}}]'
    answer = server.ask(
        "/api/v2/alerts", "POST", body.encode(), {"Content-Type": "application/json"}
    )
    if answer.status != 200:
        raise ProofError(f"{answer.status} {answer.text()}")


def heard(receiver: Receiver, status: str, names: Any) -> dict[str, Any] | None:
    """Return the alerts about these receivers, once the backup was told of all of them."""
    alerts: dict[str, Any] = {}
    for arrival in receiver.arrivals():
        if arrival.integration == "backup":
            for alert in arrival.body["alerts"]:
                if (alert["labels"]["alertname"], alert["status"]) == (ALERT, status):
                    alerts[alert["labels"]["receiver"]] = alert
    return alerts if all(name in alerts for name in names) else None


if __name__ == "__main__":
    sys.exit(main())
