"""Smart Bcc addresses are the workspace's own: nobody's correspondent, whichever way they lead in."""

from __future__ import annotations

import pytest
from sqlmodel import col, select

from mailcrm.models import DropMailbox, Message, Participant
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.own_addresses import NOBODY, own_address, workspace_addresses
from tests.builders import a_mailbox, a_message
from tests.integration.smart_bcc.world import World


@pytest.mark.parametrize(("kept", "catch_all"), [("crm@drop.test", False), ("@drop.test", True)])
def test_each_place_is_own(world: World, kept: str, catch_all: bool) -> None:
    """product.md, "Words": counterparties are all but the workspace's own."""
    local = world.address(deal_id=world.deal_id).partition("@")[0]
    with transaction() as session:
        session.add(
            DropMailbox(address=kept, catch_all=catch_all, host="h", port=1, security="none", username="u", secret=b"")
        )
    dropped = f"{local}@drop.test" if catch_all else f"crm+{local}@drop.test"
    with reading() as session:
        assert workspace_addresses(session)[NOBODY] == {f"{local}@bcc.test", dropped}


def test_a_bcc_header_of_the_sent_copy_is_no_counterparty(world: World) -> None:
    """The Sent folder's copy names the Smart Bcc address: it blocks nothing, links nothing."""
    to = world.address(deal_id=world.deal_id)
    a_message(a_mailbox(world.aino), sender="aino@crm.test", to=to, subject="x")
    with reading() as session:
        own = session.exec(select(Message.id).where(own_address(select(Participant.address).where(
            Participant.message_id == Message.id, col(Participant.role) == "to").scalar_subquery()))).all()  # fmt: skip
    assert len(own) == 1
