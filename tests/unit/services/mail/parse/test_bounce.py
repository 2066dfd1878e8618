"""Notices of mail that was not delivered, as real servers write them (RFC 3464 and not)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.mail.parse.bounce import parse_bounce

FLANKER = "mime/mailgun__flanker/tests_fixtures_messages_bounce_"
CASES = {
    FLANKER + "zed.eml": (
        "20090708054735.GC7578@example.com",
        {"asdfasdfasdfasdfasdfasdfewrqertrtyrthsfgdfgadfqeadvxzvz@gmail.com": 550},
    ),
    FLANKER + "office365.eml": ("20171013111011.20866.254C2F3A4D7AA526@ninomail.com", {"noname@example.com": 550}),
    FLANKER + "mailbox-full.eml": ("4E326A95.3010907@example.com", {"user@aol.com": 552}),
    FLANKER + "gmail-invalid-address.eml": (
        "CAKsfaBUUGqVZiaMrmH3TRPfq1odQPtM7Ey5YW1SgyJJRHtAjgw@mail.gmail.com",
        {"awfawfawfawfawfaw@someserverhere.com": 550},
    ),
    "mime/postalsys__postal-mime/test_fixtures_bounce.eml": (
        "e85f1c9b-9b51-4028-8ec0-0a657155028e@app.fastmail.com",
        {"htfgvhyufthdgcvhgjyfthgc@ethereal.email": None},
    ),
    "mime/Webklex__php-imap/tests_messages_example_bounce.eml": (
        "UyVznI5nOyYGnv7Ij0hi6ro4gvxwGT999eQAtc4o@127.0.0.1",
        {"ding@ding.de": None},
    ),
    "mime/mikel__mail/spec_fixtures_emails_multipart_report_emails_report_530.eml": (
        "200712232303.lBNN3jDq002941@mail12.rrrr.com.au",
        {"edwin@zzzzzzz.com": None},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_servers_write(corpora: Path, name: str) -> None:
    original, failed = CASES[name]
    found = parse_bounce((corpora / name).read_bytes())
    assert found is not None
    assert found.original_ids[0] == original
    assert found.failed.keys() == failed.keys()
    for address, code in failed.items():
        assert code in (None, found.failed[address][0])
        assert found.failed[address][1]


def test_a_delay_is_no_bounce(corpora: Path) -> None:
    found = parse_bounce((corpora / (FLANKER + "no-mx.eml")).read_bytes())
    assert found is not None
    assert (found.failed, found.delayed) == ({}, {"user@example.com"})


def test_some_failed_and_some_wait(corpora: Path) -> None:
    raw = (corpora / "mime/jhillyerd__enmime/dsn_testdata_multi_recipient_dsn.raw.eml").read_bytes()
    found = parse_bounce(raw.replace(b"[original message goes here]", b"Message-ID: <1@x.test>\n\nhi"))
    assert found is None or "johnh@hpnjld.njd.hp.com" not in found.failed


@pytest.mark.parametrize(
    "name",
    [
        "tests_fixtures_messages_complaints_aol.eml",
        "tests_fixtures_messages_complaints_yahoo.eml",
        "tests_fixtures_messages_disposition-notification.eml",
    ],
)
def test_complaints_and_receipts_are_none(corpora: Path, name: str) -> None:
    found = parse_bounce((corpora / "mime/mailgun__flanker" / name).read_bytes())
    assert found is None or not (found.failed or found.text)


def test_a_notice_in_words_alone() -> None:
    """No report and no field: what it says is kept, for the addresses of our own message to be looked for."""
    raw = (
        b"From: Postmaster <postmaster@old.test>\r\nSubject: Undeliverable mail\r\n\r\n"
        b"User mika@saimaa.test is not known here.\r\n\r\n> Message-ID: <ours@crm.test>\r\n> Subject: Hi\r\n"
    )
    found = parse_bounce(raw)
    assert found is not None
    assert found.original_ids == ("ours@crm.test",)
    assert "mika@saimaa.test" in found.text


def test_ordinary_mail_is_none(corpora: Path) -> None:
    assert (
        parse_bounce(b"From: mika@saimaa.test\r\nIn-Reply-To: <a@b.test>\r\nSubject: failure\r\n\r\nundeliverable")
        is None
    )


@given(st.binary(max_size=400))
def test_it_never_raises(raw: bytes) -> None:
    parse_bounce(raw)
    parse_bounce(b"From: mailer-daemon@x\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\n" + raw)
