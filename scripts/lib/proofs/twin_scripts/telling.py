"""Who is told of what, and when: groups, ends, repeats, routes."""

from __future__ import annotations

from proofs.twin_scripts.words import (
    CRITICAL,
    HOUR,
    PLAIN,
    TOGETHER,
    Alert,
    Script,
    config,
    ended,
    firing,
    post,
    receiver,
    route,
)

GROUPS = (
    Script("one alert", PLAIN, 3, [post(0, firing("A"))]),
    Script("two of a group at once", PLAIN, 3, [post(0, firing("A", i="1"), firing("A", i="2"))]),
    Script(
        "two of a group within the wait",
        PLAIN,
        3.5,
        [post(0, firing("A", i="1")), post(0.4, firing("A", i="2"))],
    ),
    Script("two groups", PLAIN, 3, [post(0, firing("A"), firing("B"))]),
    Script(
        "grouped by everything",
        config(route_group_by=["..."]),
        3,
        [post(0, firing("A", i="1"), firing("A", i="2"))],
    ),
    Script(
        "grouped by nothing",
        config(route_group_by=[]),
        3,
        [post(0, firing("A", i="1"), firing("B", i="2"))],
    ),
    Script(
        "grouped by a label that some lack",
        TOGETHER,
        3,
        [post(0, firing("A", job="x"), firing("B"), firing("C", job=""))],
    ),
    Script(
        "one that joins later waits for the interval",
        PLAIN,
        6.5,
        [post(0, firing("A", i="1")), post(2, firing("A", i="2", since=2))],
    ),
    Script(
        "one that joins twice later",
        PLAIN,
        9,
        [
            post(0, firing("A", i="1")),
            post(2, firing("A", i="2", since=2)),
            post(5.5, firing("A", i="3", since=5.5)),
        ],
    ),
    Script("an old alert is told at once", PLAIN, 3, [post(0, firing("A", since=-60))]),
    Script(
        "an old alert joins a group that waits",
        PLAIN,
        4,
        [post(0, firing("A", i="1")), post(0.3, firing("A", i="2", since=-60))],
    ),
    Script(
        "an old alert joins a group that was told",
        PLAIN,
        6,
        [post(0, firing("A", i="1")), post(2, firing("A", i="2", since=-60))],
    ),
    Script(
        "ended before the wait is over",
        PLAIN,
        5,
        [post(0, firing("A")), post(0.5, ended("A", 0.5))],
        is_mute=True,
    ),
    Script(
        "one of two ended before the wait is over",
        PLAIN,
        3,
        [
            post(0, firing("A", i="1"), firing("A", i="2")),
            post(0.5, ended("A", 0.5, i="1")),
        ],
    ),
    Script("posted as ended", PLAIN, 4, [post(0, ended("A", -1, since=-60))], is_mute=True),
    Script(
        "a group of many in order",
        PLAIN,
        3,
        [post(0, *(firing("A", instance=f"{i * 7 % 40}", job=f"{i % 3}") for i in range(40)))],
    ),
)

ENDS = (
    Script("told of the end", PLAIN, 6, [post(0, firing("A")), post(2, ended("A", 2))]),
    Script(
        "not told of the end",
        config(receivers=[receiver("all", send_resolved=False)]),
        6,
        [post(0, firing("A")), post(2, ended("A", 2))],
    ),
    Script(
        "one of two ends",
        PLAIN,
        6,
        [post(0, firing("A", i="1"), firing("A", i="2")), post(2, ended("A", 2, i="1"))],
    ),
    Script(
        "one after the other ends",
        PLAIN,
        9,
        [
            post(0, firing("A", i="1"), firing("A", i="2")),
            post(2, ended("A", 2, i="1")),
            post(5.5, ended("A", 5.5, i="2")),
        ],
    ),
    Script(
        "one ends and another comes",
        PLAIN,
        6,
        [post(0, firing("A", i="1")), post(2, ended("A", 2, i="1"), firing("A", i="2", since=2))],
    ),
    Script(
        "ended and back between two tellings",
        PLAIN,
        8,
        [post(0, firing("A")), post(2, ended("A", 2)), post(3, firing("A", since=3))],
    ),
    Script(
        "ended and back after it was told",
        PLAIN,
        9,
        [post(0, firing("A")), post(2, ended("A", 2)), post(6, firing("A", since=6))],
    ),
    Script(
        "comes and goes",
        PLAIN,
        12,
        [
            post(0, firing("A")),
            post(1.6, ended("A", 1.6)),
            post(2.4, firing("A", since=2.4)),
            post(3.2, ended("A", 3.2)),
            post(8.5, firing("A", since=8.5)),
            post(9.1, ended("A", 9.1, since=8.5)),
        ],
    ),
    Script("its end comes by itself", PLAIN, 8, [post(0, firing("A", until=2.5))]),
    Script(
        "its end is put off",
        PLAIN,
        9,
        [post(0, firing("A", until=2.5)), post(2, firing("A", until=5.5))],
    ),
    Script(
        "its end by time-out",
        config(global_={"resolve_timeout": "2s"}),
        8,
        [post(0, firing("A", until=None))],
    ),
    Script(
        "its end by time-out is put off",
        config(global_={"resolve_timeout": "2s"}),
        9,
        [post(0, firing("A", until=None)), post(1.6, firing("A", until=None))],
    ),
    Script(
        "its beginning is an earlier one",
        PLAIN,
        6,
        [
            post(0, firing("A", i="1")),
            post(0.4, firing("A", since=-0.5, i="1")),
            post(2, firing("A", i="2", since=2)),
        ],
    ),
    Script(
        "without any time",
        config(global_={"resolve_timeout": "1h"}),
        3,
        [post(0, firing("A", since=None, until=None))],
    ),
    Script(
        "an annotation changes",
        PLAIN,
        7.5,
        [
            post(0, firing("A", i="1")),
            (2, lambda side: side.post(Alert({"alertname": "A", "i": "1"}, 0, HOUR, {"x": "y"}))),
            post(2.5, firing("A", i="2", since=2.5)),
        ],
    ),
)

