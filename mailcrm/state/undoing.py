"""The Undo of toasts, one way for all: each takes back its own act, because toasts of several stand side by side.

What an undo needs stays on the server, by a number that a tab's acts are counted with; no browser can name other rows.
"""

from typing import Any, TypeVar

from reflex_base.event import EventSpec

from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext
from mailcrm.state.coerce import as_int
from mailcrm.state.toasts import say

UNDO_S = 8  # seconds that a toast with an Undo stands (DESIGN §5)
KEPT = 20  # acts of a tab whose Undo may still be on the screen

T = TypeVar("T")
#: The last acts by their numbers; None where one was taken back, so that no number comes twice.
Acts = dict[int, T | None]


def noted(acts: Acts[T], act: T, most: int = KEPT) -> tuple[Acts[T], int]:
    """Return the acts with this one, and the number that its Undo names."""
    number = max(acts, default=0) + 1
    return {**{n: each for n, each in acts.items() if n > number - most}, number: act}, number


def taken(acts: Acts[T], number: object) -> tuple[Acts[T], T | None]:
    """Return the acts without the one of this number, and that one; None for a number of no act, or a second time."""
    wanted = as_int(number)
    act = acts.get(wanted)
    return ({**acts, wanted: None}, act) if act is not None else (acts, None)


def offer(actor: Actor, text: str, event: Any, seconds: float = UNDO_S) -> EventSpec:
    """Show a toast whose Undo is this event; it goes when the undo is over."""
    action = {"label": gettext(actor.language, "Undo"), "on_click": event}
    return say(text, action=action, duration=seconds * 1000)
