"""A timeline read in pages is the timeline: pieces, copies, what is out of reach, opens and clicks (M13, M24)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from mailcrm.models import Link, TrackedMessage
from mailcrm.services.access import Actor
from mailcrm.services.crm import timeline
from mailcrm.services.crm.views import TimelineItem
from mailcrm.services.db import transaction
from tests.builders import a_deal, a_mailbox, a_message, a_user

BEGIN = datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_pages_together_are_the_whole_timeline(db: str) -> None:
    """Two users' mail of one deal: copies of one Message-ID at different moments, a long private stretch, opens."""
    aino, otso = a_user(), a_user("Otso")
    deal = a_deal(aino).card.id
    theirs, his = a_mailbox(aino), a_mailbox(otso)
    for n in range(60):
        row = a_message(
            his if n % 4 == 1 else theirs,
            rfc_message_id=f"copy{n // 12}@x.test" if n % 6 == 1 else "",
            at=BEGIN + timedelta(minutes=n // 2),
            visibility="private" if 20 <= n < 50 and n % 4 != 1 else "shared",
        )
        with transaction() as session:
            source: dict[str, Any] = {"thread_id": row.thread_id} if n % 2 else {"message_id": row.id}
            session.add(Link(**source, deal_id=deal, origin="manual"))
            if n % 3 == 0:
                at = BEGIN + timedelta(minutes=n if n % 2 else 90 - n)
                session.add(
                    TrackedMessage(
                        user_id=row.user_id, message_id=row.id, nonce=f"n{n}", opens_on=True, clicks_on=True,
                        opens=n % 5, last_opened_at=at, clicks=n % 2, last_clicked_at=at,
                    )
                )  # fmt: skip
    for actor in (aino, otso):
        whole = _pages(actor, deal, 200)
        assert len({(item.kind, item.text_code, item.ref) for item in whole}) == len(whole)
        for size in (1, 2, 7, 25):
            assert _pages(actor, deal, size) == whole
        seen = [item.message for item in whole if item.message is not None]
        assert len(seen) < 60  # copies count once
        assert len({view.rfc_message_id for view in seen}) == len(seen)
        assert any(item.kind == "tracking" for item in whole)
    mine = [item.message for item in _pages(otso, deal, 3) if item.message is not None]
    assert {view.visibility for view in mine} == {"shared"}
    assert all(view.own for view in mine if str(view.rfc_message_id).startswith("copy1"))  # the own copy stands


def _pages(actor: Actor, deal_id: int, size: int) -> list[TimelineItem]:
    found: list[TimelineItem] = []
    cursor: str | None = None
    while True:
        page = timeline.deal_timeline(actor, deal_id, limit=size, cursor=cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert len(page.items) == size
