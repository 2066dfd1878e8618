"""The command palette (Ctrl or Cmd K): palette.jsx beside this file does the work; commands come from the keys' table.

Pages and commands are found in the browser without asking anybody; what is in the database by state/palette.py.
"""

import reflex as rx

from mailcrm.components.beside import beside
from mailcrm.components.keymap import commands
from mailcrm.state.i18n import tr
from mailcrm.state.palette import Hit, PaletteState

_ASSET = beside("palette.jsx")


class Palette(rx.Component):
    """The dialog; it keeps what is typed to itself."""

    library = f"$/public{_ASSET}"
    tag = "Palette"

    commands: rx.Var[list[dict[str, str]]]
    hits: rx.Var[list[Hit]]
    #: What the hits were found for.
    asked: rx.Var[str]
    words: rx.Var[dict[str, str]]
    on_search: rx.EventHandler[rx.event.passthrough_event_spec(str)]
    on_open: rx.EventHandler[rx.event.passthrough_event_spec(str, int)]
    on_all: rx.EventHandler[rx.event.passthrough_event_spec(str)]
    on_person: rx.EventHandler[rx.event.passthrough_event_spec(str)]


def palette() -> rx.Component:
    """Return the palette of every page."""
    words = {
        "title": tr("Find, go to, do"),
        "hint": tr("Search, or choose what to do"),
        "everywhere": tr("Everywhere"),
        "only_commands": tr("Commands only"),
        "commands": tr("commands only"),
        "thread": tr("Email"),
        "deal": tr("Deals and leads"),
        "person": tr("People"),
        "file": tr("Files"),
        "template": tr("Templates"),
        "do": tr("Do"),
        "go": tr("Go to"),
        "move": tr("move"),
        "open": tr("open"),
        "nothing": tr("Nothing for “{query}”"),
        "all": tr("Search all email for “{query}”"),
        "create": tr("Create contact “{query}”"),
        "results": tr("{n} results"),
    }
    return Palette.create(
        commands=rx.Var.create(commands()),
        hits=PaletteState.hits,
        asked=PaletteState.asked,
        words=words,
        on_search=PaletteState.find,
        on_open=PaletteState.go,
        on_all=PaletteState.search_all,
        on_person=PaletteState.create_person,
    )
