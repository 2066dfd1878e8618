"""Drafts: who a reply goes to, what is quoted, what is kept, and that nobody else's can be touched (M26, T03)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailcrm.errors import NotFound, UserError
from mailcrm.models import AlternativeAddress, Mailbox, MailboxAlias, Message, utcnow
from mailcrm.services import notifications
from mailcrm.services.access import Actor
from mailcrm.services.crm import people
from mailcrm.services.db import transaction
from mailcrm.services.mail import blobs, store
from mailcrm.services.mail.outbox import draft, queue
from mailcrm.services.mail.outbox.views import DraftInput, DraftView
from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.tracking import report
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")


def stored(mailbox_id: int, raw: bytes, **columns: object) -> Message:
    """A received message with exactly these bytes."""
    sha = blobs.put(raw)
    with transaction() as session:
        owner = store.owner_of(session, session.get_one(Mailbox, mailbox_id))
        item = store.Incoming(sha, len(raw), parse_message(raw), utcnow(), "in", False)
        message = session.get_one(Message, store.store(session, owner, [item])[sha])
        for name, value in columns.items():
            setattr(message, name, value)
        return message


def mail(**fields: str) -> bytes:
    head = {
        "From": "Mika <mika@saimaa.test>", "To": "aino@crm.test", "Subject": "Certificates",
        "Message-ID": "<1@saimaa.test>", "Date": "Mon, 02 Mar 2026 12:00:00 +0000",
        "Content-Type": "text/plain; charset=utf-8", **{k.replace("_", "-"): v for k, v in fields.items()},
    }  # fmt: skip
    return (
        "".join(f"{name}: {value}\r\n" for name, value in head.items() if value).encode()
        + b"\r\nFirst line\r\n<b>second</b>\r\n"
    )


def test_new_draft_takes_the_mailbox_defaults() -> None:
    """M23, T03: visibility and switches come from the mailbox; the composer's choice is this message's alone."""
    aino = a_user()
    box = a_mailbox(aino, default_visibility="shared", track_opens=True)
    made = draft.new_draft(aino, mailbox_id=box, to='"Laine, M" <m@x.test>; 田中 <t@x.test>')
    assert (made.visibility, made.track_opens, made.track_clicks, made.state) == ("shared", True, False, "draft")
    assert made.to == '"Laine, M" <m@x.test>, 田中 <t@x.test>'
    assert [(r.name, r.address) for r in made.recipients] == [("Laine, M", "m@x.test"), ("田中", "t@x.test")]


def test_without_a_mailbox_nothing_can_be_written() -> None:
    with pytest.raises(UserError) as caught:
        draft.new_draft(a_user())
    assert caught.value.code == "outbox.no_mailbox"


def test_draft_to_a_person_and_a_deal() -> None:
    aino = a_user()
    a_mailbox(aino)
    person = a_person(aino, "Mika", "mika@saimaa.test")
    deal = a_deal(aino, person=person)
    made = draft.new_draft(aino, deal_id=deal.card.id, person_id=person.card.id)
    assert (made.to, made.deal_id, made.deal_title) == ("Mika <mika@saimaa.test>", deal.card.id, "Saimaa phase 2")


def test_reply_goes_to_reply_to_and_quotes_text() -> None:
    aino = a_user()
    box = a_mailbox(aino, "aino@crm.test")
    original = stored(box, mail(Reply_To="Office <office@saimaa.test>", Subject="Re: AW: Certificates"))
    made = draft.new_draft(aino, reply_to_message_id=original.id, mode="reply")
    assert (made.to, made.cc, made.subject) == ("Office <office@saimaa.test>", "", "Re: Certificates")
    assert made.quoted
    assert "First line" in made.html
    assert "&lt;b&gt;second&lt;/b&gt;" in made.html
    assert "2 Mar 2026, 12:00, Mika wrote:" in made.html
    assert (made.reply_to_message_id, made.thread_id) == (original.id, original.thread_id)


def test_reply_all_leaves_out_own_addresses() -> None:
    """Own addresses: the mailbox's, its aliases, and confirmed alternatives; an unconfirmed one is somebody else's."""
    aino = a_user()
    box = a_mailbox(aino, "aino@crm.test")
    with transaction() as session:
        session.add(MailboxAlias(mailbox_id=box, address="sales@crm.test"))
        session.add(AlternativeAddress(user_id=aino.user_id, address="aino@home.test", confirmed_at=utcnow()))
        session.add(AlternativeAddress(user_id=aino.user_id, address="new@home.test"))
    original = stored(
        box, mail(To="AINO@crm.test, Sales@crm.test, bo@x.test, mika@saimaa.test", Cc="aino@home.test, new@home.test")
    )
    made = draft.new_draft(aino, reply_to_message_id=original.id, mode="reply_all")
    assert (made.to, made.cc) == ("Mika <mika@saimaa.test>, bo@x.test", "new@home.test")


def test_reply_to_ones_own_message_goes_to_its_recipients() -> None:
    aino = a_user()
    box = a_mailbox(aino, "aino@crm.test")
    original = stored(box, mail(From="aino@crm.test", To="Mika <mika@saimaa.test>", Cc="bo@x.test"))
    assert draft.new_draft(aino, reply_to_message_id=original.id, mode="reply").to == "Mika <mika@saimaa.test>"
    again = draft.new_draft(aino, reply_to_message_id=original.id, mode="reply_all")
    assert (again.to, again.cc) == ("Mika <mika@saimaa.test>", "bo@x.test")


def test_forward_carries_the_files() -> None:
    aino = a_user()
    box = a_mailbox(aino, "aino@crm.test")
    raw = mail(Content_Type='multipart/mixed; boundary="b"').partition(b"\r\n\r\n")[0] + (
        b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee the file\r\n--b\r\nContent-Type: application/pdf\r\n"
        b'Content-Disposition: attachment; filename="a.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--b--\r\n'
    )
    made = draft.new_draft(aino, reply_to_message_id=stored(box, raw).id, mode="forward")
    assert (made.to, made.subject) == ("", "Fwd: Certificates")
    assert [(f.filename, f.content_type, f.size) for f in made.attachments] == [("a.pdf", "application/pdf", 4)]
    assert "From: Mika &lt;mika@saimaa.test&gt;" in made.html
    assert "See the file" in made.html
    without = draft.detach(aino, made.id, 1)
    assert without.attachments == ()
    with pytest.raises(NotFound):
        draft.detach(aino, made.id, 1)


def test_colleagues_shared_message_is_answered_from_ones_own_mailbox() -> None:
    """Settled question 4; a private one can't be answered at all (M25)."""
    aino, noor = a_user("Aino"), a_user("Noor")
    box, own = a_mailbox(aino), a_mailbox(noor, "noor@crm.test")
    person = a_person(aino, "Mika", "mika@saimaa.test")
    shared, private = a_message(box, visibility="shared"), a_message(box)
    from mailcrm.services.crm.linking import link

    for message in (shared, private):
        link.link_thread(aino, message.thread_id, person_id=person.card.id)
    made = draft.new_draft(noor, reply_to_message_id=shared.id, mode="reply")
    assert made.mailbox_id == own
    assert made.thread_id is None
    with pytest.raises(NotFound):
        draft.new_draft(noor, reply_to_message_id=private.id, mode="reply")


