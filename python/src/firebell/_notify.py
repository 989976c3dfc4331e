"""Whom an engine or an escalation tells: webhooks, Slack's or any, mail, Alertmanager, Firebell.

Only the standard library. Addresses are secrets: they are in no error and no log.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Any

    from ._event import CheckEvent, Notifier


TIMEOUT_SECONDS = 10.0
# What the app's own functions have.
SEND_SECONDS = 30.0
STANDARD_ENDPOINT = "http://127.0.0.1:9494"
TEXT_CHARS_MAX = 3_000
COLOURS = {"critical": "#a30200", "error": "#d64000", "warning": "#daa038"}


class NotDelivered(Exception):  # noqa: N818 - what happened, to whom it happened
    """A message was not taken; its text says why, and not where."""


class Built:
    """A notifier that sends in the thread that calls it."""

    keeps_alerts = False

    def __init__(self, name: str) -> None:
        self.name = name

    def send_now(self, alert: CheckEvent) -> None:
        """Tell of one alert, and wait until it is told. Raises when it is not."""
        raise NotImplementedError

    async def send(self, alert: CheckEvent, /) -> None:
        """Do what `send_now` does, in a thread."""
        import asyncio

        await asyncio.to_thread(self.send_now, alert)

    def __repr__(self) -> str:
        return f"<notifier {self.name}>"


class _Slack(Built):
    def __init__(self, url: str, name: str) -> None:
        super().__init__(name)
        self._url = _checked(url, name)

    def send_now(self, alert: CheckEvent) -> None:
        post(self._url, slack_body(alert))


class _Webhook(Built):
    def __init__(self, url: str, name: str, secret: str | None) -> None:
        super().__init__(name)
        self._url = _checked(url, name)
        self._secret = secret

    def send_now(self, alert: CheckEvent) -> None:
        post(self._url, dict(alert), secret=self._secret)


class _Alertmanager(Built):
    keeps_alerts = True

    def __init__(self, url: str, name: str, token: str | None) -> None:
        super().__init__(name)
        self._url = f"{_checked(url, name).rstrip('/')}/api/v2/alerts"
        self._token = token

    def send_now(self, alert: CheckEvent) -> None:
        labels, annotations = described(alert)
        body = {
            "labels": labels,
            "annotations": annotations,
            "startsAt": _rfc3339(alert["started_at"]),
            "endsAt": _rfc3339(_ends_at(alert)),
        }
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        post(self._url, [body], headers=headers)


class _Firebell(_Alertmanager):
    """Through the ring where `init()` has one for this server: a kill does not lose it."""

    def __init__(self, url: str, name: str, token: str | None) -> None:
        super().__init__(url, name, token)
        self._server = url.rstrip("/"), token

    def send_now(self, alert: CheckEvent) -> None:
        if _of_init() != self._server:
            super().send_now(alert)
            return
        from . import _native

        labels, annotations = described(alert)
        at, until = alert["started_at"], _ends_at(alert)
        _native.alert(labels, annotations, starts_at=at, ends_at=until)


def _of_init() -> tuple[str | None, str | None]:
    """Return server and token that `init()` was given; None where it was not called."""
    client = sys.modules.get("firebell._client")
    known: tuple[str | None, str | None] = client.destination() if client else (None, None)
    return known


class _Mail(Built):
    def __init__(self, to: str, name: str, **settings: Any) -> None:
        super().__init__(name)
        if "@" not in to:
            raise ValueError(f"{to!r} is no address such as oncall@example.org")
        self._to = to
        self._settings = settings

    def send_now(self, alert: CheckEvent) -> None:
        import smtplib
        import ssl
        from email.message import EmailMessage

        given = {key: value for key, value in self._settings.items() if value is not None}
        host, _, port = str(
            given.get("server") or os.environ.get("FIREBELL_SMTP_SERVER") or "localhost:25"
        ).partition(":")
        user = given.get("user") or os.environ.get("FIREBELL_SMTP_USER")
        password = given.get("password") or os.environ.get("FIREBELL_SMTP_PASSWORD")
        message = EmailMessage()
        message["From"] = given.get("sender") or os.environ.get("FIREBELL_SMTP_FROM") or self._to
        message["To"] = self._to
        # A line break would begin another header.
        message["Subject"] = " ".join(title(alert).split())[:200]
        message.set_content(plain(alert))
        with smtplib.SMTP(host, int(port or 25), timeout=TIMEOUT_SECONDS) as server:
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
                server.ehlo()
            elif user:
                raise NotDelivered("the mail server has no TLS, and a password is not sent without")
            if user:
                server.login(user, password or "")
            server.send_message(message)


class _Call(Built):
    def __init__(self, fn: Callable[[CheckEvent], Any], name: str) -> None:
        super().__init__(name)
        self._fn = fn

    def send_now(self, alert: CheckEvent) -> None:
        found = self._fn(alert)
        if hasattr(found, "__await__"):
            import asyncio

            from . import _pool

            future = asyncio.run_coroutine_threadsafe(_wait(found), _pool.loop())
            future.result(SEND_SECONDS)

    async def send(self, alert: CheckEvent, /) -> None:
        import inspect

        if inspect.iscoroutinefunction(self._fn):
            await self._fn(alert)
        else:
            await super().send(alert)


class _Log(Built):
    def send_now(self, alert: CheckEvent) -> None:
        import logging

        level = logging.INFO if alert["status"] == "resolved" else logging.WARNING
        logging.getLogger("firebell").log(level, "%s", title(alert))


def slack(url: str, /, *, name: str = "slack") -> Notifier:
    """Tell a Slack-shaped webhook: Slack, Mattermost, Rocket.Chat, Discord's `/slack`."""
    return _Slack(url, name)


