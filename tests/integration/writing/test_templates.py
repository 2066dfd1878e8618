"""Templates: folders and order by hand, who may read and change them, in and out of drafts (M07)."""

from __future__ import annotations

import pytest
from sqlmodel import select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Outbox, OutboxAttachment
from mailcrm.services.db import reading
from mailcrm.services.mail.outbox import draft, queue
from mailcrm.services.mail.outbox.views import DraftInput
from mailcrm.services.writing import merge_fields, signatures, templates, using
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user
from tests.integration.writing.pictures import PNG

pytestmark = pytest.mark.usefixtures("db")

GREETING = '<p>Hi {{ person.first_name | default("there") }},</p>'


def names(lines: tuple[templates.TemplateLine, ...]) -> list[tuple[str, str]]:
    return [(line.folder, line.name) for line in lines]


def test_folders_and_order_are_kept_by_hand() -> None:
    """M07: a template is moved before another, into a folder; a folder is moved, renamed and dissolved."""
    aino = a_user()
    ids = {name: templates.create(aino, name=name).line.id for name in "ABCD"}
    assert names(templates.list_templates(aino)) == [("", "A"), ("", "B"), ("", "C"), ("", "D")]
    templates.move(aino, ids["D"], before_id=ids["A"])
    assert names(templates.list_templates(aino)) == [("", "D"), ("", "A"), ("", "B"), ("", "C")]
    templates.move(aino, ids["A"], folder="Offers")
    templates.move(aino, ids["B"], folder="Offers", before_id=ids["A"])
    templates.change(aino, ids["C"], folder="Thanks")
    templates.move(aino, ids["C"], before_id=ids["B"])
    assert names(templates.list_templates(aino)) == [("", "D"), ("Thanks", "C"), ("Offers", "B"), ("Offers", "A")]
    templates.move_folder(aino, False, "Offers", "Thanks")
    assert names(templates.list_templates(aino)) == [("", "D"), ("Offers", "B"), ("Offers", "A"), ("Thanks", "C")]
    templates.rename_folder(aino, False, "Offers", "Quotes")
    templates.rename_folder(aino, False, "Thanks", "")
    assert names(templates.list_templates(aino)) == [("", "D"), ("", "C"), ("Quotes", "B"), ("Quotes", "A")]


def test_a_hundred_moves_between_two_neighbours_keep_the_order() -> None:
    """Positions run out of room between two rows; then all are spread anew and nothing changes places."""
    aino = a_user()
    first, second, *others = (templates.create(aino, name=f"T{n}").line.id for n in range(6))
    for n in range(60):
        templates.move(aino, others[n % len(others)], before_id=second)
        found = [line.id for line in templates.list_templates(aino)]
        assert found[0] == first
        assert found.index(others[n % len(others)]) == found.index(second) - 1


def test_a_template_is_applied_once_to_an_empty_draft_and_below_what_is_written() -> None:
    """M07: subject where there is none, text above the signature, copies of its files, and the draft knows it."""
    aino = a_user()
    box = a_mailbox(aino)
    signatures.set_default(aino, box, "new", signatures.create(aino, name="Work", html="<p>Aino</p>").id)
    made = templates.create(aino, name="Pilot", subject="Pilot for {{ person.name }}", html=GREETING)
    templates.add_file(aino, made.line.id, "prices.pdf", "application/pdf", b"%PDF")
    image = templates.add_file(aino, made.line.id, "logo.png", "", PNG, inline=True)
    templates.change(aino, made.line.id, html=f'{GREETING}<p><img src="cid:{image.content_id}" alt="Logo"></p>')
    view = draft.new_draft(aino, mailbox_id=box, to="Maja Kos <maja@x.test>")
    shown = using.apply(aino, view.id, made.line.id)
    assert shown.subject == "Pilot for {{ person.name }}"
    assert shown.html.index('class="mc-merge"') < shown.html.index("<img") < shown.html.index('class="mc-signature"')
    assert [(file.filename, file.inline) for file in shown.attachments] == [("prices.pdf", False), ("logo.png", True)]
    again = using.apply(aino, view.id, made.line.id)
    assert again.html.count('class="mc-signature"') == 1
    with reading() as session:
        row = session.get_one(Outbox, view.id)
        assert row.template_id == made.line.id
        images = session.exec(select(OutboxAttachment.content_id).where(OutboxAttachment.outbox_id == view.id)).all()
        assert [each for each in images if each] == [image.content_id]


