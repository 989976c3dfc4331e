"""Owns a mail server that remembers what it was told, and behaves as it is asked to."""

from __future__ import annotations

import email
import email.policy
import socket
import ssl
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from proofs.check import wait_for
from proofs.process import free_port

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path

    from typing_extensions import Self

# What most servers ask; Alertmanager wants it so.
SMTP.AuthLoginUsernameChallenge = "Username:"
SMTP.AuthLoginPasswordChallenge = "Password:"
USER = "user"
PASSWORD = "p4ssw0rd"  # noqa: S105 it is the fake's


@dataclass
class Mail:
    """One mail that was taken."""

    at: float
    sender: str
    options: list[str]
    recipients: list[str]
    hello: str
    is_encrypted: bool
    mechanism: str
    content: bytes = field(repr=False)

    def parsed(self) -> EmailMessage:
        """Return its headers and parts."""
        return email.message_from_bytes(self.content, policy=email.policy.default)

    def bodies(self) -> dict[str, str]:
        """Return its parts, decoded, by their kind."""
        parts = self.parsed().iter_parts()
        return {part.get_content_type(): part.get_content() for part in parts}


class MailServer:
    """aiosmtpd with a certificate, logins, and recipients that it does not like."""

    def __init__(self, folder: Path, way: str, *, mechanisms: tuple[str, ...] = ()) -> None:
        """Prepare; `way` is `plain`, `starttls` or `implicit`."""
        self.mails: list[Mail] = []
        self.attempts: list[float] = []
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._mechanism = ""
        self._is_implicit = way == "implicit"
        context = None if way == "plain" else tls(folder)
        options: dict[str, Any] = {}
        if mechanisms:
            known = {"LOGIN", "PLAIN"}
            options = {
                "authenticator": self._authenticate,
                "auth_require_tls": False,
                "auth_exclude_mechanism": sorted(known - set(mechanisms)),
            }
        if way == "starttls":
            options["tls_context"] = context
        implicit: dict[str, Any] = {"ssl_context": context} if way == "implicit" else {}
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, **implicit, **options
        )

    def __enter__(self) -> Self:
        """Serve for a while."""
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._controller.stop()

    def wait(self, n_mails: int, seconds: float) -> None:
        """Wait until it has taken so many."""
        wait_for(f"{n_mails} mails", seconds, lambda: len(self.mails) >= n_mails)

    def _authenticate(
        self, _server: SMTP, _session: Any, _envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        self._mechanism = mechanism
        is_known = isinstance(data, LoginPassword) and data == LoginPassword(
            USER.encode(), PASSWORD.encode()
        )
        return AuthResult(success=is_known, handled=is_known)

    async def handle_RCPT(  # noqa: N802 aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Refuse some people, some of them only at first."""
        name = address.split("@", maxsplit=1)[0]
        if name.startswith("busy"):
            self.attempts.append(time.monotonic())
            if len(self.attempts) == 1:
                return "450 4.2.0 mailbox busy"
        if name.startswith("never"):
            self.attempts.append(time.monotonic())
            return "550 5.1.1 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Take a mail."""
        self.mails.append(
            Mail(
                at=time.monotonic(),
                sender=envelope.mail_from,
                options=sorted(envelope.mail_options),
                recipients=list(envelope.rcpt_tos),
                hello=session.host_name,
                is_encrypted=self._is_implicit or session.ssl is not None,
                mechanism=self._mechanism if session.authenticated else "",
                content=envelope.content,
            )
        )
        return "250 taken"


def tls(folder: Path) -> ssl.SSLContext:
    """Return a server's context, with a certificate that `ca.pem` in the folder vouches for."""
    key, certificate = folder / "key.pem", folder / "ca.pem"
    if not certificate.exists():
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"),
                *("ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=mail"),
                *("-addext", "subjectAltName=DNS:mail.example", "-addext"),
                *("basicConstraints=critical,CA:FALSE", "-keyout", str(key)),
                *("-out", str(certificate)),
            ],
            check=True,
            capture_output=True,
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


class Odd:
    """A server that says one thing to whoever connects, and then nothing; it counts them."""

    def __init__(self, greeting: bytes) -> None:
        """Listen."""
        self._greeting = greeting
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.n_connections = 0
        self._kept: list[socket.socket] = []
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.n_connections += 1
                self._kept.append(connection)
                connection.sendall(self._greeting)

    def __enter__(self) -> Self:
        """Serve for a while."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        for connection in [self._socket, *self._kept]:
            connection.close()
