"""Arguments from browsers, made safe: Reflex does not enforce a handler's annotations.

Pure. A value that makes no sense becomes the neutral one (0, "", False), for which services answer NotFound.
"""

from __future__ import annotations

LONGEST = 200_000  # characters; a body travels in an event, the socket's limit is 1,000,000 bytes


def as_int(value: object) -> int:
    """Return a non-negative integer of at most 63 bits, else 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return 0
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return 0
    return number if 0 < number < 2**63 else 0


def as_text(value: object, most: int = 2_000) -> str:
    """Return a string of at most `most` characters without NUL and lone surrogates, else ""."""
    if not isinstance(value, str):
        return ""
    return value[:most].replace("\x00", "").encode("utf-8", "ignore").decode("utf-8")


def as_flag(value: object) -> bool:
    """Return True only for True."""
    return value is True


def as_form(value: object) -> dict[str, str]:
    """Return a form's fields as texts; files and nested values are dropped."""
    if not isinstance(value, dict):
        return {}
    return {str(name)[:80]: as_text(field) for name, field in value.items() if isinstance(field, str)}
