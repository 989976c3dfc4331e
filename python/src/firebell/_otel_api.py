"""OpenTelemetry's tracer and span over Firebell's; for `otel.install_api_provider`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.trace.status import Status, StatusCode

from . import _native

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.context import Context

_KINDS = ("internal", "server", "client", "producer", "consumer")


class Span(trace.Span):
    """One of ours, by their names. Times that are given are not taken: ours are monotonic."""

    def __init__(self, ours: _native.Span) -> None:
        self.ours = ours
        self._is_over = False
        flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if ours.sampled else 0)
        self._context = trace.SpanContext(
            int(ours.trace_id, 16), int(ours.span_id, 16), is_remote=False, trace_flags=flags
        )

    def end(self, end_time: int | None = None) -> None:  # noqa: ARG002
        """End it; again changes nothing."""
        if not self._is_over:
            self._is_over = True
            self.ours.end()

    def get_span_context(self) -> trace.SpanContext:
        """Return its ids."""
        return self._context

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set several."""
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def set_attribute(self, key: str, value: Any) -> None:
        """Set one; sequences as text."""
        is_plain = isinstance(value, (str, bool, int, float))
        self.ours.set_attribute(key, value if is_plain else str(value))

    def add_event(
        self,
        name: str,
        attributes: Mapping[str, Any] | None = None,
        timestamp: int | None = None,  # noqa: ARG002
    ) -> None:
        """Add an event, now."""
        given = {str(key): value for key, value in (attributes or {}).items()}
        self.ours.event(name, **given)

    def add_link(self, context: trace.SpanContext, attributes: Any = None) -> None:  # noqa: ARG002
        """Link to another span."""
        self.ours.link(_traceparent(context))

    def update_name(self, name: str) -> None:
        """Rename it."""
        self.ours.name = name

    def is_recording(self) -> bool:
        """Say whether it goes on."""
        return not self._is_over

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Mark a failure."""
        code = status.status_code if isinstance(status, Status) else status
        text = status.description if isinstance(status, Status) else description
        if code is StatusCode.ERROR:
            self.ours.fail(text or "error")

    def record_exception(
        self,
        exception: BaseException,
        attributes: Any = None,  # noqa: ARG002
        timestamp: int | None = None,  # noqa: ARG002
        escaped: bool = False,  # noqa: ARG002, FBT001, FBT002 - their signature.
    ) -> None:
        """Note an exception."""
        self.ours.event("exception", type=type(exception).__qualname__, message=str(exception))


class Tracer(trace.Tracer):
    """Makes spans; what is current there is current here."""

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: trace.SpanKind = trace.SpanKind.INTERNAL,
        attributes: Any = None,
        links: Any = (),
        *_: Any,
        **__: Any,
    ) -> Span:
        """Begin a span that is not current."""
        parent = trace.get_current_span(context)
        theirs = parent.get_span_context()
        above = _traceparent(theirs) if theirs.is_valid else None
        span = Span(_native.span(name, _kind(kind), None, above))
        span.set_attributes(attributes or {})
        for link in links or ():
            span.add_link(link.context)
        return span

    @contextmanager
    def start_as_current_span(self, name: str, *args: Any, **kwargs: Any) -> Iterator[Span]:  # type: ignore[override]
        """Begin a span that is current for both."""
        records = kwargs.pop("record_exception", True)
        fails = kwargs.pop("set_status_on_exception", True)
        ends = kwargs.pop("end_on_exit", True)
        span = self.start_span(name, *args, **kwargs)
        current = trace.use_span(
            span, end_on_exit=ends, record_exception=records, set_status_on_exception=fails
        )
        with span.ours if ends else _nothing(), current:
            yield span


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _kind(kind: trace.SpanKind) -> _native.Kind:
    return _KINDS[kind.value]  # type: ignore[return-value]


def _traceparent(context: trace.SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
