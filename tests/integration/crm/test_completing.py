"""What the search field offers: B11, and nothing that the reader may not see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mailcrm.services.crm import completing, deals, people
from mailcrm.services.mail import threads
from tests.builders import a_mailbox, a_message, a_user


def offered(actor: object, text: str) -> list[str]:
    return [each.insert for each in completing.complete(actor, text)[1]]  # type: ignore[arg-type]


def test_operators_people_and_deals_are_offered(sqlite_db: Path) -> None:
    """The last word alone is completed; names with spaces come in quotes, and what is offered is understood."""
    me = a_user()
    people.create_person(me, name="Mika Aaltonen", addresses=["mika@saimaa.test"])
    deals.create_deal(me, title='Roof "north"')
    assert offered(me, "sub") == ["subject:"]
    assert offered(me, "")[:2] == ["from:", "to:"]
    assert offered(me, "roof ") == []
    assert offered(me, "offer from:mik") == ["from:mika@saimaa.test"]
    assert offered(me, "offer person:aal") == ['person:"Mika Aaltonen"']
    assert 'deal:"Roof north"' in offered(me, "roo")
    assert offered(me, "is:un") == ["is:unopened", "is:unread", "is:unlinked"]
    assert offered(me, "-from:mik") == ["-from:mika@saimaa.test"]
    assert completing.complete(me, 'deal:"roo')[0] == 'deal:"roo'
    box = a_mailbox(me)
    mail = a_message(box, sender="Mika Aaltonen <mika@saimaa.test>")
    assert [row.id for row in threads.list_threads(me, query=offered(me, "from:mik")[0]).rows] == [mail.thread_id]


@pytest.mark.parametrize("text", ["\0", "::::", '"' * 9, "from:" * 99, "from:\\", "deal:%", "見", "label:"])
def test_any_text_is_completed(sqlite_db: Path, text: str) -> None:
    me = a_user()
    assert len(completing.complete(me, text)[0]) <= len(text)


def test_nothing_out_of_reach_is_offered(sqlite_db: Path) -> None:
    """M25: of other people's persons and deals no name is told to who sees only their own."""
    other = a_user("Ben")
    people.create_person(other, name="Secret Person", addresses=["secret@saimaa.test"])
    deals.create_deal(other, title="Secret deal")
    me = replace(a_user(), scopes=dict.fromkeys(("person", "organization", "deal", "lead"), "own"))
    for text in ("secret", "from:secret", "to:secret", "person:secret", "deal:secret"):
        assert offered(me, text) == [], text
    assert offered(other, "deal:secret") == ['deal:"Secret deal"']