def test_what_is_typed_is_kept_until_it_is_right() -> None:
    """A half-typed address survives saving; sending it is refused by name."""
    aino = a_user()
    a_mailbox(aino)
    made = draft.new_draft(aino)
    saved = draft.save(aino, made.id, DraftInput(made.mailbox_id, to="mika@", subject="x\r\nBcc: e@e.test"))
    assert saved.to == "mika@"
    assert saved.subject == "x Bcc: e@e.test"
    with pytest.raises(UserError) as caught:
        queue.send(aino, made.id)
    assert caught.value.code == "outbox.bad_address"
    assert "mika@" in caught.value.sentence


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"to": ""}, "outbox.no_recipients"),
        ({"subject": "", "html": "<p><br></p>"}, "outbox.empty"),
        ({"to": ", ".join(f"r{n}@b.test" for n in range(501))}, "outbox.too_many"),
    ],
    ids=["nobody", "nothing", "hundreds"],
)
def test_refuses_to_send_nothing_or_to_nobody(values: dict[str, str], code: str) -> None:
    """The draft stays as it was typed, to the last of its recipients."""
    aino = a_user()
    box = a_mailbox(aino)
    made = draft.new_draft(aino)
    draft.save(aino, made.id, DraftInput(**{"mailbox_id": box, "to": "a@b.test", "subject": "s", **values}))  # type: ignore[arg-type]
    with pytest.raises(UserError) as caught:
        queue.send(aino, made.id)
    assert caught.value.code == code
    assert draft.get(aino, made.id).to == values.get("to", "a@b.test")


