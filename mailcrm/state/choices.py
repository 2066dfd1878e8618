"""What the selects of CRM pages offer: colleagues, labels."""

import asyncio
from dataclasses import dataclass

from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.crm import labels
from mailcrm.services.i18n import gettext


@dataclass(frozen=True)
class Choice:
    """A value of a select and what it reads."""

    value: str
    label: str


async def owners(actor: Actor, *, or_nobody: bool = False) -> list[Choice]:
    """Return who may be given something: everybody whose account is on, before them nobody where that is a choice."""
    colleagues = await asyncio.to_thread(users.all_users, actor)
    nobody = [Choice("0", gettext(actor.language, "No owner"))] if or_nobody else []
    return nobody + [Choice(str(each.id), each.name) for each in colleagues if not each.disabled]


async def labels_of(actor: Actor, kind: str) -> list[Choice]:
    """Return the labels of persons, organizations, deals or leads."""
    known = await asyncio.to_thread(labels.list_labels, actor, kind)
    return [Choice(str(each.id), each.name) for each in known]