def webhook(url: str, /, *, name: str = "webhook", secret: str | None = None) -> Notifier:
    """Post each alert as JSON.

    With a `secret` the header `X-Firebell-Signature` is `t=SECONDS,v1=HEX`, the HMAC-SHA256 of
    `SECONDS.BODY`.
    """
    return _Webhook(url, name, secret)


def alertmanager(url: str, /, *, name: str = "alertmanager", token: str | None = None) -> Notifier:
    """Post to an Alertmanager's `/api/v2/alerts`, again every minute while an alert fires."""
    return _Alertmanager(url, name, token)


def firebell(
    url: str | None = None, /, *, name: str = "firebell", token: str | None = None
) -> Notifier:
    """Tell a Firebell, as an Alertmanager is told.

    What is not given is that of `init()`; where it was not called, it is read from
    `FIREBELL_ENDPOINT` (by default http://127.0.0.1:9494) and `FIREBELL_TOKEN`.
    """
    known_url, known_token = _of_init()
    address = url or known_server()[0] or STANDARD_ENDPOINT
    known = known_token if address.rstrip("/") == known_url else None
    return _Firebell(address, name, token or known or os.environ.get("FIREBELL_TOKEN"))


def email(
    to: str,
    /,
    *,
    name: str = "email",
    server: str | None = None,
    sender: str | None = None,
    user: str | None = None,
    password: str | None = None,
) -> Notifier:
    """Send a mail by SMTP, over STARTTLS where the server has it.

    What is not given is read from `FIREBELL_SMTP_SERVER` (`host:port`, by default localhost:25),
    `FIREBELL_SMTP_FROM`, `FIREBELL_SMTP_USER` and `FIREBELL_SMTP_PASSWORD`.
    """
    return _Mail(to, name, server=server, sender=sender, user=user, password=password)


def call(
    fn: Callable[[CheckEvent], Any] | Callable[[CheckEvent], Awaitable[Any]],
    /,
    *,
    name: str | None = None,
) -> Notifier:
    """Call a function, sync or async, with the alert; raising means that it was not told."""
    return _Call(fn, name or str(getattr(fn, "__name__", "call")))


def default() -> Notifier:
    """Return whom an engine tells that was given nobody."""
    return firebell() if known_server()[0] else _Log("log")


def known_server() -> tuple[str | None, str | None]:
    """Return address and token of the Firebell that `init()` or the environment names."""
    url, token = _of_init()
    if url is None:
        url, token = os.environ.get("FIREBELL_ENDPOINT"), os.environ.get("FIREBELL_TOKEN")
    return (None, None) if url in {None, "", "off"} else (url, token)


def title(alert: Mapping[str, Any]) -> str:
    """Return an alert in one line."""
    is_over = alert.get("status") == "resolved"
    state = "RESOLVED" if is_over else f"FIRING {alert['severity']}"
    service = f" ({alert['service']})" if alert.get("service") else ""
    return f"[{state}] {alert['name']}{service}: {alert.get('message', '')}"


def plain(alert: Mapping[str, Any]) -> str:
    """Return an alert as text of several lines."""
    lines = [str(alert.get("message") or alert["name"]), ""]
    lines += [f"{name}: {value}" for name, value in _facts(alert)]
    if alert.get("exception"):
        lines += ["", str(alert["exception"].get("traceback", ""))[-TEXT_CHARS_MAX:]]
    return "\n".join(lines) + "\n"


