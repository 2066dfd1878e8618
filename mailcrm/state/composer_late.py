"""Around a draft's end: wrong addresses, the notice of its sending, empty ones thrown away, the last words typed."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext
from mailcrm.services.mail.outbox import draft as drafts
from mailcrm.services.mail.outbox.addresses import MAX_RECIPIENTS
from mailcrm.services.mail.outbox.views import DraftView
from mailcrm.state.composer_parts import MINIMISED, Tab, entered_of, split_quote
from mailcrm.state.present import eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say
from mailcrm.state.undoing import offer

if TYPE_CHECKING:
    from mailcrm.state.composer import ComposerState

TIDY_S = 3  # seconds; the browser's last pause is over after one

_TIDYING: set[asyncio.Task[None]] = set()  # a task that nobody holds may be thrown away before it ran


def tidy_later(actor: Actor, draft_id: int, files: int) -> None:
    """Throw a draft away that nobody wrote in or attached to, once the browser's last pause of typing is over."""

    def tidy() -> None:
        with contextlib.suppress(MailcrmError):
            view = drafts.get(actor, draft_id)
            if view.state == "draft" and not view.revision and len(view.attachments) == files:
                drafts.discard(actor, draft_id)

    async def wait() -> None:
        await asyncio.sleep(TIDY_S)
        await asyncio.to_thread(tidy)

    task = asyncio.create_task(wait())
    _TIDYING.add(task)
    task.add_done_callback(_TIDYING.discard)


def wrong_addresses(actor: Actor, said: dict[str, str]) -> str:
    """Return the sentence about addresses that nothing can be sent to, or about none at all; "" when all is well."""
    found = [each for text in said.values() for each in drafts.check_addresses(text)]
    if len(found) > MAX_RECIPIENTS:
        return i18n.sentence_of("outbox.too_many", actor.language, most=MAX_RECIPIENTS)
    bad = [each.address for each in found if not each.ok]
    if bad:
        return gettext(actor.language, "Check these addresses: {addresses}", addresses=", ".join(bad)[:200])
    if not any(text.strip() for text in said.values()):
        return gettext(actor.language, "Add a recipient, then send.")
    return ""


def on_its_way(actor: Actor, queued: DraftView, undo: Any, *, scheduled: bool) -> Any:
    """Return the notice about an email that was queued: when it leaves, and Undo until then."""
    eyes = eyes_of(actor)
    seconds = round((queued.send_at - eyes.now).total_seconds()) if queued.send_at else 0
    if scheduled and queued.send_at:
        at = i18n.long_day(actor.language, queued.send_at, eyes.now, eyes.zone)
        return offer(actor, gettext(actor.language, "Goes out {time}", time=at), undo)
    if seconds > 0:
        return offer(actor, gettext(actor.language, "Sending in {n} s", n=seconds), undo, seconds)
    return say(gettext(actor.language, "Sending"))


async def save_late(state: "ComposerState", version: int, field: str, value: str) -> None:
    """Keep what was typed in the last moment in the draft that it was typed in, which is closed by now."""
    draft_id = state._recent.get(version, 0)
    if not draft_id:
        return
    actor = await actor_of(state)
    with contextlib.suppress(MailcrmError):  # sent or thrown away meanwhile: there is nothing to keep it in
        view = await asyncio.to_thread(drafts.get, actor, draft_id)
        if field == "html":
            value += split_quote(view.html)[1]
        if view.state != "draft" or getattr(view, field) == value:
            return
        await asyncio.to_thread(drafts.save, actor, draft_id, entered_of(view, field, value))
        if draft_id == state._aside:  # it was written in after all
            state._aside = 0
            title = view.subject or gettext(actor.language, "New email")
            state.tabs = [*state.tabs, Tab(draft_id, title)][-MINIMISED:]
        if field == "subject" and value:
            state.tabs = [Tab(each.id, value) if each.id == draft_id else each for each in state.tabs]
        if draft_id == state.draft_id:
            await state._take(actor, await asyncio.to_thread(drafts.get, actor, draft_id), state.place)
