"""What a check answered, as the native state machine takes it."""

from __future__ import annotations

from ._rules import SEVERITIES, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ._rules import AlertRule

VERDICTS_MAX = 1_000


class Text:
    """What is told of an alert besides its state."""

    __slots__ = ("context", "exception", "message", "value")

    def __init__(
        self,
        message: str,
        value: float | None = None,
        context: dict[str, Any] | None = None,
        exception: dict[str, Any] | None = None,
    ) -> None:
        self.message = message
        self.value = value
        self.context = context or {}
        self.exception = exception


class Nonsense(TypeError):  # noqa: N818 - what was answered
    """A check answered what no check can."""


def verdict(rule: AlertRule, answer: object) -> Verdict | None:
    """Return one verdict for an answer; None is no data. Raises `Nonsense`."""
    found = read(rule, answer)
    if found is None:
        return None
    if isinstance(found, float):
        return held(rule, found)
    return next((it for it in found if it.firing), found[0] if found else Verdict(firing=False))


def held(rule: AlertRule, number: float) -> Verdict:
    """Return the verdict on a number."""
    is_past = (rule.above is not None and number > rule.above) or (
        rule.below is not None and number < rule.below
    )
    return Verdict(firing=is_past, value=number)


def read(rule: AlertRule, answer: object) -> list[Verdict] | float | None:
    """Return verdicts, or a number to be held against the bounds, or None. Raises `Nonsense`."""
    if isinstance(answer, Verdict):
        return [answer]
    if isinstance(answer, (list, tuple)) and all(isinstance(it, Verdict) for it in answer):
        if len(answer) > VERDICTS_MAX:
            raise Nonsense(f"it answered {len(answer)} verdicts; {VERDICTS_MAX} is the most")
        return list(answer)
    if rule.is_healthcheck:
        return [Verdict(firing=answer is False or _plain(answer) is False)]
    if answer is None:
        return None
    answer = _plain(answer)
    # True is a number too, so that it is asked for first.
    if isinstance(answer, bool):
        return [Verdict(firing=answer)]
    if isinstance(answer, (str, bytes)) or not hasattr(answer, "__float__"):
        raise Nonsense(
            f"it answered {_shown(answer)}; a check answers True, False, a number, None, or what"
            " firing() and ok() give"
        )
    number = float(answer)
    if number != number:  # noqa: PLR0124 - so is NaN, and nothing else.
        raise Nonsense("it answered NaN, which is past no bound; None says that there is no data")
    if rule.above is None and rule.below is None:
        raise Nonsense(
            f"it answered the number {number:g}, and the rule has neither above= nor below=, so"
            " that no number could ever be wrong"
        )
    return number


def _plain(answer: Any) -> Any:
    """Take a scalar of numpy for what it is."""
    return answer.item() if getattr(answer, "ndim", None) == 0 else answer


def _shown(answer: object) -> str:
    try:
        return f"{repr(answer)[:80]} ({type(answer).__name__})"
    except Exception:  # noqa: BLE001 - its repr may raise anything.
        return type(answer).__name__


def problems(found: Sequence[Verdict]) -> list[tuple[dict[str, str], float | None, int | None]]:
    """Return what is wrong, as the native `Check` takes it."""
    return [
        (it.labels, it.value, None if it.severity is None else SEVERITIES.index(it.severity))
        for it in found
        if it.firing
    ]


def text_of(rule: AlertRule, found: Verdict) -> Text:
    """Return what is told of something that a verdict says is wrong."""
    labels = {**rule.labels, **found.labels}
    message = found.message or rule.text(found.value, labels, found.context)
    if not message:
        message = f"{rule.name} fires"
        if found.value is not None:
            message += f" at {found.value:g}"
    return Text(message, found.value, found.context)
