"""Sends one of each, or what ends its worker."""

import sys

from celery_app import add, die, fail, flaky

import firebell

if sys.argv[1:] == ["die"]:
    die.delay()
else:
    with firebell.span("sender"):
        add.delay(1, 2)
        flaky.delay()
        fail.delay("o-17")
