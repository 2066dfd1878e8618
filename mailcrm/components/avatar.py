"""Avatars: people round, organisations square; colour by address, never the only sign of anything."""

from typing import Any

import reflex as rx


def avatar(initials: Any, hue: Any = 0, size: str = "", mine: Any = False, square: bool = False) -> rx.Component:
    """Return the letters of a person or an organisation; `size` is "", "sm", "md" or "lg"."""
    base = "av" + (f" av-{size}" if size else "") + (" av-org" if square else "")
    name = rx.cond(mine, f"{base} av-me", base) if isinstance(mine, rx.Var) else base + (" av-me" if mine else "")
    return rx.el.span(initials, class_name=name, custom_attrs={"data-hue": hue}, aria_hidden="true")
