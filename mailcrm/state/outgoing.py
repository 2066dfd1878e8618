"""Drafts and the outbox as rows: what waits, what is being sent, what failed and why."""

from dataclasses import dataclass
from typing import Any

from mailcrm.services import i18n
from mailcrm.services.i18n import gettext
from mailcrm.state.present import Eyes, hue, initials


@dataclass(frozen=True)
class Outgoing:
    """An email that has not left yet."""

    id: int
    recipients: str
    subject: str
    state: str
    said: str
    failed: bool
    can_cancel: bool
    unknown: bool
    tried: bool
    can_edit: bool
    when: str
    initials: str
    hue: int
    deal: str


def outgoing(view: Any, eyes: Eyes) -> Outgoing:
    """Return the row of a DraftView."""
    to = view.to or gettext(eyes.language, "(no recipient yet)")
    failed = view.state in ("failed", "unknown") or bool(view.error_code)
    if failed:
        said = i18n.sentence_of(view.error_code, eyes.language, **view.error_params) if view.error_code else ""
        said = said or gettext(eyes.language, "It could not be sent.")
    elif view.state == "draft":
        said = gettext(eyes.language, "Draft")
    elif view.state == "sending":
        said = gettext(eyes.language, "Sending")
    elif view.send_at is not None:
        at = i18n.long_day(eyes.language, view.send_at, eyes.now, eyes.zone)
        said = gettext(eyes.language, "Goes out {time}", time=at)
    else:
        said = gettext(eyes.language, "Waiting")
    if view.state == "queued" and view.error_code and view.next_try_at is not None:
        at = i18n.long_day(eyes.language, view.next_try_at, eyes.now, eyes.zone)
        said = f"{said} {gettext(eyes.language, 'Next try {time}.', time=at)}"
    return Outgoing(
        id=view.id,
        recipients=to,
        subject=view.subject or gettext(eyes.language, "(no subject)"),
        state=view.state,
        said=said,
        failed=failed,
        can_cancel=view.state == "queued",
        unknown=view.state == "unknown",
        tried=view.state in ("sending", "failed", "unknown") or (view.state == "queued" and bool(view.error_code)),
        can_edit=view.state in ("queued", "failed"),
        when=i18n.short_day(eyes.language, view.updated_at, eyes.now, eyes.zone) if view.updated_at else "",
        initials=initials(to),
        hue=hue(to),
        deal=view.deal_title or "",
    )