def test_undo_brings_the_draft_back_and_sending_again_makes_a_new_message() -> None:
    """B10: the undo window is kept on the server."""
    aino = a_user()
    a_mailbox(aino)
    made = draft.new_draft(aino, to="a@b.test")
    draft.save(aino, made.id, DraftInput(made.mailbox_id, to="a@b.test", subject="s"))
    queued = queue.send(aino, made.id)
    assert queued.state == "queued"
    assert queued.send_at is not None
    assert queued.send_at > utcnow()
    assert queue.list_drafts(aino) == ()
    assert [v.id for v in queue.list_outbox(aino)] == [made.id]
    with pytest.raises(UserError):
        draft.save(aino, made.id, DraftInput(made.mailbox_id))
    assert queue.undo(aino, made.id).state == "draft"
    with pytest.raises(UserError) as caught:
        queue.undo(aino, made.id)
    assert caught.value.code == "outbox.too_late"


def test_idempotency_key_sends_once() -> None:
    aino = a_user()
    a_mailbox(aino)
    made = draft.new_draft(aino, to="a@b.test")
    draft.save(aino, made.id, DraftInput(made.mailbox_id, to="a@b.test", subject="s"))
    first = queue.send(aino, made.id, idempotency_key="k")
    assert queue.send(aino, made.id, idempotency_key="k") == first
    with pytest.raises(UserError):
        queue.send(aino, made.id, idempotency_key="other")


def test_attachments_have_a_limit_and_safe_names() -> None:
    aino = a_user()
    a_mailbox(aino)
    made = draft.new_draft(aino)
    saved = draft.attach(aino, made.id, "../..\\evil\r\nBcc: x.pdf", "message/rfc822\r\nX: y", b"1")
    (file,) = saved.attachments
    assert "/" not in file.filename
    assert "\n" not in file.filename
    assert file.content_type == "application/octet-stream"
    with pytest.raises(UserError) as caught:
        draft.attach(aino, made.id, "big", "text/plain", b"x" * draft.MAX_ATTACHED)
    assert caught.value.code == "outbox.too_large"


def test_complete_finds_persons_by_name_and_address() -> None:
    aino = a_user()
    mika = a_person(aino, "Mika Aaltonen", "mika@saimaa.test")
    a_person(aino, "100%", "p@x.test")
    assert [(v.name, v.address, v.person_id) for v in draft.complete(aino, "aal")] == [
        ("Mika Aaltonen", "mika@saimaa.test", mika.card.id)
    ]
    assert draft.complete(aino, "MIKA@")[0].address == "mika@saimaa.test"
    assert [v.name for v in draft.complete(aino, "100%")] == ["100%"]
    assert draft.complete(aino, "%") == ()
    assert draft.complete(aino, " ") == ()


def test_completes_whom_one_wrote_with_before_the_last_first_and_nobody_elses_mail() -> None:
    """Deliver 2: past correspondents by name and address, by recency; a colleague's mail gives nothing away."""
    aino, eve = a_user(), a_user()
    box, hers = a_mailbox(aino), a_mailbox(eve)
    a_person(aino, "Lena Adler", "lena.adler@nordlicht.test")
    stored(box, mail(From="Lena Vogt <lena@nordlicht.test>", Date="Mon, 02 Mar 2026 12:00:00 +0000"))
    stored(box, mail(From="Lena Zorn <zorn@x.test>", Date="Tue, 03 Mar 2026 12:00:00 +0000"))
    stored(box, mail(From="Lena Bad <not an address>"))
    stored(hers, mail(From="Lena Hidden <hidden@x.test>"))
    assert [v.address for v in draft.complete(aino, "lena")] == [
        "zorn@x.test",
        "lena@nordlicht.test",
        "lena.adler@nordlicht.test",
    ]
    assert [v.name for v in draft.complete(aino, "zorn@")] == ["Lena Zorn"]
    assert [v.name for v in draft.complete(aino, "vog")] == ["Lena Vogt"]


