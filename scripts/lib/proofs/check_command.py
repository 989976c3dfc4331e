"""Shows `firebell check`: kinds of files, formats, exit codes, speed, and that promtool agrees."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs import check_online, check_routes, sarif
from proofs.check import ROOT, Proofs
from proofs.process import binary, run
from proofs.shapes import CHECK, violations

if TYPE_CHECKING:
    from collections.abc import Callable

RULES = """\
groups:
  - name: "shop, 100%: all"
    rules:
      - alert: Gone
        expr: count(up{job="shop"}) == 0
        for: 5m
        labels: {severity: paige, team: shop}
        annotations:
          summary: '{{ $labels.instance }} of {{ $value }}'
          runbook_url: https://runbooks.example.com/gone
"""
GOOD = """\
groups:
  - name: shop
    rules:
      - alert: Gone
        expr: sum by (job) (up) < 2
        for: 5m
        labels: {severity: page, team: shop}
        annotations:
          summary: '{{ $labels.job }}: {{ $value }} are up'
          runbook_url: https://runbooks.example.com/gone
"""
ROUTES = """\
route:
  receiver: shop
  routes:
    - {matchers: [severity=page], receiver: shop}
receivers: [{name: shop}]
"""
KINDS = {
    "rules": GOOD,
    "alertmanager": ROUTES,
    "prometheus": "global: {scrape_interval: 30s}\n",
    "firebell": "alertmanager: {route: {receiver: a}, receivers: [{name: a}]}\n",
    "tests": "tests: [{alert_rule_test: [{eval_time: 1m, alertname: Gone}]}]\n",
    "targets": '[{"targets": ["shop:80"], "labels": {"env": "x"}}]\n',
}
# File, whether it can be loaded.
VERDICTS = {
    "groups: []\n": True,
    GOOD: True,
    RULES: True,
    "groups: [{name: g, rules: [{alert: A, expr: 'sum(up'}]}]\n": False,
    "groups: [{name: g, rules: [{alert: A, exprr: up}]}]\n": False,
    "groups: [{name: g, rules: [{record: a, alert: b, expr: up}]}]\n": False,
    "groups: [{name: g}, {name: g}]\n": False,
    "groups: [{name: g, rules: [{record: a, expr: up, for: 5m}]}]\n": False,
    "groups: [{name: g, rules: [{alert: A, expr: up, annotations: {a: '{{ $x }}'}}]}]\n": False,
}
N_RULES = 1000
CPU_SECONDS_MAX = 0.2
LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def main() -> int:
    """Show it all."""
    proofs = Proofs()
    scenes: dict[str, Callable[[Proofs, Path], None]] = {
        "every kind of file is told by its content": kinds,
        "the formats say the same": formats,
        "exit codes": exit_codes,
        "comments and configuration switch lints off": switched_off,
        "promtool agrees on what can be loaded": agrees,
        "amtool agrees on what can be loaded": check_routes.agrees,
        "a thousand rules": thousand,
        "a server that knows the series": check_online.servers,
        "a server that does not answer": check_online.unreachable,
    }
    for title, scene in scenes.items():
        with proofs.scene(title) as folder:
            scene(proofs, folder)
    return proofs.finish()


def check(*words: str | Path) -> tuple[int, str]:
    """Run `firebell check`."""
    return run([binary(), "check", *words])


def found(*words: str | Path) -> dict[str, Any]:
    """Return the JSON document."""
    _, said = check("--format", "json", *words)
    document: dict[str, Any] = json.loads(said)
    return document


def ids(document: dict[str, Any]) -> set[str]:
    """Return the lints that found something."""
    return {finding["id"] for finding in document["findings"]}


def kinds(proofs: Proofs, folder: Path) -> None:
    """Names say nothing: each file is `N.yml`."""
    for idx, text in enumerate(KINDS.values()):
        (folder / f"{idx}.yml").write_text(text)
    (folder / "a.tmpl").write_text('{{ define "a" }}{{ .Status }}{{ end }}')
    shutil.copy(ROOT / "scenarios" / "first-page.md", folder)
    document = found(folder)
    told = {Path(file["file"]).name: file["kind"] for file in document["files"]}
    wanted = {f"{idx}.yml": kind for idx, kind in enumerate(KINDS)}
    # A file with nothing but `global` could be anything, and is not searched for in folders.
    wanted.pop("2.yml")
    told.pop("4.yml", None)
    wanted.pop("4.yml")
    wanted |= {"a.tmpl": "templates", "first-page.md": "scenario"}
    proofs.equal("kinds in a folder", told, wanted)
    for idx, kind in enumerate(KINDS):
        file = found(folder / f"{idx}.yml")["files"][0]
        proofs.equal(f"{kind} alone", (file["kind"], file["passed"]), (kind, True))


def formats(proofs: Proofs, folder: Path) -> None:
    """Text, JSON, SARIF and annotations have the same findings at the same places."""
    rules, routes = folder / "rules.yml", folder / "routes.yml"
    rules.write_text(RULES)
    routes.write_text(ROUTES)
    document = found(rules, routes)
    wanted = {"promql/impossible", "alerts/template", "routes/severity"}
    proofs.check("the lints that were meant", wanted <= ids(document), ids(document))
    proofs.equal("JSON says its version", document["version"], 1)
    wrong = violations(CHECK, "document", document)
    proofs.check("and has the fields that are promised", not wrong, wrong)
    places = {(it["id"], it["line"], it["column"]) for it in document["findings"]}
    proofs.check("the place of a piece", ("promql/impossible", 5, 15) in places, places)
    _, text = check(rules, routes)
    lost = [it for it in document["findings"] if f":{it['line']}:{it['column']}: " not in text]
    proofs.check("text has them all", not lost, lost)
    proofs.check("no colours in a pipe", "\x1b" not in text)
    proofs.equal("the last line counts", text.splitlines()[-1], "2 passed, 0 failed")
    _, said = check("--format", "sarif", rules, routes)
    log = json.loads(said)
    said = sarif.violations(folder, log)
    proofs.check("SARIF is as its published types say", not said, said)
    broken_log = {**log, "runs": [{**log["runs"][0], "resultz": []}]}
    proofs.check("which would see a wrong field", "resultz" in sarif.violations(folder, broken_log))
    (only,) = log["runs"]
    results = [
        (it["ruleId"], it["level"], it["locations"][0]["physicalLocation"]["region"]["startLine"])
        for it in only["results"]
    ]
    same = [(it["id"], LEVELS[it["severity"]], it["line"]) for it in document["findings"]]
    proofs.equal("SARIF has them all", (log["version"], results), ("2.1.0", same))
    names = [it["id"] for it in only["tool"]["driver"]["rules"]]
    right = all(names[it["ruleIndex"]] == it["ruleId"] for it in only["results"])
    proofs.check("and each names its rule", right, names)
    _, said = check("--format", "github", rules, routes)
    commands = [line for line in said.splitlines() if line.startswith("::")]
    proofs.equal("an annotation for each", len(commands), len(document["findings"]))
    broken = [it for it in commands if "title=" not in it or it.count("::") < 2]
    proofs.check("which a workflow understands", not broken, broken)


def exit_codes(proofs: Proofs, folder: Path) -> None:
    """0 fine, 1 findings that count, 2 usage or IO."""
    good, noisy, bad = folder / "good.yml", folder / "noisy.yml", folder / "bad.yml"
    good.write_text(GOOD)
    noisy.write_text(RULES)
    bad.write_text("groups: [{name: g, rules: [{alert: A, expr: 'sum(up'}]}]\n")
    cases: list[tuple[list[str | Path], int]] = [
        ([good], 0),
        ([noisy], 0),
        (["--fail-on", "warning", noisy], 1),
        (["--fail-on", "warning", good], 0),
        ([bad], 1),
        ([good, bad], 1),
        ([folder / "none.yml"], 2),
        ([folder / "none*.yml"], 2),
        ([str(folder) + "/g*.yml"], 0),
        (["--format", "xml", good], 2),
        (["--explain", "promql/rate"], 0),
        (["--explain", "promql/none"], 2),
        (["--lints"], 0),
        ([], 2),
    ]
    for words, wanted in cases:
        code, said = check(*words)
        shown = " ".join(str(word).replace(str(folder), "") for word in words)
        proofs.check(f"{wanted}: check {shown}", code == wanted, f"{code}: {said}")


def switched_off(proofs: Proofs, folder: Path) -> None:
    """Ours, pint's, and the section `check`."""
    rules = folder / "rules.yml"
    for comment in (
        "# firebell check: disable promql/impossible",
        "# pint disable promql/impossible",
    ):
        rules.write_text(RULES.replace("      - alert", f"      {comment}\n      - alert"))
        proofs.check(comment, "promql/impossible" not in ids(found(rules)))
    rules.write_text(RULES)
    root = folder / "firebell.yml"
    root.write_text(
        "rule_files: [rules.yml]\ncheck: {fail_on: info, disable: [promql/impossible]}\n"
    )
    proofs.check("by configuration", "promql/impossible" not in ids(found(root)))
    proofs.equal("which also says when to fail", check(root)[0], 1)
    root.write_text("check: {disable: [promql/imposible]}\n")
    code, said = check(root)
    proofs.check("a lint that is not there", code == 1 and "did you mean" in said, said)


