"""Shows the tools of a data folder: import, inspect, verify, repair, export, deletes, snapshots."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from proofs.check import ROOT, Proofs, wait_for
from proofs.process import Firebell, binary, run

if TYPE_CHECKING:
    from pathlib import Path

N_SERIES = 6
N_SAMPLES = 4000
# Not so long ago that a server's retention takes it.
BEGINS_AT = int(time.time()) - 15 * N_SAMPLES
# Enough that the import is still at it when it is killed, and little enough to be quick.
N_SERIES_KILLED = 300
N_SAMPLES_KILLED = 1000
ODD = f'odd{{text="a\\"b\\\\c\\nd\te\x01f ü"}} 1.5 {BEGINS_AT}.000'
BLOCK = ROOT / "crates" / "import" / "tests" / "blocks" / "scraped"
ADMIN = "/api/v1/admin/tsdb"


class FirebellWithAdmin(Firebell):
    """A server that has been asked for the admin API."""

    def __init__(self, folder: Path, data: Path) -> None:
        """Prepare it."""
        super().__init__(folder, data=data)
        self.command = [*self.command, "--web.enable-admin-api"]


def main() -> int:
    """Show it all."""
    proofs = Proofs()
    scenes = {
        "inspect, verify, export and import again": whole,
        "a damaged byte is found, and the rest repaired": damaged,
        "a repair that is killed or has no room loses nothing": repaired,
        "an import that is killed goes on": killed,
        "a folder in use": in_use,
        "deletes and snapshots": deleted,
    }
    for title, scene in scenes.items():
        with proofs.scene(title) as folder:
            scene(proofs, folder)
    return proofs.finish()


def text_of(n_series: int, n_samples: int) -> str:
    """Return history as OpenMetrics text."""
    lines = [
        f'work_total{{lane="{lane}"}} {lane * 1000 + n} {BEGINS_AT + 15 * n}.000'
        for lane in range(n_series)
        for n in range(n_samples)
    ]
    return "\n".join(["# TYPE work counter", *lines, ODD, "# EOF", ""])


def tool(*words: str | Path) -> tuple[int, str]:
    """Run the binary."""
    return run([binary(), *words], 30)


def filled(folder: Path) -> Path:
    """Return a data folder with history."""
    text = folder / "history.om"
    text.write_text(text_of(N_SERIES, N_SAMPLES))
    code, said = tool("import", text, "--data", folder / "data")
    if code != 0:
        raise ValueError(f"import: {code} {said}")
    return folder / "data"


def exported(data: Path) -> list[str]:
    """Return the lines of an export, without what it says of itself."""
    done = subprocess.run(
        [binary(), "store", "export", "--data", data], capture_output=True, check=False
    )
    # Not `splitlines`, which knows more ends of lines than OpenMetrics.
    return done.stdout.decode().split("\n")


def samples_of(lines: list[str]) -> list[str]:
    """Return the lines that are samples."""
    return [line for line in lines if line and line[0] != "#"]


def files(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def whole(proofs: Proofs, folder: Path) -> None:
    """Let a store tell what it has, and come back from its text."""
    data = filled(folder)
    before = files(data)
    n = N_SERIES * N_SAMPLES + 1
    code, said = tool("store", "inspect", "--data", data)
    words = [" ".join(line.split()) for line in said.splitlines()]
    for line in (f"series {N_SERIES + 1}", f"samples {n}", "damage 0", f"{N_SERIES} work_total"):
        proofs.check(f"inspect says `{line}`", code == 0 and line in words, said)
    code, said = tool("store", "verify", "--data", data)
    proofs.check("verify finds nothing", code == 0 and "0 damaged" in said, (code, said))
    proofs.check("neither changes a byte", files(data) == before)
    lines = exported(data)
    proofs.equal("all samples are exported", len(samples_of(lines)), n)
    (folder / "again.om").write_text("\n".join(lines))
    code, said = tool("import", folder / "again.om", "--data", folder / "fresh")
    proofs.check("the export is imported", code == 0 and f"{n} samples imported" in said, said)
    proofs.equal("and is the same", exported(folder / "fresh") == lines, wanted=True)
    code, said = tool("import", "tsdb", BLOCK, "--data", folder / "block")
    proofs.check("a block of Prometheus is imported", code == 0, (code, said))
    code, said = tool("store", "verify", "--data", folder / "block")
    proofs.check("with its histograms, whole", code == 0, (code, said))
    code, said = tool("store", "export", "--data", folder / "block")
    proofs.check("an export says what it leaves out", "native histograms are left out" in said)
    code, said = tool("import", "tsdb", BLOCK, "--data", folder / "block")
    proofs.check("a second time changes nothing", "0 samples imported" in said, said)
    whole_of(proofs, folder / "block", folder)


def whole_of(proofs: Proofs, data: Path, folder: Path) -> None:
    """Export a store with native histograms whole, import that, and export it again."""
    export = ("store", "export", "--format", "firebell", "--data")
    files = [folder / "first.export", folder / "second.export"]
    for path, source in zip(files, (data, folder / "whole"), strict=True):
        with path.open("wb") as out:
            done = subprocess.run([binary(), *export, source], stdout=out, check=False)
        proofs.equal("an export of all there is", done.returncode, 0)
        if path == files[0]:
            code, said = tool("import", path, "--data", folder / "whole")
            proofs.check("is imported", code == 0 and " 0 left out" in said, said)
    first, second = (path.read_bytes() for path in files)
    proofs.check("and is the same to the byte", first == second, (len(first), len(second)))


def damaged(proofs: Proofs, folder: Path) -> None:
    """Damage one byte."""
    data = filled(folder)
    lines = set(exported(data))
    chunks = max((data / "chunks").glob("????????"), key=lambda path: path.stat().st_size)
    content = bytearray(chunks.read_bytes())
    content[len(content) // 2] ^= 0x10
    chunks.write_bytes(content)
    code, said = tool("store", "verify", "--data", data)
    named = f"`chunks/{chunks.name}` is damaged at byte "
    proofs.check("verify names file and byte", code == 1 and named in said, (code, said))
    code, said = tool("store", "repair", "--data", data)
    proofs.check("repair names what is lost", code == 0 and "1 parts lost" in said, (code, said))
    kept = set(exported(data))
    proofs.check("nothing comes up that was not there", kept <= lines, sorted(kept - lines)[:5])
    share = len(kept) / len(lines)
    proofs.check("most is kept", 0.5 < share < 1, share)
    moved = data / "damaged-1" / "chunks" / chunks.name
    proofs.check("the old file is aside", moved.read_bytes() == bytes(content))
    code, said = tool("store", "verify", "--data", data)
    proofs.check("the new store is whole", code == 0, (code, said))
    code, said = tool("import", folder / "history.om", "--again", "--data", data)
    proofs.check("`import --again` brings the rest", set(exported(data)) == lines, said)


def repaired(proofs: Proofs, folder: Path) -> None:
    """Let a repair have no room, and kill it at several moments."""
    data = folder / "data"
    text = folder / "history.om"
    text.write_text(text_of(N_SERIES_KILLED, N_SAMPLES_KILLED))
    code, said = tool("import", text, "--data", data)
    proofs.check("there is a store", code == 0, (code, said))
    lines = exported(data)
    before = files(data)
    command = [str(binary()), "store", "repair", "--data", str(data)]
    room = max(len(content) for content in before.values()) // 2
    done = subprocess.run(
        [shutil.which("prlimit") or "prlimit", f"--fsize={room}", *command],
        capture_output=True,
        text=True,
        check=False,
        # Too large a file is an error then, as a full disk is, and no signal.
        restore_signals=False,
    )
    proofs.check("no room is an error", done.returncode != 0, done.stdout)
    after = files(data)
    for one in (before, after):
        one.pop("LOCK", None)
    proofs.check("and changes nothing", after == before, sorted(after.keys() ^ before.keys()))
    for milliseconds in (1, 5, 10, 20, 40, 80, 160):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            time.sleep(milliseconds / 1000)
            process.kill()
        code, said = tool("store", "verify", "--data", data)
        is_half = "firebell store repair" in said
        is_told = is_half if code else "0 damaged" in said
        proofs.check("verify finds all, or says what to do", is_told, (code, said))
        if is_half:
            code, said = tool("store", "repair", "--data", data)
            proofs.check("the next repair ends it", code == 0, (code, said))
        proofs.check("every sample is there", exported(data) == lines)
    code, said = tool("store", "repair", "--data", data)
    proofs.check("the last one ends", code == 0 and "0 parts lost" in said, (code, said))
    proofs.check("with every sample", exported(data) == lines)
    left = [path.name for path in data.iterdir() if path.name.startswith("rep")]
    proofs.equal("and leaves no folder of its own", left, [])


def killed(proofs: Proofs, folder: Path) -> None:
    """Kill an import at several moments."""
    text = folder / "history.om"
    text.write_text(text_of(N_SERIES_KILLED, N_SAMPLES_KILLED))
    data = folder / "data"
    command = [str(binary()), "import", str(text), "--data", str(data)]
    n_killed = 0
    for milliseconds in (5, 40, 120, 250, 400):
        with (folder / "import.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
            time.sleep(milliseconds / 1000)
            n_killed += process.poll() is None
            process.kill()
            process.wait()
    proofs.check("it was killed in the middle", n_killed > 1, n_killed)
    code, said = tool(*command[1:])
    proofs.check("the last one ends", code == 0, (code, said))
    wanted = N_SERIES_KILLED * N_SAMPLES_KILLED + 1
    lines = samples_of(exported(data))
    proofs.equal("every sample is there", len(set(lines)), wanted)
    proofs.equal("and once", len(lines), wanted)


def in_use(proofs: Proofs, folder: Path) -> None:
    """Use the tools while a server runs on the folder."""
    data = filled(folder)
    with Firebell(folder, data=data) as server:
        server.wait_ready()
        for words in (["import", folder / "history.om"], ["store", "repair"]):
            code, said = tool(*words, "--data", data)
            pid = server.popen.pid if server.popen else 0
            is_clear = f"in use by process {pid}: stop that one" in said
            proofs.check(f"`{words[0]}` is refused", code != 0 and is_clear, (code, said))
        for word in ("inspect", "verify", "export"):
            code, said = tool("store", word, "--data", data)
            proofs.check(f"`{word}` looks without touching", code == 0, (code, said))
        proofs.check("nothing was moved", not (data / "damaged-1").exists())
        proofs.check("no panic", "panicked" not in server.text(), server.tail())


def deleted(proofs: Proofs, folder: Path) -> None:
    """Ask the admin API, when it is off and when it is on."""
    data = filled(folder)
    lane = urlencode({"match[]": 'work_total{lane="2"}'})
    posts = (f"delete_series?{lane}", "clean_tombstones", "snapshot")
    with Firebell(folder, data=data) as server:
        server.wait_ready()
        for path in posts:
            said = server.ask(f"{ADMIN}/{path}", "POST")
            proofs.check("off by default", "admin APIs disabled" in said.text(), said)
            proofs.equal("with Prometheus's status", said.status, 503)
    with FirebellWithAdmin(folder, data) as server:
        server.wait_ready()
        proofs.equal("all are there", lanes(server), [str(n) for n in range(N_SERIES)])
        nothing = urlencode({"match[]": "{}"})
        said = server.ask(f"{ADMIN}/delete_series?{nothing}", "POST")
        proofs.equal("a selector of nothing is taken", said.status, 204)
        proofs.equal("and deletes nothing", lanes(server), [str(n) for n in range(N_SERIES)])
        said = server.ask(f"{ADMIN}/delete_series?{lane}", "POST")
        proofs.equal("a delete says 204", said.status, 204)
        left = [str(n) for n in range(N_SERIES) if n != 2]
        proofs.equal("it hides at once", lanes(server), left)
        proofs.equal("cleaning says 204", server.ask(f"{ADMIN}/{posts[1]}", "POST").status, 204)
        name = server.ask(f"{ADMIN}/snapshot", "POST").json()["data"]["name"]
        server.kill()
        server.start()
        server.wait_ready()
        proofs.equal("also after kill -9", lanes(server), left)
        proofs.check("no panic", "panicked" not in server.text(), server.tail())
    copy = folder / "copy"
    shutil.copytree(data / "snapshots" / name, copy)
    code, text = tool("store", "verify", "--data", copy)
    proofs.check("a snapshot is whole", code == 0 and "0 damaged" in text, (code, text))
    of_work = [line for line in exported(copy) if line.startswith("work_total")]
    proofs.equal("and has the rest", len(of_work), (N_SERIES - 1) * N_SAMPLES)
    again = Firebell(folder, data=copy)
    with again:
        again.wait_ready()
        proofs.equal("a server opens it", lanes(again), left)


def lanes(server: Firebell) -> list[str]:
    """Return which series of the history a query sees."""
    asked = urlencode({"query": "work_total", "time": BEGINS_AT + 15 * N_SAMPLES - 15})
    result = wait_for("an answer", 5, lambda: server.json(f"/api/v1/query?{asked}"))
    return sorted(series["metric"]["lane"] for series in result["data"]["result"])


if __name__ == "__main__":
    os.environ.setdefault("NO_COLOR", "1")
    sys.exit(main())
