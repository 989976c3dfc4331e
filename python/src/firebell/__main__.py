"""`python -m firebell`: the command line that came with the package."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path


def main() -> None:
    """Become the binary `firebell` of this environment, or of PATH."""
    own = Path(sysconfig.get_path("scripts")) / "firebell"
    program = str(own) if own.is_file() else shutil.which("firebell")
    if program is None:
        sys.exit("firebell: this installation has no binary; install the wheel of your platform")
    os.execv(program, [program, *sys.argv[1:]])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
