"""Places to drop a card on: Reflex's own elements have no drag events (reflex.md §6)."""

from typing import Any

import reflex as rx
from reflex_components_core.el.elements.typography import Div


def _dropped(e: rx.Var[Any]) -> tuple[rx.Var[str]]:
    """What a drop tells its handler: the text that the dragged card carries.

    Reflex calls the browser's event after the parameter, with an underscore before it.
    """
    del e
    return (rx.Var("_e.dataTransfer.getData('text/plain')").to(str),)


class _Zone(Div):
    on_drag_over: rx.EventHandler[rx.event.no_args_event_spec]
    on_drop: rx.EventHandler[_dropped]


#: Marks the zone under the pointer in the browser; a round trip for each move would be too slow.
_MARKING = {
    "onDragEnter": rx.Var("(e) => { e.currentTarget.dataset.over = 'true'; }"),
    "onDragLeave": rx.Var(
        "(e) => { if (!e.currentTarget.contains(e.relatedTarget)) delete e.currentTarget.dataset.over; }"
    ),
    "onDropCapture": rx.Var(
        "(e) => { delete e.currentTarget.dataset.over; const page = e.currentTarget.closest('.deals-page');"
        " if (page) delete page.dataset.drag; }"
    ),
}


def drop_zone(
    *children: rx.Component | rx.Var[str], on_drop: Any, attributes: dict[str, Any] | None = None, **props: Any
) -> rx.Component:
    """Return a box that a card can be dropped on; `on_drop` takes the text that the card carries."""
    return _Zone.create(
        *children,
        on_drag_over=rx.prevent_default,
        on_drop=on_drop,
        custom_attrs={**_MARKING, **(attributes or {})},
        **props,
    )


#: The card's side: its id travels with the drag, and the page shows where it may go. Waits a tick, because a change
#: of layout inside dragstart ends the drag in Chromium.
_START = (
    "(e) => {{ e.dataTransfer.setData('text/plain', String({id})); e.dataTransfer.effectAllowed = 'move';"
    " const page = e.currentTarget.closest('.deals-page'); setTimeout(() => {{ if (page) page.dataset.drag = 'true'; }}, 0); }}"
)
_END = "(e) => { const page = document.querySelector('.deals-page'); if (page) delete page.dataset.drag; }"


def draggable(card_id: rx.Var[int]) -> dict[str, Any]:
    """Return the attributes that let an element be dragged onto a zone."""
    return {"onDragStart": rx.Var(_START.format(id=str(card_id))), "onDragEnd": rx.Var(_END)}
