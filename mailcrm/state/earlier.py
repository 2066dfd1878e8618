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
from mailcrm.state.undoing import Acts, noted, offer, taken


class EarlierState(rx.State):
    """The offer to link earlier email to what was just made (settled question 8)."""

    _done: Acts[linking.Linked] = {}

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
            n = len(found.thread_ids)
            said = ngettext(
                language, "{n} earlier conversation may belong here", "{n} earlier conversations may belong here", n
            )
            action = {"label": gettext(language, "verb|Link"), "on_click": EarlierState.link(target_id)}
            return say(said, action=action, duration=12000)
        if found.linked:
            n = found.linked
            return say(ngettext(language, "{n} earlier conversation linked", "{n} earlier conversations linked", n))
        return None

    @rx.event
    async def link(self, deal_id: int):
        """Link what was offered for a deal; offers Undo."""
        actor = await actor_of(self)
        try:
            done = await asyncio.to_thread(earlier_mail.link_earlier, actor, as_int(deal_id))
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        if done is None:
            return None
        self._done, number = noted(self._done, done)
        n = len(done.thread_ids)
        said = ngettext(actor.language, "{n} conversation linked", "{n} conversations linked", n)
        return offer(actor, said, EarlierState.undo(number))

    @rx.event
    async def undo(self, number: int):
        """Take one of the last linkings back, once."""
        actor = await actor_of(self)
        self._done, done = taken(self._done, number)
        if done is not None:
            await asyncio.to_thread(linking.undo_link, actor, done)
