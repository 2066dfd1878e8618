"""Whose consent forbids tracking among the recipients of a message, and what is decided for each of them (T09, B04).

    unless_refused: who refused is not tracked             only_granted: who did not agree is not tracked, strangers too

A refusal is a person's (crm/people), or an address's own, chosen on the opt-out page (tracking/optout): the second holds
for addresses of nobody, too. `decide` writes the decision into the recipients when a delivery begins; it stands for
every other attempt, but a refusal that comes before an address was sent to is kept. Does not change consent.
"""

from __future__ import annotations

import hmac
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlmodel import Session, col, select

from mailcrm.config import config
from mailcrm.models import AddressConsent, Outbox, OutboxRecipient, Person, PersonAddress, Workspace
from mailcrm.services.crypto import derive
from mailcrm.services.mail.outbox.addresses import ascii_domain

BATCH = 200  # addresses in one query, each in a few spellings; SQLite takes 999 parameters in old builds
#: More recipients than this get one email together even where copies are wanted: each copy counts against what the
#: provider lets a mailbox send in a day, and goes out in a transaction of its own.
MOST_COPIES = 25

Verdict = Literal["", "refused", "not_granted"]


@dataclass(frozen=True)
class Judged:
    """One address: why it may not be tracked ("" when it may), and the name of the person who decides that."""

    verdict: Verdict
    name: str = ""


def untracked_recipients(session: Session, addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the names (or addresses) of the recipients that may not be tracked, in the order given."""
    judged = judge(session, addresses)
    return tuple(each.name or address for address, each in judged.items() if each.verdict)


def judge(session: Session, addresses: Iterable[str]) -> dict[str, Judged]:
    """Return what policy and consent say of each address, by its lower case, in the order given."""
    wanted = {key: plain(key) for key in dict.fromkeys(address.lower() for address in addresses if address)}
    workspace = session.get(Workspace, 1)
    only_granted = workspace is not None and workspace.tracking_policy == "only_granted"
    people: dict[str, list[tuple[str, str]]] = {}
    chosen: dict[str, str] = {}
    keys = list(wanted)
    for start in range(0, len(keys), BATCH):
        part = keys[start : start + BATCH]
        rows = session.exec(
            select(PersonAddress.address, Person.name, Person.consent)
            .join(Person, col(Person.id) == col(PersonAddress.person_id))
            .where(
                col(PersonAddress.address).in_({form for key in part for form in spellings(key)}),
                col(Person.deleted_at).is_(None),
            )
            .order_by(col(Person.id))
        )
        for address, name, consent in rows:
            people.setdefault(plain(address), []).append((name, consent))
        chosen |= choices(session, [wanted[key] for key in part])
    return {key: _judged(people.get(one, []), chosen.get(one, ""), only_granted) for key, one in wanted.items()}


def _judged(people: Sequence[tuple[str, str]], chosen: str, only_granted: bool) -> Judged:
    """One who refused outweighs others with the same address who agreed."""
    refused = [name for name, consent in people if consent == "refused"]
    name = (refused or [name for name, _ in people] or [""])[0]
    if refused or chosen == "refused":
        return Judged("refused", name)
    if only_granted and chosen != "granted" and all(consent != "granted" for _, consent in people):
        return Judged("not_granted", name)
    return Judged("", name)


def decide(session: Session, row: Outbox, people: Sequence[OutboxRecipient]) -> None:
    """Write into each recipient how it is tracked, once; what was decided before stands, but for a new refusal.

    "together" or "copy" where it may be tracked, "refused" or "not_granted" where not. In the caller's transaction.
    """
    judged = judge(session, [each.address for each in people])
    copies = wants_copies(row.track_copies, [each.address for each in people])
    for each in people:
        verdict = judged[each.address.lower()].verdict
        sent = each.state != "waiting" or each.handed_over_at is not None
        if each.tracking == "":
            each.tracking = verdict or ("copy" if copies else "together")
        elif verdict == "refused" and not sent:
            each.tracking = verdict
        session.add(each)


def wants_copies(asked: bool, addresses: Iterable[str]) -> bool:
    """Whether each recipient gets a copy of their own (B04): asked for, more than one of them, and not too many."""
    return asked and 1 < len({address.lower() for address in addresses}) <= MOST_COPIES


def choices(session: Session, addresses: Iterable[str]) -> dict[str, str]:
    """Return what was chosen on the opt-out page, by `plain` address; those without a choice are left out."""
    hashed = {digest: plain(address) for address in addresses for digest in hashes(address)}
    rows = session.exec(
        select(AddressConsent.address_hash, AddressConsent.consent).where(col(AddressConsent.address_hash).in_(hashed))
    )
    return {hashed[digest]: consent for digest, consent in rows}


def hashes(address: str) -> tuple[str, ...]:
    """Return an address's keyed hashes: the first is written, all are looked for (keys rotate)."""
    one = plain(address).encode()
    return tuple(hmac.digest(derive(key, "address"), one, "sha256").hex() for key in config().secret_keys)


def plain(address: str) -> str:
    """Return one spelling for the spellings of an address: lower case, composed letters, the domain as it is sent."""
    local, at, domain = unicodedata.normalize("NFC", address.lower()).rpartition("@")
    return f"{local}{at}{domain if domain.isascii() else ascii_domain(domain) or domain}"


def spellings(address: str) -> set[str]:
    """Return the forms in which a person's row may hold an address."""
    one = plain(address)
    local, at, domain = one.rpartition("@")
    try:
        unicode = domain.encode("ascii").decode("idna") if "xn--" in domain else domain
    except UnicodeError:
        unicode = domain
    return {address.lower(), one, f"{local}{at}{unicode}", unicodedata.normalize("NFD", address.lower())}
