"""A merged person's name is for those who may see that person."""

from __future__ import annotations

import pytest

from mailcrm.services import access
from mailcrm.services.auth import teams
from mailcrm.services.crm import merge, people, timeline
from mailcrm.services.db import reading
from tests.builders import a_person, a_user

pytestmark = pytest.mark.usefixtures("db")


def test_a_merge_names_nobody_out_of_reach() -> None:
    """An administrator merges a colleague's contact into Noor's: her page and its history don't say who it was."""
    root, aino, noor = a_user("Root", admin=True), a_user("Aino"), a_user("Noor")
    kept, secret = a_person(noor, "Kept"), a_person(aino, "Secret Buyer")
    merge.merge(root, kept.card.id, secret.card.id)
    teams.set_scope(root, "member", "person", "own")
    with reading() as session:
        noor = access.actor_for(session, noor.user_id)
    assert people.get_person(noor, kept.card.id).card.name == "Kept"
    assert "Secret" not in repr(merge.merges_of(noor, kept.card.id))
    assert "Secret" not in repr(timeline.person_timeline(noor, kept.card.id))
    assert "Secret" in repr(merge.merges_of(root, kept.card.id))
    assert "Secret" in repr(timeline.person_timeline(root, kept.card.id))
