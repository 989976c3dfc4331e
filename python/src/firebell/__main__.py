"""`python -m firebell`: the command line that came with the package."""

import os
import sys

from ._binary import path


def main() -> None:
    """Become the binary `firebell` of this environment, or of PATH."""
    program = path()
    if program is None:
        sys.exit("firebell: this installation has no binary; install the wheel of your platform")
    os.execv(program, [program, *sys.argv[1:]])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
