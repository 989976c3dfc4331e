"""The binary `firebell` that came with the package: where it is, and a server of one's own."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

START_SECONDS = 60.0
END_SECONDS = 10.0
POLL_SECONDS = 0.02
LOG_CHARS_MAX = 2_000


def path() -> str | None:
    """Return the binary of this environment, or of PATH."""
    import shutil
    import sysconfig

    own = Path(sysconfig.get_path("scripts")) / "firebell"
    return str(own) if own.is_file() else shutil.which("firebell")


class Server:
    """A Firebell with these rules alone, on a free port of this machine, until `close`.

    `step` is the interval, in seconds, of groups that have none. Raises `RuntimeError` when there
    is no binary, or it does not start: rules that cannot be read are named.
    """

    def __init__(self, rule_files: Iterable[str], rules: str | None, *, step: float) -> None:
        import json
        import tempfile

        program = path()
        if program is None:
            raise RuntimeError(
                "this installation has no binary to test with; install the wheel of your platform,"
                " or name a server: --firebell-live=http://127.0.0.1:9494"
            )
        self._folder = tempfile.TemporaryDirectory(prefix="firebell-")
        folder = Path(self._folder.name)
        files = [str(Path(file).absolute()) for file in rule_files]
        if rules is not None:
            (folder / "rules.yml").write_text(rules, encoding="utf-8")
            files.append("rules.yml")
        interval = f"{max(1, round(step * 1000))}ms"
        config = {"rule_files": files, "global": {"evaluation_interval": interval}}
        # JSON is YAML.
        (folder / "firebell.yml").write_text(json.dumps(config), encoding="utf-8")
        self._log = folder / "log"
        arguments = ["serve", "--config", "firebell.yml", "--listen", "127.0.0.1:0"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the package's own
                [program, *arguments, "--data-dir", "data"],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self.url = self._ready()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End it; what it knew is gone."""
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def _ready(self) -> str:
        limit = time.monotonic() + START_SECONDS
        while True:
            is_over = self._process.poll() is not None
            said = self._log.read_text(encoding="utf-8", errors="replace")
            ready = re.search(r"firebell is ready .*?url=(\S+?)/?\s", said)
            if ready is not None:
                return ready[1]
            if is_over or time.monotonic() > limit:
                what = "ended" if is_over else f"was not ready within {START_SECONDS:g} s"
                raise RuntimeError(f"the server {what}: {said[-LOG_CHARS_MAX:].strip()}")
            time.sleep(POLL_SECONDS)
