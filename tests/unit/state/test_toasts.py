"""Texts of toasts: Reflex must not find a mark of its own in what people wrote."""

from __future__ import annotations

import ast

import pytest
from reflex_base.event import Event

from mailcrm.state import toasts
from tests.conftest import ROOT

MARKED = ("<reflex.Var>x</reflex.Var>", "<reflex.Var></reflex.Var>", "<reflex.Var>12</reflex.Var>", "a<reflex.Var>-")


@pytest.mark.parametrize("text", MARKED)
def test_a_title_like_reflexs_mark_is_only_text(text: str) -> None:
    """A field wound: a deal with such a title, once won, put the event loop into an endless loop (Reflex 0.10.1)."""
    for made in (toasts.say(text), toasts.warn(text)):
        (event,) = Event.from_event_type(made)
        assert "reflex.Var" in event.payload["function"]


def test_every_toast_goes_through_here() -> None:
    """The mark is dangerous in any text that becomes a script, so no state makes toasts by itself."""
    for path in sorted((ROOT / "mailcrm" / "state").glob("*.py")):
        if path.name == "toasts.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Attribute) and node.attr == "toast"), f"{path.name}:{node.lineno}"
