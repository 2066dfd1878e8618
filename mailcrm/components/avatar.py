"""Avatars: people round, organisations square; colour by address, never the only sign of anything."""

from typing import Any

import reflex as rx


def avatar(initials: Any, hue: Any = 0, size: str = "", mine: Any = False, square: bool = False) -> rx.Component:
    """Return the letters of a person or an organisation; `size` is "", "sm", "md" or "lg"."""
    base = "av" + (f" av-{size}" if size else "") + (" av-org" if square else "")
    shade = rx.cond(mine, "me", rx.Var.create(hue).to_string()) if isinstance(mine, rx.Var) else "me" if mine else hue
    return rx.el.span(initials, class_name=base, custom_attrs={"data-hue": shade}, aria_hidden="true")
