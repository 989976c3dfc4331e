"""Shows objectives as others see them: promtool takes their rules and gives the same alerts.

And where their budgets went, from history, over HTTP and on the command line.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from bench.systems import peers, peers_if_any

from proofs import budget_spending
from proofs.check import ROOT, Proofs
from proofs.process import binary, run

if TYPE_CHECKING:
    from pathlib import Path

FILES = ROOT / "crates" / "config" / "tests" / "good" / "parts"
ALL = [
    *(FILES / name for name in ("objectives.yml", "sloth.yml", "pyrra.yaml", "openslo.yaml")),
    ROOT / "examples" / "shop" / "shop.slo.yml",
]
OBJECTIVE = """
service: shop
slos:
  - name: works
    objective: 99.9%
    no_data: off
    indicator:
      bad: requests_total{code="500"}
      total: requests_total
"""
# Requests succeed for seven hours; then a tenth fails, which the quick page sees after 8.64 minutes
# and the slow one after 21.6.
BREAKS_AT = 420
SERIES = [
    {"series": 'requests_total{code="200"}', "values": "0+600x420 252540+540x60"},
    {"series": 'requests_total{code="500"}', "values": "0x420 60+60x60"},
]
FIRES_AFTER = {8: [], 10: ["1h"], 21: ["1h"], 23: ["1h", "6h"]}


def main() -> int:
    """Show it all."""
    proofs = Proofs()
    with proofs.scene("exported rules") as folder:
        if peers_if_any() is None:
            proofs.skip("exported rules", "there is no promtool")
        else:
            checked(proofs, folder)
            tested(proofs, folder)
    with proofs.scene("where a budget went") as folder:
        budget_spending.show(proofs, folder)
    return proofs.finish()


def export(proofs: Proofs, source: Path, target: Path) -> None:
    """Write the rules of a file of objectives."""
    code, text = run([binary(), "slo", "export", "--prometheus", source], 30)
    proofs.equal(f"the rules of {source.name} are exported", code, 0)
    target.write_text(text)


def checked(proofs: Proofs, folder: Path) -> None:
    """Every format's rules are rules for Prometheus."""
    for source in ALL:
        name, rules = source.name, folder / f"{source.name}.rules.yml"
        export(proofs, source, rules)
        code, text = run([peers() / "promtool", "check", "rules", rules], 30)
        proofs.check(f"promtool takes the rules of {name}", code == 0, text)


def tested(proofs: Proofs, folder: Path) -> None:
    """The alerts fire there when the arithmetic says."""
    source = folder / "slo.yml"
    source.write_text(OBJECTIVE)
    export(proofs, source, folder / "slo.rules.yml")
    wanted = [
        {"eval_time": f"{BREAKS_AT + after}m", "expr": expr(long), "exp_samples": []}
        if long not in fires
        else {
            "eval_time": f"{BREAKS_AT + after}m",
            "expr": expr(long),
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for after, fires in FIRES_AFTER.items()
        for long in ("1h", "6h")
    ]
    test = {
        "rule_files": ["slo.rules.yml"],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": SERIES, "promql_expr_test": wanted}],
    }
    # JSON is YAML.
    (folder / "test.yml").write_text(json.dumps(test))
    code, text = run([peers() / "promtool", "test", "rules", folder / "test.yml"], 60)
    proofs.check("the exported alerts fire in Prometheus when they should", code == 0, text)


def expr(long: str) -> str:
    """Return what is 1 while the alert of a long window fires."""
    return f'count(ALERTS{{alertname="ErrorBudgetBurn",alertstate="firing",long="{long}"}})'


if __name__ == "__main__":
    sys.exit(main())
