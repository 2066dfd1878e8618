"""Sending through a real SMTP server: what arrives, what follows, and what happens when it goes wrong (B10, sync.md A8)."""

from __future__ import annotations

import base64
from datetime import timedelta
from email import message_from_bytes

import pytest
from sqlmodel import col, select, update

from mailcrm.errors import NeedsReconnect, UserError
from mailcrm.models import (
    Link,
    Mailbox,
    Message,
    Notification,
    Outbox,
    ThreadReference,
    TrackedLink,
    TrackedMessage,
    Workspace,
    utcnow,
)
from mailcrm.services import notifications
from mailcrm.services.crm import people
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs, outages, store, threads
from mailcrm.services.mail.outbox import draft, queue
from mailcrm.services.mail.parse.message import parse_message
from tests.builders import a_deal, a_message, a_person
from tests.integration.outbox.conftest import Desk, html_of


def test_a_message_arrives_and_is_stored_at_once(desk: Desk) -> None:
    """M12, M26: the sent message is in its thread, read, with the draft's visibility, without waiting for a sync."""
    made = desk.send(to="Mika <mika@saimaa.test>", cc="bo@x.test", subject="Zertifikat für 田中", visibility="shared")
    assert (made.state, made.error, desk.row(made.id).sent_copy) == ("sent", "", "pending")
    (got,) = desk.sink.messages
    assert (got.mail_from, got.rcpt_to) == (desk.address, ("mika@saimaa.test", "bo@x.test"))
    parsed = parse_message(got.raw)
    assert parsed.subject == "Zertifikat für 田中"
    assert parsed.from_[0].name == "Aino Laine"
    assert parsed.text == "Here they are.\n"
    assert "Here they are." in (parsed.html or "")
    assert made.message_id is not None
    assert made.thread_id is not None
    thread = threads.open_thread(desk.actor, made.thread_id)
    (message,) = thread.messages
    assert (message.direction, message.read, message.visibility) == ("out", True, "shared")
    assert message.rfc_message_id == parsed.rfc_message_id == desk.row(made.id).rfc_message_id


def test_reply_is_threaded_here_and_there(desk: Desk) -> None:
    """RFC 5322 3.6.4: In-Reply-To and References of the parent; the same thread of ours."""
    original = a_message(desk.mailbox_id, rfc_message_id="parent@saimaa.test")
    with transaction() as session:  # as the sync engine leaves it
        session.add(
            ThreadReference(
                user_id=desk.actor.user_id, rfc_message_id="parent@saimaa.test", thread_id=original.thread_id
            )
        )
    made = desk.send(draft.new_draft(desk.actor, reply_to_message_id=original.id, mode="reply"))
    (got,) = desk.received()
    assert got["In-Reply-To"] == "<parent@saimaa.test>"
    assert got["References"] == "<parent@saimaa.test>"
    assert made.state == "sent"
    assert made.thread_id == original.thread_id


def test_reply_to_a_message_without_message_id_stays_in_its_thread(desk: Desk) -> None:
    """RFC 5322 3.6.4: Message-ID is only a SHOULD; no header can name such a parent, we know it all the same."""
    original = a_message(desk.mailbox_id)
    with transaction() as session:
        session.exec(update(Message).where(col(Message.id) == original.id).values(rfc_message_id=None))
    made = desk.send(draft.new_draft(desk.actor, reply_to_message_id=original.id, mode="reply"))
    (got,) = desk.received()
    assert got["In-Reply-To"] is None
    with reading() as session:
        assert session.get_one(Message, made.message_id).thread_id == original.thread_id


def test_bcc_is_only_in_the_kept_copy(desk: Desk) -> None:
    """security.md threat 17."""
    made = desk.send(to="mika@saimaa.test", bcc="secret@x.test")
    (got,) = desk.sink.messages
    assert "secret@x.test" in got.rcpt_to
    assert b"secret@x.test" not in got.raw
    kept = parse_message(blobs.get(desk.row(made.id).sent_blob_sha or ""))
    assert [each.address for each in kept.bcc] == ["secret@x.test"]


