"""Owns the shop's state: baskets, the queue of orders, and the fault that is switched on.

One SQLite file that the web workers and the queue worker share; every call opens it anew, so no
connection crosses a thread or a fork.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY_SECONDS = 5.0

_SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS baskets (
    id INTEGER PRIMARY KEY AUTOINCREMENT
);
CREATE TABLE IF NOT EXISTS items (
    basket INTEGER NOT NULL REFERENCES baskets (id),
    product INTEGER NOT NULL,
    quantity INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS items_by_basket ON items (basket);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    basket INTEGER NOT NULL,
    ordered_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS fault (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    checkout_failure_ratio REAL NOT NULL,
    ends_at REAL NOT NULL
);
"""


@dataclass(frozen=True)
class Fault:
    """How many checkouts fail, and until when (Unix seconds)."""

    checkout_failure_ratio: float
    ends_at: float


@dataclass(frozen=True)
class Order:
    """A paid basket that waits to be packed."""

    order_id: int
    basket: int


class Store:
    """The file; any process of the shop may have one."""

    def __init__(self, path: Path) -> None:
        """Point at `path`, which `create` has to have laid out."""
        self._path = path

    @classmethod
    def from_environment(cls) -> Store:
        """Open what `SHOP_DB` names, `shop.db` by default."""
        return cls(Path(os.environ.get("SHOP_DB", "shop.db")))

    def create(self) -> None:
        """Lay the tables out, where they are not there yet."""
        with self._connection() as connection:
            connection.executescript(_SCHEMA)

    def open_basket(self) -> int:
        """Return the number of a new, empty basket."""
        with self._connection() as connection:
            return _inserted(connection.execute("INSERT INTO baskets DEFAULT VALUES"))

    def add_item(self, basket: int, product: int, quantity: int) -> bool:
        """Put a product into a basket; false when there is no such basket."""
        with self._connection() as connection:
            added = connection.execute(
                "INSERT INTO items SELECT id, ?, ? FROM baskets WHERE id = ?",
                (product, quantity, basket),
            )
            return added.rowcount == 1

    def items(self, basket: int) -> int:
        """Count the pieces in a basket."""
        with self._connection() as connection:
            found = connection.execute(
                "SELECT COALESCE(SUM(quantity), 0) FROM items WHERE basket = ?", (basket,)
            )
            return int(found.fetchone()[0])

    def place_order(self, basket: int) -> int:
        """Hand a paid basket to the queue worker."""
        with self._connection() as connection:
            connection.execute("DELETE FROM items WHERE basket = ?", (basket,))
            connection.execute("DELETE FROM baskets WHERE id = ?", (basket,))
            return _inserted(
                connection.execute(
                    "INSERT INTO orders (basket, ordered_at) VALUES (?, ?)", (basket, time.time())
                )
            )

    def oldest_order(self) -> Order | None:
        """Look at the order that has waited longest; it stays until `finish_order`."""
        with self._connection() as connection:
            row = connection.execute("SELECT id, basket FROM orders ORDER BY id LIMIT 1").fetchone()
            return None if row is None else Order(order_id=int(row[0]), basket=int(row[1]))

    def finish_order(self, order: Order) -> None:
        """Take an order off the queue. A worker that dies before this packs it twice, never not."""
        with self._connection() as connection:
            connection.execute("DELETE FROM orders WHERE id = ?", (order.order_id,))

    def n_orders(self) -> int:
        """Count the orders that wait."""
        with self._connection() as connection:
            return int(connection.execute("SELECT COUNT(*) FROM orders").fetchone()[0])

    def set_fault(self, fault: Fault) -> None:
        """Switch a fault on for every web worker at once; a ratio of 0 switches it off."""
        with self._connection() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO fault VALUES (1, ?, ?)",
                (fault.checkout_failure_ratio, fault.ends_at),
            )

    def fault(self) -> Fault:
        """Say which fault holds now; none is a ratio of 0."""
        with self._connection() as connection:
            row = connection.execute("SELECT checkout_failure_ratio, ends_at FROM fault").fetchone()
        if row is None or float(row[1]) <= time.time():
            return Fault(checkout_failure_ratio=0.0, ends_at=0.0)
        return Fault(checkout_failure_ratio=float(row[0]), ends_at=float(row[1]))

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS)
        try:
            # Only a power cut could lose an order; a demo can live with that, a disk is spared.
            connection.execute("PRAGMA synchronous = OFF")
            with connection:
                yield connection
        finally:
            connection.close()


def _inserted(cursor: sqlite3.Cursor) -> int:
    if cursor.lastrowid is None:
        raise RuntimeError("SQLite gave an inserted row no id")
    return cursor.lastrowid