def test_a_draft_is_saved_as_a_template_without_signature_and_quote() -> None:
    """M07: a draft can be saved as a template; what belongs to this one conversation stays out of it."""
    aino = a_user()
    box = a_mailbox(aino)
    signature = signatures.create(aino, name="Work", html="<p>Aino</p>")
    signatures.set_default(aino, box, "reply", signature.id)
    message = a_message(box, text="A secret of the customer")
    view = draft.new_draft(aino, mode="reply", reply_to_message_id=message.id)
    entered = DraftInput(box, view.to, subject=view.subject, html="<p>Thank you</p>" + view.html)
    draft.save(aino, view.id, entered)
    draft.attach(aino, view.id, "prices.pdf", "application/pdf", b"%PDF")
    made = using.from_draft(aino, view.id, name="Thanks", folder="Replies")
    assert (made.line.name, made.line.folder, made.line.mine) == ("Thanks", "Replies", True)
    assert "Thank you" in made.html
    assert "secret" not in made.html
    assert "mc-signature" not in made.html
    assert [file.filename for file in made.files] == ["prices.pdf"]


def test_braces_in_a_strangers_subject_are_no_fields_of_the_template() -> None:
    """M06: nor do they keep a reply from becoming a template."""
    aino = a_user()
    box = a_mailbox(aino)
    for asked in ("{{ deal.value }}", "{{{{ person.__class__ }}"):
        message = a_message(box, subject=asked)
        view = draft.new_draft(aino, mailbox_id=box, mode="reply", reply_to_message_id=message.id)
        made = using.from_draft(aino, view.id, name="Thanks")
        assert merge_fields.uses(made.line.subject, made.html) == ()
        assert "{{" not in made.line.subject
        assert made.line.subject.startswith("Re: { {")


def test_a_template_is_sent_to_oneself_as_a_person_would_get_it() -> None:
    """M07: a test send goes through the ordinary outbox to one's own address, filled in, and counts for nothing."""
    aino = a_user()
    box = a_mailbox(aino, "aino@crm.test")
    maja = a_person(aino, "Maja Kos", "maja@x.test")
    a_deal(aino, "Ljubljana network", person=maja)
    made = templates.create(
        aino, name="Pilot", subject="{{ deal.title }}", html=f"{GREETING}<p>{{{{ deal.value }}}}</p>"
    )
    sent = using.test_send(aino, made.line.id, person_id=maja.card.id)
    assert (sent.state, sent.to, sent.mailbox_id, sent.template_id) == ("queued", "aino@crm.test", box, None)
    assert sent.subject == "[Test] Ljubljana network"
    assert "Maja" in sent.html
    assert "48,200" in sent.html
    assert not sent.track_opens


def test_colleagues_read_shared_templates_and_change_none() -> None:
    """M07: a private template doesn't exist for others; a shared one is read and used by all, changed by two kinds."""
    aino, bo, chief = a_user(), a_user("Bo"), a_user("Chief", admin=True)
    box = a_mailbox(bo)
    made = templates.create(aino, name="Pilot", html=GREETING)
    file = templates.add_file(aino, made.line.id, "a.pdf", "application/pdf", b"%PDF")
    view = draft.new_draft(bo, mailbox_id=box)
    for verb in (
        lambda who: templates.get(who, made.line.id),
        lambda who: templates.load_file(who, made.line.id, n=file.n),
        lambda who: templates.copy(who, made.line.id),
        lambda who: using.apply(who, view.id, made.line.id),
        lambda who: using.lend(who, view.id, made.line.id),
        lambda who: using.test_send(who, made.line.id),
        lambda who: templates.change(who, made.line.id, name="Mine"),
        lambda who: templates.delete(who, made.line.id),
        lambda who: templates.restore(who, made.line.id),
        lambda who: templates.move(who, made.line.id),
        lambda who: templates.add_file(who, made.line.id, "b.pdf", "", b"x"),
        lambda who: templates.remove_file(who, made.line.id, file.n),
    ):
        for who in (bo, chief):
            with pytest.raises(NotFound):
                verb(who)
    assert templates.list_templates(bo) == templates.search(bo, "pilot") == ()
    templates.change(aino, made.line.id, shared=True)
    assert not templates.get(bo, made.line.id).line.changeable
    assert templates.copy(bo, made.line.id).line.mine
    assert "mc-merge" in using.apply(bo, view.id, made.line.id).html
    for verb in (
        lambda: templates.change(bo, made.line.id, name="Mine"),
        lambda: templates.delete(bo, made.line.id),
        lambda: templates.move(bo, made.line.id),
        lambda: templates.add_file(bo, made.line.id, "b.pdf", "", b"x"),
        lambda: templates.remove_file(bo, made.line.id, file.n),
    ):
        with pytest.raises(UserError) as caught:
            verb()
        assert caught.value.code == "template.not_yours"
    assert templates.change(chief, made.line.id, name="Pilot pricing").line.name == "Pilot pricing"
    with pytest.raises(NotFound):
        using.apply(aino, view.id, made.line.id)


