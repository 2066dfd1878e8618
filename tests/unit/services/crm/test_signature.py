"""What a signature tells of who wrote the email: German, English and Japanese ones; never somebody else's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.crm.signature import Signature, read
from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.mail.parse.values import UnparsableMessage

GERMAN = """Hallo Sana,

danke für das Angebot.

Mit freundlichen Grüßen
Lena Vogt
Leiterin Betrieb

Nordlicht Aquakultur GmbH
Hafenstraße 3, 25761 Büsum
Tel.: +49 4834 555-0142
Fax: +49 4834 555-0199
Geschäftsführer: Jörg Petersen
Amtsgericht Pinneberg HRB 1234
"""
ENGLISH = """Sounds good, see you on the 4th at 14:00.

Best regards,

Omar Haddad
Head of Procurement | Delta Water Ltd.
T: +44 20 7946 0991 | M: +44 7700 900123
omar@delta-water.example | www.delta-water.example
"""
JAPANESE = """お世話になっております。
見積書をお送りします。

よろしくお願いいたします。
━━━━━━━━━━━━━━
三浦精機株式会社
営業部　課長
佐藤 健
〒160-0023 東京都新宿区西新宿1-1-1
電話：03-1234-5678
FAX：03-1234-5679
━━━━━━━━━━━━━━
"""


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (
            GERMAN,
            "Lena Vogt",
            Signature("Lena Vogt", ("+49 4834 555-0142",), "Leiterin Betrieb", "Nordlicht Aquakultur GmbH"),
        ),
        (
            ENGLISH,
            "Omar",
            Signature(
                "Omar Haddad", ("+44 20 7946 0991", "+44 7700 900123"), "Head of Procurement", "Delta Water Ltd."
            ),
        ),
        (JAPANESE, "佐藤 健", Signature("佐藤 健", ("03-1234-5678",), "営業部 課長", "三浦精機株式会社")),
        ("Call me on 555 0199 tomorrow.\nThe invoice 2026-0042 is 12345678.", "Mika", Signature()),
        ("", "", Signature()),
    ],
)
def test_signature(text: str, name: str, expected: Signature) -> None:
    assert read(text, name) == expected


def test_quoted_signatures_are_somebody_elses() -> None:
    quoted = "\n".join(f"> {line}" for line in GERMAN.splitlines())
    assert (
        read(f"Passt.\n\nOn Mon, 2 Mar 2026 at 10:00, Lena Vogt <lena@x.test> wrote:\n{quoted}\n", "Mika A")
        == Signature()
    )


@given(st.text(max_size=2000), st.text(max_size=40))
def test_no_text_breaks_it(text: str, name: str) -> None:
    found = read(text, name)
    assert len(found.phones) <= 3
    assert all("\n" not in each for each in (found.name, found.job_title, found.organization, *found.phones))


def test_no_real_message_breaks_it(corpora: Path) -> None:
    """Every message of the corpora; what it finds is short, and a phone is a phone."""
    looked = 0
    for path in sorted(corpora.rglob("*.eml")):
        try:
            parsed = parse_message(path.read_bytes())
        except UnparsableMessage:
            continue
        found = read(parsed.text, parsed.from_[0].name if parsed.from_ else "")
        looked += 1
        for phone in found.phones:
            assert 6 <= sum(map(str.isdigit, phone)) <= 15, (path.name, phone)
    assert looked > 100
