"""Shows receivers that are asked by forms or several times, and those of our own.

SNS and Jira are told beside a real Alertmanager; what only Firebell knows is held to what its
receivers document. Programs are run.
"""

from __future__ import annotations

import json
import re
import sys
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from proofs.check import Proofs, wait_for
from proofs.process import Firebell
from proofs.receivers import (
    TELLS_SECONDS,
    alerts,
    beside_real,
    configuration,
    firebell,
    post,
)
from proofs.world import Served, answer

if TYPE_CHECKING:
    from pathlib import Path

UPSTREAM = """
    sns_configs:
      - api_url: 'BASE/sns'
        sigv4: {region: eu-central-1, access_key: AK, secret_key: SK}
        topic_arn: 'arn:aws:sns:eu-central-1:1:ops.fifo'
        attributes: {status: '{{ .Status }}', none: ''}
    jira_configs:
      - api_url: 'BASE/jira/rest/api/2/'
        project: OPS
        issue_type: Bug
        labels: [a, '{{ .Status }}']
        resolve_transition: Done
        reopen_transition: Again
        fields: {customfield_1: {value: '{{ .Status }}'}, n: 5}
        http_config: {basic_auth: {username: u, password: p}}
"""
OWN = """
    googlechat_configs:
      - {webhook_url: 'BASE/googlechat?key=k&token=t', message: 'm {{ .Status }}'}
    ntfy_configs:
      - {url: 'BASE/ntfy', topic: ops, token: tk, title: t, message: m}
    gotify_configs:
      - {url: 'BASE/gotify', token: tok, title: t, message: m}
    matrix_configs:
      - {url: 'BASE/matrix', access_token: at, room_id: '!r:h', message: m}
    dingtalk_configs:
      - {webhook_url: 'BASE/dingtalk?access_token=a', title: t, message: m, at_all: true}
    zulip_configs:
      - {url: 'BASE/zulip', email: e@h, api_key: k, channel: ops, topic: t, message: m}
    twilio_configs:
      - {api_url: 'BASE/twilio', account_sid: AC, auth_token: at, from: '+1', to: '+2', message: m}
      - {api_url: 'BASE/twilio', account_sid: AC, auth_token: at, from: '+1', to: '+2', type: call,
         message: 'a & b'}
    exec_configs:
      - {command: 'PROGRAM', args: ['FOLDER', '{{ .Status }}; $(id)'], env: {TOKEN: t}}
"""
# By the documentation of each: path, what of the headers, and the body.
WANTED: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "/googlechat": ({}, {"text": "m firing", "thread": {"threadKey": "KEY"}}),
    "/ntfy": (
        {"authorization": "Bearer tk"},
        {"topic": "ops", "title": "t", "message": "m", "priority": 4, "tags": ["rotating_light"]},
    ),
    "/gotify/message": ({"x-gotify-key": "tok"}, {"title": "t", "message": "m", "priority": 8}),
    "/matrix/_matrix/client/v3/rooms/%21r:h/send/m.room.message/KEY": (
        {"authorization": "Bearer at"},
        {"msgtype": "m.text", "body": "m"},
    ),
    "/dingtalk": (
        {},
        {
            "msgtype": "markdown",
            "markdown": {"title": "t", "text": "m"},
            "at": {"isAtAll": True},
        },
    ),
    "/zulip/api/v1/messages": (
        {"authorization": "Basic ZUBoOms="},
        {"type": "stream", "to": "ops", "topic": "t", "content": "m"},
    ),
    "/twilio/2010-04-01/Accounts/AC/Messages.json": (
        {"authorization": "Basic QUM6YXQ="},
        {"To": "+2", "From": "+1", "Body": "m"},
    ),
    "/twilio/2010-04-01/Accounts/AC/Calls.json": (
        {"authorization": "Basic QUM6YXQ="},
        {
            "To": "+2",
            "From": "+1",
            "Twiml": '<Response><Say language="en-US" loop="2">a &amp; b</Say></Response>',
        },
    ),
}
PROGRAM = """#!{python}
import json, os, sys
told = json.load(sys.stdin)
seen = [sys.argv[2:], sorted(os.environ), os.getcwd(), told["version"], told["status"]]
with open(sys.argv[1] + "/told.json", "w") as file:
    json.dump(seen, file)
print("no", file=sys.stderr)
sys.exit(0)
"""


def main() -> int:
    """Show it."""
    proofs = Proofs()
    with proofs.scene("SNS and Jira are told what Alertmanager tells them") as folder:
        same_as_alertmanager(proofs, folder)
    with proofs.scene("what Alertmanager does not have, on the wire") as folder:
        own_kinds(proofs, folder)
    return proofs.finish()


class Api(Served):
    """Answers as SNS, Jira and all others do; remembers what it was asked."""

    def __init__(self) -> None:
        """Begin to listen."""
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        # The issue that is there, and whether it is closed.
        self.issue: dict[str, Any] | None = None
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                is_form = "form" in headers.get("content-type", "")
                body = dict(parse_qsl(raw.decode())) if is_form else json.loads(raw or b"null")
                api.requests.append((self.command, self.path, headers, body))
                status, said = api.say(self.command, urlsplit(self.path).path, body)
                answer(self, status, said.encode(), "application/json")

            do_GET = do_PUT = do_POST  # noqa: N815 http.server's names

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)

    def wait(self, n_requests: int) -> None:
        """Wait until it was asked so many times."""
        wait_for(f"{n_requests} requests", TELLS_SECONDS, lambda: len(self.requests) >= n_requests)

    def say(self, method: str, path: str, body: Any) -> tuple[int, str]:
        """Return an answer."""
        if path.startswith("/sns"):
            result = "<PublishResult><MessageId>1</MessageId></PublishResult>"
            return 200, f"<PublishResponse>{result}</PublishResponse>"
        if not path.startswith("/jira"):
            return 200, '{"errcode": 0, "event_id": "1", "result": "success"}'
        if path.endswith("/search"):
            found = [] if self.issue is None else [self.issue]
            return 200, json.dumps({"total": len(found), "issues": found})
        if path.endswith("/issue"):
            state = {"statusCategory": {"key": "new"}}
            self.issue = {"key": "OPS-1", "fields": {"status": state, **body["fields"]}}
            return 201, '{"key": "OPS-1"}'
        if method == "GET":
            return 200, '{"transitions": [{"id": "31", "name": "Done"}, {"id": "32", "name": "x"}]}'
        return 204, ""


