"""Shows that bad input of every kind gets a clear answer, no panic, and nothing lost."""

from __future__ import annotations

import sys

from proofs import (
    bad_config,
    bad_disk,
    bad_places,
    bad_requests,
    bad_targets,
    failing_rules,
)
from proofs.check import Proofs


def main() -> int:
    """Try it all; 0 when every answer was as it should be."""
    proofs = Proofs()
    for part in (bad_config, bad_places, bad_requests, bad_targets, bad_disk, failing_rules):
        part.show(proofs)
    return proofs.finish()


if __name__ == "__main__":
    sys.exit(main())
