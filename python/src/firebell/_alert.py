"""An event as an alert of Alertmanager's API: labels say which one it is, annotations the rest."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._event import Event

BREADCRUMBS_TOLD = 10
TEXT_CHARS_MAX = 8_000

_AS_THEY_ARE = ("trace_id", "span_id", "release", "before_send_failed")


def of_event(event: Event) -> tuple[dict[str, str], dict[str, str]]:
    """Return labels and annotations."""
    is_exception = event["kind"] == "exception"
    labels = {
        "alertname": "Exception" if is_exception else event["name"],
        "severity": event["severity"],
        **event.get("labels", {}),
    }
    for key in ("service", "environment"):
        value = event.get(key)
        if value:
            labels[key] = str(value)
    return labels, _annotations(event)


def _annotations(event: Event) -> dict[str, str]:
    found = {"summary": _summary(event), "event_id": event["id"]}
    plain: dict[str, Any] = dict(event)
    exception = event.get("exception")
    if exception:
        # The end of a traceback is where it was raised.
        found["description"] = str(exception.get("traceback", ""))[-TEXT_CHARS_MAX:]
    elif event.get("message"):
        found["description"] = event["message"][:TEXT_CHARS_MAX]
    given = (("runbook_url", "runbook"), *((key, key) for key in _AS_THEY_ARE))
    found.update({name: str(plain[key]) for name, key in given if plain.get(key)})
    found.update({key: str(value) for key, value in event.get("request", {}).items()})
    suppressed = event.get("suppressed")
    if suppressed:
        found["suppressed"] = f"{suppressed} more like this since the last one"
    crumbs = event.get("breadcrumbs")
    if crumbs:
        found["breadcrumbs"] = _json(crumbs[-BREADCRUMBS_TOLD:])
    for key in ("user", "tags", "contexts", "snapshots", "deploy"):
        value = event.get(key)
        if value:
            found[key] = _json(value)
    return found


def _summary(event: Event) -> str:
    exception = event.get("exception")
    if exception:
        return f"{exception['type']} in {exception['where']}: {event['message']}"[:500]
    return (event.get("message") or event["name"])[:500]


def _json(value: object) -> str:
    import json

    return json.dumps(value, default=str, ensure_ascii=False)[:TEXT_CHARS_MAX]