def agrees(proofs: Proofs, folder: Path) -> None:
    """Compare verdicts with promtool's, where it is there."""
    peers = Path.home() / ".cache" / "firebell-peers" / "usr" / "bin"
    promtool = shutil.which("promtool", path=f"{peers}:{os.environ.get('PATH', '')}")
    if promtool is None:
        print("  no promtool here: its verdicts are taken from when there was one", flush=True)
    corpus = Path(os.environ.get("FIREBELL_CORPUS", ROOT.parent / "shared" / "corpus"))
    cases = dict(VERDICTS)
    if (corpus / "promtool" / "rules.yml").is_file():
        cases[(corpus / "promtool" / "rules.yml").read_text()] = True
    rules = folder / "rules.yml"
    for idx, (text, wanted) in enumerate(cases.items()):
        rules.write_text(text)
        code, said = check(rules)
        proofs.check(f"file {idx}: {'good' if wanted else 'bad'}", (code == 0) == wanted, said)
        if promtool is not None:
            code, said = run([promtool, "check", "rules", rules])
            proofs.check("  and for promtool", (code == 0) == wanted, said)


def thousand(proofs: Proofs, folder: Path) -> None:
    """CPU time of the whole process."""
    rules = folder / "rules.yml"
    one = GOOD.split("rules:\n")[1]
    groups = [
        f"  - name: g{group}\n    rules:\n"
        + "".join(one.replace("Gone", f"Gone{group}x{n}") for n in range(20))
        for group in range(N_RULES // 20)
    ]
    rules.write_text("groups:\n" + "".join(groups))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code, said = check(rules)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    proofs.equal("they are fine", (code, said.splitlines()[-1]), (0, "1 passed, 0 failed"))
    print(f"  {N_RULES} rules: {seconds:.3f} s of CPU", flush=True)
    is_release = "release" in binary().parts
    proofs.check(
        f"less than {CPU_SECONDS_MAX} s of CPU",
        seconds < CPU_SECONDS_MAX or not is_release,
        seconds,
    )


if __name__ == "__main__":
    sys.exit(main())
