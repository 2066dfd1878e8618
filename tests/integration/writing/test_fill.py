"""Merge fields of a draft: whose values, what is missing, the filling in on sending and its way back (M06, M25)."""

from __future__ import annotations

from datetime import date

import pytest
from sqlmodel import select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Deal, Mailbox, Organization, Outbox
from mailcrm.services.access import Actor
from mailcrm.services.crm import custom_fields, people
from mailcrm.services.crm.linking import link
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import threads
from mailcrm.services.mail.outbox import draft, queue
from mailcrm.services.mail.outbox.views import DraftInput, DraftView
from mailcrm.services.writing import fill
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")


def a_draft(
    actor: Actor, box: int, html: str, *, subject: str = "S", to: str = "Maja Kos <maja@x.test>", **more: object
):
    made = draft.new_draft(actor, mailbox_id=box)
    return draft.save(actor, made.id, DraftInput(box, to=to, subject=subject, html=html, **more))  # type: ignore[arg-type]


def stored(draft_id: int) -> Outbox:
    with reading() as session:
        return session.exec(select(Outbox).where(Outbox.id == draft_id)).one()


def test_every_field_has_the_value_that_the_screen_shows() -> None:
    """M06: person, organization, deal, sender and fields of the workspace's own."""
    root = a_user("Root Admin", admin=True)
    box = a_mailbox(root, "root@crm.test")
    maja = a_person(root, "Dr. Maja Kos", "maja@x.test", organization="Komunala")
    people.change_person(root, maja.card.id, job_title="Head of networks")
    deal = a_deal(root, "Ljubljana network", person=maja)
    sites = custom_fields.create_field(root, "deal", "number", "Sites")
    level = custom_fields.create_field(root, "person", "choice", "Level", ["Gold"])
    custom_fields.set_values(root, "deal", deal.card.id, {sites.id: 1200.5})
    custom_fields.set_values(root, "person", maja.card.id, {level.id: 1})
    with transaction() as session:
        session.get_one(Deal, deal.card.id).expected_close = date(2026, 11, 30)
        organization = session.exec(select(Organization)).one()
        organization.address = "Vodovodna 90\nLjubljana"
        session.get_one(Mailbox, box).display_name = "Root of Tidewater"
    html = "|".join(
        f"{{{{ {name} }}}}"
        for name in (
            "person.name", "person.first_name", "person.last_name", "person.email", "person.job_title",
            "person.organization", "organization.name", "organization.address", "deal.title", "deal.value",
            "deal.stage", "deal.close_date", "sender.name", "sender.first_name", "sender.email",
            f"deal.custom.{sites.id}", f"person.custom.{level.id}",
        )
    )  # fmt: skip
    shown = fill.preview(root, a_draft(root, box, f"<p>{html}</p>", deal_id=deal.card.id).id)
    assert shown.missing == ()
    assert shown.html.replace("<bdi>", "").replace("</bdi>", "") == (
        "<p>Dr. Maja Kos|Maja|Kos|maja@x.test|Head of networks|Komunala|Komunala|Vodovodna 90<br>Ljubljana|"
        "Ljubljana network|€48,200|Qualified|30 November 2026|Root of Tidewater|Root|root@crm.test|1,200.5|Gold</p>"
    ).replace("Qualified", shown.html.split("|")[10].replace("<bdi>", "").replace("</bdi>", ""))
    assert {each.field for each in fill.fields(root)} >= {f"deal.custom.{sites.id}", "lead.title"}


def test_what_is_missing_stops_the_send_until_something_is_done_about_it() -> None:
    """M06: a clear sentence that names the fields; a fallback or "send anyway" lets it go; the draft is always there."""
    aino = a_user()
    box = a_mailbox(aino)
    made = a_draft(aino, box, "<p>Before {{ deal.close_date }}, {{ person.phone }}.</p>", subject="{{ deal.title }}")
    assert [each.label for each in fill.missing(aino, made.id)] == ["Deal title", "Expected close", "Phone"]
    assert [each.why for each in fill.missing(aino, made.id)] == [
        "No deal is linked to this email.", "No deal is linked to this email.", "Maja Kos has no phone.",
    ]  # fmt: skip
    with pytest.raises(UserError) as caught:
        queue.send(aino, made.id)
    assert (caught.value.code, caught.value.params["fields"]) == (
        "outbox.empty_fields",
        "Deal title, Expected close, Phone",
    )
    assert (stored(made.id).state, stored(made.id).html) == ("draft", made.html)
    sent = queue.send(aino, made.id, send_anyway=True)
    assert (sent.subject, sent.html) == ("", "<p>Before , .</p>")


