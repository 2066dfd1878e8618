"""One table: every error that sync may leave in a row has one sentence and one button (M12)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailcrm.sentences import SENTENCES
from mailcrm.services.i18n import LANGUAGES
from mailcrm.services.mail.sync import trouble

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
PARAMS = {
    "host": "imap.example",
    "port": 993,
    "answer": "no",
    "folder": "INBOX",
    "field": "password",
    "count": 2,
    "provider": "Google",
    "uri": "u",
}


def test_no_error_of_sync_is_missing_from_the_table() -> None:
    of_sync = {code for code in SENTENCES if code.split(".")[0] in ("server", "imap", "sync", "secret")}
    assert of_sync - set(trouble.TABLE) == set()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", trouble.TABLE)
def test_every_code_has_words_and_a_button(code: str, language: str) -> None:
    found = trouble.explain(code, PARAMS, language)
    assert found.sentence
    assert found.label
    assert "{" not in found.sentence
    if language == "en":
        assert "tried again" not in found.sentence  # nobody knows here whether it will be
        assert found.sentence.endswith(".")


def test_the_next_try_is_the_rows_in_the_readers_zone() -> None:
    later = trouble.explain(
        "server.lost", PARAMS, "en", next_try_at=NOW + timedelta(minutes=7), now=NOW, time_zone="Asia/Tokyo"
    )
    assert later.sentence == "imap.example closed the connection. The next try is at 19:07."
    assert (later.kind, later.button) == ("network", "retry")
    due = trouble.explain("imap.throttled", PARAMS, "en", next_try_at=NOW, now=NOW)
    assert due.sentence == "imap.example asks to slow down. It is tried again now."
    assert (due.kind, due.button) == ("throttled", "wait")


def test_one_bad_message_and_many() -> None:
    one = trouble.explain("sync.bad_messages", {"count": 1}, "en")
    assert one.sentence == "One message could not be stored; it is set aside."
    many = trouble.explain("sync.bad_messages", {"count": 3}, "en")
    assert many.sentence == "3 messages could not be stored; they are set aside."


def test_a_row_of_another_version_still_gets_a_sentence() -> None:
    unknown = trouble.explain("imap.from_the_future", {}, "en")
    assert (unknown.kind, unknown.button) == ("bug", "report")
    assert unknown.sentence == SENTENCES["internal"]
    assert trouble.explain("imap.refused", {}, "en").sentence == SENTENCES["internal"]
