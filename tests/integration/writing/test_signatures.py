"""Signatures: several for each user, a default for each mailbox and use, one in a draft, its images with it (M08)."""

from __future__ import annotations

import pytest

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Mailbox, MailboxAlias, Outbox
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.outbox import draft, outgoing
from mailcrm.services.mail.outbox.views import DraftInput
from mailcrm.services.writing import signatures
from tests.builders import a_mailbox, a_message, a_user
from tests.integration.writing.pictures import PNG

pytestmark = pytest.mark.usefixtures("db")


def test_each_mailbox_begins_new_mail_and_replies_with_its_own() -> None:
    """M08."""
    aino = a_user()
    first, second = a_mailbox(aino), a_mailbox(aino)
    work, short = (signatures.create(aino, name=name, html=f"<p>{name}</p>").id for name in ("Work", "Short"))
    signatures.set_default(aino, first, "new", work)
    signatures.set_default(aino, first, "reply", short)
    assert draft.new_draft(aino, mailbox_id=first).signature_id == work
    assert "mc-signature" not in draft.new_draft(aino, mailbox_id=second).html
    message = a_message(first, text="theirs")
    for mode in ("reply", "forward"):
        view = draft.new_draft(aino, mailbox_id=first, mode=mode, reply_to_message_id=message.id)
        assert view.signature_id == short
        assert view.html.index("Short") < view.html.index("theirs")
    signatures.set_default(aino, first, "new", short)
    signatures.set_default(aino, first, "reply", None)
    assert signatures.get(aino, short).uses == ((first, "new"),)
    assert signatures.for_mailbox(aino, first, "reply") is None


def test_it_follows_the_sender_with_its_images_and_is_never_there_twice() -> None:
    """M08: swapped when the sender changes; the images of the one that left do not go along as files."""
    aino = a_user()
    first, second = a_mailbox(aino), a_mailbox(aino)
    work, home = signatures.create(aino, name="Work"), signatures.create(aino, name="Home", html="<p>Home</p>")
    image = signatures.add_image(aino, work.id, "logo.png", PNG)
    signatures.change(aino, work.id, html=f'<p>Work <img src="cid:{image.content_id}" alt="Logo"></p>')
    signatures.set_default(aino, first, "new", work.id)
    signatures.set_default(aino, second, "new", home.id)
    view = draft.new_draft(aino, mailbox_id=first)
    assert [file.inline for file in view.attachments] == [True]
    draft.save(aino, view.id, DraftInput(second, subject="S", html="<p>Hi</p>" + view.html, signature_id=work.id))
    swapped = signatures.follow_sender(aino, view.id)
    assert (swapped.html.count("mc-signature"), swapped.signature_id, swapped.attachments) == (1, home.id, ())
    assert "Home" in swapped.html
    assert "Work" not in swapped.html
    assert swapped.html.startswith("<p>Hi</p>")
    back = signatures.use_in_draft(aino, view.id, work.id)
    assert [file.inline for file in back.attachments] == [True]
    assert signatures.use_in_draft(aino, view.id, work.id).attachments == back.attachments
    assert "mc-signature" not in signatures.use_in_draft(aino, view.id, None).html


def test_a_deleted_one_is_out_of_use_and_comes_back_with_its_uses() -> None:
    aino = a_user()
    box = a_mailbox(aino)
    work = signatures.create(aino, name="Work")
    signatures.set_default(aino, box, "new", work.id)
    signatures.delete_signature(aino, work.id)
    assert signatures.list_signatures(aino) == ()
    assert signatures.for_mailbox(aino, box, "new") is None
    assert draft.new_draft(aino, mailbox_id=box).signature_id is None
    assert signatures.restore(aino, work.id).uses == ((box, "new"),)


def test_they_are_ordered_by_hand() -> None:
    aino = a_user()
    ids = [signatures.create(aino, name=name).id for name in "ABC"]
    found = signatures.order(aino, [ids[2], ids[0]])
    assert [each.name for each in found] == ["C", "A", "B"]
    with pytest.raises(NotFound):
        signatures.order(aino, [ids[0], 10**9])


def test_nobody_elses_can_be_seen_or_used_not_even_by_an_administrator() -> None:
    aino, root = a_user(), a_user("Root", admin=True)
    box, theirs = a_mailbox(aino), a_mailbox(root)
    work = signatures.create(aino, name="Work", html="<p>Aino</p>")
    image = signatures.add_image(aino, work.id, "logo.png", PNG)
    view = draft.new_draft(root, mailbox_id=theirs)
    for verb in (
        lambda: signatures.get(root, work.id),
        lambda: signatures.change(root, work.id, name="x"),
        lambda: signatures.delete_signature(root, work.id),
        lambda: signatures.restore(root, work.id),
        lambda: signatures.order(root, [work.id]),
        lambda: signatures.set_default(root, theirs, "new", work.id),
        lambda: signatures.set_default(root, box, "new", None),
        lambda: signatures.for_mailbox(root, box, "new"),
        lambda: signatures.use_in_draft(root, view.id, work.id),
        lambda: signatures.use_in_draft(aino, view.id, work.id),
        lambda: signatures.follow_sender(aino, view.id),
        lambda: signatures.add_image(root, work.id, "a.png", PNG),
        lambda: signatures.image(root, work.id, image.content_id),
    ):
        with pytest.raises(NotFound):
            verb()
    assert signatures.list_signatures(root) == ()
    assert signatures.image(aino, work.id, image.content_id)[1] == PNG


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"name": " "}, "input.missing"),
        ({"html": "{{ ''.__class__ }}"}, "merge.refused"),
        ({"html": "{% for a in b %}"}, "merge.statement"),
        ({"html": "x" * 100_001}, "signature.too_large"),
    ],
)
def test_what_it_may_not_hold_is_refused(values: dict[str, str], code: str) -> None:
    aino = a_user()
    with pytest.raises(UserError) as caught:
        signatures.create(aino, **{"name": "Bad", **values})
    assert caught.value.code == code


def test_an_alias_keeps_the_signature_of_its_mailbox() -> None:
    aino = a_user()
    box = a_mailbox(aino)
    with transaction() as session:
        session.add(MailboxAlias(mailbox_id=box, address="sales@crm.test"))
    work = signatures.create(aino, name="Work", html="<p>Aino</p><script>x</script>")
    assert work.html == "<p>Aino</p>"
    signatures.set_default(aino, box, "new", work.id)
    view = draft.new_draft(aino, mailbox_id=box)
    draft.save(aino, view.id, DraftInput(box, html=view.html, from_address="sales@crm.test", signature_id=work.id))
    assert signatures.follow_sender(aino, view.id).html.count("mc-signature") == 1


def test_a_picture_that_was_deleted_from_the_text_is_not_sent_as_a_file() -> None:
    """Whoever deletes the signature in the editor does not send its logo either."""
    aino = a_user()
    box = a_mailbox(aino)
    work = signatures.create(aino, name="Work")
    image = signatures.add_image(aino, work.id, "logo.png", PNG)
    signatures.change(aino, work.id, html=f'<p><img src="cid:{image.content_id}" alt="Logo"></p>')
    signatures.set_default(aino, box, "new", work.id)
    view = draft.new_draft(aino, mailbox_id=box)
    for html, count in ((view.html, 1), ("<p>Hi</p>", 0)):
        draft.save(aino, view.id, DraftInput(box, to="a@x.test", subject="S", html=html))
        with reading() as session:
            mail = outgoing.mail_of(session, session.get_one(Outbox, view.id), session.get_one(Mailbox, box))
        assert len(mail.files) == count
