"""Buttons: ink acts, soft seconds, line chooses, icon buttons say their name (DESIGN.md, the rule)."""

from typing import Any

import reflex as rx

from mailcrm.components.icons import icon


def button(*children: Any, look: str = "soft", size: str = "", **props: Any) -> rx.Component:
    """Return a button; `look` is ink, soft, line, ghost, go, won or bad."""
    props.setdefault("type", "button")
    extra = props.pop("cls", "")
    return rx.el.button(*children, class_name=f"btn btn-{look} {size} {extra}".strip(), **props)


def ink(*children: Any, **props: Any) -> rx.Component:
    """The primary action of a place."""
    return button(*children, look="ink", **props)


def soft(*children: Any, **props: Any) -> rx.Component:
    """A second action."""
    return button(*children, look="soft", **props)


def icon_button(name: str, label: rx.Var[str], **props: Any) -> rx.Component:
    """A button that is only an icon; `label` is read aloud and shown on hover."""
    props.setdefault("type", "button")
    return rx.el.button(
        icon(name), class_name="icon-btn " + props.pop("cls", ""), aria_label=label, title=label, **props
    )


def icon_link(name: str, label: rx.Var[str], href: Any, **props: Any) -> rx.Component:
    """A link that looks like an icon button."""
    return rx.el.a(icon(name), href=href, class_name="icon-btn", aria_label=label, title=label, **props)


def kbd(key: str) -> rx.Component:
    """A key, where its shortcut acts."""
    return rx.el.kbd(key, class_name="kbd", aria_hidden="true")
