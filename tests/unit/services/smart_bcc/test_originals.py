"""The original inside a forward: five programs, five languages, with and without HTML."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.smart_bcc import forms, originals
from mailcrm.services.smart_bcc.dates import read_date
from tests.unit.services.smart_bcc import forwards

HELSINKI = ZoneInfo("Europe/Helsinki")
NOON = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
ALONE = {"apple-de": datetime(2026, 3, 2, 11, 0, tzinfo=UTC)}  # says MEZ


@pytest.mark.parametrize("html", [True, False], ids=["html", "text"])
@pytest.mark.parametrize("form", forwards.FORMS, ids=lambda form: form.name)
def test_the_original_keeps_its_author_recipients_date_and_words(form: forwards.Form, html: bool) -> None:
    """The original date, parties and text of a forward (M01)."""
    raw = forwards.forward(form, to="k@bcc.test", html=html)
    found = originals.find(raw, parse_message(raw), HELSINKI)
    assert [each.words for each in found] == ["FYI"], form.name
    read = parse_message(found[0].raw)
    assert (read.from_[0].name, read.from_[0].address) == forwards.AUTHOR
    assert [each.address for each in (*read.to, *read.cc)] == [forwards.TO, forwards.CC]
    assert read.subject == forwards.SUBJECT
    assert read.sent_at == ALONE.get(form.name, NOON)
    assert read.rfc_message_id == forwards.ORIGINAL_ID
    assert "the offer is fine with us." in " ".join(read.text.split())
    assert "FYI" not in read.text
    assert forwards.SUBJECT not in read.text
    assert "mika@" not in read.text
    if html:
        assert "<b>offer</b>" in (read.html or "")


def test_an_attached_message_is_the_original_itself() -> None:
    """message/rfc822: its own bytes, with their own Message-ID."""
    inner = EmailMessage()
    inner["From"], inner["To"], inner["Subject"] = "Mika <mika@saimaa.example>", forwards.TO, "Inner"
    inner["Message-ID"], inner["Date"] = "<inner@saimaa.example>", "Mon, 02 Mar 2026 12:00:00 +0200"
    inner.set_content("inner text")
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "aino@crm.test", "k@bcc.test", "Fwd: Inner"
    mail.set_content("see attached\n\nMika wants ten percent.\n-- \nAino\nTidewater")
    mail.add_attachment(inner)
    found = originals.find(mail.as_bytes(), parse_message(mail.as_bytes()), HELSINKI)
    assert [(each.how, each.words) for each in found] == [("attached", "see attached\n\nMika wants ten percent.")]
    read = parse_message(found[0].raw)
    assert (read.rfc_message_id, read.subject, read.sent_at) == ("inner@saimaa.example", "Inner", NOON)


def test_html_of_very_many_levels_is_left_for_the_text() -> None:
    """Each level reads all text below it: a customer's nested HTML kept the worker busy for hours."""
    block = (f"---------- Forwarded message ---------<br>From: Mika &lt;{forwards.AUTHOR[1]}&gt;<br>"
             f"Date: Mon, Mar 2, 2026 at 12:00 PM<br>Subject: {forwards.SUBJECT}<br>To: {forwards.TO}<br><br>")  # fmt: skip
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "aino@crm.test", "k@bcc.test", "Fwd: x"
    mail.set_content("<div>" * 3000 + block + "the offer is fine <i>deep</i>" + "</div>" * 3000, subtype="html")
    found = originals.find(mail.as_bytes(), parse_message(mail.as_bytes()), HELSINKI)
    for each in found:
        assert "<i>deep</i>" not in (parse_message(each.raw).html or "")
    assert originals._html_below(
        "<p>" + "<div>" * 3000 + block + "<i>deep</i>" + "</div>" * 3000,
        forms.Block({"from": f"Mika <{forwards.AUTHOR[1]}>", "subject": forwards.SUBJECT}, 0, 5, announced=True),
    ) == ""  # fmt: skip


def test_files_of_the_original_come_along() -> None:
    """An attachment below a forward belongs to the original."""
    form = forwards.FORMS[0]
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "aino@crm.test", "k@bcc.test", "Fwd: x"
    mail.set_content(form.text)
    mail.add_attachment(b"%PDF-1", maintype="application", subtype="pdf", filename="Angebot.pdf")
    found = originals.find(mail.as_bytes(), parse_message(mail.as_bytes()), HELSINKI)
    assert [each.filename for each in parse_message(found[0].raw).attachments] == ["Angebot.pdf"]


def test_a_message_attached_to_what_was_forwarded_is_a_file() -> None:
    """A customer attaches "a mail of the director": forwarded, it is not the director's word, and the customer's stays."""
    form = forwards.FORMS[0]
    fake = EmailMessage()
    fake["From"], fake["To"], fake["Subject"] = "boss@other.example", forwards.TO, "You get 50 %"
    fake["Date"] = "Mon, 02 Mar 2026 12:00:00 +0200"
    fake.set_content("signed, the boss")
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "aino@crm.test", "k@bcc.test", "Fwd: x"
    mail.set_content(form.text)
    mail.add_attachment(fake)
    found = originals.find(mail.as_bytes(), parse_message(mail.as_bytes()), HELSINKI)
    assert [each.how for each in found] == ["below"]
    read = parse_message(found[0].raw)
    assert read.from_[0].address == forwards.AUTHOR[1]
    assert len(read.attachments) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Hello Mika,\nthe offer is attached.",
        "From: here on it gets steep.\nTo: the top.\nSubject: none",
        "On Monday Mika wrote:\n> Hi",
    ],
)
def test_what_is_no_forward_has_no_original(text: str) -> None:
    """Words with colons are words."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "aino@crm.test", "k@bcc.test", "Hello"
    mail.set_content(text)
    assert originals.find(mail.as_bytes(), parse_message(mail.as_bytes()), HELSINKI) == ()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Mon, Mar 2, 2026 at 12:00 AM", "2026-03-01T22:00:00+00:00"),
        ("3/2/2026 1:05 PM", "2026-03-02T11:05:00+00:00"),
        ("02/03/2026 13:05", "2026-03-02T11:05:00+00:00"),
        ("2026/03/02 午後1:05", "2026-03-02T11:05:00+00:00"),
        ("2 mars 2026 à 13:05:09 UTC+1", "2026-03-02T12:05:09+00:00"),
        ("2. März 2026 um 13:05:09 MEZ", "2026-03-02T12:05:09+00:00"),
        ("lunes, 2 de marzo de 2026 13:05", "2026-03-02T11:05:00+00:00"),
        ("2026年3月2日(月) 13:05", "2026-03-02T11:05:00+00:00"),
    ],
)
def test_dates_in_the_words_of_mail_programs(text: str, moment: str) -> None:
    """A date without a zone is the user's own."""
    found = read_date(text, HELSINKI)
    assert found is not None
    assert found.isoformat() == moment


@given(st.text(max_size=400))
def test_no_text_breaks_the_reader_of_dates(text: str) -> None:
    """Hostile text is no date."""
    read_date(text, UTC)


@given(
    st.lists(
        st.sampled_from(["From: a@b.c", "Date: x", "To: ", "> ", "", "x" * 300, "Subject: y", "-----", "件名：z"]),
        max_size=60,
    )
)
def test_no_lines_break_the_search_for_a_forward(lines: list[str]) -> None:
    """Hostile lines end in an original or in none."""
    mail = EmailMessage()
    mail["From"], mail["To"] = "aino@crm.test", "k@bcc.test"
    mail.set_content("\n".join(lines))
    originals.find(mail.as_bytes(), parse_message(mail.as_bytes()), UTC)
