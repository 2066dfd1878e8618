"""mailto: links, also hostile ones (M18, RFC 6068)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.mail.mailto import Mailto, parse_mailto
from mailcrm.services.writing import merge_fields


def test_reads_what_a_composer_needs() -> None:
    """M18: to, cc, bcc, subject and body, decoded once; "+" is part of an address."""
    assert parse_mailto(
        "mailto:maja+a@vodovod.example,luka@vodovod.example?CC=x@y.example&bcc=z@y.example"
        "&subject=Pilot%20pricing&body=Hello%0D%0ASecond%20line&to=t@y.example"
    ) == Mailto(
        to="maja+a@vodovod.example, luka@vodovod.example, t@y.example",
        cc="x@y.example",
        bcc="z@y.example",
        subject="Pilot pricing",
        body="Hello\nSecond line",
    )


def test_takes_no_other_header_no_file_and_no_line_break() -> None:
    """RFC 6068 7: attach=, From and broken lines of a stranger's link do nothing."""
    found = parse_mailto(
        "MAILTO:a@x.example%0d%0aBcc:evil@x.example?attach=/etc/passwd&from=boss@x.example&in-reply-to=1"
        "&subject=Hi%0D%0ABcc:%20evil@x.example"
    )
    assert found.subject == "Hi Bcc: evil@x.example"
    assert found.bcc == found.cc == found.body == ""
    assert not set(found.to) & set("\r\n")


def test_braces_of_a_link_are_no_merge_fields() -> None:
    """M06: a stranger's link asks for no values of ours, not with a control character that is dropped later either."""
    found = parse_mailto(
        "mailto:a@x.example?subject=%7B%7B%7B%20deal.value%20%7D%7D&body=a%7B%01%7B%20person.custom.1%20%7D%7D"
    )
    assert "{{" not in found.subject + found.body
    assert merge_fields.uses(found.subject, f"<p>{found.body}</p>") == ()
    assert "deal.value" in found.subject


def test_comma_inside_an_address_stays_encoded_until_the_list_is_parted() -> None:
    """RFC 6068 2: a comma in a quoted name comes as %2C."""
    assert parse_mailto("mailto:%22Kos%2C%20Maja%22%20%3Cm@x.example%3E").to == '"Kos, Maja" <m@x.example>'


@given(st.text(max_size=400))
def test_never_raises_and_never_breaks_a_line(link: str) -> None:
    """Any text of a page or another program."""
    found = parse_mailto("mailto:" + link)
    for each in (found.to, found.cc, found.bcc, found.subject):
        assert not set(each) & set("\r\n\0")
