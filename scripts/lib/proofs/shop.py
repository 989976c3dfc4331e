"""Owns the configuration of the proofs: the demo's rules and routes, with short times."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from proofs.world import Receiver, Target

ALERT = "CheckoutFailing"
HOLD_SECONDS = 2.0
INTERVAL_SECONDS = 0.25

RULES = f"""\
groups:
  - name: checkout
    rules:
      - record: shop:checkout_failures:ratio_rate4s
        expr: |
          sum(rate(checkout_total{{outcome="failed"}}[4s]))
            /
          sum(rate(checkout_total[4s]))
      - alert: {ALERT}
        expr: shop:checkout_failures:ratio_rate4s > 0.05
        for: {HOLD_SECONDS:g}s
        labels: {{severity: critical}}
        annotations: {{summary: Customers cannot pay}}
"""


def alertmanager(receiver: Receiver, *, more: str = "") -> str:
    """Return an alertmanager.yml that tells both integrations."""
    url = f"http://{receiver.address}"
    return f"""\
route:
  receiver: shop
  group_by: [alertname]
  group_wait: 500ms
  group_interval: 1s
  repeat_interval: 4h
receivers:
  - name: shop
    slack_configs:
      - api_url: {url}/slack
        channel: '#shop'
        send_resolved: true
    webhook_configs:
      - url: {url}/webhook
        send_resolved: true
{more}"""


def firebell(
    folder: Path, target: Target | None, receiver: Receiver | None, rules: str = RULES
) -> str:
    """Write the files that a firebell.yml names into `folder`; return its text."""
    (folder / "rules.yml").write_text(rules)
    interval = f"{1000 * INTERVAL_SECONDS:g}ms"
    names = ("scrape_interval", "scrape_timeout", "evaluation_interval")
    times = ", ".join(f"{name}: {interval}" for name in names)
    parts = [f"global: {{{times}}}", "rule_files: [rules.yml]"]
    if target is not None:
        parts.append(scrape_of(target))
    if receiver is not None:
        (folder / "alertmanager.yml").write_text(alertmanager(receiver))
        parts.append("alertmanager: alertmanager.yml")
    return "\n".join(parts) + "\n"


def scrape_of(*targets: Target, more: str = "") -> str:
    """Return the scrape section for some targets."""
    where = [f"static_configs: [{{targets: ['{target.address}']}}]" for target in targets]
    jobs = [f"  - {{job_name: shop{idx or ''}, {it}{more}}}" for idx, it in enumerate(where)]
    return "\n".join(["scrape_configs:", *jobs])
