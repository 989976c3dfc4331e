"""Shows who is on call: of a configuration, of a running Firebell, and as a calendar."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from proofs.check import Proofs
from proofs.process import Firebell, binary, run

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
oncall:
  people:
    ana: {name: Ana Ruiz, zone: Europe/Madrid, phone: '+34600000001'}
    ben: {email: ben@example.org}
  teams: {shop: {members: [ana, ben], schedule: days}}
  schedules:
    days:
      zone: Europe/Madrid
      layers: [{every: 1w, start: 2026-01-05, hand_over: 09:00, people: [ana, ben]}]
      overrides: [{from: 2026-03-28, until: 2026-03-30, take: ana, reason: a wedding}]
    nights: {every: 1d, start: 2026-01-05, hours: '22:00-06:00', people: ben}
"""

AT = "2026-03-29T12:00:00Z"
API = "/api/firebell/v1/oncall"
UNCONFIRMED = "not confirmed: "


def main() -> int:
    """Show it all."""
    proofs = Proofs()
    with proofs.scene("who is on call, of files alone") as folder:
        (folder / "firebell.yml").write_text(CONFIG)
        of_files(proofs, folder)
    with (
        proofs.scene("who is on call, of a running Firebell") as folder,
        Firebell(folder, CONFIG) as bell,
    ):
        bell.wait_ready()
        of_server(proofs, bell)
        of_calendar(proofs, bell, folder / "days.ics")
        proofs.check("no panic", "panicked" not in bell.text(), bell.tail())
    return proofs.finish()


def of_files(proofs: Proofs, folder: Path) -> None:
    """Ask with --config, where nothing listens."""
    config: list[str | Path] = ["--config", folder / "firebell.yml"]

    def ask(*words: str | Path) -> tuple[int, str]:
        return run([binary(), "oncall", *words, *config])

    code, text = ask("who", "--at", AT)
    proofs.check("an override holds", "days: ana until Mon 2026-03-30 00:00" in text, text)
    proofs.check("with its reason", "override: a wedding" in text, text)
    proofs.check("who has whom before and after", "then ben; before: ben" in text, text)
    proofs.check("nobody where nobody should be is 1", code == 1 and "nights: nobody" in text, text)
    code, text = ask("show", "days", "--from", "2026-03-23", "--to", "2026-04-06")
    hand_overs = [line for line in text.splitlines() if "09:00 .." in line]
    proofs.check("nine is nine when clocks change", code == 0 and len(hand_overs) == 2, text)
    code, text = ask("gaps", "nights", "--from", "2026-01-05", "--days", "2")
    proofs.check(
        "gaps are named, and are 1", code == 1 and "06:00 .. Mon 2026-01-05 22:00" in text, text
    )
    proofs.equal("no gaps are 0", ask("gaps", "days", "--from", "2026-01-05T09:00")[0], 0)
    code, text = ask("fairness", "days", "--from", "2026-01-05T09:00", "--days", "28")
    proofs.check("everybody carries the same", code == 0 and "balance 1.00" in text, text)
    code, text = ask("who", "--at", "x")
    proofs.check("what is no time is told", code == 2 and "`at` is no time" in text, text)
    code, text = ask("show", "no")
    proofs.check("so is what is no schedule", code == 2 and "no schedule `no`" in text, text)


def of_server(proofs: Proofs, bell: Firebell) -> None:
    """Ask over HTTP and with --server: it says what the files say."""
    server: list[str | Path] = ["--server", bell.url]
    config: list[str | Path] = ["--config", bell.config]
    for words in (
        ["who", "--at", AT],
        ["show", "--from", "2026-03-23", "--days", "366"],
        ["gaps", "--from", "2026-03-23"],
        ["fairness", "--from", "2026-03-23", "--json"],
    ):
        (code, told), expected = (
            run([binary(), "oncall", *words, *source]) for source in (server, config)
        )
        lines = told.splitlines(keepends=True)
        rest = "".join(line for line in lines if not line.startswith(UNCONFIRMED))
        proofs.equal(f"{words[0]} says the same of both", (code, rest), expected)
        # What was confirmed is in the data folder.
        n_unconfirmed = 2 if words[0] in ("who", "show") else 0
        n_told = sum(line.startswith(UNCONFIRMED) for line in lines)
        proofs.equal(f"{words[0]} of a running one names the unconfirmed", n_told, n_unconfirmed)
    said = bell.ask(f"{API}/calendar.ics?person=ana")
    lines = said.text().split("\r\n")
    is_calendar = lines[0] == "BEGIN:VCALENDAR" and lines[-2] == "END:VCALENDAR"
    is_folded = all(len(line.encode()) <= 75 for line in lines)
    proofs.check("a calendar to subscribe to", is_calendar and is_folded, lines[:9])
    begun = [line for line in lines if line.startswith("SUMMARY:")]
    is_hers = len(begun) > 20 and set(begun) == {"SUMMARY:days: Ana Ruiz"}
    proofs.check("of her shifts", is_hers, begun[:3])
    answers = bell.ask(API).text() + bell.ask(f"{API}/shifts?schedule=days").text()
    is_secret = "600000001" in answers or "ben@" in answers
    proofs.check("where people are reached is no secret that is told", not is_secret, answers)
    for path, status in (
        ("/shifts", 400),
        ("/shifts?schedule=no", 404),
        ("/shifts?schedule=days&days=367", 400),
        ("?at=x", 400),
        ("/calendar.ics?person=no", 404),
    ):
        proofs.equal(f"{path} is refused", bell.ask(f"{API}{path}").status, status)


