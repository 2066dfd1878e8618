"""The demo: its mail goes through the real IMAP, sync, threads and links, and it survives a restart (issue 2, 11)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from imapclient import IMAPClient
from sqlmodel import select

from mailcrm.errors import UserError
from mailcrm.models import Deal, Link, Message, Person
from mailcrm.services import demo, notifications
from mailcrm.services.auth import users
from mailcrm.services.crm import activities, deals
from mailcrm.services.crm.linking import link
from mailcrm.services.db import reading
from mailcrm.services.demo import store, tracking
from mailcrm.services.mail import mailboxes, threads
from mailcrm.services.mail.outbox import smtp
from mailcrm.services.mail.sync.engine import sync_mailbox
from mailcrm.services.mail.sync.ledger import ledger
from mailcrm.services.tracking import report
from mailcrm.services.writing import merge_fields, templates
from tests.conftest import ROOT

WAIT_S = 60


@contextmanager
def servers(data: Path) -> Iterator[None]:
    """The demo's servers, as `serve` runs them."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mailcrm.processes", "demo-server"],
        cwd=ROOT, env=os.environ | {"MAILCRM_DATA_DIR": str(data)}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        ends = time.monotonic() + WAIT_S
        while True:
            try:
                IMAPClient(store.HOST, store.load().imap_port, ssl=False, timeout=5).shutdown()
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < ends, "the demo's IMAP server never answered"
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        assert process.wait(20) == 0


def sync_all() -> None:
    for email in (demo.ADMIN_EMAIL, demo.COLLEAGUE_EMAIL):
        for box in mailboxes.list_mailboxes(users.by_email(email)):
            report = sync_mailbox(box.id)
            assert report.error is None
            assert report.complete
            lines = ledger(None, box.id)
            assert all(line.adds_up for line in lines)
            assert sum(line.quarantined + line.pending for line in lines) == 0
    while link.apply_rules():
        pass


def test_the_demo_is_lifelike_after_one_sync(sqlite_db: Path) -> None:
    password = demo.ensure()
    assert demo.ensure() == password  # a second start makes nothing
    assert demo.is_made(sqlite_db)
    assert (sqlite_db / demo.FOLDER / "server.json").stat().st_mode & 0o077 == 0
    with servers(sqlite_db):
        sync_all()
    sana, dmitri = users.by_email(demo.ADMIN_EMAIL), users.by_email(demo.COLLEAGUE_EMAIL)
    inbox = threads.list_threads(sana)
    assert len(inbox.rows) >= 10
    assert inbox.total_unread >= 4
    assert inbox.rows[0].subject.endswith("Proposal, 24 probes for the Büsum site")
    assert inbox.rows[0].deal_title == "Büsum expansion, 24 probes"
    assert inbox.rows[0].message_count == 4
    with reading() as session:
        subjects = " ".join(session.exec(select(Message.subject)))
        assert len(session.exec(select(Deal)).all()) == 12
        assert len({row.stage_id for row in session.exec(select(Deal))}) == 5
        assert len(session.exec(select(Person)).all()) >= 10
        assert session.exec(select(Link).where(Link.origin == "rule")).first() is not None
    assert "見積書" in subjects
    assert "طلب" in subjects
    assert "שאלה" in subjects
    assert len(threads.list_threads(dmitri).rows) >= 3
    assert {len(activities.planned(sana, "deal", card.id)) for card in deals.list_deals(sana)} == {0, 1}
    lines = templates.list_templates(sana)
    assert {line.folder for line in lines} == {"Opening", "Closing", "日本語"}
    for line in lines:
        assert merge_fields.uses(line.subject, templates.get(sana, line.id).html)  # each greets somebody
    assert len(templates.list_templates(dmitri)) == len(lines) - 1  # one is Sana's own