def test_says_whose_consent_forbids_tracking() -> None:
    """T09."""
    aino = a_user()
    a_mailbox(aino, track_opens=True)
    person = a_person(aino, "Mika", "mika@saimaa.test")
    made = draft.new_draft(aino, to="Mika@saimaa.test, b@x.test")
    assert made.untracked == ()
    people.set_consent(aino, person.card.id, "refused", "phone")
    assert draft.get(aino, made.id).untracked == ("Mika",)


VERBS: dict[str, Callable[[Actor, DraftView], object]] = {
    "get": lambda actor, made: draft.get(actor, made.id),
    "save": lambda actor, made: draft.save(actor, made.id, DraftInput(made.mailbox_id)),
    "discard": lambda actor, made: draft.discard(actor, made.id),
    "attach": lambda actor, made: draft.attach(actor, made.id, "a", "text/plain", b"1"),
    "detach": lambda actor, made: draft.detach(actor, made.id, 1),
    "send": lambda actor, made: queue.send(actor, made.id),
    "undo": lambda actor, made: queue.undo(actor, made.id),
    "retry": lambda actor, made: queue.retry(actor, made.id),
    "new_draft": lambda actor, made: draft.new_draft(actor, mailbox_id=made.mailbox_id),
    "notification": lambda actor, made: notifications.mark_read(actor, made.id),
    "marks": lambda actor, made: report.marks(actor, made.id),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("admin", [False, True])
def test_somebody_elses_draft_is_not_found(verb: str, admin: bool) -> None:
    """M25: also for administrators; a foreign mailbox can't be written from either."""
    aino, other = a_user(), a_user("Other", admin=admin)
    a_mailbox(other)
    made = draft.new_draft(aino, mailbox_id=a_mailbox(aino), to="a@b.test")
    with pytest.raises(NotFound):
        VERBS[verb](other, made)
    assert queue.list_drafts(other) == ()
    assert queue.list_outbox(other) == ()
    assert draft.get(aino, made.id).state == "draft"


def test_save_refuses_a_foreign_mailbox_and_an_unknown_deal() -> None:
    aino, other = a_user(), a_user("Other")
    made, foreign = draft.new_draft(aino, mailbox_id=a_mailbox(aino)), a_mailbox(other)
    for bad in (DraftInput(foreign), DraftInput(made.mailbox_id, deal_id=999)):
        with pytest.raises(NotFound):
            draft.save(aino, made.id, bad)


def test_discard_removes_the_draft() -> None:
    aino = a_user()
    made = draft.new_draft(aino, mailbox_id=a_mailbox(aino))
    draft.discard(aino, made.id)
    with pytest.raises(NotFound):
        draft.get(aino, made.id)


def test_an_address_without_a_name_gets_its_persons() -> None:
    """The chip of a draft begun on a person's page shows the person; a name that was typed stays."""
    aino = a_user()
    box = a_mailbox(aino)
    a_person(aino, "Mika Aaltonen", "mika@saimaa.test")
    made = draft.new_draft(aino, mailbox_id=box, to="MIKA@saimaa.test, Boss <mika@saimaa.test>, other@x.test")
    assert made.to == "Mika Aaltonen <MIKA@saimaa.test>, Boss <mika@saimaa.test>, other@x.test"


def test_a_reminder_that_was_chosen_is_kept_with_the_draft() -> None:
    aino = a_user()
    box = a_mailbox(aino)
    made = draft.new_draft(aino, mailbox_id=box)
    draft.save(aino, made.id, DraftInput(box, remind_days=3))
    assert draft.get(aino, made.id).remind_days == 3
    draft.save(aino, made.id, DraftInput(box))
    assert draft.get(aino, made.id).remind_days is None


def test_a_quote_has_one_pause_where_the_original_has_several() -> None:
    aino = a_user()
    box = a_mailbox(aino)
    text = "One\r\ntwo\r\n\r\n \r\n\r\nThree"
    message = a_message(box, text=text)
    made = draft.new_draft(aino, reply_to_message_id=message.id, mode="reply")
    assert made.html.endswith(
        '<blockquote class="mailcrm-quote"><p dir="auto">One<br>two</p><p dir="auto">Three</p></blockquote>'
    )
