"""Checks as rules: what an app defines, and what may be wrong with that is said at the definition.

A check answers `True` or a number past its bound when something is wrong; a health check has it the
other way round, which is why it has a name of its own. How answers become alerts is the native
`Check`'s business.
"""

from __future__ import annotations

from ._duration import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import Any, Literal, TypeAlias, TypeVar

    from ._duration import Duration
    from ._native import Label
    from .escalation import Policy

    Severity: TypeAlias = Literal["debug", "info", "warning", "error", "critical"]
    F = TypeVar("F", bound=Callable[..., Any])
    CheckReturn: TypeAlias = "bool | int | float | Verdict | Sequence[Verdict] | None"
    Check: TypeAlias = Callable[[], CheckReturn] | Callable[[], Awaitable[CheckReturn]]
    OnNoData: TypeAlias = Literal["ok", "alert", "keep"]
    Scope: TypeAlias = Literal["process", "host", "service"]

SEVERITIES = ("debug", "info", "warning", "error", "critical")
ON_NO_DATA = ("ok", "alert", "keep")
SCOPES = ("process", "host", "service")
LABELS_OF_FIREBELL = ("alertname", "severity", "reason")

# Those that decorators defined, by name: what an engine evaluates that was given no rules.
_defined: dict[str, AlertRule] = {}


