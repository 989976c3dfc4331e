"""Shows what mail is sent on the wire, beside a real Alertmanager, and what becomes of bad servers.

Both programs get the same alertmanager.yml and the same alerts, and hand their mail to aiosmtpd:
envelope, headers and decoded bodies have to be equal but for who sends them.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from typing import TYPE_CHECKING, Any

from proofs.check import ProofError, Proofs
from proofs.process import binary
from proofs.receivers import alerts, beside_real, configuration, firebell, post

if TYPE_CHECKING:
    from pathlib import Path

    from proofs.mail_server import Mail, MailServer

TELLS_SECONDS = 25.0
# Who is told, and how; what is to be equal.
MAILS = """
    email_configs:
      - {to: plain@example.org, send_resolved: true}
      - to: 'Ops Ä <ops@example.org>, "a, b" <{{ .GroupLabels.alertname }}@example.org>'
        from: 'Bell <bell@example.org>'
        hello: me.example
        send_resolved: true
        headers:
          subject: '{{ .Status }} é {{ .CommonAnnotations.summary }}{{ "\\r\\n" }}Bcc: x@y'
          Content-Language: de
          X-Long: '{{ range .Alerts }}ünï {{ .Labels.instance }} {{ end }}'
        html: '<a href="{{ .ExternalURL }}?q={{ .Receiver | urlquery }}">{{ .Status }}</a>'
        text: "{{ range .Alerts }}. {{ .Annotations.summary }} \\n{{ end }}é=\\t"
        threading: {enabled: true, thread_by_date: daily}
      - to: none@example.org
        send_resolved: true
        html: ''
        text: 'x'
        threading: {enabled: true, thread_by_date: none}
