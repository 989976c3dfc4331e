"""Runs the functions of templates through promtool and Firebell: `docs/templates.md`, row by row.

The document's texts have to come out of both, and of what it does not tell, the two have to say the
same: types that do not fit, empty answers, numbers at their limits.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from proofs.check import ROOT, Proofs

from differential.unit_tests import ALERTS, alerts_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DOCUMENT = ROOT / "docs" / "templates.md"
# All that Prometheus has; each stands in the document.
FUNCTIONS = (
    *("query", "first", "label", "value", "strvalue", "sortByLabel", "args"),
    *("humanize", "humanize1024", "humanizeDuration", "humanizePercentage", "humanizeTimestamp"),
    *("toTime", "toDuration", "parseDuration", "now"),
    *("title", "toUpper", "toLower", "match", "reReplaceAll", "stripPort", "stripDomain"),
    *("graphLink", "tableLink", "externalURL", "pathPrefix", "urlQueryEscape", "safeHtml"),
)
NUMBERS = (
    *(
        "0",
        "1",
        "-1",
        "0.5",
        "-0.001",
        "59.9999",
        "60",
        "3599.5",
        "86400",
        "1e-9",
        "1e-30",
        "999.96",
    ),
    *("1e21", "1e30", "-1234567", "9007199254740993", '"12"', '"1e3"', '"NaN"', '"+Inf"', '"-Inf"'),
    *(
        '"x"',
        '""',
        '"0x10"',
        '"1e400"',
        '"1_0"',
        "true",
        "nil",
        '"1h"',
        "$labels",
        "$value",
        "$labels.missing",
    ),
)
ONE_NUMBER = (
    *("humanize", "humanize1024", "humanizeDuration", "humanizePercentage", "humanizeTimestamp"),
    *("toTime", "toDuration", "parseDuration"),
)
DURATIONS = (
    *("1h30m", "90", "1m1h", "1h1h", "-1h", "-", "-1x", "300y", "292y", "99999999999999999999s"),
    *("1.5h", "1 h", "1h ", "ms", "12ms", "1y2w3d4h5m6s7ms", "0", "00", "1H", "1µs"),
)
WORDS = (
    *(
        "it's o'neil",
        "a.b a:b a_b a-b a1b 1a 1.a a.1 a,b",
        "a..b a.:b .a a. a'1 ''a",
        "a/b a(b) [c]",
    ),
    *(
        "ünï öl a·b x\u2019y",
        "ß ﬁx ŉ ǆ Ǆ ǅ",
        "日本a あb a日b",
        "c++x v1.2beta a;b 3D",
        "HTTP iPhone",
    ),
    *(
        "e\u0301a a\u200db a\u00adb",
        "i\u0307 ß.ß",
        "a\tb\nc  d",
        "\u043f\u0440\u0438 \u043c\u0438",
        "\u03b3\u03b5 \u03c2",
    ),
)
TEXTS = (
    '""',
    '"a b"',
    '"ünï x"',
    '"10.0.0.1:80"',
    '"[::1]:80"',
    '"host"',
    '"a.b:1"',
    "1",
    "$value",
)
ONE_TEXT = (
    *("title", "toUpper", "toLower", "stripPort", "stripDomain", "graphLink", "tableLink"),
    *("urlQueryEscape", "safeHtml", "query", "first", "value", "strvalue"),
)
OTHERS = (
    '{{ match "(" "x" }}',
    '{{ reReplaceAll "(" "x" "y" }}',
    '{{ reReplaceAll "(a)(?P<n>b)" "${n}$1$3$$" "abab" }}',
    '{{ match "a" }}',
    "{{ args }} {{ args 1 nil }}",
    '{{ label "x" $labels }}',
    '{{ query "up" | first | label "missing" }}|',
    '{{ query "up" | first | strvalue }}|',
    '{{ query "up >" }}',
    '{{ query "none" }}|{{ len (query "up") }}',
    '{{ query "time()" | first | value }}',
    '{{ query "\\"text\\"" }}',
    '{{ range $i, $x := query "up" | sortByLabel "instance" }}{{ $i }}{{ $x.Value }}{{ end }}',
    '{{ with query "none" }}some{{ else }}none{{ end }}',
    '{{ define "t" }}{{ .arg0 }}!{{ end }}{{ template "t" (args "x") }}',
    '{{ printf "%.3g %v %s %q" $value $value $labels.job "x" }}',
    '{{ if and (gt $value 1.0) (eq $labels.job "node") }}yes{{ end }}',
    '{{ $value | printf "%d" }} {{ $value | humanize | toUpper }}',
    "{{ .Labels }} {{ .Value }} {{ .ExternalLabels }} {{ .ExternalURL }}",
    "{{ .Missing }}",
    "{{ $labels.job.deep }}",
    '{{ index $labels "job" }} {{ index $labels 1 }}',
    "{{ now 1 }}",
    '{{ (toTime 0).Format "2006" }} {{ toTime 1e10 }} {{ (toTime 1.5).UnixMilli }}',
)
# What a gauge counts keeps its buckets and what it is, whoever stores it.
DELAY = "{{sum:10.5 count:7 buckets:[3 4] offset:1 counter_reset_hint:gauge}}"
# Of `$h`, a native histogram.
OF_HISTOGRAM = (
    "{{ $h }} {{ $h.String }} {{ print $h 1 }} {{ args $h }}",
    '{{ printf "%.6v %s %q %T" $h $h $h $h }} {{ printf "%.1f" $h.PositiveBuckets }}',
    "{{ $h.PositiveSpans }} {{ $h.NegativeBuckets }} {{ $h.CustomValues }}",
    "{{ $h.Schema }} {{ $h.CounterResetHint }} {{ gt $h.Count 6.0 }}",
    "{{ eq $h $h }} {{ not $h }} {{ if $h }}yes{{ end }}",
    *("{{ gt $h 1.0 }}", "{{ le $h $h }}", "{{ toUpper $h }}", "{{ $h | humanize }}"),
    *("{{ len $h }}", "{{ index $h 0 }}", "{{ range $h }}{{ end }}", "{{ $h.Missing }}"),
    *(f"{{{{ {name} $h }}}}" for name in ONE_NUMBER),
)


UNDEFINED = re.compile(r'function "(\w+)" not defined')
# Arguments that do not fit are worded in our own way: COMPAT.md.
OWN_WORDS = re.compile(
    r"wrong type for|expected string; found|can't handle|cannot assign nil|can't evaluate field|"
    r"wrong number of args|value has type"
)
FAILS = "<error expanding template: "
# promtool has no external URL before 3.6, and durations are never negative.
NOT_THERE = ("runtime error: invalid memory address", 'not a valid duration string: "-')


def compare(
    proofs: Proofs, folder: Path, theirs: Callable[[Path], str], ours: Callable[[Path], str]
) -> None:
    """Hold the document's rows, and all that is generated, against promtool."""
    told = rows()
    named = {name for name in FUNCTIONS if any(f"`{name}`" in what for what, _, _ in told)}
    proofs.equal("the document names every function", set(FUNCTIONS) - named, set())
    templates = [template for _, template, _ in told]
    wanted = dict(zip(templates, (text for _, _, text in told), strict=True))
    upstream, own = (texts(folder, templates, say) for say in (theirs, ours))
    wrong = [
        f"{template}: {own.get(template)!r}, not {text!r}"
        for template, text in wanted.items()
        if own.get(template) != text
    ]
    proofs.holds_for("the document says what comes out here", len(told), wrong)
    known = [it for it in templates if is_told(upstream.get(it))]
    wrong = [f"{it}: {upstream[it]!r}" for it in known if upstream[it] != wanted[it]]
    proofs.holds_for("and in promtool, as far as it has the function", len(known), wrong)
    templates = generated()
    upstream, own = (texts(folder, templates, say) for say in (theirs, ours))
    known = [it for it in templates if is_told(upstream.get(it))]
    wrong = [
        f"{it}: {upstream[it]!r}, ours {own.get(it)!r}"
        for it in known
        if not is_same(upstream[it], own.get(it) or "")
    ]
    print(f"  promtool does not have {len(templates) - len(known)} of {len(templates)}")
    proofs.holds_for("odd arguments come out the same", len(known), wrong)


