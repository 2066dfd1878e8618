"""The short messages at the corner of the screen; every text of a toast goes through here.

Reflex reads `<reflex.Var>…</reflex.Var>` inside any text it turns into a script as a mark of its own: with an unknown
number it raises, and with anything else (0.10.1, `LiteralStringVar.create`) it loops for ever and takes the server
with it. Texts of toasts hold names and titles that people and mail servers wrote.
"""

from typing import Any

import reflex as rx
from reflex_base.constants import REFLEX_VAR_OPENING_TAG
from reflex_base.event import EventSpec

#: The same to a reader, nothing to Reflex.
HARMLESS = REFLEX_VAR_OPENING_TAG.replace("<", "‹").replace(">", "›")


def say(text: str, **options: Any) -> EventSpec:
    """Show a toast."""
    return rx.toast(plain(text), **options)


def warn(text: str) -> EventSpec:
    """Show a toast about something that did not work."""
    return rx.toast.error(plain(text))


def plain(text: str) -> str:
    """Return the text without Reflex's mark."""
    return text.replace(REFLEX_VAR_OPENING_TAG, HARMLESS)
