"""How the chosen mailbox's sync goes (M31): progress, ledger, verification, and what was set aside (B01, B02).

Filled by state/settings.py, which knows which mailbox is chosen; a push of the topic "sync" fills it again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import N_, gettext, ngettext
from mailcrm.services.mail import health, quarantine
from mailcrm.services.mail.health import Health
from mailcrm.services.mail.sync import verify
from mailcrm.services.mail.sync.findings import Verification
from mailcrm.services.mail.sync.ledger import FolderLedger
from mailcrm.state.coerce import as_int
from mailcrm.state.present import Eyes, eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say

LISTED = 50  # quarantined messages on the page; `retry all` reaches the rest
COUNTS = ("server", "stored", "skipped", "quarantined", "pending")
LIVE = {
    "idle": N_("New email is noticed at once"),
    "poll": N_("New email is looked for every few minutes"),
    "": N_("Nobody waits for new email right now"),
}
REASONS = {
    "history": N_("{n} older than your history"),
    "contacts_only": N_("{n} without a known contact"),
    "too_large": N_("{n} too large"),
}


@dataclass(frozen=True)
class LedgerRow:
    """A folder of the ledger; numbers are texts in the reader's grouping. `act`: what its button does."""

    key: str = ""
    folder: str = ""
    server: str = ""
    stored: str = ""
    skipped: str = ""
    reasons: str = ""
    quarantined: str = ""
    pending: str = ""
    last: str = ""
    next: str = ""
    error: str = ""
    act: str = ""
    label: str = ""
    odd: bool = False


@dataclass(frozen=True)
class Line:
    """A line of the health list: a dot (ok, run, warn, bad, off), what is so, and since when."""

    key: str = ""
    kind: str = "off"
    text: str = ""
    at: str = ""


@dataclass(frozen=True)
class SetAside:
    """A message that could not be read."""

    id: int
    who: str
    subject: str
    folder: str
    reason: str
    at: str
    size: str
    raw_url: str
    raw_name: str


