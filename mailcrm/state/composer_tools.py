"""What is picked into an email: a template, a deal or a lead, and the preview as its recipient gets it.

Opens over the composer, which keeps the draft (state/composer.py). Finds through services; nothing here decides access.
"""

import asyncio
from dataclasses import dataclass

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking import search
from mailcrm.services.i18n import gettext
from mailcrm.services.mail.outbox import draft as drafts
from mailcrm.services.writing import fill, merge_fields, templates, using
from mailcrm.state.coerce import as_int, as_text
from mailcrm.state.composer import ComposerState
from mailcrm.state.composer_parts import quote_page, script_text
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say, warn

KINDS = ("", "templates", "link", "preview")


@dataclass(frozen=True)
class Choice:
    """A row of a picker."""

    id: int
    kind: str
    title: str
    about: str


class ComposerToolsState(rx.State):
    """The picker that is open over the composer."""

    kind: str = ""
    rows: list[Choice] = []
    none_yet: bool = False  # nothing is found because there is nothing to find
    page: str = ""  # a preview, as the page of a frame
    shown: int = 0
    subject: str = ""
    who: str = ""

    @rx.event
    async def open_picker(self, kind: str):
        """Open a picker, or close it with ""; the one that is open closes when it is asked for again."""
        wanted = kind if kind in KINDS and kind != self.kind else ""
        self.reset()
        self.kind = wanted
        composer = await self.get_state(ComposerState)
        if not composer.draft_id:
            self.kind = ""
        elif wanted == "preview":
            actor = await actor_of(self)
            found = await asyncio.to_thread(fill.preview, actor, composer.draft_id)
            self.page, self.subject = quote_page(found.html, quoted=False), found.subject
            self.who = found.name or found.address or gettext(actor.language, "(no recipient yet)")
        elif wanted:
            await self._find("")

    @rx.event(supersedes=True)
    async def find(self, text: str):
        """Show what fits."""
        await self._find(as_text(text, 200))

    @rx.event
    async def look_at(self, template_id: int):
        """Show a template before it is used."""
        actor, composer = await actor_of(self), await self.get_state(ComposerState)
        if not composer.draft_id:
            return
        view = await asyncio.to_thread(templates.get, actor, as_int(template_id))
        known = await asyncio.to_thread(fill.known, actor, composer.draft_id)
        labels = await self._labels(actor)
        self.shown, self.subject = view.line.id, merge_fields.fill_text(view.line.subject, known, labels=labels).content
        self.page = quote_page(merge_fields.fill_html(view.html, known, labels=labels).content, quoted=False)

    @rx.event
    async def use_template(self, template_id: int):
        """Put a template in at the cursor, with its subject where there is none, and its files."""
        actor = await actor_of(self)
        composer = await self.get_state(ComposerState)
        if not composer.draft_id:
            return None
        view = await asyncio.to_thread(using.lend, actor, composer.draft_id, as_int(template_id))
        kept = await asyncio.to_thread(drafts.get, actor, composer.draft_id)
        composer._took_template(kept)
        self.reset()
        return rx.call_script(
            f"window.mailcrmEditor?.insertHtml({script_text(view.html)});"
            f"(() => {{ const box = document.querySelector('#compose-subject');"
            f" if (box && !box.value) box.value = {script_text(kept.subject)}; }})();"
            "window.mailcrmFiles?.refresh()"
        )

    @rx.event
    async def keep_as_template(self):
        """Make a private template of the email that is being written (M07)."""
        actor, composer = await actor_of(self), await self.get_state(ComposerState)
        if not composer.draft_id:
            return None
        name = composer.subject.strip() or gettext(actor.language, "Untitled")
        try:
            made = await asyncio.to_thread(using.from_draft, actor, composer.draft_id, name=name[: templates.MAX_NAME])
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        self.reset()
        return say(gettext(actor.language, "Saved as the template “{name}”", name=made.line.name))

    @rx.event
    async def link(self, kind: str, row_id: int):
        """Link the email to what was picked."""
        self.reset()
        return ComposerState.link_to(as_text(kind, 10), as_int(row_id))

    async def _find(self, text: str) -> None:
        actor = await actor_of(self)
        if self.kind == "templates":
            lines, labels = await asyncio.to_thread(templates.search, actor, text), await self._labels(actor)
            self.none_yet = not lines and not text.strip()
            self.rows = [
                Choice(each.id, "template", each.name, _named(each.subject or each.snippet, labels))
                for each in lines[:50]
            ]
        elif self.kind == "link":
            found = await asyncio.to_thread(search.targets, actor, text)
            self.rows = [
                Choice(each.id, each.kind, each.title, each.about) for each in found if each.kind in ("deal", "lead")
            ]

    async def _labels(self, actor: Actor) -> dict[str, str]:
        return {each.field: each.label for each in await asyncio.to_thread(fill.fields, actor)}


def _named(text: str, labels: dict[str, str]) -> str:
    """Return a text with the names of its fields instead of what stands between two braces."""
    return merge_fields.fill_text(text, {}, labels=labels).content
