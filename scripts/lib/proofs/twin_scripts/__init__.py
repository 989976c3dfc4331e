"""The scripts of the twin test: what is configured, and what happens when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofs.twin_scripts.changing import CHANGES, FAULTS
from proofs.twin_scripts.muting import INHIBITION, SILENCES, TIMES
from proofs.twin_scripts.telling import ENDS, GROUPS, REPEATS, ROUTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proofs.twin_scripts.words import Script

SCRIPTS: Sequence[Script] = (
    *GROUPS,
    *ENDS,
    *REPEATS,
    *ROUTES,
    *SILENCES,
    *INHIBITION,
    *TIMES,
    *CHANGES,
    *FAULTS,
)
