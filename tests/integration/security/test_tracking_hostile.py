"""The routes that strangers call (security.md threats 7, 8): forged tokens cost no query, and lead nowhere."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from sqlalchemy import event
from sqlmodel import select

from mailcrm.models import TrackedLink
from mailcrm.services import db as database
from mailcrm.services.db import transaction
from mailcrm.services.tracking import record, tokens
from tests.integration.tracking.test_record import Sent

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.fixture
def tracked(sqlite_db: object) -> Iterator[Sent]:
    yield Sent()
    record.flush()


class Statements:
    """Counts what reaches the database."""

    def __enter__(self) -> Statements:
        self.seen: list[str] = []
        event.listen(database.engine(), "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_exc: object) -> None:
        event.remove(database.engine(), "before_cursor_execute", self._note)

    def _note(self, _connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        self.seen.append(statement)


def test_five_hundred_forged_tokens(tracked: Sent) -> None:
    """0 redirects, 0 statements, one answer; and the control: the good token redirects with one query."""
    rng = random.Random(7)
    good = tokens.make("click", tracked.nonce, 1)
    forged = []
    for _ in range(500):
        at = rng.randrange(len(good))
        kind = rng.randrange(4)
        if kind == 0:
            forged.append(good[:at] + rng.choice([each for each in LETTERS if each != good[at]]) + good[at + 1 :])
        elif kind == 1:
            forged.append("".join(rng.choice(LETTERS) for _ in good))
        elif kind == 2:
            forged.append(tokens.make("click", tracked.nonce, rng.randrange(1, 9), secret=f"{rng.random():.40f}"))
        else:
            forged.append(tokens.make("open", tracked.nonce, rng.randrange(9)))
    no_pixels = [token for token in forged if tokens.read(token, purpose="open") is None][:100]
    with Statements() as counted:
        answers = [tracked.request("GET", f"/t/c/{token}") for token in forged]
        pixels = [tracked.request("GET", f"/t/o/{token}.gif") for token in no_pixels]
    assert counted.seen == []
    assert {answer.status_code for answer in answers} == {404}
    assert len({(answer.content, tuple(sorted(answer.headers.items()))) for answer in answers}) == 1
    assert len({(answer.content, tuple(sorted(answer.headers.items()))) for answer in pixels}) == 1
    with Statements() as counted:
        assert tracked.click().status_code == 302
    assert counted.seen


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "JAVASCRIPT://x/%0aalert(1)", " javascript:alert(1)", "java\tscript:alert(1)", "data:text/html,x",
        "vbscript:x", "file:///etc/passwd", "//evil.test", "/inbox", "", "http://", "https:///x", "mailto:a@b.test", "http:\\evil",
        "ftp://x.test", "http://[::1", "http://a b.test/", "blob:https://x.test/1",
    ],
)  # fmt: skip
def test_only_http_is_redirected_to(tracked: Sent, url: str) -> None:
    """Whatever got into the row: no scripts, no files, no path of ours."""
    _store(tracked, url)
    answer = tracked.click()
    assert answer.status_code == 404
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "url",
    [
        "https://x.test/\r\nSet-Cookie: sid=x", "https://x.test/?a=\nX-Evil: 1", "https://x.test/\x00", "https://x.test/#\u2028",
        "https://x.test/\ud7ff?ü=ü", "https://ü.test/ü", "https://x.test/%0d%0aX-Evil:1",
    ],
)  # fmt: skip
def test_a_stored_url_stays_in_its_header(tracked: Sent, url: str) -> None:
    """Header injection through the destination: no line breaks, ASCII only, the host unchanged."""
    _store(tracked, url)
    answer = tracked.click()
    assert "set-cookie" not in answer.headers
    assert "x-evil" not in answer.headers
    location = answer.headers.get("location", "")
    assert location.isascii()
    assert location.isprintable()
    assert location == "" or location.startswith(("https://x.test/", "https://xn--tda.test/"))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_do_nothing(tracked: Sent, method: str) -> None:
    """A click is a GET; nothing else leads anywhere or is counted."""
    answer = tracked.request(method, f"/t/c/{tokens.make('click', tracked.nonce, 1)}")
    assert "location" not in answer.headers
    record.flush()
    assert tracked.kinds() == []


def _store(tracked: Sent, url: str) -> None:
    with transaction() as session:
        row = session.exec(select(TrackedLink).where(TrackedLink.position == 1)).one()
        row.url = url
        session.add(row)
