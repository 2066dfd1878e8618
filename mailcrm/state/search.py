"""The search box of the shell: it completes what is typed, and opens the list with a question in the address."""

import asyncio
from dataclasses import dataclass
from urllib.parse import quote

import reflex as rx

from mailcrm import routes
from mailcrm.services.crm import completing
from mailcrm.services.i18n import N_, gettext
from mailcrm.services.mail.search import operators
from mailcrm.state.coerce import as_text
from mailcrm.state.session import actor_of

#: What each operator is for, beside it in the list.
MEANINGS = {
    "from": N_("Who wrote it"),
    "to": N_("Who received it"),
    "subject": N_("In the subject"),
    "has": N_("An attachment or a deal"),
    "is": N_("Unread, opened, shared …"),
    "in": N_("Inbox, sent, archive …"),
    "label": N_("With a label"),
    "deal": N_("Linked to a deal"),
    "person": N_("Linked to a person"),
    "before": N_("Older than a date"),
    "after": N_("Newer than a date"),
    "filename": N_("In the name of a file"),
}


@dataclass(frozen=True)
class Offer:
    """A line below the field; `insert` takes the place of the word that was typed."""

    kind: str
    title: str
    about: str
    insert: str


class SearchState(rx.State):
    """What the field offers for what stands in it. What is typed stays in the browser."""

    offers: list[Offer] = []
    #: What the offers are for, and how much of its end they replace.
    asked: str = ""
    replaces: int = 0

    @rx.event(supersedes=True)
    async def complete(self, text: str):
        """Offer how the last word may go on; a later keystroke's answer comes without waiting for an earlier one's."""
        actor, text = await actor_of(self), as_text(text, operators.MOST)
        word, found = await asyncio.to_thread(completing.complete, actor, text)
        self.offers = [Offer(each.kind, each.title, _about(each, actor.language), each.insert) for each in found]
        self.asked, self.replaces = text, len(word)

    @rx.event
    async def search(self, query: str):
        """Show the conversations that match."""
        query = as_text(query, operators.MOST).strip()
        return rx.redirect(f"{routes.INBOX}?q={quote(query)}" if query else routes.INBOX)


def _about(found: completing.Completion, language: str) -> str:
    return gettext(language, MEANINGS[found.about]) if found.kind == "operator" else found.about
