"""No secret reaches the log (reflex.md section 2: Reflex logs whole events, cookies included)."""

from __future__ import annotations

import pytest

from mailcrm.logs import STRUCK, strike, strike_text


@pytest.mark.parametrize(
    "text",
    [
        "Error processing event: Event(name='x', router_data={'headers': {'cookie': 'sid=s3cr3t; a=b', 'host': 'h'}})",
        'headers: {"Cookie": "__Host-sid=s3cr3t"}',
        "Authorization: Bearer s3cr3t",
        "authorization=Basic s3cr3t==",
        "GET /_event/?EIO=4&token=s3cr3t HTTP/1.1",
        "cannot connect to postgresql+psycopg://user:s3cr3t@db.example/x",
        "sid=s3cr3t",
        "bearer s3cr3t",
    ],
)
def test_secrets_in_text_are_struck_out(text: str) -> None:
    struck = strike_text(text)
    assert "s3cr3t" not in struck
    assert STRUCK in struck


def test_values_under_a_telling_name_are_struck_out_whatever_they_are() -> None:
    event = {
        "event": "hello",
        "password": "x1",
        "api_token": "x2",
        "Cookie": ["x3"],
        "mailbox_id": 7,
        "smtp_secret": b"x4",
    }
    found = strike(None, "", event)
    assert found == {
        "event": "hello", "password": STRUCK, "api_token": STRUCK, "Cookie": STRUCK, "mailbox_id": 7, "smtp_secret": STRUCK,
    }  # fmt: skip


def test_plain_words_stay_as_they_are() -> None:
    text = (
        "a job failed job=sync_mailbox reason='imap.example did not answer on port 993 in time' url=https://a.example/x"
    )
    assert strike_text(text) == text
