"""The shop's workers share one fault, one queue and one set of counters."""

from __future__ import annotations

import tempfile
import time
import unittest
from pathlib import Path

from shop.payment import CardDeclinedError, Provider, ProviderError
from shop.store import Fault, Store


class Stores(unittest.TestCase):
    """Two workers with one file."""

    def setUp(self) -> None:
        """Open the same shop twice."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "shop.db"
        self.one, self.other = Store(path), Store(path)
        self.one.create()
        self.other.create()

    def test_a_fault_holds_for_every_worker_until_its_time_is_up(self) -> None:
        """And none holds before."""
        assert self.other.fault().checkout_failure_ratio == 0
        self.one.set_fault(Fault(0.2, time.time() + 60))
        assert self.other.fault().checkout_failure_ratio == 0.2
        self.one.set_fault(Fault(0.2, time.time() - 1))
        assert self.other.fault().checkout_failure_ratio == 0

    def test_an_order_waits_until_it_is_packed(self) -> None:
        """Oldest first, and a basket is ordered once."""
        baskets = [self.one.open_basket() for _ in range(2)]
        for basket in baskets:
            assert self.one.add_item(basket, 1, 2)
            assert self.one.items(basket) == 2
            self.one.place_order(basket)
            assert self.one.items(basket) == 0
        oldest = self.other.oldest_order()
        assert oldest is not None
        assert oldest.basket == baskets[0]
        assert self.other.oldest_order() == oldest
        self.other.finish_order(oldest)
        assert self.one.n_orders() == 1

    def test_no_basket_no_item(self) -> None:
        """A basket that was never opened takes nothing."""
        assert not self.one.add_item(7, 1, 1)


class Payments(unittest.TestCase):
    """What the provider does with a fault."""

    def test_the_share_that_fails_is_the_share_that_was_asked_for(self) -> None:
        """Within five standard deviations."""
        for ratio in (0.0, 0.2, 1.0):
            failed = sum(fails(Provider(ratio)) for _ in range(2000))
            assert abs(failed / 2000 - ratio) <= 5 * (ratio * (1 - ratio) / 2000) ** 0.5


def fails(provider: Provider) -> bool:
    """Charge once."""
    try:
        provider.charge()
    except ProviderError:
        return True
    except CardDeclinedError:
        return False
    return False
