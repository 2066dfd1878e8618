"""Whose consent forbids tracking among the recipients of a message (T09).

Reads only. One such recipient makes the whole message go out untracked: a copy for each recipient comes later (B04).
Changing a person's consent: crm/people.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlmodel import Session, col, select

from mailcrm.models import Person, PersonAddress, Workspace

BATCH = 400  # addresses in one query; SQLite takes 999 parameters in old builds


def untracked_recipients(session: Session, addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the names (or addresses) of the recipients that may not be tracked, in the order given.

    Policy "unless_refused": those who refused. Policy "only_granted": all who did not agree, strangers included.
    """
    wanted = list(dict.fromkeys(address.lower() for address in addresses if address))
    workspace = session.get(Workspace, 1)
    only_granted = workspace is not None and workspace.tracking_policy == "only_granted"
    known: dict[str, list[tuple[str, str]]] = {}
    for start in range(0, len(wanted), BATCH):
        rows = session.exec(
            select(PersonAddress.address, Person.name, Person.consent)
            .join(Person, col(Person.id) == col(PersonAddress.person_id))
            .where(col(PersonAddress.address).in_(wanted[start : start + BATCH]), col(Person.deleted_at).is_(None))
        )
        for address, name, consent in rows:
            known.setdefault(address, []).append((name, consent))
    found: list[str] = []
    for address in wanted:
        people = known.get(address, [])
        refused = [name for name, consent in people if consent == "refused"]
        granted = any(consent == "granted" for _, consent in people)
        if refused or (only_granted and not granted):
            found.append(refused[0] if refused else people[0][0] if people else address)
    return tuple(found)
