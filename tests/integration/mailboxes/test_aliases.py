"""Other own addresses of a mailbox: only those that are proved, and nobody else's (product.md, "Words"; M22)."""

from __future__ import annotations

import pytest

from mailcrm.errors import NotFound, UserError
from mailcrm.models import AlternativeAddress, utcnow
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import aliases, mailboxes, twins
from mailcrm.services.mail.own_addresses import workspace_addresses
from tests.builders import a_mailbox, a_user


def confirm(user_id: int, address: str, *, confirmed: bool = True) -> None:
    with transaction() as session:
        at = utcnow() if confirmed else None
        session.add(AlternativeAddress(user_id=user_id, address=address, confirmed_at=at))


def test_a_proved_address_becomes_one_of_the_mailbox_and_goes_again(db: str) -> None:
    aino = a_user()
    box = a_mailbox(aino, "aino@crm.test")
    for address in ("customer@saimaa.test", "waits@crm.test"):
        if address.startswith("waits"):
            confirm(aino.user_id, address, confirmed=False)
        with pytest.raises(UserError) as caught:
            aliases.add(aino, box, address)
        assert caught.value.code == "alias.unproved"
    confirm(aino.user_id, "sales@crm.test")
    made = aliases.add(aino, box, " Sales@crm.test ")
    assert aliases.list_aliases(aino, box) == (made,)
    assert (box, "sales@crm.test", "sales@crm.test") in mailboxes.senders(aino)
    with reading() as session:
        assert "sales@crm.test" in workspace_addresses(session)[aino.user_id]
    for address in ("sales@crm.test", "AINO@crm.test"):
        confirm(aino.user_id, "aino@crm.test") if address.startswith("AINO") else None
        with pytest.raises(UserError) as caught:
            aliases.add(aino, box, address)
        assert caught.value.code == "alias.taken"
    aliases.remove(aino, made.id)
    assert aliases.list_aliases(aino, box) == ()


def test_nobody_elses_mailbox_or_proof_counts(db: str) -> None:
    """M25: administrators neither."""
    aino, boris = a_user(), a_user("Boris", admin=True)
    box, other = a_mailbox(aino), a_mailbox(boris)
    confirm(aino.user_id, "sales@crm.test")
    made = aliases.add(aino, box, "sales@crm.test")
    with pytest.raises(UserError):
        aliases.add(boris, other, "sales@crm.test")
    confirm(boris.user_id, "boris@crm.test")
    for call in (
        lambda: aliases.list_aliases(boris, box),
        lambda: aliases.add(boris, box, "boris@crm.test"),
        lambda: aliases.remove(boris, made.id),
        lambda: aliases.remove(boris, 10**9),
    ):
        with pytest.raises(NotFound):
            call()
    assert len(aliases.list_aliases(aino, box)) == 1


def test_who_else_connected_the_mailbox_is_told_to_who_got_in(db: str) -> None:
    """M13."""
    aino, boris, cem = a_user(), a_user("Boris"), a_user("Cem")
    first = a_mailbox(aino, "team@crm.test", imap_host="imap.crm.test", imap_username="team")
    again = a_mailbox(boris, "team@crm.test", imap_host="imap.crm.test", imap_username="team")
    alone = a_mailbox(cem, "cem@crm.test", imap_host="imap.crm.test", imap_username="cem")
    assert len(twins.others(boris, again)) == 1
    assert twins.others(aino, first) == ("Boris",)
    assert twins.others(cem, alone) == ()
    with pytest.raises(NotFound):
        twins.others(cem, first)