def test_tracks_the_copy_that_leaves_and_keeps_a_clean_one(desk: Desk) -> None:
    """T01, T03: pixel and links for recipients only; the kept copy and the quote have neither."""
    html = (
        '<p>See <a href="https://x.test/a?b=1&amp;c=2">a</a>, <a href="mailto:m@x.test">m</a></p>'
        '<blockquote class="mailcrm-quote"><p><a href="https://quoted.test/">q</a></p></blockquote>'
    )
    made = desk.send(html=html, track_opens=True, track_clicks=True)
    leaving = html_of(desk.received()[0])
    assert leaving.count("/t/o/") == 1
    assert leaving.count("/t/c/") == 1
    assert "https://quoted.test/" in leaving
    assert "mailto:m@x.test" in leaving
    assert "https://x.test" not in leaving
    kept = parse_message(blobs.get(desk.row(made.id).sent_blob_sha or "")).html or ""
    assert "/t/" not in kept
    assert "https://x.test/a?b=1&amp;c=2" in kept
    with reading() as session:
        tracked = session.exec(select(TrackedMessage)).one()
        (link,) = session.exec(select(TrackedLink)).all()
        assert (tracked.message_id, tracked.opens_on, tracked.clicks_on) == (made.message_id, True, True)
        assert tracked.sent_at is not None
        assert (link.url, link.text) == ("https://x.test/a?b=1&c=2", "a")


@pytest.mark.parametrize("on", ["track_opens", "track_clicks"])
def test_each_switch_alone(desk: Desk, on: str) -> None:
    desk.send(html='<p><a href="https://x.test/">a</a></p>', **{on: True})  # pyright: ignore[reportArgumentType]
    leaving = html_of(desk.received()[0])
    assert ("/t/o/" in leaving, "/t/c/" in leaving) == (on == "track_opens", on == "track_clicks")


def test_no_tracking_unless_asked_for(desk: Desk) -> None:
    """T03, threat 31: off means no byte of it."""
    desk.send(html='<p><a href="https://x.test/">a</a></p>')
    assert "/t/" not in html_of(desk.received()[0])
    with reading() as session:
        assert session.exec(select(TrackedMessage)).all() == []


@pytest.mark.parametrize("policy", ["unless_refused", "only_granted"])
def test_consent_decides(desk: Desk, policy: str) -> None:
    """T09: whoever refused (or, by policy, did not agree) gets a copy without tracking; the others' has it."""
    with transaction() as session:
        session.add(Workspace(name="w", tracking_policy=policy))
    agreed = a_person(desk.actor, "Agreed", "agreed@x.test")
    people.set_consent(desk.actor, agreed.card.id, "granted", "mail")
    other = a_person(desk.actor, "Other", "other@x.test")
    if policy == "unless_refused":
        people.set_consent(desk.actor, other.card.id, "refused", "mail")
    desk.send(to="agreed@x.test", track_opens=True)
    assert "/t/o/" in html_of(desk.received()[0])
    made = desk.send(to="agreed@x.test", bcc="Other@x.test", track_opens=True)
    assert made.untracked == ("Other",)
    got = {each.rcpt_to: html_of(message_from_bytes(each.raw)) for each in desk.sink.messages[1:]}
    assert "/t/o/" in got["agreed@x.test",]
    assert "/t/" not in got["Other@x.test",]


def test_deal_chosen_in_the_composer_is_linked(desk: Desk) -> None:
    """B06: the link says where it came from."""
    deal = a_deal(desk.actor)
    made = desk.send(deal_id=deal.card.id)
    with reading() as session:
        link = session.exec(select(Link).where(Link.thread_id == made.thread_id)).one()
        assert (link.deal_id, link.origin, link.created_by) == (deal.card.id, "composer", desk.actor.user_id)


def test_the_undo_window_is_kept_by_the_server(desk: Desk) -> None:
    """B10: nothing leaves before its time, whatever the worker does; then it can't be undone."""
    made = desk.draft()
    queue.send(desk.actor, made.id, delay_s=60)
    assert desk.work() == 0
    assert desk.sink.messages == []
    queue.undo(desk.actor, made.id)
    queue.send(desk.actor, made.id, delay_s=0)
    desk.work()
    assert len(desk.sink.messages) == 1
    with pytest.raises(UserError) as caught:
        queue.undo(desk.actor, made.id)
    assert caught.value.code == "outbox.too_late"


def test_4xx_waits_and_tries_again(desk: Desk) -> None:
    desk.sink.faults.on_data = "451 4.7.1 greylisted"
    made = desk.send()
    assert (made.state, made.error_code, desk.row(made.id).tries) == ("queued", "smtp.deferred", 1)
    assert made.next_try_at is not None
    assert made.next_try_at > utcnow() + timedelta(seconds=30)
    assert desk.work() == 0  # not before its time
    desk.sink.calm()
    made = desk.work_later(made.id)
    assert (made.state, made.error, len(desk.sink.messages)) == ("sent", "", 1)