def shown(requests: list[tuple[str, str, dict[str, str], Any]]) -> list[Any]:
    """Return what is the same whoever sends, SNS first."""
    kept = ("content-type", "authorization", "x-amz-date")
    shapes = []
    for method, path, headers, body in requests:
        of_interest = {name: headers[name] for name in kept if name in headers}
        text = json.dumps([of_interest, body], sort_keys=True)
        # A signature is as old as its second.
        text = re.sub(r"\d{8}T\d{6}Z|Signature=\w+|/\d{8}/", "TIME", text)
        # Go's AWS library signs the length of the body and attempts too.
        text = re.sub(r"SignedHeaders=[^,]*", "SignedHeaders", text)
        shapes.append([method, path, *json.loads(text)])
    return sorted(shapes, key=lambda shape: not shape[1].startswith("/sns"))


def told(api: Api, port: int) -> dict[str, list[Any]]:
    """Post what fires and then what has resolved; return what arrived."""
    phases, start = {}, time.time()
    for phase, resolved, n_requests in (("firing", False, 3), ("resolved", True, 5)):
        since = len(api.requests)
        post(port, alerts("Down", "a", "b", start=start, resolved=resolved))
        api.wait(since + n_requests)
        time.sleep(0.5)
        phases[phase] = shown(api.requests[since:])
    return phases


def same_as_alertmanager(proofs: Proofs, folder: Path) -> None:
    """Compare, request by request."""
    with Api() as ours, Api() as theirs:
        text = configuration({"all": UPSTREAM.replace("BASE", f"http://{ours.address}")}, "1s")
        with firebell(folder, text) as server:
            server.wait_ready()
            got = told(ours, server.port)
        counts = {phase: len(requests) for phase, requests in got.items()}
        proofs.equal("an issue is made and closed", counts, {"firing": 3, "resolved": 5})
        text = configuration({"all": UPSTREAM.replace("BASE", f"http://{theirs.address}")}, "1s")
        wanted = beside_real(proofs, folder, text, lambda port: told(theirs, port))
    if wanted is None:
        return
    for phase, requests in wanted.items():
        for one, other in zip(got[phase], requests, strict=False):
            proofs.equal(f"{phase}: {other[0]} {other[1]}", one, other)
        proofs.equal(f"{phase}: as many requests", len(got[phase]), len(requests))


def own_kinds(proofs: Proofs, folder: Path) -> None:
    """Hold requests to what is documented, and run a program."""
    program = folder / "page"
    program.write_text(PROGRAM.replace("{python}", sys.executable))
    program.chmod(0o755)
    with Api() as api:
        own = OWN.replace("BASE", f"http://{api.address}")
        own = own.replace("PROGRAM", str(program)).replace("FOLDER", str(folder))
        text = configuration({"all": own}, "1s")
        (folder / "am.yml").write_text(text)
        with Firebell(folder, f"exec_allowed: [{program}]\nalertmanager: am.yml\n") as server:
            server.wait_ready()
            post(server.port, alerts("Down", "a"))
            result = folder / "told.json"
            wait_for(
                "all are told",
                TELLS_SECONDS,
                lambda: len(api.requests) >= len(WANTED) and result.exists(),
            )
            time.sleep(0.3)
            failures = server.metric("alertmanager_notification_requests_failed_total")
    got = {}
    for _, path, headers, body in api.requests:
        plain = re.sub(r"[0-9a-f]{64}(-\d+)?", "KEY", urlsplit(path).path)
        got[plain] = headers, json.loads(re.sub(r"[0-9a-f]{64}", "KEY", json.dumps(body)))
    proofs.equal("everybody is told", sorted(got), sorted(WANTED))
    for path, (wanted_headers, wanted) in WANTED.items():
        headers, body = got.get(path, ({}, {}))
        kept = {name: headers.get(name) for name in wanted_headers}
        proofs.equal(f"{path}: headers", kept, wanted_headers)
        of_interest = {name: body.get(name) for name in wanted}
        if path == "/dingtalk":
            of_interest["at"] = {"isAtAll": body["at"]["isAtAll"]}
        proofs.equal(f"{path}: body", of_interest, wanted)
    queries = {urlsplit(path).path: urlsplit(path).query for _, path, _, _ in api.requests}
    wanted_query = "key=k&token=t&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
    proofs.equal("Google Chat answers in threads", queries.get("/googlechat"), wanted_query)
    args, names, here, version, status = json.loads((folder / "told.json").read_text())
    proofs.equal("an argument is one argument", args, ["firing; $(id)"])
    wanted_names = {"LANG", "PATH", "TOKEN"}
    proofs.equal("its environment is clean", set(names) - {"LC_CTYPE"}, wanted_names)
    proofs.equal("it reads the message", (here, version, status), ("/", "4", "firing"))
    proofs.equal("nothing failed", failures, 0)


if __name__ == "__main__":
    raise SystemExit(main())
