"""Empty, loading and failed: what happened, then what to do."""

from typing import Any

import reflex as rx

from mailcrm.components.icons import icon


def empty(name: str, title: Any, text: Any = "", *actions: rx.Component) -> rx.Component:
    """Return the picture of a place with nothing in it."""
    return rx.el.div(
        icon(name, size=28),
        rx.el.p(title, class_name="b"),
        rx.el.p(text, class_name="t1 dim"),
        *actions,
        class_name="state",
        role="status",
    )


def bones(count: int = 8) -> rx.Component:
    """Return skeleton rows; they show after 150 ms, so that quick answers never flash."""
    return rx.el.div(*[_bone_row(at) for at in range(count)], class_name="bones", aria_hidden="true")


def _bone_row(at: int) -> rx.Component:
    widths = (62, 74, 48) if at % 2 else (48, 62, 36)
    lines = [rx.el.div(class_name="bone", style={"blockSize": "9px", "inlineSize": f"{width}%"}) for width in widths]
    return rx.el.div(
        rx.el.div(class_name="bone", style={"inlineSize": "28px", "blockSize": "28px", "borderRadius": "50%"}),
        rx.el.div(*lines, class_name="col gap6 grow"),
        class_name="row gap12",
        style={"padding": "12px 18px", "alignItems": "flex-start", "blockSize": "68px"},
    )


def wrong(text: Any, **props: Any) -> rx.Component:
    """Return one sentence about what is wrong, under the field that it is about."""
    return rx.el.p(icon("circle-alert", size=14), rx.el.span(text), class_name="wrong", role="alert", **props)
