"""Fields with labels, and a form that the browser itself posts."""

from typing import Any

import reflex as rx
from reflex_components_core.el.elements.typography import Div

from mailcrm.components.states import wrong


class NativeForm(Div):
    """A form that posts to a route: rx.form would cancel the request and send an event instead."""

    tag = "form"
    action: rx.Var[str]
    method: rx.Var[str]


def field(label: Any, control: rx.Component, *below: rx.Component, name: str = "") -> rx.Component:
    """Return a labelled control; `name` is the id of its input."""
    return rx.el.div(rx.el.label(label, html_for=name), control, *below, class_name="field")


def text_input(name: str, *, big: bool = False, **props: Any) -> rx.Component:
    """Return a text input whose id and form name are `name`."""
    look = "input input-lg" if big else "input"
    return rx.el.input(id=name, name=props.pop("form_name", name), class_name=look, **props)


def choice(name: str, options: list[tuple[Any, Any]], **props: Any) -> rx.Component:
    """Return a select of (value, label) pairs."""
    return rx.el.select(
        *[rx.el.option(label, value=value) for value, label in options],
        id=name,
        name=props.pop("form_name", name),
        class_name="pick",
        **props,
    )


def error_line(text: rx.Var[str]) -> rx.Component:
    """Return the sentence when there is one."""
    return rx.cond(text != "", wrong(text))
