"""B01: `verify` finds and mends damage of every kind, and changes nothing on a sound mailbox. Dovecot, both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import delete, update
from sqlmodel import col, select

from mailcrm.errors import NotFound
from mailcrm.models import (
    Blob,
    Folder,
    Mailbox,
    Message,
    MessageLocation,
    PendingUid,
    Quarantined,
    SkippedUid,
    utcnow,
)
from mailcrm.services import access
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import sweep
from mailcrm.services.mail import blobs, health, packs
from mailcrm.services.mail.imap.client import ImapConnection
from mailcrm.services.mail.sync import differ, findings, lease, verify
from mailcrm.services.rows import run
from tests.builders import a_mailbox, a_user
from tests.integration.sync.conftest import Box, raw

COUNT = 8


@pytest.fixture
def full(box: Box) -> Box:
    """A mailbox in sync: eight messages in INBOX, two in Projects."""
    for n in range(1, COUNT + 1):
        box.deliver(raw(n, body=f"body {n} " * n))
    box.deliver(raw(50), "Projects")
    box.deliver(raw(51), "Projects")
    box.sync()
    assert box.ledger()["INBOX"].stored == COUNT
    return box


def everything(box: Box) -> object:
    """All rows that a verification could change, less its own notes."""
    with reading() as session:
        tables: list[object] = [
            sorted((row.folder_id, row.uid, row.message_id, row.flags) for row in session.exec(select(MessageLocation)))
        ]
        tables += [
            sorted((row.folder_id, row.uid) for row in session.exec(select(table)))
            for table in (PendingUid, SkippedUid, Quarantined)
        ]
        tables.append(
            sorted(
                (m.id, m.size, m.rfc_message_id, m.blob_sha, m.gone_at is None, m.thread_id)
                for m in session.exec(select(Message))
            )
        )
        tables.append(sorted((f.id, f.uidnext, f.server_count, f.uidvalidity) for f in session.exec(select(Folder))))
        return tables


def inbox(box: Box) -> int:
    with reading() as session:
        row = session.exec(select(Folder).where(Folder.mailbox_id == box.mailbox_id, Folder.name == "INBOX")).one()
        return row.id or 0


def test_a_sound_mailbox_is_left_as_it_is(full: Box) -> None:
    before = everything(full)
    report = verify.verify_mailbox(full.mailbox_id)
    assert (report.state, report.findings, report.checked) == ("sound", {}, COUNT + 2)
    assert everything(full) == before
    with reading() as session:
        folders = session.exec(select(Folder).where(Folder.mailbox_id == full.mailbox_id)).all()
        assert all(folder.verified_at is not None for folder in folders if folder.chosen and folder.selectable)


def lose_location(box: Box, folder_id: int) -> None:
    with transaction() as session:
        run(
            session,
            delete(MessageLocation).where(col(MessageLocation.folder_id) == folder_id, col(MessageLocation.uid) == 3),
        )


def lose_several(box: Box, folder_id: int) -> None:
    with transaction() as session:
        which = (col(MessageLocation.folder_id) == folder_id, col(MessageLocation.uid) > 2)
        run(session, delete(MessageLocation).where(*which))


def invent_location(box: Box, folder_id: int) -> None:
    with transaction() as session:
        some = session.exec(select(MessageLocation.message_id).where(MessageLocation.folder_id == folder_id)).first()
        session.add(MessageLocation(folder_id=folder_id, uid=99, message_id=some or 0))


def invent_pending(box: Box, folder_id: int) -> None:
    with transaction() as session:
        session.add(PendingUid(folder_id=folder_id, uid=77))


def invent_skipped(box: Box, folder_id: int) -> None:
    with transaction() as session:
        session.add(SkippedUid(folder_id=folder_id, uid=78, reason="history"))


def count_twice(box: Box, folder_id: int) -> None:
    with transaction() as session:
        session.add(PendingUid(folder_id=folder_id, uid=2))
        session.add(SkippedUid(folder_id=folder_id, uid=2, reason="history"))
        session.add(Quarantined(folder_id=folder_id, uid=4, reason="quarantine.empty"))


def swap_messages(box: Box, folder_id: int) -> None:
    with transaction() as session:
        rows = session.exec(
            select(MessageLocation).where(MessageLocation.folder_id == folder_id).order_by(col(MessageLocation.uid))
        ).all()
        rows[0].message_id, rows[5].message_id = rows[5].message_id, rows[0].message_id


def wrong_size(box: Box, folder_id: int) -> None:
    with transaction() as session:
        run(session, update(Message).where(col(Message.rfc_message_id) == "4@sync.test").values(size=1))


def wrong_message_id(box: Box, folder_id: int) -> None:
    with transaction() as session:
        run(session, update(Message).where(col(Message.rfc_message_id) == "4@sync.test").values(rfc_message_id="x@y"))


def damage_blob(box: Box, folder_id: int) -> None:
    with transaction() as session:
        row = session.get_one(Blob, box.messages()[1].blob_sha)
        with packs.path_of(row.pack).open("r+b") as pack:
            pack.seek(row.start)
            pack.write(b"\0" * row.length)


def lose_blob(box: Box, folder_id: int) -> None:
    with transaction() as session:  # as if the pack were lost: nothing lies where the row says
        row = session.get_one(Blob, box.messages()[1].blob_sha)
        row.pack, row.start = "", 0


def cursor_too_far(box: Box, folder_id: int) -> None:
    with transaction() as session:
        run(session, update(Folder).where(col(Folder.id) == folder_id).values(uidnext=5000))


def marked_gone(box: Box, folder_id: int) -> None:
    with transaction() as session:
        run(session, update(Message).where(col(Message.rfc_message_id) == "2@sync.test").values(gone_at=utcnow()))


@pytest.mark.parametrize(
    ("damage", "kind", "count"),
    [
        (lose_location, "missing", 1),
        (lose_several, "missing", COUNT - 2),
        (invent_location, "surplus", 1),
        (invent_pending, "surplus", 1),
        (invent_skipped, "surplus", 1),
        (count_twice, "twice", 3),
        (swap_messages, "wrong", 2),
        (wrong_size, "wrong", 1),
        (wrong_message_id, "wrong", 1),
        (damage_blob, "unreadable", 1),
        (lose_blob, "unreadable", 1),
        (cursor_too_far, "cursor", 1),
        (marked_gone, "gone", 1),
    ],
)
def test_every_damage_is_found_named_and_mended(
    full: Box, damage: Callable[[Box, int], None], kind: str, count: int
) -> None:
    """What is mended is as before, to the row: ids of messages, links and threads stay."""
    before = everything(full)
    damage(full, inbox(full))
    report = verify.verify_mailbox(full.mailbox_id)
    assert report.findings == {kind: (count, count)}
    assert report.state == "mended"
    full.sync()
    full.ledger()
    after = everything(full)
    assert [table for n, table in enumerate(after) if table != before[n]] == []  # type: ignore[arg-type, index, misc]
    for message in full.messages():
        assert blobs.get(message.blob_sha)
    assert verify.verify_mailbox(full.mailbox_id).state == "sound"
    with reading() as session:
        actor = access.actor_for(session, full.user_id)
    seen = health.health(actor, full.mailbox_id).verification
    assert (seen.state, seen.findings) == ("sound", ())


def test_new_mail_and_a_pass_beside_it_are_no_difference(full: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes after the cursor is new mail, and what another pass does meanwhile is no damage."""
    full.deliver(raw(9))
    real = differ._window  # pyright: ignore[reportPrivateUsage]

    def with_sync(*args):  # type: ignore[no-untyped-def]
        full.sync()  # the lease is free while folders are compared
        real(*args)

    assert verify.verify_mailbox(full.mailbox_id).state == "sound"
    full.deliver(raw(10))
    monkeypatch.setattr(differ, "_window", with_sync)
    assert verify.verify_mailbox(full.mailbox_id).state == "sound"
    assert full.ledger()["INBOX"].stored == COUNT + 2


