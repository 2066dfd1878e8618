"""The tracking report as CSV: whose it is, what is refused, and cells that no spreadsheet runs."""

from __future__ import annotations

import asyncio
import csv
import io

import httpx
import pytest
from starlette.applications import Starlette

from mailcrm.endpoints import reports
from mailcrm.models import TrackedMessage, utcnow
from mailcrm.services.access import Actor
from mailcrm.services.auth import sessions
from mailcrm.services.db import transaction
from tests.builders import a_mailbox, a_message, a_user

pytestmark = pytest.mark.usefixtures("db")


def get(actor: Actor | None, query: str = "") -> httpx.Response:
    headers = {}
    if actor is not None:
        with transaction() as session:
            headers["cookie"] = f"{sessions.cookie_name()}={sessions.start(session, actor.user_id)}"

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Starlette(routes=reports.ROUTES))
        async with httpx.AsyncClient(transport=transport, base_url="http://app.test") as client:
            return await client.get(f"/reports/tracking.csv{query}", headers=headers)

    return asyncio.run(ask())


def sent(actor: Actor, box: int, subject: str) -> None:
    address = f"box{actor.user_id}@crm.test"
    message = a_message(box, sender=address, to="mika@x.test", subject=subject)
    with transaction() as session:
        session.add(
            TrackedMessage(
                user_id=actor.user_id, message_id=message.id, nonce=f"n{message.id}", opens_on=True, clicks_on=True,
                opens=2, first_opened_at=utcnow(), last_opened_at=utcnow(), sent_at=utcnow(),
            )
        )  # fmt: skip


def test_it_holds_ones_own_email_and_no_formula() -> None:
    """security.md threat 25: a subject is a stranger's text in a reply."""
    actor, other = a_user("Aino"), a_user("Boris")
    box = a_mailbox(actor, f"box{actor.user_id}@crm.test")
    sent(actor, box, '=HYPERLINK("https://evil.example")')
    sent(actor, box, "Offer, second")
    answer = get(actor, "?excel=1")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.content.startswith(b"\xef\xbb\xbf")
    lines = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(lines) == 3
    assert {line[3] for line in lines[1:]} == {'\'=HYPERLINK("https://evil.example")', "Offer, second"}
    assert {(line[2], line[4]) for line in lines[1:]} == {("mika@x.test", "2")}
    assert len(get(other).text.splitlines()) == 1, "a colleague has the heading alone"
    assert get(other, f"?mailbox={box}").status_code == 404


@pytest.mark.parametrize("query", ["?days=9", "?days=x", "?days=-28", "?mailbox=99999999999999999999", "?mailbox='"])
def test_nonsense_is_refused(query: str) -> None:
    assert get(a_user("Aino"), query).status_code == 404


def test_nobody_gets_nothing() -> None:
    assert get(None).status_code == 401
