"""Tokens: no collisions, nothing readable in them, and no change survives (security.md threats 7, 8)."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.tracking import tokens

KEY, OLD, OTHER = "a" * 40, "b" * 40, "c" * 40


def read(token: str, purpose: tokens.Purpose = "click", keys: tuple[str, ...] = (KEY,)) -> tokens.Token | None:
    return tokens.read(token, purpose=purpose, secret_keys=keys)


def test_says_what_it_was_made_of() -> None:
    nonce = tokens.new_nonce()
    assert read(tokens.make("click", nonce, 7, secret=KEY)) == tokens.Token("click", nonce, 7)
    assert read(tokens.make("open", nonce, secret=KEY), "open") == tokens.Token("open", nonce, 0)


def test_a_hundred_thousand_nonces_do_not_collide() -> None:
    assert len({tokens.new_nonce() for _ in range(100_000)}) == 100_000
    assert len(base64.urlsafe_b64decode(tokens.new_nonce() + "==")) * 8 >= 128


def test_every_single_changed_character_is_refused() -> None:
    good = tokens.make("click", tokens.new_nonce(), 1, secret=KEY)
    for n in range(len(good)):
        for other in "Aa0-_+/" if n < len(good) - 1 else string.printable:  # the last one holds bits that mean nothing
            if other != good[n]:
                assert read(good[:n] + other + good[n + 1 :]) is None
    spelled = tokens.make("click", "-" * 10 + "_" * 11 + "w", 1, secret=KEY)
    assert read(spelled) is not None
    assert read(spelled.replace("-", "+").replace("_", "/")) is None
    assert read(good[:-1]) is None
    assert read(good + "A") is None
    assert read(good + "=") is None


def test_purpose_key_and_position_are_bound() -> None:
    nonce = tokens.new_nonce()
    good = tokens.make("click", nonce, 1, secret=KEY)
    assert read(good, "open") is None
    assert read(good, keys=(OTHER,)) is None
    assert read(good, keys=()) is None
    assert good != tokens.make("click", nonce, 2, secret=KEY) != tokens.make("open", nonce, 2, secret=KEY)


def test_older_keys_still_read() -> None:
    """T10: a rotated key keeps its links alive."""
    sent_before = tokens.make("click", tokens.new_nonce(), 1, secret=OLD)
    assert read(sent_before, keys=(KEY, OLD)) is not None


@pytest.mark.parametrize("junk", ["", "a", "A" * 55, "ü" * 55, "\x00" * 55, "../" * 18 + "a", "%0d%0a" * 9 + "a"])
def test_junk_is_refused(junk: str) -> None:
    assert read(junk) is None


@given(st.text(max_size=80))
def test_never_raises(text: str) -> None:
    assert read(text) is None
