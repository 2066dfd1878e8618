"""Finds what conversations can be linked to: deals, persons and leads that the actor may see. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from mailcrm.services.access import Actor
from mailcrm.services.crm import deals, leads, people

SHOWN = 6  # of each kind


@dataclass(frozen=True, slots=True)
class Found:
    """A target: `kind` deal, person or lead; `about` its stage, organization or person."""

    kind: str
    id: int
    title: str
    about: str


def targets(actor: Actor, query: str = "") -> tuple[Found, ...]:
    """Return open deals, persons and open leads that match, deals first; the newest deals and leads for ""."""
    found = [Found("deal", each.id, each.title, each.stage) for each in deals.list_deals(actor, query, limit=SHOWN)]
    if query.strip():
        page = people.list_people(actor, query, limit=SHOWN)
        found += [Found("person", each.id, each.name, each.organization or each.address or "") for each in page.rows]
    found += [Found("lead", each.id, each.title, each.person) for each in leads.list_leads(actor, query, limit=SHOWN)]
    return tuple(found)
