"""Shows rules over HTTP as Grafana edits them: its requests, against the real binary.

What it asks is in its sources: `unified/api/ruler.ts` and `buildInfo.ts` of the page, and what the
server makes of it in `pkg/services/ngalert/api/lotex_ruler.go`: YAML, as Go writes it.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from proofs.check import Proofs, wait_for
from proofs.process import Firebell

if TYPE_CHECKING:
    from pathlib import Path

    from proofs.client import Answer

BASE = "/config/v1/rules"
SUBTYPE = "?subtype=mimir"
USER = {"X-Grafana-User": "ada"}
# Names as people give them to folders and groups.
NAMESPACE = "Shop / checkout & 100%"
GROUP = "Group / one"
# As Go's yaml writes a group: four blanks, keys in the order of its struct, texts plain or quoted.
BODY = f"""\
name: {GROUP}
interval: 1m
rules:
    - alert: Gone
      expr: vector(1) > 0
      for: 1m
      labels:
        severity: page
      annotations:
        description: |-
            first line
            second line
        summary: 'it is gone: {{{{ $value }}}}'
    - record: shop:gone:count
      expr: vector(2)
"""


def main() -> int:
    """Show it all."""
    proofs = Proofs()
    with proofs.scene("rules as Grafana edits them") as folder, Firebell(folder) as bell:
        bell.wait_ready()
        play(proofs, bell)
        proofs.check("no panic", "panicked" not in bell.text(), bell.tail())
    with proofs.scene("what was set outlives a kill") as folder:
        outlives(proofs, folder)
    return proofs.finish()


def path(*names: str) -> str:
    """Return where a namespace or a group stands, as a browser encodes names."""
    return "/".join([BASE, *(quote(name, safe="") for name in names)]) + SUBTYPE


def is_yaml(said: Answer) -> bool:
    """Return whether Grafana would read it: it looks for the word in the type."""
    return said.status == 200 and "yaml" in said.kind


def play(proofs: Proofs, bell: Firebell) -> None:
    """Find the API, list, set, read, change, delete."""
    features = bell.json("/api/v1/status/buildinfo")["data"].get("features", {})
    proofs.equal("the API is announced", features.get("ruler_config_api"), "true")
    said = bell.ask(path("test", "test"))
    is_missing = said.status == 404 and "group does not exist" in said.text()
    proofs.check("a group that is not there is told from an API that is not", is_missing, said)
    said = bell.ask(path())
    proofs.check("no rules are an empty document", is_yaml(said) and said.text() == "{}\n", said)
    said = set_group(bell, BODY)
    proofs.check("a group is accepted", said.status == 202, said)
    proofs.equal("with JSON", said.json().get("status"), "success")
    said = bell.ask(path())
    proofs.check("it is listed", is_yaml(said) and NAMESPACE in said.text(), said)
    said = bell.ask(path(NAMESPACE))
    proofs.check("below its namespace", is_yaml(said) and f"name: {GROUP}" in said.text(), said)
    said = bell.ask(path(NAMESPACE, GROUP))
    proofs.check("and by itself", is_yaml(said) and "second line" in said.text(), said)
    rules = groups(bell)
    proofs.equal("it is in force", [it["name"] for it in rules], [GROUP])
    proofs.equal("under its namespace", [it["file"] for it in rules], [NAMESPACE])
    said = set_group(bell, BODY.replace("vector(1) > 0", "vector(1"))
    refused = said.status == 400 and said.kind.startswith("text/plain")
    proofs.check("what is wrong is refused", refused and "parse error" in said.text(), said)
    said = set_group(bell, BODY.replace("for: 1m", "for: 2m"))
    proofs.equal("a change is accepted", said.status, 202)
    durations = [it["duration"] for it in groups(bell)[0]["rules"] if "duration" in it]
    proofs.equal("and in force", durations, [120])
    said = remove(bell, NAMESPACE, GROUP)
    proofs.check("a group goes", (said.status, said.json()["status"]) == (202, "success"), said)
    proofs.equal("and is not in force", groups(bell), [])
    said = remove(bell, NAMESPACE, GROUP)
    proofs.equal("once", (said.status, said.text().strip()), (404, "group does not exist"))
    set_group(bell, BODY)
    said = remove(bell, NAMESPACE)
    proofs.equal("a whole namespace goes", said.status, 202)
    said = remove(bell, NAMESPACE)
    told = (said.status, said.text().strip())
    proofs.equal("once as well", told, (404, "group namespace does not exist"))
    whos = {it["who"] for it in bell.json("/api/firebell/v1/rules/changes")["changes"]}
    proofs.equal("who it was is known", whos, {"ada"})


def set_group(bell: Firebell, body: str) -> Answer:
    """Set a group as Grafana's server does."""
    headers = {"Content-Type": "application/yaml", **USER}
    return bell.ask(path(NAMESPACE), "POST", body.encode(), headers)


def remove(bell: Firebell, *names: str) -> Answer:
    """Remove a group or a namespace."""
    return bell.ask(path(*names), "DELETE", headers=USER)


def groups(bell: Firebell) -> list[dict[str, Any]]:
    """Return the groups in force."""
    found: list[dict[str, Any]] = bell.json("/api/v1/rules")["data"]["groups"]
    return found


def outlives(proofs: Proofs, folder: Path) -> None:
    """Kill it after changes; they hold, and can be taken back."""
    with Firebell(folder) as bell:
        bell.wait_ready()
        set_group(bell, BODY)
        set_group(bell, BODY.replace("for: 1m", "for: 3m"))
    with Firebell(folder) as bell:
        bell.wait_ready()
        wait_for("the rules", 10, lambda: groups(bell))
        changes = bell.json("/api/firebell/v1/rules/changes")["changes"]
        proofs.equal("both changes are known", [it["id"] for it in changes], [2, 1])
        said = bell.ask("/api/firebell/v1/rules/changes/2/revert", "POST")
        proofs.equal("one is taken back", said.status, 202)
        kept = json.dumps(groups(bell))
        proofs.check("and what was before holds", '"duration": 60' in kept, kept)


if __name__ == "__main__":
    sys.exit(main())
