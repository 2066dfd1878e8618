"""The linking rules, purely: which persons, deals and leads a message belongs to (M02, M27-M30).

Takes values, returns intents; does no I/O and knows no clock. Subjects are never looked at: matching by subject
invites wrong links (peers.md 3.3). What a person unlinked is never proposed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

COUNTING_ROLES = ("from", "reply_to", "to", "cc", "bcc")  # product.md: Sender is not among the counterparties
POLICIES = ("ask", "newest", "all", "none")


@dataclass(frozen=True, slots=True)
class Target:
    """A person, deal or lead."""

    kind: str
    id: int


@dataclass(frozen=True, slots=True)
class Intent:
    """A link to make. `code` says why: "address", "one_open_deal", "newest_deal", "open_deals", "one_open_lead"."""

    target: Target
    code: str
    address: str


@dataclass(frozen=True, slots=True)
class ThreadLinks:
    """What a thread is linked to now, and what a person took away from it."""

    standing: frozenset[Target] = frozenset()
    unlinked: frozenset[Target] = frozenset()


@dataclass(frozen=True, slots=True)
class Directory:
    """Who has an address, and what is open for whom; deals and leads newest first."""

    persons: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    deals: Mapping[int, tuple[int, ...]] = field(default_factory=dict[int, tuple[int, ...]])
    leads: Mapping[int, tuple[int, ...]] = field(default_factory=dict[int, tuple[int, ...]])
    #: Every open deal's place in time: the higher, the newer. Needed when persons share a message.
    newness: Mapping[int, int] = field(default_factory=dict[int, int])


def counterparties(
    participants: Iterable[tuple[str, str]], own: frozenset[str], colleagues: frozenset[str]
) -> tuple[str, ...]:
    """Return the addresses of (role, address) pairs that count, each once, in the order given."""
    found = (address.lower() for role, address in participants if role in COUNTING_ROLES and address)
    return tuple(dict.fromkeys(address for address in found if address not in own and address not in colleagues))


def decide(
    addresses: Iterable[str],
    thread: ThreadLinks,
    directory: Directory,
    *,
    link_deals: bool = True,
    policy: str = "ask",
) -> tuple[Intent, ...]:
    """Return the links that a message with these counterparties adds to its thread; applying it twice adds nothing.

    Persons (M27): everyone who has one of the addresses. Deals (M28, M29): none while the thread has a deal or lead
    of its own; the only open one; with several, what `policy` says, and nothing for "ask". A lead only where its
    person has no open deal.
    """
    by_person = _persons(addresses, thread, directory)
    intents = [
        Intent(Target("person", person), "address", address)
        for person, address in by_person.items()
        if Target("person", person) not in thread.standing
    ]
    has_own = any(target.kind in ("deal", "lead") for target in thread.standing)
    if link_deals and not has_own:
        intents += _deals(by_person, thread, directory, policy)
    return tuple(intents)


def candidates(persons: Iterable[int], directory: Directory) -> tuple[int, ...]:
    """Return the open deals of these persons, newest first (M29: the user picks one)."""
    found = {deal for person in persons for deal in directory.deals.get(person, ())}
    return tuple(sorted(found, key=lambda deal: (-directory.newness.get(deal, 0), -deal)))


def _persons(addresses: Iterable[str], thread: ThreadLinks, directory: Directory) -> dict[int, str]:
    """Each matching person with the first address that matched; without those a person took off the thread."""
    found: dict[int, str] = {}
    for address in addresses:
        for person in directory.persons.get(address, ()):
            if Target("person", person) not in thread.unlinked:
                found.setdefault(person, address)
    return found


def _deals(by_person: Mapping[int, str], thread: ThreadLinks, directory: Directory, policy: str) -> list[Intent]:
    found = candidates(by_person, directory)
    if not found:
        leads = {lead for person in by_person for lead in directory.leads.get(person, ())}
        chosen, kind, code = (tuple(leads) if len(leads) == 1 else ()), "lead", "one_open_lead"
    elif len(found) == 1:
        chosen, kind, code = found, "deal", "one_open_deal"
    elif policy == "newest":
        chosen, kind, code = found[:1], "deal", "newest_deal"
    elif policy == "all":
        chosen, kind, code = found, "deal", "open_deals"
    else:
        chosen, kind, code = (), "deal", ""
    open_for = directory.leads if kind == "lead" else directory.deals
    return [
        Intent(
            Target(kind, row), code, next(by_person[person] for person in by_person if row in open_for.get(person, ()))
        )
        for row in chosen
        if Target(kind, row) not in thread.unlinked
    ]