def test_some_sent_mail_has_been_opened_and_clicked(sqlite_db: Path) -> None:
    """T05, T06, B03: the demo's history is made by the recorder: a prefetch is kept and not counted, the bell knows."""
    demo.ensure()
    assert not tracking.lay()  # nothing has arrived
    with servers(sqlite_db):
        sync_all()
    assert tracking.lay()
    assert tracking.lay()  # and nothing is made twice
    sana = users.by_email(demo.ADMIN_EMAIL)
    by_subject = {row.subject.removeprefix("Re: "): row for row in threads.list_threads(sana, tracked=True).rows}
    proposal = by_subject["Proposal, 24 probes for the Büsum site"]
    assert proposal.tracking is not None
    assert (proposal.tracking.opens, proposal.tracking.clicks) == (3, 1)
    card = report.marks(sana, proposal.last_outbound_message_id or 0)
    assert (card.opens_counted, card.opens_all, card.recipients) == (3, 4, 2)
    assert {"prefetch_not_counted", "several_recipients"} <= set(card.limits)
    waiting = by_subject["Following up on the Incheon demo"].tracking
    assert waiting is not None
    assert (waiting.opens, waiting.clicks) == (0, 0)
    assert len(threads.list_threads(sana, opened=True).rows) == 3
    assert len(threads.list_threads(sana, clicked=True).rows) == 2
    assert {each.kind for each in notifications.list_notifications(sana)} == {"open", "click", "replied"}


def test_mail_is_given_out_byte_for_byte_and_keeps_its_uids_over_a_restart(sqlite_db: Path) -> None:
    """pymap alone would send bare LF (RFC 3501 section 2.2) and could number anew."""
    demo.ensure()
    facts = store.load()

    def look() -> tuple[Any, dict[int, Any]]:
        with IMAPClient(store.HOST, store.load().imap_port, ssl=False) as client:
            client.login(demo.ADMIN_EMAIL, facts.password)
            selected = client.select_folder("INBOX", readonly=True)
            found = client.fetch(client.search("ALL"), ["BODY.PEEK[]", "RFC822.SIZE"])
            raw: dict[int, Any] = {uid: values[b"BODY[]"] for uid, values in found.items()}
            assert {uid: len(each) for uid, each in raw.items()} == {
                uid: values[b"RFC822.SIZE"] for uid, values in found.items()
            }
            return selected[b"UIDVALIDITY"], raw

    with servers(sqlite_db):
        first = look()
    with servers(sqlite_db):
        assert look() == first
    assert all(b"\n" not in raw.replace(b"\r\n", b"") for raw in first[1].values())


def test_sent_mail_reaches_the_colleague_and_nobody_outside(sqlite_db: Path) -> None:
    demo.ensure()
    with servers(sqlite_db):
        sync_all()
        sana, dmitri = users.by_email(demo.ADMIN_EMAIL), users.by_email(demo.COLLEAGUE_EMAIL)
        spec = mailboxes.credentials(mailboxes.list_mailboxes(sana)[0].id)
        raw = b"From: sana@tidewater.example\r\nTo: x@y.test\r\nSubject: A word\r\nMessage-ID: <w@t>\r\n\r\nHi\r\n"
        smtp.deliver(
            spec.smtp, spec.smtp_password, mail_from=demo.ADMIN_EMAIL, rcpt_to=[demo.COLLEAGUE_EMAIL, "x@y.test"],
            message=raw, allow_private=False,
        )  # fmt: skip
        sync_all()
    assert threads.list_threads(dmitri).rows[0].subject == "A word"
    assert "A word" not in [row.subject for row in threads.list_threads(sana).rows]


def test_a_workspace_that_is_there_is_never_touched(sqlite_db: Path) -> None:
    users.create(name="Ada", email="ada@x.test", password="correct horse battery", admin=True)
    with pytest.raises(UserError) as caught:
        demo.ensure()
    assert caught.value.code == "demo.taken"
    with pytest.raises(UserError) as caught:
        demo.make_demo()
    assert caught.value.code == "auth.setup_done"
    assert not demo.is_made(sqlite_db)