def slack_body(alert: Mapping[str, Any]) -> dict[str, Any]:
    """Return an alert as Slack's incoming webhooks take it."""
    is_over = alert.get("status") == "resolved"
    text = _escaped(str(alert.get("message", "")))[:TEXT_CHARS_MAX]
    if alert.get("runbook"):
        text += f"\n<{alert['runbook']}|Runbook>"
    fields = [
        {"title": name, "value": _escaped(value)[:500], "short": len(value) < 40}
        for name, value in _facts(alert)
        if name != "runbook"
    ]
    attachment = {
        "color": "#2eb886" if is_over else COLOURS.get(alert["severity"], "#439fe0"),
        "fallback": _escaped(title(alert))[:TEXT_CHARS_MAX],
        "text": text,
        "fields": fields,
        "mrkdwn_in": ["text"],
        "ts": int(alert.get("ended_at") or alert.get("started_at") or time.time()),
    }
    return {"text": _escaped(title(alert))[:TEXT_CHARS_MAX], "attachments": [attachment]}


def described(alert: CheckEvent) -> tuple[dict[str, str], dict[str, str]]:
    """Return labels and annotations as Alertmanager has them."""
    import json

    given: Any = alert
    labels = {**alert.get("labels", {}), "alertname": alert["name"], "severity": alert["severity"]}
    labels.update({key: given[key] for key in ("service", "environment") if given.get(key)})
    annotations = {"summary": alert.get("message", "")[:TEXT_CHARS_MAX]}
    if alert.get("runbook"):
        annotations["runbook_url"] = alert["runbook"]
    if alert.get("exception"):
        text = str(alert["exception"].get("traceback", ""))
        annotations["description"] = text[-TEXT_CHARS_MAX:]
    if "value" in alert:
        annotations["value"] = f"{alert['value']:g}"
    for key in ("contexts", "snapshots", "deploy", "breadcrumbs", "user"):
        if given.get(key):
            annotations[key] = json.dumps(given[key], default=str)[:TEXT_CHARS_MAX]
    for key in ("release", "trace_id"):
        if given.get(key):
            annotations[key] = str(given[key])
    return labels, annotations


def _facts(alert: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [("severity", str(alert["severity"]))]
    if alert.get("value") is not None:
        found.append(("value", f"{alert['value']:g}"))
    found += [(name, str(value)) for name, value in sorted(alert.get("labels", {}).items())]
    if alert.get("runbook"):
        found.append(("runbook", str(alert["runbook"])))
    given = alert.get("contexts", {}).get("check", {})
    found += [(name, str(value)[:500]) for name, value in given.items()]
    for name in ("environment", "release", "trace_id"):
        if alert.get(name):
            found.append((name, str(alert[name])))
    deploy = alert.get("deploy")
    if deploy:
        found.append(("deploy", f"{deploy.get('version', '')} {deploy.get('age_s', 0)} s ago"))
    return found


def _ends_at(alert: CheckEvent) -> float:
    now = time.time()
    if alert["status"] == "resolved":
        return min(alert.get("ended_at") or now, now)
    return time.time() + alert.get("refresh_seconds", 300.0)


def post(
    url: str,
    body: object,
    *,
    headers: Mapping[str, str] | None = None,
    secret: str | None = None,
) -> None:
    """Post JSON. Raises `NotDelivered` for what is not 2xx; redirections lose bodies."""
    import json
    import urllib.error
    import urllib.request

    data = json.dumps(body, default=str).encode()
    sent = {"Content-Type": "application/json", "User-Agent": "firebell-python", **(headers or {})}
    if secret is not None:
        sent["X-Firebell-Signature"] = _signature(data, secret)
    request = urllib.request.Request(url, data, sent, method="POST")  # noqa: S310 - checked
    try:
        with opener().open(request, timeout=TIMEOUT_SECONDS) as answer:
            answer.read(1 << 16)
    except urllib.error.HTTPError as error:
        said = error.read(300).decode(errors="replace").strip()
        raise NotDelivered(f"it answered {error.code} {said}".strip()) from None
    except urllib.error.URLError as error:
        raise NotDelivered(f"it cannot be reached: {error.reason}") from None
    except (OSError, ValueError) as error:
        raise NotDelivered(f"it cannot be reached: {type(error).__name__}") from None


def opener() -> Any:
    """Return what opens addresses and follows no redirection."""
    import urllib.request

    class Stays(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    return urllib.request.build_opener(Stays())


def _signature(data: bytes, secret: str) -> str:
    import hashlib
    import hmac

    at = str(int(time.time()))
    code = hmac.new(secret.encode(), at.encode() + b"." + data, hashlib.sha256).hexdigest()
    return f"t={at},v1={code}"


def _checked(url: str, name: str) -> str:
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        raise ValueError(f"the address of {name} must begin with https:// or http://")
    return url


def _rfc3339(at: float) -> str:
    from datetime import datetime, timezone

    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


async def _wait(awaitable: Any) -> Any:
    return await awaitable
