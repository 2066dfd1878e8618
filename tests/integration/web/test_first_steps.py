"""The checklist of first steps says what is there, for this user (issue 9, item 7)."""

from __future__ import annotations

import pytest

from mailcrm.models import Signature
from mailcrm.services import first_steps
from mailcrm.services.access import Actor
from mailcrm.services.db import transaction
from tests.builders import a_mailbox, a_user

pytestmark = pytest.mark.usefixtures("sqlite_db")


def done(actor: Actor) -> dict[str, bool]:
    return {each.name: each.done for each in first_steps.of(actor)}


def test_steps_are_done_by_what_is_there() -> None:
    mine, others = a_user(admin=True), a_user("Other")
    a_mailbox(others, kind="bcc")
    assert done(mine) == {"mailbox": False, "signature": False, "deals": False, "template": False, "colleague": True}
    assert "colleague" not in done(others)
    assert not done(others)["mailbox"]  # what holds Smart Bcc mail is no mailbox of anybody's
    with transaction() as session:
        session.add(Signature(user_id=mine.user_id, name="Mine"))
    assert done(mine)["signature"]
    assert not done(others)["signature"]
