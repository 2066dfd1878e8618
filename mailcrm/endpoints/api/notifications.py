"""`/notifications`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mailcrm.endpoints.api.common import Cursor, Limit, RowId, Who, page
from mailcrm.services import notifications as verbs

router = APIRouter(prefix="/notifications", tags=["notifications"])


@router.get("")
def list_notifications(
    who: Who,
    kind: verbs.NotificationKind | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Your newest notifications."""
    found = verbs.page_of_notifications(who, kind=kind, cursor=cursor, limit=limit)
    return page(found.rows, found.next_cursor)


@router.post("/{notification_id}/read", status_code=204)
def mark_read(notification_id: RowId, who: Who) -> None:
    """Mark one as read."""
    verbs.mark_read(who, notification_id)
