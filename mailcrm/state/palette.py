"""What the command palette finds in the database, and where its choices lead. What is typed stays in the browser."""

import asyncio
from dataclasses import dataclass
from urllib.parse import quote

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import people
from mailcrm.services.crm.linking import search
from mailcrm.services.mail import files, threads
from mailcrm.services.mail.thread_pick import Filter
from mailcrm.services.writing import templates
from mailcrm.state.coerce import as_int, as_text
from mailcrm.state.present import Eyes, eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import warn

SHOWN = 5  # of each kind
WHERE = {
    "thread": routes.thread,
    "deal": routes.deal,
    "person": routes.person,
    "lead": routes.lead,
    "file": routes.thread,
    "template": routes.template,
}


@dataclass(frozen=True)
class Hit:
    """Something that was found; `kind` is thread, deal, lead, person, template or file (by its conversation)."""

    kind: str
    id: int
    title: str
    about: str


class PaletteState(rx.State):
    """The hits of the last question."""

    hits: list[Hit] = []
    asked: str = ""

    @rx.event(supersedes=True)
    async def find(self, text: str):
        """Look for people, deals, leads, conversations, templates and files."""
        actor, text = await actor_of(self), as_text(text, 100)
        words = text.strip()
        self.hits = await asyncio.to_thread(_find, actor, words, eyes_of(actor)) if words else []
        self.asked = text

    @rx.event
    async def go(self, kind: str, row_id: int):
        """Open a hit."""
        to, row_id = WHERE.get(as_text(kind, 10)), as_int(row_id)
        return rx.redirect(to(row_id)) if to is not None and row_id else None

    @rx.event
    async def search_all(self, text: str):
        """Show all conversations that match."""
        return rx.redirect(f"{routes.INBOX}?q={quote(as_text(text, 200).strip())}")

    @rx.event
    async def create_person(self, name: str):
        """Make a contact of this name, and open it."""
        actor = await actor_of(self)
        try:
            made = await asyncio.to_thread(people.create_person, actor, name=as_text(name, 100))
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        return rx.redirect(routes.person(made.card.id))


def _find(actor: Actor, words: str, eyes: Eyes) -> list[Hit]:
    targets = search.targets(actor, words)
    found: list[Hit] = []
    for kinds in (("deal", "lead"), ("person",)):
        found += [Hit(each.kind, each.id, each.title, each.about or "") for each in targets if each.kind in kinds][
            :SHOWN
        ]
    page = threads.list_page(actor, Filter(folder="all", query=words), limit=SHOWN)
    for row in page.rows:
        when = i18n.short_day(eyes.language, row.last_at, eyes.now, eyes.zone)
        subject = row.subject or i18n.gettext(eyes.language, "(no subject)")
        found.append(Hit("thread", row.id, subject, f"{row.names.split(',')[0]} · {when}"))
    found += [Hit("template", each.id, each.name, each.folder) for each in templates.search(actor, words)[:SHOWN]]
    for file in files.find(actor, words, SHOWN):
        when = i18n.short_day(eyes.language, file.at, eyes.now, eyes.zone)
        found.append(Hit("file", file.thread_id, file.name, f"{file.sender} · {when}"))
    return found
