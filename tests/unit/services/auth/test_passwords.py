"""Stored passwords cost an attacker as much as RFC 9106 asks for, and a guess for nobody as much as one for somebody."""

from __future__ import annotations

import re

import pytest

from mailcrm.errors import UserError
from mailcrm.services.auth import passwords


def test_the_cost_is_that_of_rfc_9106() -> None:
    """RFC 9106 section 4, second recommended option: argon2id, 3 passes over 64 MiB with 4 lanes."""
    stored = passwords.hash_password("correct horse battery")
    found = re.match(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$", stored)
    assert found is not None
    memory, passes, lanes = map(int, found.groups())
    assert memory >= 64 * 1024
    assert passes >= 3
    assert lanes >= 4
    assert passwords.verify(stored, "correct horse battery")
    assert not passwords.verify(stored, "correct horse batterz")


def test_nobody_is_as_dear_as_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a stored hash a hash of the same cost is verified, and the answer is no."""
    seen: list[str] = []

    class Spy:
        def verify(self, stored: str, _password: str) -> bool:
            seen.append(stored)
            return True

    monkeypatch.setattr(passwords, "_hasher", Spy())
    assert not passwords.verify(None, "whatever it may be")
    (stored,) = seen
    assert stored.rsplit("$", 2)[0] == passwords.PasswordHasher().hash("x").rsplit("$", 2)[0]


@pytest.mark.parametrize("password", ["", "short", "password!!", "1234567890", "aaaaaaaaaaaa", "x" * 1025])
def test_easy_ones_are_refused(password: str) -> None:
    with pytest.raises(UserError):
        passwords.check_strength(password)