def test_a_deleted_template_comes_back_with_its_files() -> None:
    aino, bo = a_user(), a_user("Bo")
    made = templates.create(aino, name="Pilot", shared=True)
    templates.add_file(aino, made.line.id, "a.pdf", "application/pdf", b"%PDF")
    templates.delete(aino, made.line.id)
    for who in (aino, bo):
        with pytest.raises(NotFound):
            templates.get(who, made.line.id)
    with pytest.raises(NotFound):
        templates.restore(bo, made.line.id)
    assert [file.filename for file in templates.restore(aino, made.line.id).files] == ["a.pdf"]


def test_search_finds_words_in_any_place_and_width() -> None:
    """Every word must be somewhere; a match in the name comes first; full-width letters are found by narrow ones."""
    aino = a_user()
    templates.create(aino, name="Quote", html="<p>The PILOT costs</p>")
    templates.create(aino, name="Pilot pricing", subject="Ｐｉｌｏｔ")
    templates.create(aino, name="お見積りのご送付")
    assert [line.name for line in templates.search(aino, "pilot")] == ["Pilot pricing", "Quote"]
    assert [line.name for line in templates.search(aino, "pilot costs")] == ["Quote"]
    assert [line.name for line in templates.search(aino, "見積り")] == ["お見積りのご送付"]
    assert len(templates.search(aino, "")) == 3


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"name": " \x00 "}, "input.missing"),
        ({"name": "x" * 121}, "input.too_long"),
        ({"html": "{{ ''.__class__.__mro__ }}"}, "merge.refused"),
        ({"subject": "{{ range(10**9) }}"}, "merge.refused"),
        ({"html": "<p>{% for x in range(10**9) %}y{% endfor %}</p>"}, "merge.statement"),
        ({"html": "{% include '/etc/passwd' %}"}, "merge.statement"),
        ({"html": "{{ person.name }}" * 501}, "merge.too_many"),
        ({"html": "x" * 500_001}, "template.too_large"),
    ],
)
def test_what_a_template_may_not_hold_is_refused_with_a_sentence(values: dict[str, str], code: str) -> None:
    aino = a_user()
    with pytest.raises(UserError) as caught:
        templates.create(aino, **{"name": "Bad", **values})  # type: ignore[arg-type]
    assert caught.value.code == code
    assert templates.list_templates(aino) == ()


def test_pasted_scripts_and_hostile_names_are_made_harmless() -> None:
    aino = a_user()
    made = templates.create(
        aino,
        name="<script>x</script>\u202eexe",
        html='<p onclick="x()">Hi<script>alert(1)</script><img src="javascript:x" onerror="y()"></p>',
        folder="a\nb",
    )
    assert made.html == "<p>Hi</p>"
    assert (made.line.name, made.line.folder) == ("<script>x</script>exe", "a b")
    file = templates.add_file(aino, made.line.id, "../../etc/\u202egpj.exe", "text/html; x=\r\ny", b"x")
    assert "/" not in file.filename
    assert "\u202e" not in file.filename
    assert "\r" not in file.content_type


def test_an_image_that_is_none_or_a_bomb_is_refused() -> None:
    """Bad input: an image bomb (a PNG of a few bytes that unpacks to gigabytes), a script that says it is an image."""
    aino = a_user()
    made = templates.create(aino, name="Pilot")
    bomb = PNG[:16] + (100_000).to_bytes(4) + (100_000).to_bytes(4) + PNG[24:]
    for data, code in ((b"<svg onload=x>", "image.not_one"), (bomb, "image.too_large"), (b"", "image.not_one")):
        with pytest.raises(UserError) as caught:
            templates.add_file(aino, made.line.id, "x.png", "image/png", data, inline=True)
        assert caught.value.code == code
    with pytest.raises(UserError) as caught:
        templates.add_file(aino, made.line.id, "big.zip", "application/zip", b"x" * (20 * 1024 * 1024 + 1))
    assert caught.value.code == "template.files"


def test_files_too_large_for_a_draft_leave_it_as_it_was() -> None:
    aino = a_user()
    box = a_mailbox(aino)
    made = templates.create(aino, name="Pilot", subject="S", html="<p>T</p>")
    templates.add_file(aino, made.line.id, "a.zip", "application/zip", b"x" * (15 * 1024 * 1024))
    view = draft.new_draft(aino, mailbox_id=box)
    draft.attach(aino, view.id, "b.zip", "application/zip", b"y" * (15 * 1024 * 1024))
    with pytest.raises(UserError) as caught:
        using.apply(aino, view.id, made.line.id)
    assert caught.value.code == "outbox.too_large"
    assert draft.get(aino, view.id).html == view.html
    queue.list_drafts(aino)
