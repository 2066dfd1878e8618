"""What an address may say on a page: only what we wrote, for that user."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailcrm import config
from mailcrm.errors import UserError
from mailcrm.services import told


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Iterator[None]:
    monkeypatch.setenv("MAILCRM_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MAILCRM_SECRET_KEY", "k" * 40)
    config.reset()
    yield
    monkeypatch.undo()
    config.reset()


def test_what_we_wrote_is_read_by_its_user_alone() -> None:
    """Also after a round through an address, with text that is cut."""
    query = told.query_of(UserError("oauth.other_address", granted="a@b.example", address="x" * 500), 7)
    assert told.read(query, 7) == ("oauth.other_address", {"granted": "a@b.example", "address": "x" * told.MOST})
    assert told.read(query, 8) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"answer": "Call 555-0100 at once"},
        {"error": "oauth.declined"},
        {"more": "x"},
        {"sign": ""},
        {"sign": "\u00e9"},
        {"provider": "x" * 9999},
    ],
)
def test_anything_else_is_not_shown(changed: dict[str, str]) -> None:
    """A link that somebody made puts no text of theirs on our page."""
    good = told.query_of(UserError("oauth.refused", provider="Google", answer="no"), 7)
    assert told.read(good, 7) is not None
    assert told.read(good | changed, 7) is None
    assert told.read({name: value for name, value in good.items() if name != "sign"}, 7) is None
