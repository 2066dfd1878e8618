"""Tells a user that mail of theirs was set aside: one line of the bell for each reason, while it is unread."""

from __future__ import annotations

from sqlmodel import Session

from mailcrm.models import BccArrival
from mailcrm.services import notifications


def tell(session: Session, row: BccArrival) -> None:
    """Tell the user of an arrival that it waits, and why."""
    assert row.user_id is not None
    claimed = row.reason == "smart_bcc.unconfirmed"  # perhaps a colleague's mail: the subject is not for who claims it
    title = str(row.reason_params.get("address") or "") if claimed else row.subject
    notifications.notify(
        session, row.user_id, "bcc", group_key=f"bcc:{row.reason}",
        params={"title": title, "code": row.reason, "arrival_id": row.id, "params": row.reason_params},
    )  # fmt: skip
