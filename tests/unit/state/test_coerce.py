"""Handler arguments are hostile: Reflex does not enforce annotations (reflex.md §2, trust table)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.state.coerce import as_flag, as_form, as_int, as_text

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(ANYTHING)
def test_as_int_is_always_an_id_or_zero(value: object) -> None:
    """Whatever arrives, a service gets a number that no foreign type hides in."""
    found = as_int(value)
    assert type(found) is int
    assert 0 <= found < 2**63


@given(ANYTHING)
def test_as_text_is_always_text_that_a_database_takes(value: object) -> None:
    """NUL breaks PostgreSQL, a lone surrogate breaks UTF-8; neither gets through."""
    found = as_text(value, 50)
    assert len(found) <= 50
    assert "\x00" not in found
    found.encode("utf-8")


@given(ANYTHING)
def test_as_form_is_always_texts(value: object) -> None:
    """A form is a flat table of texts, whatever was posted."""
    for name, field in as_form(value).items():
        assert isinstance(name, str)
        assert isinstance(field, str)


@pytest.mark.parametrize(
    ("value", "found"),
    [("7", 7), (7, 7), (True, 0), ("7 or 1=1", 0), (-1, 0), (2**63, 0), ({"a": 1}, 0), (float("nan"), 0)],
)
def test_as_int_examples(value: object, found: int) -> None:
    """The attempts that were seen to reach handlers."""
    assert as_int(value) == found


@pytest.mark.parametrize(("value", "found"), [(True, True), (False, False), (1, False), ("true", False), ([1], False)])
def test_as_flag_examples(value: object, found: bool) -> None:
    """Only True is true."""
    assert as_flag(value) is found
