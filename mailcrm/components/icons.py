"""Icons: one size, one stroke (16 px, 1.75), decorative unless a label is given."""

from typing import Any

import reflex as rx

ICON_PX = 16


def icon(name: str, size: int = ICON_PX, **props: Any) -> rx.Component:
    """Return a lucide icon; what it means is said beside it or in its button's label."""
    return rx.icon(
        name, size=size, stroke_width=1.75, class_name="mc-icon " + props.pop("cls", ""), aria_hidden="true", **props
    )


def tracking_icon(kind: rx.Var[str]) -> rx.Component:
    """Return the icon of a notification or a timeline line by its kind."""
    return rx.match(
        kind,
        ("open", icon("eye")),
        ("click", icon("mouse-pointer-click")),
        ("eye", icon("eye")),
        ("mouse-pointer-click", icon("mouse-pointer-click")),
        ("send", icon("send")),
        ("reply", icon("reply")),
        ("arrow-right-left", icon("arrow-right-left")),
        ("plus", icon("plus")),
        ("trophy", icon("trophy")),
        ("thumbs-down", icon("thumbs-down")),
        ("undo-2", icon("undo-2")),
        ("triangle-alert", icon("triangle-alert")),
        ("alarm-clock", icon("alarm-clock")),
        ("layers", icon("layers")),
        icon("circle-dot"),
    )
