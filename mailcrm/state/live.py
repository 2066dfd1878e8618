"""Changes arrive by themselves: one task of the web process reads hints and wakes the tabs they concern.

Hints carry ids and topics only; the woken handler reads again what its actor may see, through the Gate like any
event. With several web processes each wakes its own tabs. Does not run sync: that is the worker.
"""

import asyncio
import gc
import logging
import time
from typing import Any

import reflex as rx
from reflex_base.event import Event

from mailcrm.services import live
from mailcrm.state.session import LANGUAGES, TABS

FORGET_S = 120.0
LOOK_S = 0.05  # whether SQLite's file changed: a few microseconds
POLL_S = 0.25  # where the database can't tell that: one indexed read of 0.1 ms
SURE_S = 2.0
TIMELINES = ("deal", "person", "organization", "lead", "leads")  # pages that show state/timeline.py
log = logging.getLogger("mailcrm.live")


class LiveState(rx.State):
    """Fans a hint out to the states that show its topic."""

    @rx.event
    async def pushed(self, topics: str):
        """Refresh what the tab shows of these topics."""
        from mailcrm.state.account import AccountState
        from mailcrm.state.bell import BellState
        from mailcrm.state.board import BoardState
        from mailcrm.state.deal import DealState
        from mailcrm.state.deal_table import TableState
        from mailcrm.state.importing import ImportState
        from mailcrm.state.inbox import InboxState
        from mailcrm.state.leads import LeadsState
        from mailcrm.state.marks import MarkState
        from mailcrm.state.nav import NavState
        from mailcrm.state.organization import OrganizationState
        from mailcrm.state.organizations import OrganizationsState
        from mailcrm.state.people import PeopleState
        from mailcrm.state.person import PersonState
        from mailcrm.state.record import RecordState
        from mailcrm.state.settings import MailboxesState
        from mailcrm.state.smart_bcc import SmartBccState
        from mailcrm.state.templates import TemplatesState
        from mailcrm.state.timeline import TimelineState
        from mailcrm.state.tracking_report import TrackingReportState
        from mailcrm.state.views import ViewsState

        wanted = set(topics.split(",")) if isinstance(topics, str) else set()
        path = self.router.url.path.rstrip("/") or "/"  # a page that was loaded whole ends with a slash
        events: list[Any] = []
        if wanted & {"mail", "sync", "outbox", "crm"}:
            events.append(NavState.refresh)
        if wanted & {"notifications", "tracking"}:
            events.append(BellState.refresh)
        if "views" in wanted:
            events.append(ViewsState.load)
        if "tracking" in wanted:
            events.append(MarkState.refresh)
            if path == "/reports/tracking":
                events.append(TrackingReportState.refresh)
        if wanted & {"mail", "outbox", "tracking", "crm"}:
            if path.split("/")[1] in TIMELINES:
                events += [TimelineState.refresh, RecordState.refresh]
            if path.startswith("/deal/"):
                events.append(DealState.refresh)
            elif path.startswith("/person/"):
                events.append(PersonState.refresh)
            elif path == "/deals":
                events += [BoardState.refresh, TableState.refresh]
            elif path == "/leads" or path.startswith("/lead/"):
                events.append(LeadsState.refresh)
            elif path == "/people":
                events.append(PeopleState.refresh)
            elif path == "/organizations":
                events.append(OrganizationsState.refresh)
            elif path.startswith("/organization/"):
                events.append(OrganizationState.refresh)
            elif path == "/" or path.split("/")[1] in ("inbox", "drafts", "outbox", "sent", "archive", "thread"):
                events.append(InboxState.refresh)
        if "session" in wanted and path == "/settings/account":
            events.append(AccountState.refresh)
        if "import" in wanted and path.startswith("/settings/import"):
            events.append(ImportState.refresh)
        if "smart_bcc" in wanted and path == "/settings/smart-bcc":
            events.append(SmartBccState.refresh)
        if "writing" in wanted and path == "/templates":
            events.append(TemplatesState.refresh)
        if "sync" in wanted and path.startswith("/settings/email-sync"):
            events.append(MailboxesState.refresh)
        return events


async def notifier(app: rx.App) -> None:
    """Poll the hints until the server stops; a failure is logged and tried again."""
    # What was imported stays for good. Looked through again and again it stopped everybody for a tenth of a second.
    gc.collect()
    gc.freeze()
    last = await asyncio.to_thread(live.newest_id)
    changes = live.changes()
    read = tidied = time.monotonic()
    while True:
        await asyncio.sleep(LOOK_S if changes.are_known else POLL_S)
        now = time.monotonic()
        if now - tidied > FORGET_S:
            tidied = now
            _forget_closed(app)
        if not changes.any() and now - read < SURE_S:
            continue
        read = now
        try:
            last = await _once(app, last)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("live hints could not be read")
            await asyncio.sleep(5)


def _forget_closed(app: rx.App) -> None:
    """Forget the tabs whose socket is gone; one that comes back is known again with its first event."""
    for tokens in TABS.values():
        for token in [each for each in tokens if each not in app.event_namespace.token_to_sid]:  # pyright: ignore[reportOptionalMemberAccess]
            tokens.discard(token)
            LANGUAGES.pop(token, None)


async def _once(app: rx.App, last: int) -> int:
    hints = await asyncio.to_thread(live.since, last)
    topics_of: dict[int, set[str]] = {}
    for hint_id, user_id, topic in hints:
        last = max(last, hint_id)
        for each in (user_id,) if user_id is not None else tuple(TABS):
            topics_of.setdefault(each, set()).add(topic)
    for user_id, topics in topics_of.items():
        for token in list(TABS.get(user_id, ())):
            if token not in app.event_namespace.token_to_sid:  # pyright: ignore[reportOptionalMemberAccess]
                TABS[user_id].discard(token)
                LANGUAGES.pop(token, None)
                continue
            event = Event.from_event_type(LiveState.pushed(",".join(sorted(topics))))[0]
            await app.event_processor.enqueue(token, event)
    return last
