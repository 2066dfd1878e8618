"""Secrets at rest (security.md 11)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailcrm import config
from mailcrm.errors import PermanentError
from mailcrm.services import crypto

OLD, NEW = "o" * 40, "n" * 40


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setenv("MAILCRM_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MAILCRM_SECRET_KEY", OLD)
    config.reset()
    yield monkeypatch
    monkeypatch.undo()
    config.reset()


def test_a_box_opens_for_its_own_row_only(keys: object) -> None:
    box = crypto.seal({"imap": "pä55"}, context="mailbox:1")
    assert crypto.unseal(box, context="mailbox:1") == {"imap": "pä55"}
    with pytest.raises(PermanentError):
        crypto.unseal(box, context="mailbox:2")


def test_every_flipped_bit_is_an_error(keys: object) -> None:
    box = crypto.seal("secret", context="mailbox:1")
    for position in range(len(box) * 8):
        changed = bytearray(box)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(PermanentError):
            crypto.unseal(bytes(changed), context="mailbox:1")


def test_the_plaintext_is_not_in_the_box(keys: object) -> None:
    assert b"hunter2" not in crypto.seal("hunter2", context="mailbox:1")


def test_a_rotated_key_still_opens_old_boxes(keys: pytest.MonkeyPatch) -> None:
    box = crypto.seal("secret", context="mailbox:1")
    keys.setenv("MAILCRM_SECRET_KEY", f"{NEW},{OLD}")
    config.reset()
    assert crypto.unseal(box, context="mailbox:1") == "secret"
    resealed = crypto.seal("secret", context="mailbox:1")
    keys.setenv("MAILCRM_SECRET_KEY", NEW)
    config.reset()
    assert crypto.unseal(resealed, context="mailbox:1") == "secret"
    with pytest.raises(PermanentError):
        crypto.unseal(box, context="mailbox:1")


@pytest.mark.parametrize("box", [b"", b"\0" * 3, b"\0" * 16, b"\0" * 64])
def test_what_is_no_box_is_an_error(keys: object, box: bytes) -> None:
    with pytest.raises(PermanentError):
        crypto.unseal(box, context="mailbox:1")
