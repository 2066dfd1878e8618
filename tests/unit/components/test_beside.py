"""`beside` is Reflex's `asset` for a file beside the caller: the same address, and the same complaint."""

from __future__ import annotations

import pytest
import reflex as rx

from mailcrm.components import editor
from mailcrm.components.beside import beside


def test_the_address_is_the_one_that_reflex_gives() -> None:
    here = dict(vars(editor)) | {"rx": rx, "beside": beside}
    both = 'ours, theirs = beside("editor.jsx"), rx.asset("editor.jsx", shared=True)'
    exec(compile(both, str(editor.__file__), "exec"), here)  # as if the editor's module called them
    assert here["ours"] == here["theirs"]
    assert here["ours"].importable_path == here["theirs"].importable_path


def test_a_file_that_is_not_there_is_missed_at_once() -> None:
    with pytest.raises(FileNotFoundError, match=r"components/nothing\.jsx"):
        beside("nothing.jsx")