def test_what_vanished_on_the_server_loses_its_place_and_stays_a_message(full: Box) -> None:
    """Rule 6."""
    path = full.deliver(raw(60))
    full.sync()
    path.unlink()
    report = verify.verify_mailbox(full.mailbox_id)
    assert report.findings == {"surplus": (1, 1)}
    full.sync()
    message = next(m for m in full.messages() if m.rfc_message_id == "60@sync.test")
    assert message.gone_at is not None


def test_a_server_that_lists_less_than_it_counts_is_not_believed(full: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 6: a listing that disagrees with the server's own count is "unknown", never "deleted"."""
    before = everything(full)
    listing, metas = ImapConnection.list_uids, ImapConnection.fetch_meta
    monkeypatch.setattr(ImapConnection, "list_uids", lambda self, lo, hi: listing(self, lo, hi)[3:])
    monkeypatch.setattr(
        ImapConnection, "fetch_meta", lambda self, uids: {u: m for u, m in metas(self, uids).items() if u > 3}
    )
    report = verify.verify_mailbox(full.mailbox_id)
    assert report.state == "failed"
    assert report.findings["surplus"][1] == 0
    assert report.findings["doubtful"][1] == 0
    assert everything(full) == before


def test_a_server_that_cannot_be_reached_is_said(full: Box) -> None:
    with transaction() as session:
        run(session, update(Mailbox).where(col(Mailbox.id) == full.mailbox_id).values(imap_port=1))
    report = verify.verify_mailbox(full.mailbox_id)
    assert report.state == "failed"
    assert report.error is not None
    with reading() as session:
        mailbox = session.get_one(Mailbox, full.mailbox_id)
        seen = findings.of_mailbox(mailbox, "en", utcnow())
        assert seen.state == "failed"
        assert seen.error.endswith(".")
        assert mailbox.verify_until is None


def test_only_one_verification_runs_and_a_dead_one_does_not_stay(full: Box) -> None:
    with transaction() as session:
        session.get_one(Mailbox, full.mailbox_id).verify_until = utcnow() + timedelta(minutes=1)
    assert verify.verify_mailbox(full.mailbox_id).busy
    with transaction() as session:
        session.get_one(Mailbox, full.mailbox_id).verify_until = utcnow() - timedelta(seconds=1)
    assert verify.verify_mailbox(full.mailbox_id).state == "sound"


def test_mending_waits_for_the_lease_and_says_when_it_cannot_have_it(
    full: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "LEASE_WAIT_S", 0.0)
    invent_pending(full, inbox(full))
    other = lease.new_owner()
    assert lease.acquire(full.mailbox_id, other, utcnow())
    report = verify.verify_mailbox(full.mailbox_id)
    assert (report.state, report.findings) == ("failed", {"doubtful": (1, 0)})
    with reading() as session:
        assert session.get_one(Mailbox, full.mailbox_id).lease_owner == other


def test_a_folder_numbered_anew_is_left_to_the_next_pass(full: Box) -> None:
    full.dovecot.new_uidvalidity(full.user)
    report = verify.verify_mailbox(full.mailbox_id)
    assert report.findings == {"renewed": (1, 0)}
    full.sync()
    assert verify.verify_mailbox(full.mailbox_id).state == "sound"


def test_asking_for_it_is_the_owners_alone(db: str) -> None:
    aino, boris = a_user(), a_user("Boris", admin=True)
    mailbox_id = a_mailbox(aino)
    with pytest.raises(NotFound):
        verify.request(boris, mailbox_id)
    with pytest.raises(NotFound):
        health.health(boris, mailbox_id)
    with reading() as session:
        assert sweep.due_verifications(session, utcnow()) == []
    verify.request(aino, mailbox_id)
    with reading() as session:
        assert sweep.due_verifications(session, utcnow()) == [mailbox_id]
    assert health.health(aino, mailbox_id).verification.state == "waiting"


def test_every_finding_is_said_in_plain_words() -> None:
    kinds = ("missing", "surplus", "wrong", "unreadable", "twice", "cursor", "gone", "renewed", "doubtful")
    for language in ("en", "ja"):
        said = {findings.sentence(kind, count, count, language) for kind in kinds for count in (1, 3)}
        assert len(said) >= len(kinds)
        assert all(words.endswith((".", "。")) for words in said)
    assert "could not be mended" in findings.sentence("missing", 3, 1, "en")


def test_nothing_is_written_back_to_the_server(full: Box) -> None:
    """Settled question 5: verifying reads."""
    lose_blob(full, inbox(full))
    maildir = full.dovecot.maildir(full.user)
    names = sorted(path.name for path in (maildir / "cur").iterdir())
    verify.verify_mailbox(full.mailbox_id)
    assert sorted(path.name for path in (maildir / "cur").iterdir()) == names
