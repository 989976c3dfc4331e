"""What is not told: silences, inhibition, time intervals."""

from __future__ import annotations

from proofs.twin_scripts.words import (
    ALWAYS,
    CRITICAL,
    INHIBITED,
    NEVER,
    PLAIN,
    WARNING,
    Script,
    config,
    ended,
    expire,
    firing,
    post,
    route,
    silence,
)

SILENCES = (
    Script(
        "silenced before it burns",
        PLAIN,
        4,
        [silence(0, "s", "alertname=A"), post(0.3, firing("A"), firing("B"))],
    ),
    Script(
        "a silence that ends is told of at the next turn",
        PLAIN,
        8.5,
        [silence(0, "s", "alertname=A", ends=3), post(0.3, firing("A"))],
    ),
    Script(
        "a silence that somebody ends",
        PLAIN,
        8.5,
        [silence(0, "s", "alertname=A"), post(0.3, firing("A")), expire(3, "s")],
    ),
    Script(
        "a silence that begins later",
        PLAIN,
        8,
        [
            silence(0, "s", "i=2", begins=2.5),
            post(0, firing("A", i="1")),
            post(3, firing("A", i="2", since=3), firing("A", i="3", since=3)),
        ],
    ),
    Script(
        "silenced after it was told, then ended",
        PLAIN,
        8,
        [post(0, firing("A")), silence(2, "s", "alertname=A"), post(2.5, ended("A", 2.5))],
    ),
    Script(
        "silenced, ended, and the silence with it",
        PLAIN,
        9,
        [
            post(0, firing("A")),
            silence(2, "s", "alertname=A"),
            post(2.3, ended("A", 2.3)),
            expire(2.8, "s"),
        ],
    ),
    Script(
        "one of a group is silenced",
        PLAIN,
        6,
        [
            silence(0, "s", "i=1"),
            post(0.3, firing("A", i="1"), firing("A", i="2")),
            post(2.5, ended("A", 2.5, i="2")),
        ],
    ),
    Script(
        "one of a group is silenced after it was told",
        PLAIN,
        8,
        [
            post(0, firing("A", i="1"), firing("A", i="2")),
            silence(2, "s", "i=1"),
            post(2.5, firing("A", i="3", since=2.5)),
        ],
    ),
    Script(
        "silenced by regular expression",
        PLAIN,
        4,
        [silence(0, "s", "i=~1|2.*"), post(0.3, *(firing("A", i=i) for i in ("1", "21", "3")))],
    ),
    Script(
        "silenced by what is not",
        PLAIN,
        4,
        [
            silence(0, "s", "i!=1", "alertname=A"),
            silence(0, "t", "i!~1|2", "alertname=B"),
            post(0.3, *(firing(name, i=i) for i in ("1", "2", "3") for name in "AB")),
        ],
    ),
    Script(
        "a silence is made longer",
        PLAIN,
        9,
        [
            silence(0, "s", "alertname=A", ends=3),
            post(0.3, firing("A")),
            silence(1.5, "s", "alertname=A", begins=0, ends=5.5),
        ],
    ),
    Script(
        "a silence is about others now",
        PLAIN,
        8.5,
        [
            silence(0, "s", "alertname=A"),
            post(0.3, firing("A")),
            silence(1.5, "s", "alertname=B"),
            post(1.8, firing("B", since=1.8)),
        ],
    ),
    Script(
        "two silences, one is ended",
        PLAIN,
        6,
        [
            silence(0, "s", "alertname=A"),
            silence(0, "t", "i=1"),
            post(0.3, firing("A", i="1")),
            expire(1.5, "s"),
        ],
        is_mute=True,
    ),
    Script(
        "silenced within the wait",
        config(route_group_wait="2s"),
        6,
        [post(0, firing("A"), firing("B")), silence(1, "s", "alertname=A")],
    ),
)

