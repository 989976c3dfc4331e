"""Which package is tested."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import firebell


@pytest.mark.skipif("TESTS" not in os.environ, reason="not from a wheel: see scripts/test-wheel")
def test_it_is_the_one_of_the_wheel() -> None:
    assert Path(firebell.__file__).is_relative_to(sys.prefix)
