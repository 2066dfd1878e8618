"""The linking rules, purely: which persons, deals and leads a conversation belongs to (M02, M27-M30).

In this order:

    persons     everyone who has a counterparty's address, exactly (`addresses.py` says what "exactly" is)
    1           a deal or lead that the conversation has already is kept: nothing else is linked
    2           the deal or lead that Smart Bcc names, or that was chosen in the composer
    3           the one open deal of its persons; the one open lead where none of them has an open deal
    4           several open deals: what the mailbox's policy says, and nothing for "ask"

Decides for the conversation, not for the message: with two persons who have one open deal each there is nothing to
guess, whoever wrote first. Never takes a link away, and never proposes what a person unlinked (M30). Who may see the
targets is not asked here but where links are read (access.py). Subjects and display names are never looked at: matching
by them invites wrong links (peers.md 3.3). Takes values, returns intents; does no I/O and knows no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mailcrm.services.crm.linking.addresses import same

COUNTING_ROLES = ("from", "reply_to", "to", "cc", "bcc")  # product.md: Sender is not among the counterparties
POLICIES = ("ask", "newest", "all", "none")


@dataclass(frozen=True, slots=True)
class Target:
    """A person, deal or lead."""

    kind: str
    id: int


@dataclass(frozen=True, slots=True)
class Intent:
    """A link to make, and why: `code` is one of "address", "one_open_deal", "newest_deal", "open_deals",
    "one_open_lead", "smart_bcc", "composer"; `person` whose address it was, where the target is a deal or lead.
    """

    target: Target
    code: str
    address: str = ""
    person: int = 0


@dataclass(frozen=True, slots=True)
class ThreadLinks:
    """What a thread is linked to now, what a person took away from it, and which addresses brought its persons."""

    standing: frozenset[Target] = frozenset()
    unlinked: frozenset[Target] = frozenset()
    addresses: Mapping[int, str] = field(default_factory=dict[int, str])

    def with_links(self, intents: Iterable[Intent]) -> ThreadLinks:
        """Return the same after these links were made."""
        made = tuple(intents)
        if not made:
            return self
        addresses = {each.target.id: each.address for each in made if each.target.kind == "person"}
        return ThreadLinks(
            self.standing | {each.target for each in made}, self.unlinked, {**addresses, **self.addresses}
        )


@dataclass(frozen=True, slots=True)
class Directory:
    """Who has an address, and what is open for whom; deals and leads newest first; nothing from the trash."""

    persons: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    deals: Mapping[int, tuple[int, ...]] = field(default_factory=dict[int, tuple[int, ...]])
    leads: Mapping[int, tuple[int, ...]] = field(default_factory=dict[int, tuple[int, ...]])
    #: Every open deal's place in time: the higher, the newer. Needed when persons share a message.
    newness: Mapping[int, int] = field(default_factory=dict[int, int])


def counterparties(
    participants: Iterable[tuple[str, str]], own: frozenset[str], colleagues: frozenset[str]
) -> tuple[str, ...]:
    """Return the addresses of (role, address) pairs that count, each once, in the order given, as `same` spells them.

    So must `own` and `colleagues` be.
    """
    found = dict.fromkeys(same(address) for role, address in participants if role in COUNTING_ROLES and address)
    return tuple(address for address in found if address not in own and address not in colleagues)


def decide(
    addresses: Iterable[str],
    thread: ThreadLinks,
    directory: Directory,
    *,
    link_deals: bool = True,
    policy: str = "ask",
) -> tuple[Intent, ...]:
    """Return the links that a message with these counterparties adds to its thread; applying it twice adds nothing.

    Persons (M27): everyone who has one of the addresses. Deals (M28, M29): of these persons and of those the thread
    is linked to, as the module says. A lead only where none of them has an open deal.
    """
    by_person = _persons(addresses, thread, directory)
    intents = [
        Intent(Target("person", person), "address", address)
        for person, address in by_person.items()
        if Target("person", person) not in thread.standing
    ]
    if link_deals and not has_own(thread):
        for target in thread.standing:
            if target.kind == "person":
                by_person.setdefault(target.id, thread.addresses.get(target.id, ""))
        intents += _deals(by_person, thread, directory, policy)
    return tuple(intents)


def named(target: Target, thread: ThreadLinks, code: str) -> tuple[Intent, ...]:
    """Return the link to a deal or lead that Smart Bcc names ("smart_bcc"): none where the thread has one of its own."""
    if target in thread.unlinked or has_own(thread):
        return ()
    return (Intent(target, code),)


def has_own(thread: ThreadLinks) -> bool:
    """Whether the conversation has a deal or lead already, closed or in the trash too: it holds (M29)."""
    return any(target.kind != "person" for target in thread.standing)


def candidates(persons: Iterable[int], directory: Directory) -> tuple[int, ...]:
    """Return the open deals of these persons, newest first (M29: the user picks one)."""
    found = {deal for person in persons for deal in directory.deals.get(person, ())}
    return tuple(sorted(found, key=lambda deal: (-directory.newness.get(deal, 0), -deal)))


def _persons(addresses: Iterable[str], thread: ThreadLinks, directory: Directory) -> dict[int, str]:
    """Each matching person with the first address that matched; without those a person took off the thread."""
    found: dict[int, str] = {}
    for address in addresses:
        for person in directory.persons.get(address, ()):
            if not thread.unlinked or Target("person", person) not in thread.unlinked:
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
    made: list[Intent] = []
    for row in chosen:
        target = Target(kind, row)
        if target not in thread.unlinked:
            person = next(person for person in sorted(by_person) if row in open_for.get(person, ()))
            made.append(Intent(target, code, by_person[person], person))
    return made