def of_calendar(proofs: Proofs, bell: Firebell, file: Path) -> None:
    """Read what was exported into another schedule: it is the same, and so it is once more."""

    def read(schedule: str, *words: str | Path) -> tuple[int, str]:
        command = ["oncall", "import-calendar", schedule, file, *words, "--by", "zoe"]
        return run([binary(), *command, "--url", bell.url])

    today = datetime.now(timezone.utc).date()
    first, last = today + timedelta(days=1), today + timedelta(days=300)

    def shifts(schedule: str) -> list[tuple[str, str, list[str]]]:
        # By one clock: the two schedules have different ones.
        times = f"from={first}T00:00:00Z&to={last}T00:00:00Z"
        said = bell.ask(f"{API}/shifts?schedule={schedule}&{times}").json()["shifts"]
        return [(it["from"], it["until"], it["people"]) for it in said]

    file.write_bytes(bell.ask(f"{API}/calendar.ics?schedule=days").text().encode())
    code, text = read("nights", "--dry-run")
    is_whole = code == 0 and "  ana\n" in text and "nothing is changed" in text
    proofs.check("a calendar is looked at first", is_whole, text)
    before = shifts("nights")
    code, text = read("nights")
    is_in_force = code == 0 and "change 1 is in force" in text
    proofs.check("then it is in force", is_in_force and before != shifts("nights"), text)
    proofs.equal("and the schedule that of which it was", shifts("nights"), shifts("days"))
    code, text = read("nights")
    proofs.check("once more is no more", code == 0 and "all of it was there" in text, text)
    of_list(proofs, bell)
    file.write_text(file.read_text().replace("X-FIREBELL-PEOPLE:ben", "X-FIREBELL-PEOPLE:bob"))
    code, text = read("nights")
    is_told = code == 1 and "nobody is called `bob`" in text and "line " in text
    proofs.check("whom nobody knows is told, with the line", is_told, text)
    code, text = run([binary(), "oncall", "undo", "1", "--by", "zoe", "--url", bell.url])
    proofs.equal("and it is taken back", (code, shifts("nights")), (0, before))


def of_list(proofs: Proofs, bell: Firebell) -> None:
    """List what the calendar has set: as far as is wanted, in the order of time."""

    def listed(*words: str) -> tuple[int, list[str]]:
        code, text = run([binary(), "oncall", "list", "nights", *words, "--url", bell.url])
        return code, text.splitlines()

    code, lines = listed("--kind", "shifts")
    begins = [line.split("  ")[2] for line in lines]
    is_right = len(lines) > 20 and begins == sorted(begins)
    is_said = all(line.endswith("(set by zoe)") for line in lines)
    proofs.check("what a calendar set is listed", code == 0 and is_right and is_said, lines)
    _, few = listed("--limit", "3")
    is_cut = few[:3] == lines[:3] and "there are more than 3" in few[-1]
    proofs.check("as far as is wanted", is_cut, few)
    until = begins[2].split(" .. ")[0]
    proofs.equal("or until a time", listed("--to", until), (0, lines[:2]))
    code, told = listed("--kind", "shift")
    proofs.check("what is no kind is told", code != 0 and "no kind `shift`" in told[0], told)
    code, told = listed("--limit", "0")
    proofs.check("and so is a limit of nothing", code == 2 and "--limit" in told[0], told)


if __name__ == "__main__":
    sys.exit(main())
