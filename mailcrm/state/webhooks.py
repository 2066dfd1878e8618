"""Settings › Webhooks: the user's own, with what each was sent. Secrets are shown once, right after they are made."""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext
from mailcrm.services.webhooks import events, webhooks
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.present import Eyes, eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say, warn

LISTED = 50


@dataclass(frozen=True)
class WebhookRow:
    """A webhook; `off` says that it was switched off, by its user or for its failures."""

    id: int
    url: str
    opened: bool
    clicked: bool
    replied: bool
    active: bool
    failed: bool
    last: str


@dataclass(frozen=True)
class DeliveryRow:
    """A line of the log; `answer` is the last status or what went wrong."""

    id: int
    kind: str
    state: str
    at: str
    tries: str
    answer: str
    next: str


class WebhooksState(rx.State):
    """What the page shows; the log belongs to the webhook that is open."""

    loaded: bool = False
    rows: list[WebhookRow] = []
    log: list[DeliveryRow] = []
    open_id: int = 0
    adding: bool = False
    secret: str = ""  # shown until its dialog is closed
    deleting: int = 0
    wrong: str = ""

    @rx.event
    async def load(self):
        """Show them when the page opens."""
        self.open_id, self.log, self.adding, self.secret, self.wrong = 0, [], False, "", ""
        await self._fill(await actor_of(self))

    @rx.event
    async def ask(self, is_open: bool):
        """Open or close the form of a new one."""
        self.adding, self.wrong = as_flag(is_open), ""

    @rx.event
    async def create(self, form: dict[str, Any]):
        """Make a webhook and show its secret."""
        actor, fields = await actor_of(self), as_form(form)
        url = as_text(fields.get("webhook_url", ""), 1000).strip()
        kinds = tuple(kind for kind in events.KINDS if fields.get(kind.replace(".", "_")))
        self.wrong = ""
        try:
            made = await asyncio.to_thread(webhooks.create_webhook, actor, url, kinds)
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return
        self.adding, self.secret = False, made.secret
        await self._fill(actor)

    @rx.event
    async def renew(self, webhook_id: int):
        """Replace a secret and show the new one."""
        actor = await actor_of(self)
        self.secret = (await asyncio.to_thread(webhooks.new_secret, actor, as_int(webhook_id))).secret

    @rx.event
    async def hide_secret(self, is_open: bool):
        """Forget the secret once it was copied."""
        if not as_flag(is_open):
            self.secret = ""

    @rx.event
    async def switch(self, webhook_id: int, on: bool):
        """Switch one on or off."""
        actor, wanted = await actor_of(self), as_flag(on)
        await asyncio.to_thread(lambda: webhooks.change_webhook(actor, as_int(webhook_id), active=wanted))
        await self._fill(actor)

    @rx.event
    async def test(self, webhook_id: int):
        """Send a test event and say what came of it."""
        actor = await actor_of(self)
        found = await asyncio.to_thread(webhooks.test_webhook, actor, as_int(webhook_id))
        await self._fill(actor)
        if found.state == "delivered":
            return say(gettext(actor.language, "The server took the test event."))
        return warn(_answer(found, actor.language))

    @rx.event
    async def show_log(self, webhook_id: int):
        """Show what one was sent, or fold it away."""
        wanted = as_int(webhook_id)
        self.open_id = 0 if wanted == self.open_id else wanted
        await self._fill(await actor_of(self))

    @rx.event
    async def retry(self, delivery_id: int):
        """Send one of the log again."""
        actor = await actor_of(self)
        await asyncio.to_thread(webhooks.retry_delivery, actor, self.open_id, as_int(delivery_id))
        await self._fill(actor)
        return say(gettext(actor.language, "It is sent again now."))

    @rx.event
    async def ask_delete(self, webhook_id: int):
        """Ask before one is deleted with its log; 0 closes the question."""
        self.deleting = as_int(webhook_id)

    @rx.event
    async def close_delete(self, is_open: bool):
        """Close the question."""
        if not as_flag(is_open):
            self.deleting = 0

    @rx.event
    async def delete(self):
        """Delete the one that was asked about."""
        actor, webhook_id = await actor_of(self), self.deleting
        self.deleting = 0
        await asyncio.to_thread(webhooks.delete_webhook, actor, webhook_id)
        self.open_id = 0 if self.open_id == webhook_id else self.open_id
        await self._fill(actor)

    async def _fill(self, actor: Actor) -> None:
        eyes, open_id = eyes_of(actor), self.open_id

        def read() -> tuple[list[WebhookRow], list[DeliveryRow]]:
            found = [_row(each, eyes) for each in webhooks.list_webhooks(actor)]
            if not any(each.id == open_id for each in found):
                return found, []
            page = webhooks.page_of_deliveries(actor, open_id, limit=LISTED)
            return found, [_delivery(each, eyes) for each in page.rows]

        self.rows, self.log = await asyncio.to_thread(read)
        self.loaded = True


def _row(view: webhooks.WebhookView, eyes: Eyes) -> WebhookRow:
    last = _at(eyes, view.last_delivery_at) if view.last_delivery_at else ""
    return WebhookRow(
        id=view.id,
        url=view.url,
        opened="message.opened" in view.events,
        clicked="message.clicked" in view.events,
        replied="message.replied" in view.events,
        active=view.active,
        failed=view.failures > 0,
        last=last,
    )


def _delivery(view: webhooks.DeliveryView, eyes: Eyes) -> DeliveryRow:
    return DeliveryRow(
        id=view.id,
        kind=view.kind,
        state=view.state,
        at=_at(eyes, view.created_at),
        tries=i18n.number(eyes.language, view.tries),
        answer=_answer(view, eyes.language),
        next=_at(eyes, view.next_try_at) if view.next_try_at and view.tries else "",
    )


def _answer(view: webhooks.DeliveryView, language: str) -> str:
    said = i18n.sentence_of(view.error_code, language) if view.error_code else ""
    return " ".join(part for part in (str(view.status or ""), said) if part)


def _at(eyes: Eyes, when: Any) -> str:
    return i18n.day_and_time(eyes.language, when, eyes.now, eyes.zone)