INHIBITION = (
    Script(
        "muted by a worse one",
        INHIBITED,
        4,
        [post(0, firing("A", cluster="x", **CRITICAL), firing("B", cluster="x", **WARNING))],
    ),
    Script(
        "not muted by one of elsewhere",
        INHIBITED,
        4,
        [post(0, firing("A", cluster="x", **CRITICAL), firing("B", cluster="y", **WARNING))],
    ),
    Script(
        "both lack the label",
        INHIBITED,
        4,
        [post(0, firing("A", **CRITICAL), firing("B", **WARNING))],
    ),
    Script(
        "one lacks the label",
        INHIBITED,
        4,
        [post(0, firing("A", cluster="x", **CRITICAL), firing("B", **WARNING))],
    ),
    Script(
        "told of when the worse one ends",
        INHIBITED,
        8.5,
        [
            post(0, firing("A", cluster="x", **CRITICAL), firing("B", cluster="x", **WARNING)),
            post(2, ended("A", 2, cluster="x", **CRITICAL)),
        ],
    ),
    Script(
        "the worse one comes later",
        INHIBITED,
        9,
        [
            post(0, firing("B", cluster="x", i="1", **WARNING)),
            post(2, firing("A", cluster="x", since=2, **CRITICAL)),
            post(2.4, firing("B", cluster="x", i="2", since=2.4, **WARNING)),
        ],
    ),
    Script(
        "ended while it was muted",
        INHIBITED,
        9,
        [
            post(0, firing("B", cluster="x", **WARNING)),
            post(2, firing("A", cluster="x", since=2, **CRITICAL)),
            post(2.4, ended("B", 2.4, cluster="x", **WARNING)),
        ],
    ),
    Script(
        "two worse ones, one ends",
        INHIBITED,
        7,
        [
            post(0, *(firing("A", cluster="x", i=i, **CRITICAL) for i in "12")),
            post(0.2, firing("B", cluster="x", **WARNING)),
            post(2, ended("A", 2, cluster="x", i="1", **CRITICAL)),
        ],
    ),
    Script(
        "nobody mutes itself",
        config(
            inhibit_rules=[
                {
                    "source_matchers": ["alertname=~A|B"],
                    "target_matchers": ["alertname=~B|C"],
                }
            ]
        ),
        4,
        [post(0, firing("B"))],
    ),
    Script(
        "muted ones mute others",
        config(
            inhibit_rules=[
                {"source_matchers": ["alertname=A"], "target_matchers": ["alertname=B"]},
                {"source_matchers": ["alertname=B"], "target_matchers": ["alertname=C"]},
            ]
        ),
        4,
        [post(0, firing("A"), firing("B"), firing("C"), firing("D"))],
    ),
    Script(
        "a silenced one mutes others",
        INHIBITED,
        4,
        [
            silence(0, "s", "alertname=A"),
            post(0.3, firing("A", cluster="x", **CRITICAL), firing("C")),
            post(0.3, firing("B", cluster="x", **WARNING)),
        ],
    ),
    Script(
        "by the older keys of inhibition",
        config(
            inhibit_rules=[
                {
                    "source_match": {"severity": "critical"},
                    "target_match_re": {"severity": "warning|info"},
                    "equal": ["cluster", "job"],
                }
            ]
        ),
        4,
        [
            post(
                0,
                firing("A", cluster="x", **CRITICAL),
                firing("B", cluster="x", severity="info"),
                firing("C", cluster="x", job="y", **WARNING),
            )
        ],
    ),
)

TIMES = (
    Script(
        "muted at all times",
        config(
            route("alertname=A", mute_time_intervals=["always"]),
            time_intervals=[ALWAYS],
        ),
        4,
        [post(0, firing("A"), firing("B"))],
    ),
    Script(
        "muted at no time",
        config(
            route("alertname=A", mute_time_intervals=["never"]),
            time_intervals=[NEVER],
        ),
        4,
        [post(0, firing("A"), firing("B"))],
    ),
    Script(
        "active at no time",
        config(
            route("alertname=A", active_time_intervals=["never"]),
            time_intervals=[NEVER, ALWAYS],
        ),
        4,
        [post(0, firing("A"), firing("B"))],
    ),
    Script(
        "active at all times but muted",
        config(
            route(
                "alertname=A",
                active_time_intervals=["always"],
                mute_time_intervals=["never", "always"],
            ),
            route("alertname=B", active_time_intervals=["never", "always"]),
            time_intervals=[NEVER, ALWAYS],
        ),
        4,
        [post(0, firing("A"), firing("B"))],
    ),
    Script(
        "muting stays above",
        config(
            route(
                "team=db",
                mute_time_intervals=["always"],
                routes=[route("x=y", receiver="one")],
            ),
            time_intervals=[ALWAYS],
        ),
        4,
        [post(0, firing("A", team="db", x="y"), firing("B", team="db"))],
    ),
)