class Verdict:
    """What a check found, where more is to be said than yes, no or a number."""

    __slots__ = ("context", "firing", "labels", "message", "severity", "value")

    def __init__(
        self,
        *,
        firing: bool,
        message: str | None = None,
        value: float | None = None,
        labels: Mapping[str, Label] | None = None,
        severity: Severity | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        if severity is not None:
            one_of("severity", severity, SEVERITIES)
        self.firing = firing
        self.message = message
        self.value = None if value is None else float(value)
        self.labels = texts(labels, "labels")
        self.severity = severity
        self.context = dict(context or {})

    def __bool__(self) -> bool:
        return self.firing

    def __repr__(self) -> str:
        said = f", message={self.message!r}" if self.message else ""
        return f"Verdict(firing={self.firing}, value={self.value}{said})"


def firing(
    message: str | None = None,
    *,
    value: float | None = None,
    labels: Mapping[str, Label] | None = None,
    severity: Severity | None = None,
    **context: Any,
) -> Verdict:
    """Say that something is wrong.

    `message` goes before the rule's. `labels` make it an alert of its own, beside others of the
    same rule. `severity` may be worse than the rule's: that breaks a cooldown. `context` goes
    along.
    """
    return Verdict(
        firing=True, message=message, value=value, labels=labels, severity=severity, context=context
    )


def ok(*, value: float | None = None, **context: Any) -> Verdict:
    """Say that nothing is wrong."""
    return Verdict(firing=False, value=value, context=context)


class AlertRule:
    """A check, and what its answers mean. Everything wrong with it raises here, when it is defined.

    `check` is called every `every`, sync or async, without arguments; it answers

    - `True`, a number past `above` or `below`, or `firing(…)`: something is wrong;
    - `False`, a number within the bounds, or `ok()`: nothing is;
    - `None`: it does not know; `on_no_data` says what that means ("keep": alerts stay as they are).

    Raising, answering anything else (a number without a bound too) and taking longer than `timeout`
    are alerts of their own, `reason="check_raised"` and `reason="check_timeout"`, at least as
    severe as `on_error`; meanwhile the alert itself stays as it is.

    `hold` is how long something has to be wrong before it fires. `clear` is where a number that was
    past its bound is well again. Within `cooldown` nobody is told of the same alert again, unless
    it got worse. `message` may name `{value}`, `{labels}` and what the verdict's context has,
    formatted as by `str.format`: `"{value:.0f} jobs wait"`.

    `expr` is PromQL in place of a check: simulations and `firebell_sim` evaluate it, an engine of
    an app does not. `scope` is among how many processes one evaluates it: each for itself
    ("process"), one of the host's ("host"), or one of the service's on all hosts, as the Firebell
    of `init()` says; where there is none, or it is away, of the host's ("service").

    Durations are seconds, `timedelta` or text such as "90s", "5m", "1h30m". Raises `ValueError` or
    `TypeError`.
    """

    __slots__ = (
        "above",
        "below",
        "check",
        "clear",
        "cooldown",
        "escalation",
        "every",
        "expr",
        "hold",
        "is_healthcheck",
        "labels",
        "message",
        "name",
        "on_error",
        "on_no_data",
        "runbook",
        "scope",
        "severity",
        "timeout",
    )

    def __init__(
        self,
        name: str,
        check: Check | None = None,
        *,
        expr: str | None = None,
        severity: Severity = "warning",
        message: str = "",
        runbook: str | None = None,
        every: Duration = 30,
        hold: Duration = 0,
        cooldown: Duration = "5m",
        above: float | None = None,
        below: float | None = None,
        clear: float | None = None,
        timeout: Duration = 10,
        on_error: Severity = "error",
        on_no_data: OnNoData = "keep",
        scope: Scope = "service",
        labels: Mapping[str, Label] | None = None,
        escalation: Policy | str | None = None,
    ) -> None:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"the name of a rule is {name!r}; it must be text, and not empty")
        if (check is None) == (expr is None):
            raise ValueError(f"rule {name!r} needs a check, or an expr: one of the two")
        if check is not None and not callable(check):
            raise TypeError(
                f"the check of rule {name!r} is {check!r}; it must be a function without arguments"
            )
        self.name = name
        self.check = check
        self.expr = expr
        self.severity: Severity = one_of("severity", severity, SEVERITIES)
        self.on_error: Severity = one_of("on_error", on_error, SEVERITIES)
        self.on_no_data: OnNoData = one_of("on_no_data", on_no_data, ON_NO_DATA)
        self.scope: Scope = one_of("scope", scope, SCOPES)
        self.message = _message(message, name)
        self.runbook = runbook
        self.every = _positive(every, "every")
        self.timeout = _positive(timeout, "timeout")
        self.hold = seconds(hold, "hold")
        self.cooldown = seconds(cooldown, "cooldown")
        self.above, self.below, self.clear = above, below, clear
        if clear is not None and above is None and below is None:
            raise ValueError(f"rule {name!r} has `clear` without `above` or `below`")
        self.labels = texts(labels, "labels")
        self.escalation = escalation
        self.is_healthcheck = False
        if check is not None:
            self.native()

    def native(self) -> Any:
        """Return a new state machine for this rule. Raises `ValueError` for wrong bounds."""
        from . import _native

        return _native.Check(
            hold=self.hold,
            cooldown=self.cooldown,
            above=self.above,
            below=self.below,
            clear=self.clear,
            on_no_data=self.on_no_data,
            severity=SEVERITIES.index(self.severity),
            error_severity=SEVERITIES.index(self.on_error),
        )

    def text(self, value: float | None, labels: Mapping[str, str], context: Any) -> str:
        """Return the message with its fields filled in; what is not known is a question mark."""
        if not self.message:
            return ""
        fields = _Fields({**context, "labels": dict(labels), "value": _UNKNOWN})
        if value is not None:
            fields["value"] = value
        try:
            return self.message.format_map(fields)
        except Exception:  # noqa: BLE001 - whatever the fields are, an alert is told.
            return self.message

    async def evaluate(self) -> Verdict | None:
        """Run the check once and say what it found; None is no data. What it raises is raised.

        Nothing is remembered and nobody told: that is what `AlertEngine` is for.
        """
        if self.check is None:
            raise TypeError(f"rule {self.name!r} is an expression; a simulation evaluates it")
        from . import _answers

        answer: Any = self.check()
        if hasattr(answer, "__await__"):
            answer = await answer
        return _answers.verdict(self, answer)

    def __repr__(self) -> str:
        return f"AlertRule({self.name!r}, severity={self.severity!r})"