def is_told(text: str | None) -> bool:
    """Say whether promtool is right about a row."""
    return text is not None and not any(it in text for it in NOT_THERE)


def is_same(theirs: str, ours: str) -> bool:
    """Say whether two texts mean the same; both fail where words are our own."""
    return theirs == ours or (bool(OWN_WORDS.search(theirs)) and ours.startswith(FAILS))


def texts(folder: Path, templates: list[str], say: Callable[[Path], str]) -> dict[str, str]:
    """Return what templates come to, without those that name an unknown function."""
    return texts_of(folder, dict(enumerate(templates)), say)


def texts_of(folder: Path, templates: dict[int, str], say: Callable[[Path], str]) -> dict[str, str]:
    """Return the same; a template keeps its number, which is part of what is said of it."""
    said = say(write(folder, templates))
    if undefined := set(UNDEFINED.findall(said)):
        known = {
            idx: it
            for idx, it in templates.items()
            if not any(f"{name} " in it for name in undefined)
        }
        return texts_of(folder, known, say) if len(known) < len(templates) else {}
    found = {name: alerts_of(got) for name, _, got in ALERTS.findall(said)}
    return {
        template: found[f"T{idx}"][0]["exp_annotations"].get("text", "")
        for idx, template in templates.items()
        if found.get(f"T{idx}")
    }


