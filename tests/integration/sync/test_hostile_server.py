"""What a hostile or broken server answers, or a hostile sender arranges: nothing is missing, nothing hangs (B01, M12)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from mailcrm.models import Mailbox, Outbox
from mailcrm.services.db import transaction
from tests.integration.sync.conftest import raw
from tests.integration.sync.machine.database import Store
from tests.integration.sync.test_changes import GMAIL, MODERN, PLAIN, a_world, box, deliver, messages

WHEN = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def store(migrated_sqlite: Path) -> Iterator[Store]:
    made = Store(migrated_sqlite)
    yield made
    made.close()


@pytest.mark.parametrize("offers", [MODERN, GMAIL], ids=["emailid", "gmail"])
def test_one_id_for_all_messages_loses_none_when_uids_are_new(store: Store, offers: frozenset[str]) -> None:
    """Every message took the first one's place under a new UIDVALIDITY: three new ones were never fetched, all green."""
    world = a_world(store, offers)
    deliver(world, "INBOX", 1, 2, 3)
    for mail in box(world, "INBOX").mails.values():
        mail.key = 7
    world.settle()
    world.account.expunge(box(world, "INBOX"), [1, 2, 3])
    deliver(world, "INBOX", 4, 5, 6)
    for mail in box(world, "INBOX").mails.values():
        mail.key = 7
    world.account.flip(box(world, "INBOX"), restart=True)
    world.settle()
    assert len(messages(world)) == 6


def test_another_message_of_the_same_id_and_size_is_fetched_when_uids_are_new(store: Store) -> None:
    """A sender chooses Message-ID and size: under a new UIDVALIDITY such a message was taken for the stored one."""
    world = a_world(store, PLAIN)
    world.account.deliver(box(world, "INBOX"), raw(1, body="pay to A"), (), WHEN)
    world.settle()
    world.account.expunge(box(world, "INBOX"), [1])
    world.account.deliver(box(world, "INBOX"), raw(1, body="pay to B"), (), WHEN + timedelta(days=1))
    world.account.flip(box(world, "INBOX"), restart=True)
    world.settle()
    assert len(messages(world)) == 2


def test_two_messages_alike_but_for_their_bytes_are_both_kept_when_uids_are_new(store: Store) -> None:
    """Even INTERNALDATE is the same: what fits twice is fetched, and the bytes decide."""
    world = a_world(store, PLAIN)
    deliver(world, "INBOX", 9)
    world.account.deliver(box(world, "INBOX"), raw(1, body="pay to A"), (), WHEN)
    world.settle()
    world.account.expunge(box(world, "INBOX"), [2])
    for name in "BA":
        world.account.deliver(box(world, "INBOX"), raw(1, body=f"pay to {name}"), (), WHEN)
    world.account.flip(box(world, "INBOX"), restart=True)
    world.settle()
    assert len(messages(world)) == 3


def test_mail_with_the_id_of_a_mail_of_ours_is_not_taken_for_it(store: Store) -> None:
    """Whoever got our mail knows its Message-ID: an answer under it, filed by a rule, was taken for our copy and lost."""
    world = a_world(store, PLAIN, "Arbeit")
    deliver(world, "INBOX", 1)
    world.settle()
    ((message_id,),) = world.store.rows("SELECT id FROM messages")
    with transaction() as session:
        mailbox = session.exec(select(Mailbox)).one()
        session.add(
            Outbox(
                user_id=mailbox.user_id, mailbox_id=mailbox.id or 0, state="sent", message_id=message_id,
                rfc_message_id="2@sync.test", sent_at=WHEN,
            )  # fmt: skip
        )
    try:
        deliver(world, "Arbeit", 2)  # from Bob
        world.settle()
        assert len(messages(world)) == 2
    finally:
        world.store.rows("DELETE FROM outbox")