class HealthState(rx.State):
    """What the health section shows of the chosen mailbox."""

    mailbox_id: int = 0
    ledger: list[LedgerRow] = []
    total: LedgerRow = LedgerRow()
    lines: list[Line] = []
    percent: int = -1
    progress: str = ""
    speed: str = ""
    trouble: str = ""
    trouble_act: str = ""
    trouble_label: str = ""
    details: str = ""
    verifying: bool = False
    verify_percent: int = -1
    verify_kind: str = "off"
    verify_text: str = ""
    findings: list[str] = []
    aside: list[SetAside] = []
    aside_more: str = ""

    @rx.event
    async def verify(self):
        """Ask for a comparison with the server."""
        actor = await actor_of(self)
        await asyncio.to_thread(verify.request, actor, self.mailbox_id)
        await self._fill(actor, self.mailbox_id)

    @rx.event
    async def retry(self, item_id: int):
        """Try a message again that was set aside; 0 tries all of this mailbox."""
        actor = await actor_of(self)
        wanted = as_int(item_id) or None
        count = await asyncio.to_thread(quarantine.retry, actor, wanted, self.mailbox_id)
        await self._fill(actor, self.mailbox_id)
        return say(ngettext(actor.language, "One email is fetched again.", "{n} emails are fetched again.", count))

    @rx.event
    async def copy_details(self):
        """Put the details of a fault of ours on the clipboard, for whoever looks after the server."""
        actor = await actor_of(self)
        return [rx.set_clipboard(self.details), say(gettext(actor.language, "Details copied."))]

    async def _fill(self, actor: Actor, mailbox_id: int) -> None:
        eyes = eyes_of(actor)
        self.mailbox_id = mailbox_id
        if not mailbox_id:
            self.ledger, self.lines, self.aside, self.percent = [], [], [], -1
            return
        found = await asyncio.to_thread(health.health, actor, mailbox_id)
        aside = await asyncio.to_thread(quarantine.list_quarantine, actor, mailbox_id, LISTED)
        self.ledger = [_row(each, eyes) for each in found.folders]
        self.total = _total(found.folders, eyes)
        self.lines = _lines(found, eyes)
        self.percent, self.progress, self.speed = _progress(found, eyes)
        wrong = found.trouble
        self.trouble = wrong.sentence if wrong else ""
        self.trouble_act, self.trouble_label = _button(wrong.button, wrong.label, eyes) if wrong else ("", "")
        self.details = f"{found.address}: {wrong.sentence} ({wrong.kind})" if wrong else ""
        self._show_verification(found.verification, eyes)
        self.aside = [_aside(each, eyes) for each in aside]
        left = found.quarantined - len(aside)
        self.aside_more = ngettext(eyes.language, "And one more.", "And {n} more.", left) if left > 0 else ""

    def _show_verification(self, found: Verification, eyes: Eyes) -> None:
        self.verifying = found.state in ("waiting", "running")
        self.verify_percent = -1
        if found.state == "running" and found.total:
            self.verify_percent = min(100, 100 * found.done // found.total)
        self.verify_kind, self.verify_text = _verified(found, eyes)
        self.findings = [each.sentence for each in found.findings] + ([found.error] if found.error else [])


def _progress(found: Health, eyes: Eyes) -> tuple[int, str, str]:
    """Return how far a sync is, in hundredths and words, and how fast; -1 when none is under way."""
    if found.state != "syncing":
        return -1, "", ""
    total = found.stored + found.skipped + found.quarantined + found.pending
    done = i18n.number(eyes.language, total - found.pending)
    words = gettext(eyes.language, "{done} of {total}", done=done, total=i18n.number(eyes.language, total))
    if not found.rate or found.seconds_left is None:
        return found.percent, words if total else "", ""
    left = i18n.span(eyes.language, timedelta(seconds=max(1, found.seconds_left)))
    rate = i18n.number(eyes.language, max(1, round(found.rate)))
    return found.percent, words, gettext(eyes.language, "{rate} a second, about {time} left", rate=rate, time=left)


def _lines(found: Health, eyes: Eyes) -> list[Line]:
    made = [
        Line(
            "live",
            "ok" if found.live == "idle" else "off",
            eyes.t(LIVE.get(found.live, LIVE[""])),
            _at(found.watched_at, eyes) if found.live else "",
        )
    ]
    if found.last_success_at:
        made.append(
            Line("last", "ok", gettext(eyes.language, "The last complete sync"), _at(found.last_success_at, eyes))
        )
    if found.write_waiting:
        waits = ngettext(
            eyes.language, "One change waits for the server", "{n} changes wait for the server", found.write_waiting
        )
        made.append(Line("waits", "run", waits))
    if found.write_failed:
        failed = ngettext(
            eyes.language,
            "One change could not be made on the server",
            "{n} changes could not be made on the server",
            found.write_failed,
        )
        made.append(Line("failed", "bad", failed))
    return made


def _verified(found: Verification, eyes: Eyes) -> tuple[str, str]:
    checked = i18n.number(eyes.language, found.checked)
    at = _at(found.finished_at, eyes)
    if found.state == "running":
        done, total = i18n.number(eyes.language, found.done), i18n.number(eyes.language, found.total)
        return "run", gettext(eyes.language, "Comparing {done} of {total}", done=done, total=total)
    if found.state == "waiting":
        return "run", gettext(eyes.language, "The comparison begins in a moment.")
    if found.state == "sound":
        return "ok", gettext(eyes.language, "{n} emails compared, nothing differs. {time}", n=checked, time=at)
    if found.state == "mended":
        return "ok", gettext(
            eyes.language, "{n} emails compared, and what differed is mended. {time}", n=checked, time=at
        )
    if found.state == "failed" and found.error and not found.findings:
        return "bad", gettext(eyes.language, "The comparison was broken off. {time}", time=at)
    if found.state == "failed":
        return "bad", gettext(eyes.language, "{n} emails compared, and not all is well. {time}", n=checked, time=at)
    return "off", gettext(eyes.language, "Never compared yet.")


def _row(view: FolderLedger, eyes: Eyes) -> LedgerRow:
    counts = {name: i18n.number(eyes.language, getattr(view, name)) for name in COUNTS}
    reasons = [
        eyes.t(REASONS[reason], n=i18n.number(eyes.language, count))
        for reason, count in sorted(view.skipped_reasons.items())
        if reason in REASONS
    ]
    act, label = _button(view.button, view.label, eyes) if view.error else ("", "")
    return LedgerRow(
        key=str(view.folder_id),
        folder=view.folder,
        reasons=" · ".join(reasons),
        last=_at(view.last_success_at, eyes),
        next=_at(view.next_try_at, eyes),
        error=view.error,
        act=act,
        label=label,
        odd=not view.adds_up,
        **counts,
    )


def _total(lines: Sequence[FolderLedger], eyes: Eyes) -> LedgerRow:
    sums: dict[str, Any] = {
        name: i18n.number(eyes.language, sum(getattr(line, name) for line in lines)) for name in COUNTS
    }
    return LedgerRow(folder=ngettext(eyes.language, "{n} folder", "{n} folders", len(lines)), **sums)


def _button(button: str, label: str, eyes: Eyes) -> tuple[str, str]:
    """Return what the page does for a button, and its label: sync, password, aside or copy."""
    act = {"reconnect": "password", "open_quarantine": "aside", "report": "copy"}.get(button, "sync")
    return act, gettext(eyes.language, "Try now") if button == "open_settings" else label


def _aside(view: quarantine.QuarantineView, eyes: Eyes) -> SetAside:
    return SetAside(
        id=view.id,
        who=view.sender or gettext(eyes.language, "Unknown sender"),
        subject=view.subject,
        folder=view.folder,
        reason=view.reason,
        at=_at(view.tried_at, eyes),
        size=i18n.format_size(view.size, eyes.language) if view.size is not None else "",
        raw_url=routes.quarantined(view.id) if view.size is not None else "",
        raw_name=f"quarantined-{view.id}.txt",
    )


def _at(moment, eyes: Eyes) -> str:  # noqa: ANN001  (datetime or None)
    return i18n.short_day(eyes.language, moment, eyes.now, eyes.zone) if moment else ""
