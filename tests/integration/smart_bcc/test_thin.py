"""The thin way through: a signed mail to a deal's address is kept, linked, and nothing else happens."""

from __future__ import annotations

from tests.integration.smart_bcc.world import World, a_mail, sign


def test_a_bcc_of_a_deal_is_in_its_conversation(world: World) -> None:
    """M01, M21: a mail of the login address with the deal's address in Bcc ends in the deal."""
    to = world.address(deal_id=world.deal_id)
    row = world.arrive(sign(a_mail("Aino <aino@crm.test>", "mika@saimaa.example"), "crm.test"), to)
    assert (row.state, row.reason) == ("stored", "")
    assert world.deals_of(row.message_id) == {(world.deal_id, "smart_bcc")}
    assert world.notices() == []
