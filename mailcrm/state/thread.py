"""The open conversation: its messages' heads, which are unfolded, which may show remote images.

Bodies are never here: a frame loads each from its own route (decisions 10).
"""

import asyncio

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.mail import absent, reminders, threads
from mailcrm.state.coerce import as_int
from mailcrm.state.present import LabelMark, MessageRow, eyes_of, label_mark, message
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import warn


class ThreadState(rx.State):
    """The conversation in the reading pane."""

    id: int = 0
    subject: str = ""
    own: bool = True
    messages: list[MessageRow] = []
    first_id: int = 0
    last_id: int = 0
    reply_to: str = ""
    open_ids: list[int] = []
    remote_ids: list[int] = []
    paper_ids: list[int] = []  # shown on white although the page is dark
    printed: str = ""
    failed: str = ""
    snoozed: str = ""  # when it comes back; "" where it is not snoozed
    awaited: str = ""  # until when an answer is awaited
    has_sent: bool = False
    labels: list[LabelMark] = []
    fetching: list[str] = []  # files on their way from the mail server, as FileRow.key

    @rx.event(background=True)
    async def fetch_file(self, message_id: int, n: int):
        """Bring a large file from the mail server, then download it."""
        message_id, n = as_int(message_id), as_int(n)
        key = f"{message_id}-{n}"
        async with self:
            actor = await actor_of(self)
            if key in self.fetching:
                return
            self.fetching = [*self.fetching, key]
        failed = ""
        try:
            await asyncio.to_thread(absent.fetch_attachment, actor, message_id, n)
        except MailcrmError as error:
            failed = i18n.sentence(error, actor.language)
        async with self:
            self.fetching = [each for each in self.fetching if each != key]
            if self.id:
                await self._show(actor, self.id)
        yield warn(failed) if failed else rx.download(url=routes.attachment(message_id, n))

    @rx.event
    async def unfold(self, message_id: int):
        """Unfold or fold a message."""
        message_id = as_int(message_id)
        if message_id in self.open_ids:
            self.open_ids = [each for each in self.open_ids if each != message_id]
        elif any(row.id == message_id for row in self.messages):
            self.open_ids = [*self.open_ids, message_id]

    @rx.event
    async def show_remote(self, message_id: int):
        """Show one message's remote images, for this view only."""
        self.remote_ids = [*self.remote_ids, as_int(message_id)]

    @rx.event
    async def toggle_paper(self, message_id: int):
        """Show one message on white paper in the dark, or as the page is again."""
        one = as_int(message_id)
        others = [each for each in self.paper_ids if each != one]
        self.paper_ids = others if one in self.paper_ids else [*others, one]

    async def _show(self, actor: Actor, thread_id: int, *, fresh: bool = False) -> None:
        eyes = eyes_of(actor)
        self.failed = ""
        try:
            view = await asyncio.to_thread(threads.open_thread, actor, thread_id)
        except MailcrmError as error:
            self._clear()
            self.failed = i18n.sentence(error, actor.language)
            return
        made = [message(each, eyes) for each in view.messages]
        before = {row.id for row in self.messages}
        self.labels = [label_mark(each) for each in view.labels]
        self.id, self.own, self.printed = view.id, view.own, routes.print_thread(view.id)
        self.subject = view.subject or i18n.gettext(actor.language, "(no subject)")
        if made != self.messages:
            self.messages = made
        self.has_sent = any(row.mine for row in made)
        standing = {each.kind: each.due_at for each in await asyncio.to_thread(reminders.of_thread, actor, thread_id)}
        when = {kind: i18n.day_and_time(eyes.language, at, eyes.now, eyes.zone) for kind, at in standing.items()}
        self.snoozed = (
            i18n.gettext(eyes.language, "Snoozed until {time}", time=when["snooze"]) if "snooze" in when else ""
        )
        self.awaited = (
            i18n.gettext(eyes.language, "Reminder {time} unless somebody answers", time=when["no_reply"])
            if "no_reply" in when
            else ""
        )
        self.first_id, self.last_id = (made[0].id, made[-1].id) if made else (0, 0)
        others = [row.who for row in reversed(made) if not row.mine]
        written_to = view.messages[-1].to if view.messages else ()  # nobody else wrote yet: whom the last one went to
        self.reply_to = others[0] if others else ", ".join(each.name or each.address for each in written_to)
        if fresh:
            unread = [each.id for each in view.messages if not each.read]
            self.open_ids = list(dict.fromkeys([*unread, self.last_id]))
            self.remote_ids, self.paper_ids = [], []
        else:
            self.open_ids = [*self.open_ids, *(row.id for row in made if row.id not in before)]

    def _clear(self) -> None:
        self.reset()