def test_gives_up_after_a_day_of_4xx(desk: Desk) -> None:
    desk.sink.faults.on_mail = "450 4.3.0 busy"
    made = desk.send()
    for _ in range(9):
        assert made.state == "queued"
        made = desk.work_later(made.id)
    assert (made.state, desk.row(made.id).tries) == ("failed", 10)
    assert desk.work_later(made.id).state == "failed"


def test_5xx_fails_with_its_reason_and_can_be_sent_again(desk: Desk) -> None:
    desk.sink.faults.on_data = "554 5.7.1 looks like spam"
    made = desk.send()
    assert made.state == "failed"
    assert "looks like spam" in made.error
    (note,) = notifications.list_notifications(desk.actor)
    assert (note.kind, note.title, note.detail) == ("send_failed", "mika@saimaa.test", "Certificates")
    desk.sink.calm()
    assert queue.retry(desk.actor, made.id).state == "queued"
    desk.work()
    assert desk.look(made.id).state == "sent"
    assert len(desk.sink.messages) == 1


def test_a_refused_password_is_tried_again_and_fails_with_its_sentence(desk: Desk) -> None:
    """M10: whether the mailbox is out is the sync's to find; where only sending is refused, the message says so."""
    desk.sink.users["aino"] = "changed"
    made = desk.send()
    assert (made.state, made.error_code) == ("queued", "smtp.wrong_password")
    with reading() as session:
        assert session.get_one(Mailbox, desk.mailbox_id).sync_requested_at is not None
    for _ in range(5):
        assert desk.look(made.id).state == "queued"
        made = desk.work_later(made.id)
    assert (made.state, made.error_code) == ("failed", "smtp.wrong_password")


def test_mail_of_a_mailbox_that_is_out_waits_for_its_user(desk: Desk) -> None:
    """M10: what was written meanwhile is neither tried nor failed; it leaves when the mailbox is let in again."""
    error = NeedsReconnect("imap.app_password", host="h")
    with transaction() as session:
        outages.lost(session, session.get_one(Mailbox, desk.mailbox_id), error)
    made = desk.send()
    assert made.state == "queued"
    assert desk.work() == 0
    assert not desk.sink.messages
    with transaction() as session:
        outages.restored(session, session.get_one(Mailbox, desk.mailbox_id))
    assert desk.work() == 1
    assert desk.look(made.id).state == "sent"


def test_some_refused_are_named_and_the_others_not_sent_to_again(desk: Desk) -> None:
    """A8.4: per recipient; 5xx is final, 4xx is tried again for that recipient alone."""
    desk.sink.faults.reject_rcpt = {"gone@x.test": "550 5.1.1 no such user", "busy@x.test": "450 4.2.1 busy"}
    made = desk.send(to="mika@saimaa.test, gone@x.test, busy@x.test")
    assert desk.states(made.id) == {"mika@saimaa.test": "accepted", "gone@x.test": "refused", "busy@x.test": "waiting"}
    assert made.state == "queued"
    assert made.message_id is not None
    assert {r.address: r.reply for r in made.recipients}["gone@x.test"] == "5.1.1 no such user"
    with pytest.raises(UserError):
        queue.undo(desk.actor, made.id)  # somebody has it already
    desk.sink.faults.reject_rcpt.pop("busy@x.test")
    made = desk.work_later(made.id)
    assert made.state == "sent"
    assert made.error_code == "outbox.some_refused"
    assert [got.rcpt_to for got in desk.sink.messages] == [("mika@saimaa.test",), ("busy@x.test",)]
    first, second = desk.sink.messages
    assert first.raw == second.raw
    with reading() as session:
        assert len(session.exec(select(Message)).all()) == 1


@pytest.mark.parametrize("fault", ["before_data", "before_dot"])
def test_a_break_before_the_final_dot_is_tried_again(desk: Desk, fault: str) -> None:
    desk.sink.faults.drop = fault
    made = desk.draft()
    # larger than the socket's buffers, so that the break is felt while the text is still being sent
    draft.attach(desk.actor, made.id, "big.bin", "application/octet-stream", b"x" * 12_000_000)
    made = desk.send(made)
    assert made.state == "queued"
    assert desk.row(made.id).handed_over_at is None
    desk.sink.calm()
    assert desk.work_later(made.id).state == "sent"
    assert len(desk.sink.messages) == 1