def rows() -> list[tuple[str, str, str]]:
    """Return function, template and text of each row of the document."""
    found = []
    for line in DOCUMENT.read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 3 and cells[1].startswith("`"):
            what, template, text = (cell.replace("\\|", "|") for cell in cells)
            found.append((what, template[1:-1], text[1:-1]))
    return found


def generated() -> list[str]:
    """Return templates whose texts nobody wrote down."""
    numbers = [f"{{{{ {name} {number} }}}}" for name in ONE_NUMBER for number in NUMBERS]
    texts = [f"{{{{ {name} {text} }}}}" for name in ONE_TEXT for text in TEXTS]
    durations = [f'{{{{ parseDuration "{text}" }}}}' for text in DURATIONS]
    words = [f"{{{{ title {json.dumps(text, ensure_ascii=False)} }}}}" for text in WORDS]
    natives = [f'{{{{ $h := query "delay" | first | value }}}}{text}' for text in OF_HISTOGRAM]
    # An annotation that is empty is left out here, and kept there: COMPAT.md.
    return [f"{it}." for it in (*numbers, *texts, *durations, *words, *OTHERS, *natives)]


def write(folder: Path, templates: dict[int, str]) -> Path:
    """Write an alert for each template, and a test that expects none, so that all are told."""
    rules = [
        {"alert": f"T{idx}", "expr": "m", "annotations": {"text": template}}
        for idx, template in templates.items()
    ]
    group = {"name": "templates", "rules": rules}
    (folder / "templates.rules.yml").write_text(json.dumps({"groups": [group]}))
    series = [
        {"series": 'm{instance="db.example.org:9100",job="node"}', "values": "1234567.25x20"},
        *(
            {"series": f'up{{job="node",instance="{name}"}}', "values": f"{up}x20"}
            for name, up in (("a", 1), ("b", 0), ("c", 1))
        ),
        {"series": "delay", "values": f"{DELAY}x20"},
    ]
    alerts: list[dict[str, Any]] = [
        {"eval_time": "10m", "alertname": f"T{idx}", "exp_alerts": []} for idx in templates
    ]
    test = {
        "input_series": series,
        "external_labels": {"region": "eu"},
        "external_url": "https://bell.example/prom",
        "alert_rule_test": alerts,
    }
    file = folder / "templates.yml"
    tests = {"rule_files": ["templates.rules.yml"], "evaluation_interval": "1m", "tests": [test]}
    file.write_text(json.dumps(tests, indent=1))
    return file