"""
N_MAILS = 3


def main() -> int:
    """Show it."""
    proofs = Proofs()
    try:
        from proofs import mail_server  # noqa: F401, PLC0415 it may be missing
    except ImportError as error:
        proofs.skip("mail", f"{error}: `make .venv/checks` installs it")
        return proofs.finish()
    with proofs.scene("mail is what Alertmanager sends") as folder:
        same_as_alertmanager(proofs, folder)
    with proofs.scene("mail by every way to a server, as a test") as folder:
        ways(proofs, folder)
    with proofs.scene("servers that refuse at first") as folder:
        refusals(proofs, folder)
    return proofs.finish()


def config(server: MailServer | None, receivers: str, **smtp: object) -> str:
    """Return an alertmanager.yml whose mail goes to a server."""
    given = {"smtp_from": "alerts@example.org", **smtp}
    if server is not None:
        given["smtp_smarthost"] = server.address
    shared = "".join(f"  {name}: {json.dumps(value)}\n" for name, value in given.items())
    return f"global:\n{shared}" + configuration({"all": receivers}, "1s")


def shape(mail: Mail) -> dict[str, Any]:
    """Return what is the same whoever sends."""
    parsed = mail.parsed()
    raw = {name: re.sub(r"\s+", " ", str(value)) for name, value in parsed.raw_items()}
    boundary = parsed.get_boundary()
    raw["Content-Type"] = raw["Content-Type"].replace(str(boundary), "BOUNDARY")
    raw["Date"] = re.sub(r"\d+", "1", raw["Date"])[-6:]
    raw["Message-Id"] = re.sub(r"[0-9a-f]+\.[0-9a-f]+@", "ID@", raw["Message-Id"])
    bodies = mail.bodies()
    if "<!DOCTYPE" in bodies.get("text/html", ""):
        bodies["text/html"] = words(bodies["text/html"])
    return {
        "from": mail.sender,
        "options": mail.options,
        "to": mail.recipients,
        "hello": mail.hello,
        "headers": raw,
        "bodies": bodies,
    }


def words(html: str) -> str:
    """Return what a page says, and where its links lead."""
    html = re.sub(r"(?s)<(head|style).*?</\1>|<!--.*?-->", " ", html)
    html = re.sub(r"""<a [^>]*href=["']([^"']*)["'][^>]*>""", r" (\1) ", html)
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def same_as_alertmanager(proofs: Proofs, folder: Path) -> None:
    """Compare, mail by mail."""
    from proofs.mail_server import MailServer  # noqa: PLC0415 it may be missing

    with MailServer(folder, "plain") as ours, MailServer(folder, "plain") as theirs:
        with firebell(folder, config(ours, MAILS, smtp_require_tls=False)) as server:
            server.wait_ready()
            got = told(ours, server.port)
        proofs.equal("every mail goes out", len(got), 2 * N_MAILS)
        text = config(theirs, MAILS, smtp_require_tls=False)
        wanted = beside_real(proofs, folder, text, lambda port: told(theirs, port))
    if wanted is None:
        return
    for one, other in zip(got, wanted, strict=True):
        for part, value in other.items():
            proofs.equal(f"{other['to'][0]}: {part}", one[part], value)


def told(server: MailServer, port: int) -> list[dict[str, Any]]:
    """Post what fires and then what has resolved; return what arrived."""
    start, shapes = time.time(), []
    for resolved in (False, True):
        since = len(server.mails)
        post(port, alerts("Down", "a", "b", start=start, resolved=resolved))
        server.wait(since + N_MAILS, TELLS_SECONDS)
        arrived = sorted(server.mails[since:], key=lambda mail: mail.recipients)
        shapes += [shape(mail) for mail in arrived]
    return shapes


def tries(folder: Path, text: str) -> dict[str, Any]:
    """Return what `firebell notify test` says of the first integration."""
    file = folder / "try.yml"
    file.write_text(text)
    command = [str(binary()), "notify", "test", "all", "--config", str(file), "--json"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if not run.stdout:
        raise ProofError(run.stderr)
    shown: dict[str, Any] = json.loads(run.stdout)[0]
    return {**shown, "code": run.returncode, "text": run.stdout + run.stderr}


def ways(proofs: Proofs, folder: Path) -> None:
    """Send a sample by every way to encrypt and to log in, and to servers that are odd."""
    from proofs.mail_server import PASSWORD, USER, MailServer, Odd, tls  # noqa: PLC0415

    tls(folder)
    mail = "    email_configs: [{to: a@example.org}]\n"
    ca, named = str(folder / "ca.pem"), {"server_name": "mail.example"}
    login = {"smtp_auth_username": USER, "smtp_auth_password": PASSWORD}
    for way, mechanisms, smtp, wanted in (
        ("starttls", (), {"smtp_tls_config": {"ca_file": ca, **named}}, ""),
        ("implicit", (), {"smtp_tls_config": {"ca_file": ca, **named}}, ""),
        ("starttls", ("LOGIN",), {"smtp_tls_config": {"insecure_skip_verify": True}, **login}, ""),
        ("plain", ("PLAIN",), {"smtp_require_tls": False, **login}, ""),
        ("starttls", (), {"smtp_tls_config": {"ca_file": ca}}, "not valid for name"),
        ("starttls", (), {}, "certificate"),
        ("plain", (), {}, "does not advertise the STARTTLS extension"),
        (
            "plain",
            ("PLAIN",),
            {"smtp_require_tls": False, **login, "smtp_auth_password": "wr0ng-one"},
            "Plain auth: 535",
        ),
    ):
        with MailServer(folder, way, mechanisms=mechanisms) as server:
            implicit = {"smtp_force_implicit_tls": True} if way == "implicit" else {}
            got = tries(folder, config(server, mail, **smtp, **implicit))
            told = (got["delivered"], got["code"], len(server.mails))
            what = f"{way}, {'/'.join(mechanisms) or 'no login'}: {wanted or 'taken'}"
            proofs.check(what, wanted in got["error"] and bool(wanted) != told[0], got)
            proofs.check("no secret is printed", "wr0ng" not in got["text"], got["text"])
            if not wanted:
                arrived = server.mails[0]
                proofs.equal("it is encrypted", arrived.is_encrypted, way != "plain")
                proofs.equal("by that login", arrived.mechanism, "".join(mechanisms))
    for greeting, wanted in (
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "this is no reply of SMTP"),
        (b"554 go away\r\n", "554 go away"),
        (b"220 " + b"x" * 5000 + b"\r\n", "this is no reply of SMTP"),
        (b"", "no answer in time"),
    ):
        with Odd(greeting) as odd:
            got = tries(folder, config(None, mail, smtp_smarthost=odd.address))
            proofs.check(f"{greeting[:20]!r}: {wanted}", wanted in got["error"], got)
            proofs.equal("it would be tried again", (got["retryable"], got["code"]), (True, 1))


def refusals(proofs: Proofs, folder: Path) -> None:
    """Let a server refuse a recipient at first."""
    from proofs.mail_server import MailServer  # noqa: PLC0415 it may be missing

    with MailServer(folder, "plain") as server:
        mail = "    email_configs: [{to: 'a@example.org, busy@example.org'}]\n"
        with firebell(folder, config(server, mail, smtp_require_tls=False)) as bell:
            bell.wait_ready()
            post(bell.port, alerts("Down", "a"))
            server.wait(1, TELLS_SECONDS)
            time.sleep(0.3)
            failures = bell.metric("alertmanager_notification_requests_failed_total")
        proofs.equal("it is tried again", len(server.attempts), 2)
        proofs.equal("one mail", len(server.mails), 1)
        proofs.check("the failure is counted", failures >= 1, failures)


if __name__ == "__main__":
    raise SystemExit(main())
