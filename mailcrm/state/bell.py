"""The notification bell: opens, clicks and problems as they happen (T08)."""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.services import i18n, notifications
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext, ngettext
from mailcrm.state.coerce import as_int, as_text
from mailcrm.state.present import Eyes, eyes_of
from mailcrm.state.session import actor_of

KINDS = {
    "all": (),
    "open": ("open", "digest"),
    "click": ("click", "digest"),
    "problem": ("send_failed", "bounced", "sync_failed", "reconnect", "bcc"),
}
LISTED = 30
ICONS = {
    "open": "eye", "click": "mouse-pointer-click", "replied": "reply", "digest": "layers", "reminder": "alarm-clock",
}  # fmt: skip


@dataclass(frozen=True)
class BellRow:
    """A line of the bell."""

    id: int
    kind: str
    icon: str
    title: str
    detail: str
    when: str
    read: bool
    thread_id: int
    tracking: bool


class BellState(rx.State):
    """What the bell shows."""

    unread: int = 0
    rows: list[BellRow] = []
    kind: str = "all"

    @rx.event
    async def refresh(self):
        """Count, and list again."""
        await self._fill(await actor_of(self))

    @rx.event
    async def show(self, kind: str):
        """Show one kind of notification."""
        self.kind = kind if isinstance(kind, str) and kind in KINDS else "all"
        await self._fill(await actor_of(self))

    @rx.event
    async def read_all(self):
        """Mark everything as read."""
        actor = await actor_of(self)
        await asyncio.to_thread(notifications.mark_read, actor, None)
        await self._fill(actor)

    @rx.event
    async def follow(self, notification_id: int, thread_id: int, kind: str):
        """Mark one as read and go to its conversation; a digest leads to the emails that were opened."""
        actor = await actor_of(self)
        await asyncio.to_thread(notifications.mark_read, actor, as_int(notification_id))
        await self._fill(actor)
        if as_int(thread_id):
            return rx.redirect(routes.thread(as_int(thread_id)))
        if kind == "info":
            return rx.redirect(routes.SETTINGS_WEBHOOKS)
        if kind == "bcc":
            return rx.redirect(routes.SETTINGS_BCC)
        return rx.redirect(f"{routes.SENT}?filter=opened") if kind == "digest" else None

    async def _fill(self, actor: Actor) -> None:
        eyes = eyes_of(actor)
        kinds = KINDS[as_text(self.kind)]
        found = await asyncio.to_thread(notifications.list_notifications, actor, None, 200 if kinds else LISTED)
        self.unread = await asyncio.to_thread(notifications.unread_count, actor)
        self.rows = [_row(each, eyes) for each in found if not kinds or each.kind in kinds][:LISTED]


def _row(view: Any, eyes: Eyes) -> BellRow:
    title, detail = _said(view, eyes)
    return BellRow(
        id=view.id,
        kind=view.kind,
        icon=ICONS.get(view.kind, "triangle-alert"),
        title=title,
        detail=detail,
        when=i18n.short_day(eyes.language, view.at, eyes.now, eyes.zone),
        read=view.read,
        thread_id=view.thread_id or 0,
        tracking=view.kind in ("open", "click", "replied", "digest"),
    )


def _said(view: Any, eyes: Eyes) -> tuple[str, str]:
    """Return what happened and to whom; never more certain than tracking is (DESIGN §10)."""
    language, subject = eyes.language, view.detail or gettext(eyes.language, "(no subject)")
    to = gettext(language, "To {names}", names=view.title) if view.title else ""
    if view.kind == "open":
        times = ngettext(language, "{n} open", "{n} opens", view.count)
        return gettext(language, "Someone opened “{subject}”", subject=subject), _joined(to, times)
    if view.kind == "click":
        times = ngettext(language, "{n} click", "{n} clicks", view.count)
        return gettext(language, "Someone clicked a link in “{subject}”", subject=subject), _joined(to, times)
    if view.kind == "replied":
        return gettext(language, "Someone answered “{subject}”", subject=subject), to
    if view.kind == "digest":
        return _summed(view, language), view.detail
    if view.kind == "bounced":
        names = view.title or gettext(language, "(no recipient yet)")
        said = gettext(language, "“{subject}” didn’t reach {names}", subject=subject, names=names)
        return said, str(view.params.get("reason") or "")
    if view.kind == "reminder":
        return _reminded(view, language, subject)
    why = view.detail
    if view.params.get("code") and view.kind != "bcc":
        named = {name: value for name, value in view.params.items() if name != "code"}
        why = i18n.sentence_of(str(view.params["code"]), language, **named)
    if view.kind == "bcc":
        return gettext(language, "“{subject}” was set aside", subject=view.title or subject), _why_aside(view, language)
    if view.kind == "send_failed":
        return gettext(language, "“{subject}” wasn’t delivered", subject=subject), why if why != subject else to
    if view.kind == "reconnect":
        return gettext(language, "{mailbox}: sign in again", mailbox=view.title), why
    if view.kind == "sync_failed":
        return gettext(language, "Sync of {mailbox} stopped", mailbox=view.title), why
    return view.title, why


def _why_aside(view: Any, language: str) -> str:
    named = view.params.get("params") or {}
    return i18n.kept_sentence(str(view.params.get("code") or ""), named, language)


def _summed(view: Any, language: str) -> str:
    """Return "12 opens and 2 clicks on 5 emails"."""
    counted = [
        said
        for kind, said in (
            ("open", ngettext(language, "{n} open", "{n} opens", view.params["open"])),
            ("click", ngettext(language, "{n} click", "{n} clicks", view.params["click"])),
            ("replied", ngettext(language, "{n} answer", "{n} answers", view.params["replied"])),
        )
        if view.params[kind]
    ]
    emails = ngettext(language, "{n} email", "{n} emails", view.params["emails"])
    return gettext(
        language, "{counts} on {emails}", counts=gettext(language, "list| and ").join(counted), emails=emails
    )


def _reminded(view: Any, language: str, subject: str) -> tuple[str, str]:
    if view.params.get("kind") != "no_reply":
        return gettext(language, "“{subject}” is back", subject=subject), gettext(language, "Snoozed until now")
    days = as_int(view.params.get("days"))
    since = ngettext(language, "{n} day since it was sent", "{n} days since it was sent", days)
    return gettext(language, "No reply to “{subject}”", subject=subject), since


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)
