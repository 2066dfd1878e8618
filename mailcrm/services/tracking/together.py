"""What several fetches of one message tell of each other: sweeps of links, checks before a click, opens before an act.

Pure: values in, verdicts out, one pass over events sorted by time. The rules themselves are in classify.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from mailcrm.services.tracking.classify import BURST_S, COUNTED, PRECHECK_S, Facts, Verdict, classify


@dataclass(frozen=True)
class Fetched:
    """One stored fetch: its facts but for those that come from its neighbours, which link, when, and from where."""

    facts: Facts
    at: datetime
    link_id: int | None = None
    network: str = ""


def judge(fetches: Sequence[Fetched], answered_at: datetime | None = None) -> list[Verdict]:
    """Judge fetches of one message, sorted by time; return a verdict for each, in order."""
    clicks = [n for n, each in enumerate(fetches) if each.facts.action == "click"]
    burst, rechecked = _burst(fetches, clicks), _rechecked(fetches, clicks)
    found: list[Verdict | None] = [None] * len(fetches)
    acted: datetime | None = None  # the last click of a person
    for n in clicks:
        facts = fetches[n].facts
        found[n] = verdict = classify(
            replace(facts, burst_links=burst.get(n, 0), rechecked=facts.rechecked or n in rechecked)
        )
        if verdict.kind in COUNTED:
            acted = fetches[n].at
    verdicts: list[Verdict] = []
    for each, known in zip(fetches, found, strict=True):
        if known is not None:
            verdicts.append(known)
            continue
        then = (
            "click"
            if acted is not None and each.at <= acted
            else "answer"
            if answered_at is not None and each.at <= answered_at
            else ""
        )
        verdicts.append(classify(replace(each.facts, followed_by=then)))
    return verdicts


def prechecks(fetches: Sequence[Fetched]) -> frozenset[int]:
    """Indices of clicks that another network repeated at once: to be remembered, because networks are forgotten."""
    return frozenset(_rechecked(fetches, [n for n, each in enumerate(fetches) if each.facts.action == "click"]))


def _burst(fetches: Sequence[Fetched], clicks: Sequence[int]) -> dict[int, int]:
    """How many distinct links were fetched within BURST_S around each click; own ones and a browser's guesses aside."""
    moving = [n for n in clicks if not (fetches[n].facts.own or fetches[n].facts.prefetch)]
    found: dict[int, int] = {}
    links: Counter[int | None] = Counter()
    first = last = 0
    for n in moving:
        while last < len(moving) and (fetches[moving[last]].at - fetches[n].at).total_seconds() <= BURST_S:
            links[fetches[moving[last]].link_id] += 1
            last += 1
        while (fetches[n].at - fetches[moving[first]].at).total_seconds() > BURST_S:
            gone = fetches[moving[first]].link_id
            links[gone] -= 1
            if not links[gone]:
                del links[gone]
            first += 1
        found[n] = len(links)
    return found


def _rechecked(fetches: Sequence[Fetched], clicks: Sequence[int]) -> set[int]:
    """Clicks after which another network fetched the same link within PRECHECK_S."""
    found: set[int] = set()
    last: dict[int | None, list[int]] = {}
    for n in clicks:
        each = fetches[n]
        if each.facts.own or not each.network:
            continue
        recent = [m for m in last.get(each.link_id, []) if (each.at - fetches[m].at).total_seconds() <= PRECHECK_S]
        found.update(m for m in recent if fetches[m].network != each.network and fetches[m].at < each.at)
        last[each.link_id] = [*recent, n][-50:]
    return found