def test_injection_in_every_field_adds_nothing(desk: Desk) -> None:
    """security.md threat 15: compose, reply to hostile mail (F11), display name; extra headers and recipients are 0."""
    breaks = [
        "\r",
        "\n",
        "\r\n",
        "\u2028",
        "\u2029",
        "\x85",
        "\x0b",
        "\x00",
        "=?utf-8?q?=0D=0ABcc=3A_evil=40e.test?=",
        "\ud800",
    ]
    with transaction() as session:
        session.get_one(Mailbox, desk.mailbox_id).display_name = "A\r\nBcc: evil@e.test"
    for each in breaks:
        bad = f"x{each}Bcc: evil@e.test"
        desk.sink.calm()
        made = desk.draft(subject=bad, html=f"<p>{bad}</p>")
        draft.attach(desk.actor, made.id, f"{bad}.pdf", f"text/plain{each}X: y", b"1", content_id=bad)
        assert desk.send(made).state == "sent"
        original = _hostile(desk, each)
        reply = draft.new_draft(desk.actor, reply_to_message_id=original, mode="reply_all")
        assert desk.send(reply).state == "sent"
        forward = draft.new_draft(desk.actor, reply_to_message_id=original, mode="forward")
        assert desk.send(desk.save(forward, to="mika@saimaa.test")).state == "sent"
        assert len(desk.sink.messages) == 3
        for got, parsed in zip(desk.sink.messages, desk.received(), strict=True):
            assert "evil@e.test" not in got.rcpt_to
            allowed = {
                "message-id",
                "date",
                "from",
                "to",
                "cc",
                "subject",
                "in-reply-to",
                "references",
                "mime-version",
                "content-type",
            }
            names = [name.lower() for name in parsed]
            assert set(names) <= allowed, names
            assert len(names) == len(set(names)), names


def _hostile(desk: Desk, each: str) -> int:
    """A received message whose fields decode to line breaks."""
    word = base64.b64encode(f"x{each}Bcc: evil@e.test".encode("utf-8", "replace")).decode()
    raw = (
        f"From: =?utf-8?B?{word}?= <mika@saimaa.test>\r\nTo: {desk.address}\r\nSubject: =?utf-8?B?{word}?=\r\n"
        f"Cc: =?utf-8?B?{word}?= <bo@x.test>\r\nMessage-ID: <{word.rstrip('=')}@h.test>\r\n"
        f"References: <a@h.test>\r\n =?utf-8?q?=0D=0ABcc=3A_evil=40e.test?=\r\nDate: Mon, 02 Mar 2026 12:00:00 +0000\r\n\r\nhi\r\n"
    ).encode()
    sha = blobs.put(raw)
    with transaction() as session:
        owner = store.owner_of(session, session.get_one(Mailbox, desk.mailbox_id))
        item = store.Incoming(sha, len(raw), parse_message(raw), utcnow(), "in", False)
        return store.store(session, owner, [item])[sha]


def test_nothing_else_is_told(desk: Desk) -> None:
    """A success makes no noise in the bell."""
    desk.send()
    with reading() as session:
        assert session.exec(select(Notification)).all() == []
        assert session.exec(select(Outbox)).one().lease_owner == ""


def test_tracking_switched_on_by_hand_always_notifies(desk: Desk) -> None:
    """T03, T08: the mailbox's switch is about its default; who turns tracking on for one email waits for that one."""

    def notifies(**send: bool) -> bool:
        made = desk.send(**send)  # pyright: ignore[reportArgumentType]
        with reading() as session:
            return session.exec(select(TrackedMessage.notify).where(TrackedMessage.outbox_id == made.id)).one()

    assert notifies(track_opens=True)
    assert notifies(track_clicks=True)
    with transaction() as session:
        mailbox = session.get(Mailbox, desk.mailbox_id)
        assert mailbox is not None
        mailbox.track_opens = True
    assert not notifies(track_opens=True)
    with transaction() as session:
        mailbox = session.get(Mailbox, desk.mailbox_id)
        assert mailbox is not None
        mailbox.track_notify = True
    assert notifies(track_opens=True)


def test_a_file_that_vanished_fails_with_its_name_and_nothing_leaves(desk: Desk) -> None:
    """Issue 5, bad input: the draft comes back with the reason; without the file it goes out."""
    made = desk.draft(subject="Plan")
    draft.attach(desk.actor, made.id, "plan.pdf", "application/pdf", b"%PDF vanishing")
    blobs.path_of(blobs.digest(b"%PDF vanishing")).unlink()
    failed = desk.send(made)
    assert (failed.state, failed.error_code, failed.error_params) == (
        "failed",
        "outbox.file_lost",
        {"name": "plan.pdf"},
    )
    assert desk.sink.messages == []
