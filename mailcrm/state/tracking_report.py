"""The tracking report: rates with and without machines, over time, by template and person; best hours, top links."""

import asyncio
import time
from collections.abc import AsyncIterator

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import N_
from mailcrm.services.tracking import report_rates
from mailcrm.services.tracking.report_views import Choices, Details, Scope, Summary
from mailcrm.state import tracking_rows
from mailcrm.state.coerce import as_flag, as_int
from mailcrm.state.present import eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.tracking_rows import Course, Day, Kpi, LinkRow, TableLine

LEAST_S = 5.0  # seconds between two refreshes by hints: opens may come by the hundred
PERIODS = {
    7: N_("Last 7 days"),
    28: N_("Last 28 days"),
    90: N_("Last 90 days"),
    365: N_("Last 12 months"),
}


class TrackingReportState(rx.State):
    """What /reports/tracking shows."""

    days: int = 28
    mailbox_id: int = 0
    member_id: int = 0
    raw: bool = False
    period: str = ""
    mailbox: str = ""
    member: str = ""
    mailboxes: list[tuple[int, str]] = []
    members: list[tuple[int, str]] = []
    loaded: bool = False
    loading: bool = True
    failed: str = ""
    nothing: bool = False
    figures: list[Kpi] = []
    course: Course = Course()
    templates: list[TableLine] = []
    people: list[TableLine] = []
    links: list[LinkRow] = []
    week: list[Day] = []
    best: str = ""
    download: str = routes.tracking_report()
    _summary: Summary | None = None
    _details: Details | None = None
    _filled_at: float = 0.0
    _soon: bool = False

    @rx.event
    async def open_page(self):
        """Show the report of the address: its period, mailbox and member."""
        asked = self.router.url.query_parameters
        days = as_int(asked.get("days", ""))
        self.days = days if days in PERIODS else 28
        self.mailbox_id, self.member_id = as_int(asked.get("mailbox", "")), as_int(asked.get("member", ""))
        self.loading, self.failed = True, ""
        yield
        async for _ in self._fill(await actor_of(self)):
            yield

    @rx.event
    async def choose(self, what: str, value: int):
        """Narrow the report: "days", "mailbox" or "member"."""
        number = as_int(value)
        if what == "days" and number in PERIODS:
            self.days = number
        elif what == "mailbox":
            self.mailbox_id = number
        elif what == "member":
            self.member_id = number
        else:
            return
        self.loading, self.failed = True, ""
        yield
        async for _ in self._fill(await actor_of(self)):
            yield

    @rx.event
    async def show_raw(self, raw: bool):
        """Show everything that was recorded, or what may be persons'."""
        self.raw = as_flag(raw)
        self._show(await actor_of(self))

    @rx.event
    async def refresh(self):
        """Read again what changed by itself, at most every few seconds."""
        if time.monotonic() - self._filled_at >= LEAST_S:
            async for _ in self._fill(await actor_of(self)):
                yield
        elif not self._soon:
            self._soon = True
            yield TrackingReportState.refresh_soon

    @rx.event(background=True)
    async def refresh_soon(self):
        """Show the last of several changes that came close together."""
        await asyncio.sleep(LEAST_S)
        async with self:
            self._soon = False
            actor = await actor_of(self)
            async for _ in self._fill(actor):
                pass

    async def _fill(self, actor: Actor) -> AsyncIterator[None]:
        scope = Scope(self.days, self.mailbox_id, self.member_id)
        try:
            self._name(await asyncio.to_thread(report_rates.choices, actor), actor)
            self._summary = await asyncio.to_thread(report_rates.summary, actor, scope)
            self._show(actor)
            yield  # what is above comes first
            self._details = await asyncio.to_thread(report_rates.details, actor, scope)
            self._show(actor)
        except MailcrmError as error:
            self.failed = i18n.sentence(error, actor.language)
        finally:
            self.loaded, self.loading, self._filled_at = True, False, time.monotonic()

    def _name(self, found: Choices, actor: Actor) -> None:
        self.mailboxes, self.members = list(found.mailboxes), list(found.members)
        eyes = eyes_of(actor)
        self.period = eyes.t(PERIODS[self.days])
        self.mailbox = dict(found.mailboxes).get(self.mailbox_id, "") or eyes.t(N_("All mailboxes"))
        self.member = dict(found.members).get(self.member_id, "") or eyes.t(N_("Everyone"))
        chosen = {"days": self.days, "mailbox": self.mailbox_id, "member": self.member_id}
        self.download = routes.tracking_report("&".join(f"{name}={each}" for name, each in chosen.items() if each))

    def _show(self, actor: Actor) -> None:
        eyes, view, more = eyes_of(actor), self._summary, self._details
        if view is None:
            return
        self.nothing = not view.now.tracked and not view.before.tracked
        self.figures = tracking_rows.kpis(view, eyes, raw=self.raw)
        self.course = tracking_rows.course(view, eyes, raw=self.raw)
        self.templates = tracking_rows.table(view.templates, eyes, raw=self.raw)
        self.loading = False
        if more is None:
            return
        self.people = tracking_rows.table(more.people, eyes, raw=self.raw, href=routes.person)
        self.links = tracking_rows.links(more.links, eyes)
        self.week, self.best = tracking_rows.week(more.hours, eyes)
