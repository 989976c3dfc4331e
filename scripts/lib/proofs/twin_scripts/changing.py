"""What changes under way: reloads, restarts, receivers that fail."""

from __future__ import annotations

from proofs.twin_scripts.words import (
    BROKEN,
    CRITICAL,
    INHIBITED,
    PLAIN,
    WARNING,
    Script,
    answers,
    config,
    ended,
    firing,
    post,
    receiver,
    reload,
    restart,
    route,
    silence,
)

CHANGES = (
    Script(
        "reloaded as it is",
        PLAIN,
        8,
        [post(0, firing("A")), reload(2, PLAIN), post(3, firing("A", i="2", since=3))],
        is_loose=True,
    ),
    Script(
        "a bad configuration changes nothing",
        PLAIN,
        6,
        [post(0, firing("A")), reload(1.7, BROKEN), post(2, ended("A", 2))],
    ),
    Script(
        "another receiver is told all anew",
        PLAIN,
        8,
        [
            post(0, firing("A")),
            reload(2, config(route_receiver="other", receivers=[receiver("other")])),
        ],
        is_loose=True,
    ),
    Script(
        "other groups are told all anew",
        PLAIN,
        8,
        [post(0, firing("A", i="1"), firing("A", i="2")), reload(2, config(route_group_by=["i"]))],
        is_loose=True,
    ),
    Script(
        "a new route takes what matches it",
        PLAIN,
        8,
        [
            post(0, firing("A"), firing("B")),
            reload(2, config(route("alertname=A", receiver="one"))),
        ],
        is_loose=True,
    ),
    Script(
        "a rule of inhibition goes",
        INHIBITED,
        9,
        [
            post(0, firing("A", cluster="x", **CRITICAL), firing("B", cluster="x", **WARNING)),
            reload(2, PLAIN),
        ],
        is_loose=True,
    ),
    Script(
        "what was told is known after a restart",
        PLAIN,
        10,
        [
            post(0, firing("A")),
            restart(2),
            post(4, firing("A")),
            post(4.3, firing("B", since=4.3)),
        ],
        is_loose=True,
    ),
    Script(
        "a silence outlives a restart",
        PLAIN,
        9,
        [silence(0, "s", "alertname=A"), restart(1), post(3.5, firing("A"), firing("B"))],
        is_loose=True,
    ),
    Script(
        "its end is told after a restart",
        PLAIN,
        10,
        [post(0, firing("A")), restart(2), post(4, ended("A", 4))],
        is_loose=True,
    ),
    Script(
        "repeated after a restart",
        config(route_repeat_interval="6s"),
        14,
        [post(0, firing("A")), restart(2), post(4, firing("A"))],
        is_loose=True,
    ),
)

FAULTS = (
    Script(
        "tried again while it answers 500",
        PLAIN,
        8,
        [answers(0, 500), post(0, firing("A")), answers(1.8, 200)],
        is_loose=True,
    ),
    Script(
        "not tried again when it answers 400",
        PLAIN,
        8,
        [
            answers(0, 400),
            post(0, firing("A")),
            answers(2, 200),
            post(2.5, firing("A", i="2", since=2.5)),
        ],
        is_loose=True,
    ),
    Script(
        "ended while it could not be told",
        PLAIN,
        9,
        [answers(0, 500), post(0, firing("A")), post(2, ended("A", 2)), answers(3, 200)],
        is_loose=True,
    ),
)
