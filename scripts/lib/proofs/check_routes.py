"""Shows that `firebell check` and a real `amtool check-config` agree on alertmanager.yml.

What is in receivers is not here: each integration has its own tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofs.check import ProofError, Proofs
from proofs.process import binary, run
from proofs.real_prometheus import neighbour

if TYPE_CHECKING:
    from pathlib import Path

RECEIVERS = "receivers: [{name: a}, {name: b}]\n"
ENTRY = "days_of_month: ['1']"
INTERVALS = f"time_intervals: [{{name: t, time_intervals: [{{{ENTRY}}}]}}]\n"
# What follows `route: {receiver: a`, and whether it can be loaded.
ROUTES = {
    "": True,
    ", receiver: b": False,
    ", routez: []": False,
    ", matchers: [x=y]": False,
    ", match: {x: y}": False,
    ", match_re: {x: y}": False,
    ", continue: true": False,
    ", mute_time_intervals: [t]": False,
    ", active_time_intervals: [t]": False,
    ", group_by: [x, y]": True,
    ", group_by: ['...']": True,
    ", group_by: ['...', x]": False,
    ", group_by: [x, x]": False,
    ", group_by: ['']": False,
    ", group_wait: 0s, group_interval: 1m, repeat_interval: 1h": True,
    ", group_interval: 0s": False,
    ", repeat_interval: 0s": False,
    ", group_wait: soon": False,
    ", group_wait: 5": False,
    ", routes: ": True,
    ", routes: [{receiver: c}]": False,
    ", routes: [{continue: maybe}]": False,
    ", routes: [{routes: [{receiver: b, routes: [{receiver: x}]}]}]": False,
    ", routes: [{mute_time_intervals: [t], active_time_intervals: [t]}]": True,
    ", routes: [{mute_time_intervals: [u]}]": False,
    ", routes: [{active_time_intervals: [u]}]": False,
    """, routes: [{matchers: ['x=y', 'a=~"b.*"', 'c!=d', 'e!~f']}]""": True,
    """, routes: [{matchers: ['{x="y",a="b"}']}]""": True,
    ", routes: [{matchers: ['x']}]": False,
    """, routes: [{matchers: ['x=~"("']}]""": False,
    ", routes: [{match: {x: y}, match_re: {z: 'a|b'}}]": True,
    ", routes: [{match_re: {x: '('}}]": False,
}
# An entry of `time_intervals`.
ENTRIES = {
    "weekdays: ['monday:friday', sunday]": True,
    "weekdays: ['funday']": False,
    "weekdays: ['friday:monday']": False,
    "times: [{start_time: '09:00', end_time: '24:00'}]": True,
    "times: [{start_time: '19:00', end_time: '17:00'}]": False,
    "times: [{start_time: '19:00'}]": False,
    "times: [{start_time: '25:00', end_time: '26:00'}]": False,
    "days_of_month: ['1:5', '-3:-1']": True,
    "days_of_month: ['0']": False,
    "days_of_month: ['32']": False,
    "days_of_month: ['-1:5']": False,
    "months: ['1:3', 'may:august', 'december']": True,
    "months: ['winter']": False,
    "years: ['2020:2022', '2030']": True,
    "years: ['2023:2022']": False,
    "location: 'Europe/Berlin'": True,
    "location: 'Mars/Base'": False,
    "day: ['1']": False,
}
# Whole files.
FILES = {
    RECEIVERS: False,
    "route: {}\n" + RECEIVERS: False,
    "route: {receiver: c}\n" + RECEIVERS: False,
    "route: {receiver: a}\n": False,
    "route: {receiver: a}\nreceivers: [{name: a}, {name: a}]\n": False,
    "route: {receiver: a}\nreceivers: [{name: a}, {}]\n": False,
    "rout: {}\nroute: {receiver: a}\n" + RECEIVERS: False,
    "route: {receiver: a}\nroute: {receiver: b}\n" + RECEIVERS: False,
    "route: [\n": False,
}
# What follows a good route.
SECTIONS = {
    "global: {resolve_timeout: 5m}": True,
    "global: {resolve_timeout: x}": False,
    "global: {resolv: 5m}": False,
    "templates: ['nowhere/*.tmpl']": True,
    "templates: ['good.tmpl']": True,
    "templates: ['bad.tmpl']": False,
    "mute_time_intervals: [{name: u, time_intervals: []}]": True,
    "mute_time_intervals: [{name: t, time_intervals: []}]": False,
    "inhibit_rules: [{source_matchers: [a=b], target_matchers: [c=d], equal: [e]}]": True,
    "inhibit_rules: [{source_match: {a: b}, target_match_re: {c: d}, equal: [e]}]": True,
    "inhibit_rules: [{}]": True,
    "inhibit_rules: [{source_matchers: ['a b'], target_matchers: [c=d]}]": False,
    "inhibit_rules: [{sources: []}]": False,
}
# Label names may be anything since Alertmanager 0.27; Debian's is older, so it is not asked.
NEWER = {
    "route: {receiver: a, group_by: ['x-y']}\n" + RECEIVERS: True,
    """route: {receiver: a, routes: [{matchers: ['"ü"="y"']}]}\n""" + RECEIVERS: True,
}


def agrees(proofs: Proofs, folder: Path) -> None:
    """Compare verdicts with amtool's, where it is there."""
    try:
        amtool = neighbour("amtool")
    except ProofError as error:
        print(f"  amtool's verdicts are taken from when there was one: {error}", flush=True)
        amtool = None
    (folder / "good.tmpl").write_text('{{ define "x" }}{{ .Status }}{{ end }}')
    (folder / "bad.tmpl").write_text('{{ define "x" }}')
    good = "route: {receiver: a}\n" + RECEIVERS + INTERVALS
    cases = {
        f"route: {{receiver: a{more}}}\n{RECEIVERS}{INTERVALS}": is_good
        for more, is_good in ROUTES.items()
    }
    cases |= {good.replace(ENTRY, it): is_good for it, is_good in ENTRIES.items()}
    cases |= {f"{good}{it}\n": is_good for it, is_good in SECTIONS.items()}
    cases |= FILES
    file = folder / "alertmanager.yml"
    wrong = []
    for text, is_good in (cases | NEWER).items():
        file.write_text(text)
        code, said = run([binary(), "check", file])
        if (code == 0) != is_good:
            wrong.append(f"ours: {text}{said}")
        if amtool is not None and text not in NEWER:
            code, said = run([amtool, "check-config", file])
            if (code == 0) != is_good:
                wrong.append(f"amtool: {text}{said}")
    proofs.holds_for("what can be loaded, as amtool says", len(cases) + len(NEWER), wrong)
