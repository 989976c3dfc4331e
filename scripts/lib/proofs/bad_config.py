"""Owns bad configuration: refused at start, by `firebell check` and at a reload, with its place."""

from __future__ import annotations

import signal
from itertools import pairwise
from typing import TYPE_CHECKING

from proofs import shop
from proofs.check import Proofs, wait_for
from proofs.process import Firebell, binary, run
from proofs.world import FIRING, RESOLVED, Receiver, Target

if TYPE_CHECKING:
    from pathlib import Path

BAD_RULES = """\
groups:
  - name: checkout
    rules:
      - alert: CheckoutFailing
        expr: sum(rate(checkout_total[4s]) > 0.05
        annotations: {summary: "{{ $value | humanise }}"}
      - alert: Slow
        exprr: up == 0
        for: soon
"""

BAD_ROUTES = """\
route:
  receiver: shpo
  routes:
    - matchers: ['severity=~"("', "=x"]
receivers:
  - name: shop
    webhook_configs: [{urll: 'http://127.0.0.1:1/'}]
"""

BAD_ROOT = """\
global: {scrape_interval: fast}
rule_files: [rules.yml]
alertmanager: routes.yml
scrape_configs:
  - job_name: shop
    static_configs: [{targets: 80}]
    honor_lables: true
"""

# File, line and column, and a word of what is wrong there; the third number is not always the first
# character, but where the eye should go.
PROBLEMS = (
    ("firebell.yml:1:", "`fast` is not a duration"),
    ("firebell.yml:6:", "`targets`"),
    ("firebell.yml:7:5:", "did you mean `honor_labels`?"),
    ("rules.yml:5:", "unclosed left parenthesis"),
    ("rules.yml:6:", 'function "humanise" not defined'),
    ("rules.yml:8:9:", "did you mean `expr`?"),
    ("rules.yml:9:14:", "`soon` is not a duration"),
    ("routes.yml:2:13:", "did you mean `shop`?"),
    ("routes.yml:4:", "missing closing )"),
    ("routes.yml:4:", "bad matcher format: =x"),
    ("routes.yml:7:", "did you mean `url`?"),
)


def show(proofs: Proofs) -> None:
    """Try it all."""
    with proofs.scene("a configuration with many problems") as folder:
        at_start(proofs, folder)
    with proofs.scene("files that are no configuration at all") as folder:
        not_even_text(proofs, folder)
    with proofs.scene("a bad file at a reload") as folder, Target() as target, Receiver() as told:
        at_reload(proofs, folder, target, told)


def at_start(proofs: Proofs, folder: Path) -> None:
    """Both `serve` and `check` name every problem with its place."""
    (folder / "rules.yml").write_text(BAD_RULES)
    (folder / "routes.yml").write_text(BAD_ROUTES)
    server = Firebell(folder, BAD_ROOT)
    with server:
        proofs.equal("serve refuses it with exit code 2", server.exit_code(), 2)
    names_all(proofs, "serve", server.text())
    proofs.check("and has not made a data folder", not server.data.exists())
    code, said = run([binary(), "check", server.config])
    proofs.equal("check ends with exit code 1", code, 1)
    names_all(proofs, "check", said)
    proofs.equal("check counts", said.splitlines()[-1], "0 passed, 1 failed")


def names_all(proofs: Proofs, who: str, said: str) -> None:
    """Every problem is there, with its place, and no panic."""
    lost = [f"{at} {what}" for at, what in PROBLEMS if at not in said or what not in said]
    proofs.check(f"{who} names every problem", not lost, f"{lost} in\n{said}")
    proofs.check(f"{who} does not panic", "panicked" not in said, said)


def not_even_text(proofs: Proofs, folder: Path) -> None:
    """Bytes, folders, and files that are not there."""
    (folder / "bytes.yml").write_bytes(bytes(range(256)) * 40)
    (folder / "deep.yml").write_text("[" * 5000)
    (folder / "bomb.yml").write_text(
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in pairwise("abcdefgh"))
    )
    (folder / "list.yml").write_text("- a\n- b\n")
    (folder / "tab.yml").write_text("global:\n\tscrape_interval: 1s\n")
    names = ("bytes.yml", "deep.yml", "bomb.yml", "list.yml", "tab.yml", "not-there.yml", ".")
    for name in names:
        code, said = run([binary(), "check", folder / name])
        # What cannot be opened was mistyped, and a folder without anything to check is no input;
        # the rest was checked, and failed.
        wanted = 2 if name in {"not-there.yml", "."} else 1
        holds = code == wanted and "panicked" not in said and name.strip(".") in said
        proofs.check(f"check {name}", holds, f"{code} {said[:1000]}")


def at_reload(proofs: Proofs, folder: Path, target: Target, told: Receiver) -> None:
    """See that a bad file changes nothing and says why; a good one after it keeps the state."""
    server = Firebell(folder, shop.firebell(folder, target, told))
    rules = folder / "rules.yml"
    with server:
        server.wait_ready()
        fault_at = target.break_it()
        wait_for("firing told", 20, lambda: told.has_told(FIRING, fault_at))
        began = [alert["activeAt"] for alert in server.alerts()]
        good = rules.read_text()
        for how in ("SIGHUP", "POST /-/reload"):
            rules.write_text(BAD_RULES)
            reload(proofs, server, how)
            problems = wait_for(
                "the status says so", 10, lambda: server.status()["configProblems"] or None
            )
            said = "\n".join(problems)
            proofs.check(
                f"{how}: the status names every problem", said.count("rules.yml:") == 5, said
            )
            in_force = [
                r["name"]
                for g in server.json("/api/v1/rules")["data"]["groups"]
                for r in g["rules"]
            ]
            proofs.equal(
                f"{how}: the old rules stay",
                in_force,
                ["shop:checkout_failures:ratio_rate4s", shop.ALERT],
            )
            reloaded = server.metric("firebell_config_last_reload_successful")
            proofs.equal(f"{how}: the metrics say so", reloaded, 0.0)
            rules.write_text(good + "# seen\n")
            answer = server.ask("/-/reload", "POST")
            proofs.equal(
                f"{how}: a good file is taken",
                (answer.status, server.status()["configProblems"]),
                (200, []),
            )
        again = [alert["activeAt"] for alert in server.alerts()]
        proofs.equal("the alert burns on as before", again, began)
        target.mend()
        wait_for("resolved told", 20, lambda: told.has_told(RESOLVED, fault_at))
        counts = [told.count(name, FIRING) for name in ("slack", "webhook")]
        proofs.equal("nobody was told twice", counts, [1, 1])
        proofs.check("no panic", "panicked" not in server.text(), server.tail())
        proofs.check("the log names the place", "rules.yml:9:14" in server.text(), server.tail())


def reload(proofs: Proofs, server: Firebell, how: str) -> None:
    """Have the configuration read again."""
    if how == "SIGHUP":
        server.send(signal.SIGHUP)
        return
    answer = server.ask("/-/reload", "POST")
    holds = answer.status == 500 and "rules.yml:9:14" in answer.text()
    proofs.check(f"{how}: refused with every place", holds, f"{answer.status} {answer.text()}")
