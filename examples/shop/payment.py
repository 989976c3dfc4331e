"""Owns the payment provider, as far as the shop sees one: it takes, declines, or fails."""

from __future__ import annotations

import random
from dataclasses import dataclass

DECLINED_RATIO = 0.02
"""Cards that are refused on any day: the customer's matter, not a failure of the shop."""


class CardDeclinedError(Exception):
    """The card was refused."""


class ProviderError(Exception):
    """The provider did not answer as it should."""


@dataclass(frozen=True)
class Provider:
    """A provider that fails as often as it is told to."""

    failure_ratio: float

    def charge(self) -> None:
        """Take the money, or raise."""
        if random.random() < self.failure_ratio:
            raise ProviderError("the payment provider closed the connection")
        if random.random() < DECLINED_RATIO:
            raise CardDeclinedError("the card was declined")
