"""Changes of many persons or organizations at once, each with its Undo (DESIGN.md §5)."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import labels
from mailcrm.state.coerce import as_int, as_text
from mailcrm.state.picks import Picks
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import warn
from mailcrm.state.undoing import Acts, noted, offer, taken


@dataclass(frozen=True)
class Verbs:
    """What is done with many of a kind, and how it is said: "owners", "label" or "deleted", of how many."""

    kind: str
    hand_over: Callable[[Actor, dict[int, int | None]], dict[int, int | None]]
    delete_many: Callable[[Actor, Sequence[int]], None]
    restore_many: Callable[[Actor, Sequence[int]], None]
    said: Callable[[str, str, int], str]


class BulkChange(Picks, mixin=True):
    """What a list's page adds to its state; it says its `_verbs` and how it is read again (`_show_again`)."""

    _verbs: ClassVar[Verbs]
    _done: Acts[tuple[str, Any]] = {}

    @rx.event
    async def give(self, owner_id: str):
        """Give those chosen to a colleague, "0" to nobody; offers Undo."""
        text, verbs = as_text(owner_id, 20), self._verbs
        if not text:
            return None
        owners = dict.fromkeys(self.picked, as_int(text) or None)
        return await self._change("owners", lambda actor: verbs.hand_over(actor, owners))

    @rx.event
    async def put_label(self, label_id: str):
        """Put a label on those chosen; offers Undo."""
        chosen, label, kind = list(self.picked), as_int(label_id), self._verbs.kind
        if not label:
            return None
        return await self._change("label", lambda actor: (label, labels.put_many(actor, kind, chosen, label, True)))

    @rx.event
    async def delete(self):
        """Move those chosen to the trash; offers Undo."""
        chosen, verbs = list(self.picked), self._verbs

        def act(actor: Actor) -> list[int]:
            verbs.delete_many(actor, chosen)
            return chosen

        return await self._change("deleted", act)

    @rx.event
    async def take_back(self, number: int):
        """Undo a change of many of this tab."""
        actor, verbs = await actor_of(self), self._verbs
        self._done, done = taken(self._done, number)
        if done is None:
            return None
        what, before = done
        try:
            if what == "owners":
                await asyncio.to_thread(verbs.hand_over, actor, before)
            elif what == "label":
                await asyncio.to_thread(labels.put_many, actor, verbs.kind, before[1], before[0], False)
            else:
                await asyncio.to_thread(verbs.restore_many, actor, before)
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        finally:
            await self._show_again(actor)

    async def _change(self, what: str, act: Callable[[Actor], Any]) -> Any:
        """Change those chosen and say so, with the way back."""
        actor, number = await actor_of(self), len(self.picked)
        if not number:
            return None
        try:
            before = await asyncio.to_thread(act, actor)
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        self._done, undo_number = noted(self._done, (what, before))
        self.picked = []
        await self._show_again(actor)
        back: Any = type(self).take_back
        return offer(actor, self._verbs.said(actor.language, what, number), back(undo_number))

    async def _show_again(self, actor: Actor) -> None:
        """Read the list again, as far as it was shown."""
        raise NotImplementedError
