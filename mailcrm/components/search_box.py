"""The search field: in the navigation, and in the list's header on a phone. search_field.jsx beside this does the work."""

import reflex as rx

from mailcrm.components.beside import beside
from mailcrm.components.buttons import kbd
from mailcrm.components.icons import icon
from mailcrm.state.i18n import tr
from mailcrm.state.inbox import InboxState
from mailcrm.state.search import Offer, SearchState

_ASSET = beside("search_field.jsx")


class SearchField(rx.Component):
    """The field and what it offers; it keeps what is typed to itself."""

    library = f"$/public{_ASSET}"
    tag = "SearchField"

    #: Tells two of them on one page apart.
    place: rx.Var[str]
    offers: rx.Var[list[Offer]]
    #: What the offers answer, and how much of its end they replace.
    asked: rx.Var[str]
    replaces: rx.Var[int]
    #: What is marked in the list.
    marks: rx.Var[list[str]]
    #: What the list was searched for.
    query: rx.Var[str]
    #: The key that goes to the field (keys.js).
    keyed: rx.Var[str]
    words: rx.Var[dict[str, str]]
    on_type: rx.EventHandler[rx.event.passthrough_event_spec(str)]
    on_search: rx.EventHandler[rx.event.passthrough_event_spec(str)]


def search_box(place: str, *, cls: str = "") -> rx.Component:
    """Return the field; `place` tells two of them on one page apart."""
    main = place == "nav"
    return rx.el.div(
        icon("search"),
        SearchField.create(
            place=place,
            offers=SearchState.offers,
            asked=SearchState.asked,
            replaces=SearchState.replaces,
            marks=InboxState.marks,
            query=InboxState.query,
            keyed="/",
            words={"search": tr("Search"), "offers": tr("What can be searched for"), "count": tr("{n} offers")},
            on_type=SearchState.complete,
            on_search=SearchState.search,
        ),
        kbd("/") if main else rx.fragment(),
        class_name=f"nav-search {cls}".strip(),
    )
