"""Makes persons of counterparties whom nobody knows yet, where the workspace says so (`Workspace.bcc_makes_people`).

Otherwise they are suggested in the conversation, as with all mail (linking/suggest.py). No person for a machine's
address, nor for the workspace's own. Each is made by its own verb, in its own transaction; twice makes nobody twice.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlmodel import col

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Person, PersonAddress, Workspace
from mailcrm.services import access, audit
from mailcrm.services.access import Actor
from mailcrm.services.crm import people, prefill
from mailcrm.services.crm.linking.addresses import same, spellings
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.own_addresses import workspace_addresses
from mailcrm.services.mail.parse.values import ParsedMessage
from mailcrm.services.rows import chunks, pick, rows

MOST = 10  # persons made of one message: a round mail is no reason to fill the workspace


def makes_people() -> bool:
    """Whether unknown counterparties of Smart Bcc mail become persons by themselves."""
    with reading() as session:
        workspace = session.get(Workspace, 1)
        return workspace is not None and workspace.bcc_makes_people


def set_makes_people(actor: Actor, wanted: bool) -> None:
    """Choose whether unknown counterparties become persons, or are suggested. Administrators only."""
    access.require_admin(actor)
    with transaction() as session:
        workspace = session.get(Workspace, 1)
        if workspace is None:
            raise NotFound
        workspace.bcc_makes_people = wanted
        session.add(workspace)
        audit.record(session, actor, "change", "workspace", 1, fields=["bcc_makes_people"])


def make_people(user_id: int, messages: Iterable[ParsedMessage]) -> int:
    """Make the persons who are missing, on behalf of the user whose mail it is; return how many."""
    with reading() as session:
        workspace = session.get(Workspace, 1)
        if workspace is None or not workspace.bcc_makes_people:
            return 0
        actor = access.actor_for(session, user_id)
        own = frozenset(map(same, frozenset[str]().union(*workspace_addresses(session).values())))
        named = {
            same(each.address): (each.name, each.address)
            for parsed in messages
            for each in (*parsed.from_, *parsed.reply_to, *parsed.to, *parsed.cc, *parsed.bcc)
            if each.address and same(each.address) not in own and not prefill.is_robot(each.address)
        }
        for part in chunks(spellings(named)):
            having = pick(PersonAddress.address).join(Person, col(Person.id) == col(PersonAddress.person_id))
            for row in rows(session, having.where(col(PersonAddress.address).in_(part))):
                named.pop(same(row[0]), None)
    made = 0
    if len(named) > MOST:
        return 0
    for name, address in named.values():
        try:
            people.create_person(actor, name=prefill.person_name(name, address) or address, addresses=(address,))
            made += 1
        except UserError:  # no address that a person may have
            continue
    return made
