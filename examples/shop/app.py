"""The shop's web side: browse, fill a basket, check out; and a switch that breaks it.

Run by uvicorn with any number of workers, see `demo`.
"""

from __future__ import annotations

import logging
import time
from typing import Annotated

from fastapi import FastAPI, Header, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field

from shop import metrics
from shop.payment import CardDeclinedError, Provider, ProviderError
from shop.store import Fault, Store

FAULT_SECONDS_MAX = 3600

log = logging.getLogger("uvicorn.error")
store = Store.from_environment()
store.create()
app = FastAPI(title="Shop")
app.add_middleware(metrics.Measure)

PRODUCTS = {1: "lantern", 2: "bucket", 3: "ladder", 4: "hose", 5: "whistle"}


class Item(BaseModel):
    """What goes into a basket."""

    model_config = ConfigDict(extra="forbid")
    product: int
    quantity: Annotated[int, Field(ge=1, le=100)] = 1


class Checkout(BaseModel):
    """Which basket is paid for."""

    model_config = ConfigDict(extra="forbid")
    basket: int


class FaultSwitch(BaseModel):
    """Which share of checkouts fails, and for how long."""

    model_config = ConfigDict(extra="forbid")
    checkout_failure_ratio: Annotated[float, Field(ge=0, le=1)]
    seconds: Annotated[float, Field(ge=0, le=FAULT_SECONDS_MAX)] = 120


@app.get("/products")
def products() -> dict[int, str]:
    """List what the shop sells."""
    return PRODUCTS


@app.get("/products/{product}")
def product_page(product: int) -> dict[str, str]:
    """Show one product."""
    return {"name": _product(product)}


@app.post("/baskets", status_code=201)
def open_basket() -> dict[str, int]:
    """Give the visitor a basket."""
    return {"basket": store.open_basket()}


@app.post("/baskets/{basket}/items", status_code=204)
def add_item(basket: int, item: Item) -> None:
    """Put a product into a basket."""
    _product(item.product)
    if not store.add_item(basket, item.product, item.quantity):
        raise HTTPException(404, f"there is no basket {basket}")


@app.post("/checkout", status_code=201)
def checkout(request: Checkout) -> dict[str, int]:
    """Charge the card and hand the order to the queue worker."""
    if store.items(request.basket) == 0:
        raise HTTPException(409, f"basket {request.basket} is empty")
    try:
        Provider(store.fault().checkout_failure_ratio).charge()
    except CardDeclinedError as error:
        metrics.CHECKOUTS.labels(metrics.DECLINED).inc()
        raise HTTPException(402, str(error)) from error
    except ProviderError as error:
        metrics.CHECKOUTS.labels(metrics.FAILED).inc()
        log.warning("checkout of basket %d failed: %s", request.basket, error)
        raise HTTPException(502, str(error)) from error
    order = store.place_order(request.basket)
    metrics.CHECKOUTS.labels(metrics.OK).inc()
    return {"order": order}


@app.post("/fault")
def switch_fault(switch: FaultSwitch) -> Fault:
    """Break the shop on purpose, in all workers; a ratio of 0 mends it."""
    fault = Fault(switch.checkout_failure_ratio, time.time() + switch.seconds)
    store.set_fault(fault)
    return fault


@app.get("/fault")
def show_fault() -> Fault:
    """Say what is broken now."""
    return store.fault()


@app.get("/healthz")
def healthz() -> dict[str, str]:
    """Answer as soon as the worker can work."""
    return {"status": "ok"}


@app.get("/metrics")
def expose(accept: Annotated[str, Header()] = "") -> Response:
    """Metrics of all workers, from whichever was asked."""
    body, content_type = metrics.exposition(accept)
    return Response(body, headers={"Content-Type": content_type})


def _product(number: int) -> str:
    if number not in PRODUCTS:
        raise HTTPException(404, f"there is no product {number}")
    return PRODUCTS[number]
