"""Checks what people type into CRM fields: pure, raises UserError with the field's name."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailcrm.errors import UserError

NAME_MOST = 200
ADDRESS_MOST = 254  # RFC 5321 4.5.3.1.3: a path of 256 with its brackets
VALUE_MOST = 10**15  # minor units; leaves room to add up a board in 63 bits
_ADDRESS = re.compile(r"[^\s@<>\"',;:\\()\[\]\x00-\x1f\x7f]{1,64}@[^\s@<>\"',;:\\()\[\]\x00-\x1f\x7f]{1,189}")
_UNUSABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")  # PostgreSQL refuses NUL and surrogates


def line(value: str, field: str, *, most: int = NAME_MOST, required: bool = False) -> str:
    """Return one tidy line: no control characters, single spaces."""
    text = " ".join(_UNUSABLE.sub(" ", value).split())
    if required and not text:
        raise UserError("input.missing", field=field)
    if len(text) > most:
        raise UserError("input.too_long", field=field, most=most)
    return text


def text(value: str, field: str, *, most: int) -> str:
    """Return a text of several lines: no control characters but line breaks, no space at its ends."""
    tidy = _UNUSABLE.sub(" ", value.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if len(tidy) > most:
        raise UserError("input.too_long", field=field, most=most)
    return tidy


def address(value: str) -> str:
    """Return an email address in lower case."""
    text = value.strip().lower()
    if not _ADDRESS.fullmatch(text) or len(text) > ADDRESS_MOST or _UNUSABLE.search(text):
        raise UserError("auth.email_invalid", email=_UNUSABLE.sub(" ", value.strip())[:80])
    return text


def addresses(values: Iterable[str]) -> list[str]:
    """Return the addresses that were filled in, each once, in order."""
    return list(dict.fromkeys(address(value) for value in values if value.strip()))


def money(value: int) -> int:
    """Return an amount in minor units."""
    if not -VALUE_MOST <= value <= VALUE_MOST:
        raise UserError("input.invalid", value=str(value)[:40], field="Value")
    return value


def currency(value: str) -> str:
    """Return an ISO 4217 code."""
    code = value.strip().upper()
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise UserError("input.invalid", value=line(value, "Currency", most=10_000)[:40], field="Currency")
    return code


def choice(value: str, field: str, allowed: Iterable[str]) -> str:
    """Return the value when it is one of `allowed`."""
    if value not in allowed:
        raise UserError("input.invalid", value=_UNUSABLE.sub(" ", str(value))[:40], field=field)
    return value
