"""The search field: in the navigation, and in the list's header on a phone."""

import reflex as rx

from mailcrm.components.buttons import kbd
from mailcrm.components.icons import icon
from mailcrm.state.i18n import tr
from mailcrm.state.search import SearchState


def search_box(place: str, *, cls: str = "") -> rx.Component:
    """Return the field; `place` tells two of them on one page apart."""
    main = place == "nav"
    return rx.el.form(
        icon("search"),
        rx.el.input(
            name="query",
            type="search",
            placeholder=tr("Search"),
            aria_label=tr("Search"),
            data_testid="search-input" if main else f"search-input-{place}",
            default_value=SearchState.query,
            custom_attrs={"data-key": "/"},
        ),
        kbd("/") if main else rx.fragment(),
        on_submit=SearchState.search,
        role="search",
        class_name=f"nav-search {cls}".strip(),
    )