def alert(
    name: str,
    /,
    *,
    severity: Severity = "warning",
    message: str = "",
    runbook: str | None = None,
    every: Duration = 30,
    hold: Duration = 0,
    cooldown: Duration = "5m",
    above: float | None = None,
    below: float | None = None,
    clear: float | None = None,
    timeout: Duration = 10,
    on_error: Severity = "error",
    on_no_data: OnNoData = "keep",
    scope: Scope = "service",
    labels: Mapping[str, Label] | None = None,
    escalation: Policy | str | None = None,
) -> Callable[[F], F]:
    """Make a rule of a function, which stays as it is. `AlertRule` says what everything means."""

    def define(function: F) -> F:
        rule = AlertRule(
            name,
            function,
            severity=severity,
            message=message,
            runbook=runbook,
            every=every,
            hold=hold,
            cooldown=cooldown,
            above=above,
            below=below,
            clear=clear,
            timeout=timeout,
            on_error=on_error,
            on_no_data=on_no_data,
            scope=scope,
            labels=labels,
            escalation=escalation,
        )
        _define(rule)
        return function

    return define


def healthcheck(
    name: str,
    /,
    *,
    severity: Severity = "critical",
    message: str = "",
    runbook: str | None = None,
    every: Duration = 15,
    hold: Duration = 0,
    cooldown: Duration = "5m",
    timeout: Duration = 5,
    scope: Scope = "service",
    labels: Mapping[str, Label] | None = None,
    escalation: Policy | str | None = None,
) -> Callable[[F], F]:
    """Make a rule of a function that is well when it returns, and not with `False` or raising."""

    def define(function: F) -> F:
        rule = AlertRule(
            name,
            function,
            severity=severity,
            message=message,
            runbook=runbook,
            every=every,
            hold=hold,
            cooldown=cooldown,
            timeout=timeout,
            scope=scope,
            labels=labels,
            escalation=escalation,
        )
        rule.is_healthcheck = True
        _define(rule)
        return function

    return define


def defined() -> list[AlertRule]:
    """Return the rules that decorators have defined in this process, in order of definition."""
    return list(_defined.values())


def _define(rule: AlertRule) -> None:
    known = _defined.get(rule.name)
    place = getattr(rule.check, "__qualname__", None), getattr(rule.check, "__module__", None)
    if known is not None:
        before = (
            getattr(known.check, "__qualname__", None),
            getattr(known.check, "__module__", None),
        )
        # A module that is loaded anew defines its own rules again.
        if before != place:
            raise ValueError(
                f"two checks are called {rule.name!r}: {before[1]}.{before[0]} and"
                f" {place[1]}.{place[0]}; alerts are told apart by that name"
            )
    _defined[rule.name] = rule


def one_of(what: str, value: Any, known: Sequence[str]) -> Any:
    """Return `value`. Raises `ValueError` unless it is known."""
    if value not in known:
        raise ValueError(f"{what} is {value!r}; it must be one of {', '.join(known)}")
    return value


def texts(labels: Mapping[str, Label] | None, what: str) -> dict[str, str]:
    """Return labels as texts. Raises for what is no mapping, and for Firebell's own names."""
    if labels is None:
        return {}
    if not hasattr(labels, "items"):
        raise TypeError(f"{what} are {labels!r}; they must be a mapping of names to values")
    found = {str(key): str(value) for key, value in labels.items()}
    own = [name for name in LABELS_OF_FIREBELL if name in found]
    if own:
        raise ValueError(f"{what} have {own[0]!r}, which Firebell sets itself")
    return found


def _positive(value: Duration, what: str) -> float:
    found = seconds(value, what)
    if found <= 0:
        raise ValueError(f"{what} is {value!r}; it must be longer than nothing")
    return found


def _message(message: str, name: str) -> str:
    import string

    if not isinstance(message, str):
        raise TypeError(f"the message of rule {name!r} is {message!r}; it must be text")
    try:
        list(string.Formatter().parse(message))
    except ValueError as error:
        raise ValueError(
            f"the message of rule {name!r} cannot be filled in: {error};"
            " a brace that is meant as one is written twice"
        ) from None
    return message


class _Unknown:
    """A value that is not known, whatever format it is shown in."""

    def __format__(self, _spec: str) -> str:
        return "?"

    def __repr__(self) -> str:
        return "?"

    def __getattr__(self, _name: str) -> _Unknown:
        return self

    def __getitem__(self, _key: object) -> _Unknown:
        return self


class _Fields(dict[str, object]):
    def __missing__(self, _key: str) -> object:
        return _UNKNOWN


_UNKNOWN = _Unknown()