def test_what_is_queued_holds_real_values_and_undo_brings_the_fields_back() -> None:
    """M06, B10: taken back and given to somebody else, the email greets that person."""
    aino = a_user()
    box = a_mailbox(aino)
    text = '<p>Hi <span class="mc-merge" data-field="person.first_name" data-fallback="there">x</span></p>'
    made = a_draft(aino, box, text, subject='For {{ person.name | default("you") }}')
    sent = queue.send(aino, made.id)
    assert (sent.subject, sent.html) == ("For Maja Kos", "<p>Hi <bdi>Maja</bdi></p>")
    back = queue.undo(aino, made.id)
    assert (back.subject, back.html) == ('For {{ person.name | default("you") }}', made.html)
    assert stored(made.id).written_html is None
    draft.save(aino, made.id, DraftInput(box, to="office@y.test", subject=back.subject, html=back.html))
    again = queue.send(aino, made.id)
    assert (again.subject, again.html) == ("For you", "<p>Hi <bdi>there</bdi></p>")


def reply_to(actor: Actor, box: int, **values: str) -> DraftView:
    message = a_message(box, **values)  # type: ignore[arg-type]
    return draft.new_draft(actor, mailbox_id=box, mode="reply", reply_to_message_id=message.id)


def test_a_stranger_who_writes_merge_fields_learns_nothing_from_the_answer() -> None:
    """A subject, a name and a text with fields in them are quoted as they came, whatever the draft is linked to."""
    aino = a_user()
    box = a_mailbox(aino, "aino@crm.test")
    deal = a_deal(aino, "Secret deal")
    asked = reply_to(
        aino, box, sender="{{ deal.title }} <eve@x.test>", subject="{{ deal.value }} {{ sender.email }}",
        text="{{ deal.title }} {% for x in y %}",
    )  # fmt: skip
    made = draft.save(
        aino,
        asked.id,
        DraftInput(box, to=asked.to, subject=asked.subject, html="<p>No.</p>" + asked.html, deal_id=deal.card.id),
    )
    sent = queue.send(aino, made.id)
    assert sent.subject == "Re: {{ deal.value }} {{ sender.email }}"
    assert "Secret" not in sent.html
    assert "48,200" not in sent.subject + sent.html


def test_a_strangers_subject_stays_theirs_when_their_message_is_gone() -> None:
    """The draft forgets which message it answers once that is deleted; the quote is still in it."""
    aino = a_user()
    box = a_mailbox(aino, "aino@crm.test")
    asked = reply_to(aino, box, subject="{{ sender.email }}")
    with transaction() as session:
        session.get_one(Outbox, asked.id).reply_to_message_id = None  # as the foreign key does
    assert "aino@crm.test" not in fill.preview(aino, asked.id).subject
    assert queue.send(aino, asked.id, send_anyway=True).subject == "Re: {{ sender.email }}"


def test_in_an_answer_pills_are_filled_in_and_typed_braces_are_asked_about() -> None:
    aino = a_user()
    box = a_mailbox(aino)
    asked = reply_to(aino, box, sender="Maja Kos <maja@x.test>")
    html = '<p><span class="mc-merge" data-field="person.first_name">x</span></p>'
    draft.save(aino, asked.id, DraftInput(box, to=asked.to, subject=asked.subject, html=html + asked.html))
    assert fill.preview(aino, asked.id).html.startswith("<p><bdi>Maja</bdi></p>")
    draft.save(aino, asked.id, DraftInput(box, to=asked.to, subject="{{ person.name }}", html=asked.html))
    assert fill.preview(aino, asked.id).refused == ("{{ person.name }}",)
    with pytest.raises(UserError):
        queue.send(aino, asked.id)


def test_an_answer_has_the_values_of_its_conversations_deal() -> None:
    """M06: the composer shows that deal, so its fields are filled in; a deal of the draft's own comes before it."""
    aino = a_user()
    box = a_mailbox(aino)
    asked = reply_to(aino, box, sender="Maja Kos <maja@x.test>")
    pill = '<p><span class="mc-merge" data-field="deal.title">x</span></p>'

    def shown(**more: object) -> str:
        draft.save(aino, asked.id, DraftInput(box, to=asked.to, subject=asked.subject, html=pill + asked.html, **more))  # type: ignore[arg-type]
        return fill.preview(aino, asked.id).html

    assert "Weir sensors" not in shown()
    thread_id = threads.list_threads(aino, folder="all").rows[0].id
    link.link_thread(aino, thread_id, deal_id=a_deal(aino, "Weir sensors").card.id)
    assert shown().startswith("<p><bdi>Weir sensors</bdi></p>")
    assert shown(deal_id=a_deal(aino, "Pump station").card.id).startswith("<p><bdi>Pump station</bdi></p>")


def test_rows_that_one_may_not_see_give_no_values() -> None:
    """M25: a deal that is not one's own to see has no title in one's email either; drafts of others don't exist."""
    root, aino = a_user("Root", admin=True), a_user()
    box = a_mailbox(aino)
    deal = a_deal(root, "Secret deal")
    made = a_draft(aino, box, "<p>{{ deal.title }}</p>", deal_id=deal.card.id)
    own = Actor(aino.user_id, scopes={"deal": "own", "person": "own"})
    assert "Secret" in fill.preview(aino, made.id).html
    assert "Secret" not in fill.preview(own, made.id).html
    with pytest.raises(NotFound):
        fill.preview_with(own, "", "x", deal_id=deal.card.id)
    for verb in (fill.preview, fill.missing, queue.send):
        with pytest.raises(NotFound):
            verb(root, made.id)
