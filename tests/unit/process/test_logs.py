"""No secret reaches the log (reflex.md section 2: Reflex logs whole events, cookies included)."""

from __future__ import annotations

import pytest

from mailcrm.logs import MOST, MOST_OF_MANY_LINES, STRUCK, strike, strike_text


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


@pytest.mark.parametrize(
    "text",
    [
        "Error processing event queue entry for Event(name='x', router_data={'token': 'tab-1'}, payload={'a': 'Dear Ann'}) [txid=1]:",
        "Event data must be a dictionary, but received ['Dear Ann'] of type <class 'list'>.",
        "Failed to deserialize event data: {'payload': 'Dear Ann'}.",
    ],
)
def test_what_an_event_carries_is_not_logged(text: str) -> None:
    """Any handler's arguments: the text of an email, or what a stranger sends (attack of issue 10)."""
    found = strike(None, "", {"event": text, "exception": f"Traceback\n{text}"})
    assert "Dear Ann" not in str(found)
    assert "tab-1" not in str(found)
    assert found["event"][:10] == text[:10]


def test_a_long_text_keeps_its_beginning_and_its_last_lines() -> None:
    """A megabyte of a stranger's is neither written nor searched for secrets."""
    found = strike(
        None,
        "",
        {"event": "begins " + "x" * 1_000_000, "exception": "first\n" + "x\n" * 1_000_000 + "KeyError: 'last'"},
    )
    assert found["event"].startswith("begins x")
    assert len(found["event"]) < MOST
    assert "characters left out" in found["event"]
    assert found["exception"].startswith("first\n")
    assert found["exception"].endswith("KeyError: 'last'")
    assert len(found["exception"]) < MOST_OF_MANY_LINES + 100