REPEATS = (
    Script(
        "repeated with an interval that is a multiple",
        config(route_repeat_interval="6s"),
        15,
        [post(0, firing("A"))],
    ),
    Script(
        "repeated with an interval that is none",
        config(route_repeat_interval="4s"),
        15,
        [post(0, firing("A"))],
    ),
    Script(
        "repeated by one route, not by the other",
        config(
            route("alertname=A", receiver="often", repeat_interval="2s"),
            route("alertname=B", receiver="seldom"),
        ),
        12,
        [post(0, firing("A"), firing("B"))],
    ),
    Script(
        "what was told is not told again while it burns",
        PLAIN,
        9,
        [post(at, firing("A")) for at in (0.0, 2.0, 4.0, 6.0)],
    ),
)

ROUTES = (
    Script(
        "the first that matches",
        config(route("severity=critical", receiver="one"), route(receiver="two")),
        3,
        [post(0, firing("A", **CRITICAL), firing("B"))],
    ),
    Script(
        "on to the next",
        config(
            route("severity=critical", receiver="one", continue_=True),
            route("severity=critical", receiver="two"),
            route(receiver="three"),
        ),
        3,
        [post(0, firing("A", **CRITICAL), firing("B"))],
    ),
    Script(
        "routes in routes",
        config(
            route(
                "team=db",
                receiver="db",
                group_by=["team"],
                routes=[route("severity=critical", receiver="db-page", group_wait="2s")],
            )
        ),
        5,
        [post(0, firing("A", team="db", **CRITICAL), firing("B", team="db"), firing("C"))],
    ),
    Script(
        "a route without a receiver has its parent's",
        config(route("team=db", receiver="db", routes=[route("x=y", group_wait="2s")])),
        5,
        [post(0, firing("A", team="db", x="y"), firing("B", team="db"))],
    ),
    Script(
        "by regular expression",
        config(route("service=~web|db.*", receiver="one"), route("service!~w.+", receiver="two")),
        3,
        [post(0, *(firing("A", service=it) for it in ("web", "webs", "db1", "xdb", "")))],
    ),
    Script(
        "by what is not",
        config(route("severity!=critical", 'team!=""', receiver="one")),
        3,
        [post(0, firing("A", **CRITICAL), firing("B", team="x"), firing("C"))],
    ),
    Script(
        "by the older keys",
        config({"match": {"severity": "critical"}, "match_re": {"team": "a|b"}, "receiver": "one"}),
        3,
        [post(0, firing("A", team="a", **CRITICAL), firing("A", team="c", **CRITICAL))],
    ),
    Script(
        "each route has its own wait",
        config(
            route("alertname=A", receiver="one", group_wait="0s"),
            route("alertname=B", receiver="two", group_wait="2500ms"),
        ),
        5,
        [post(0, firing("A"), firing("B"), firing("C"))],
    ),
    Script(
        "each route has its own interval",
        config(
            route("i=1", receiver="one", group_interval="2s"),
            route(receiver="two", group_interval="4s"),
        ),
        7.5,
        [
            post(0, firing("A", i="1"), firing("A", i="2")),
            post(1.5, ended("A", 1.5, i="1"), ended("A", 1.5, i="2")),
        ],
    ),
    Script(
        "two ways for the same receiver",
        config(
            route("x=y", receiver="all", continue_=True),
            route("alertname=A", receiver="all", group_by=["..."]),
        ),
        3,
        [post(0, firing("A", x="y"), firing("A", x="z"))],
    ),
    Script(
        "a receiver with two webhooks",
        config(
            receivers=[
                {
                    "name": "all",
                    "webhook_configs": [
                        {"url": "http://twin/first"},
                        {"url": "http://twin/second", "send_resolved": False},
                    ],
                }
            ]
        ),
        6,
        [post(0, firing("A")), post(2, ended("A", 2))],
    ),
    Script(
        "so many alerts and no more",
        config(receivers=[receiver("all", max_alerts=2)]),
        3,
        [post(0, *(firing("A", i=str(i)) for i in range(5)))],
    ),
    Script(
        "names and values of any kind",
        TOGETHER,
        3,
        [post(0, firing("Überlast", job='a "b"\\c\n', i="{}=,", z="héllo wörld €"))],
    ),
)
