"""Shows that `firebell demo --day` makes a folder in which every list has something to show."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from proofs.check import Proofs
from proofs.process import Firebell, binary, run

if TYPE_CHECKING:
    from pathlib import Path

API = "/api/firebell/v1"
JSON = {"Content-Type": "application/json"}


def main() -> int:
    """Show it all."""
    proofs = Proofs()
    with proofs.scene("a simulated month, looked at") as folder:
        month = folder / "month"
        code, text = run([binary(), "demo", "--day", "--to", month, "--seed", "3"], PATIENCE)
        proofs.check("it is made", code == 0 and "firebell serve" in text, text)
        code, text = run([binary(), "demo", "--day", "--to", month], PATIENCE)
        proofs.check("nothing is written over", code == 2 and "failed to make" in text, text)
        looked_at(proofs, month)
    return proofs.finish()


def looked_at(proofs: Proofs, month: Path) -> None:
    """Serve it, and ask every list."""
    with Firebell(month, (month / "firebell.yml").read_text()) as bell:
        bell.wait_ready()
        incidents = bell.json(f"{API}/incidents?limit=1000")["incidents"]
        proofs.check("incidents", len(incidents) > MANY, f"{len(incidents)} incidents")
        verdicts = {it["verdict"]["verdict"] for it in incidents if it["verdict"]}
        proofs.check("verdicts of several kinds", len(verdicts) > 2, f"{verdicts}")
        history = bell.json(f"{API}/history?limit=100")["entries"]
        proofs.check("history", len(history) == 100, f"{len(history)} entries")
        inbox = bell.inbox()
        proofs.check("the inbox", len(inbox) > 0, "it is empty")
        rules = bell.json("/api/v1/rules")["data"]["groups"]
        proofs.check("rules", len(rules) == 1, f"{rules}")
        oncall = bell.json(f"{API}/oncall")
        proofs.check("who is on call", "shop" in json.dumps(oncall), f"{oncall}")
        orders = bell.json("/api/v1/query?query=max_over_time(orders_total[30d])")
        proofs.check("samples", orders["data"]["result"] != [], f"{orders}")
        slos = bell.json(f"{API}/slos")["objectives"]
        left = [budget["remaining"] for it in slos for budget in it["budgets"]]
        is_spent = any(it < 1 for it in left)
        proofs.check("objectives, whose budgets were spent on", is_spent, f"{slos}")
        spent = bell.json(f"{API}/slos/spending?id=checkout/pay-works")
        proofs.check("and on which incidents", "INC-" in json.dumps(spent), f"{spent}")
        quality(proofs, bell)
        runbooks(proofs, bell, incidents)
        postmortem(proofs, bell, incidents)
        proofs.check("no panic", "panicked" not in bell.text(), bell.tail())


def quality(proofs: Proofs, bell: Firebell) -> None:
    """Ask for figures and reviews of the months that it lies in."""
    this = time.strftime("%Y-%m", time.gmtime())
    last = time.strftime("%Y-%m", time.gmtime(time.time() - 29 * 86_400))
    # The one that has most of the thirty days.
    most = time.strftime("%Y-%m", time.gmtime(time.time() - 15 * 86_400))
    months = [bell.json(f"{API}/quality?month={name}") for name in sorted({this, last})]
    fired = sum(month["total"]["fired"] for month in months)
    proofs.check("figures", fired > MANY, f"{fired} fired")
    told = sum(month["total"]["notified"] for month in months)
    proofs.check("people were told", told > MANY, f"{told} told")
    people = [person for month in months for person in month["people"]]
    paged = [it for it in people if it["pages"] > 0]
    proofs.check("people were paged", len(paged) > 1, f"{people}")
    advice = {rule["advice"] for month in months for rule in month["rules"]}
    proofs.check("something is to be deleted", "delete" in advice, f"{advice}")
    figures = [figure for month in months for figure in month["figures"]]
    named = {it["name"] for it in figures if it["days"]}
    proofs.equal("what the business did", named, {"orders a day", "checkouts that fail"})
    decided = [it["about"] for month in months for it in month["decisions"]]
    proofs.equal("something is decided", decided, ["CartCpuHigh"])
    review = bell.ask(f"{API}/review?month={most}").text()
    proofs.check("a review", "## What fired" in review and "| CartCpuHigh |" in review, review)
    code, text = run([binary(), "quality", "--by", "person", "--month", most, "--url", bell.url])
    proofs.check("the same by command", code == 0 and "sleep lost" in text, text)


def runbooks(proofs: Proofs, bell: Firebell, incidents: list[Any]) -> None:
    """Look at what was done by them, over HTTP and by command."""
    all_of = {it["id"]: bell.json(f"{API}/incidents/{it['id']}/runbooks") for it in incidents}
    steps = {id_: [s for r in it["runbooks"] for s in r["steps"]] for id_, it in all_of.items()}
    over = {it["id"] for it in incidents if it["state"] == "closed"}
    ticked = [id_ for id_ in over if any(step["done"] for step in steps[id_])]
    proofs.check("steps of runbooks were ticked", len(ticked) > 1, f"{ticked}")
    code, text = run([binary(), "incident", "runbooks", ticked[0], "--url", bell.url])
    next_is = "done: `firebell incident step" in text
    proofs.check("the same by command", code == 0 and "- [x] Who is hit" in text and next_is, text)
    step = ["incident", "step", ticked[0], "triage", "2", "--by", "ana", "--url", bell.url]
    closed = run([binary(), *step])
    is_told = closed[0] == 1 and "move it" in closed[1]
    proofs.check("what is closed is not worked on", is_told, closed[1])


def postmortem(proofs: Proofs, bell: Firebell, incidents: list[Any]) -> None:
    """Read the postmortem that was written, and have its samples frozen."""
    all_of = {it["id"]: bell.json(f"{API}/incidents/{it['id']}/postmortem") for it in incidents}
    written = [id_ for id_, it in all_of.items() if it["followUps"]]
    proofs.equal("one was learnt from", len(written), 1)
    it = all_of[written[0]]
    proven = [follow_up["proof"] is not None for follow_up in it["followUps"]]
    proofs.equal("a follow-up is proven, and one is open", proven, [True, False])
    hints = [hint["words"] for part in it["parts"] for hint in part["hints"]]
    proofs.equal("wording that blames has a hint", hints, ["should have"])
    body = json.dumps({"by": "ana"}).encode()
    # The store keeps samples of two weeks: those of the newest that an alert opened are there.
    newest = next(it["id"] for it in incidents if it["alertCount"] > 0)
    path = f"{API}/incidents/{newest}/postmortem"
    drafted = bell.ask(path, "POST", body, JSON).json()
    values = [v for g in drafted["graphs"] for s in g["series"] for v in s["values"]]
    proofs.check("samples are frozen", any(v is not None for v in values), f"{drafted['graphs']}")
    nameless = ["env", "-u", "USER", binary(), "postmortem", written[0], "--draft"]
    code, text = run([*nameless, "--url", bell.url])
    proofs.check("who drafts has to say who it is", code == 1 and "--by NAME" in text, text)
    code, text = run([binary(), "postmortem", written[0], "--url", bell.url])
    proofs.check("as Markdown", code == 0 and "## How it was noticed" in text, text)


MANY = 15
# A busy machine plays a month in minutes.
PATIENCE = 300.0

if __name__ == "__main__":
    sys.exit(main())
