"""The offer to link earlier email to a person or deal that was just made (settled question 8).

What linking changed stays on the server, so that Undo takes back that and nothing else.
"""

import asyncio

import reflex as rx

from mailcrm.errors import MailcrmError, NotFound
from mailcrm.services import i18n
from mailcrm.services.crm.linking import earlier as earlier_mail
from mailcrm.services.crm.linking import link as linking
from mailcrm.services.i18n import gettext, ngettext
from mailcrm.state.coerce import as_int
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say, warn


class EarlierState(rx.State):
    """The offer to link earlier email to what was just made (settled question 8)."""

    _deal_id: int = 0
    _done: linking.Linked | None = None

    @rx.event
    async def offer(self, kind: str, target_id: int):
        """Say how much earlier email is linked; for a deal offer the rest."""
        actor, target_id = await actor_of(self), as_int(target_id)
        if kind not in ("person", "deal"):
            return None
        try:
            asked = {f"{kind}_id": target_id}
            found = await asyncio.to_thread(lambda: earlier_mail.earlier(actor, **asked))
        except NotFound:
            return None
        language = actor.language
        if kind == "deal" and found.thread_ids:
            self._deal_id = target_id
            n = len(found.thread_ids)
            said = ngettext(
                language, "{n} earlier conversation may belong here", "{n} earlier conversations may belong here", n
            )
            action = {"label": gettext(language, "verb|Link"), "on_click": EarlierState.link}
            return say(said, action=action, duration=12000)
        if found.linked:
            n = found.linked
            return say(ngettext(language, "{n} earlier conversation linked", "{n} earlier conversations linked", n))
        return None

    @rx.event
    async def link(self):
        """Link what was offered; offers Undo."""
        actor, deal_id = await actor_of(self), self._deal_id
        self._deal_id = 0
        try:
            self._done = await asyncio.to_thread(earlier_mail.link_earlier, actor, deal_id)
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        if self._done is None:
            return None
        n = len(self._done.thread_ids)
        said = ngettext(actor.language, "{n} conversation linked", "{n} conversations linked", n)
        action = {"label": gettext(actor.language, "Undo"), "on_click": EarlierState.undo}
        return say(said, action=action, duration=8000)

    @rx.event
    async def undo(self):
        """Take it back."""
        actor, done = await actor_of(self), self._done
        self._done = None
        if done is not None:
            await asyncio.to_thread(linking.undo_link, actor, done)
