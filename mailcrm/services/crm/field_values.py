"""Checks values of custom fields and moves them between people's terms and columns. Pure, but for UserError.

Terms: a text, a number, money as {"minor": 4820000, "currency": "EUR"}, a day (date or ISO 8601), an option's id.
A number has at most 15 significant digits, which a double keeps exactly; money is integer minor units.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from mailcrm.errors import UserError
from mailcrm.services.crm import checks

DIGITS_MOST = 15
TEXT_MOST = 5000
COLUMNS = ("text", "number", "minor", "currency", "day", "option")
EMPTY: dict[str, Any] = dict.fromkeys(COLUMNS)


def columns(type_: str, name: str, options: list[Any], value: Any) -> dict[str, Any] | None:
    """Return the columns of a value, None for an empty one; UserError names the field by `name`."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return EMPTY | _READERS[type_](value, name, options)


def term(type_: str, row: Any) -> Any:
    """Return a stored value in people's terms."""
    if type_ == "money":
        return {"minor": row.minor, "currency": row.currency}
    found = {"text": row.text, "number": row.number, "date": row.day, "choice": row.option}[type_]
    return int(found) if type_ == "number" and found == int(found) else found


def _text(value: Any, name: str, _options: list[Any]) -> dict[str, Any]:
    if not isinstance(value, str):
        raise _wrong(value, name)
    return {"text": checks.text(value, name, most=TEXT_MOST)}


def _number(value: Any, name: str, _options: list[Any]) -> dict[str, Any]:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise _wrong(value, name)
    if len(str(value)) > 400:
        raise UserError("field.digits", field=name, most=DIGITS_MOST)
    try:
        number = Decimal(str(value).strip().replace(" ", ""))
    except (InvalidOperation, ValueError):
        raise _wrong(value, name) from None
    if not number.is_finite():
        raise _wrong(value, name)
    digits = number.normalize().as_tuple().digits
    if len(digits) > DIGITS_MOST or abs(number) >= 10**DIGITS_MOST or (number and number.adjusted() < -DIGITS_MOST):
        raise UserError("field.digits", field=name, most=DIGITS_MOST)
    return {"number": float(number) + 0.0}


def _money(value: Any, name: str, _options: list[Any]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(value, name)
    given = cast("Mapping[str, Any]", value)
    minor, currency = given.get("minor"), given.get("currency")
    if type(minor) is not int or not isinstance(currency, str) or set(given) - {"minor", "currency"}:
        raise _wrong(value, name)
    if abs(minor) > checks.VALUE_MOST:
        raise _wrong(minor, name)
    return {"minor": minor, "currency": checks.currency(currency)}


def _day(value: Any, name: str, _options: list[Any]) -> dict[str, Any]:
    if isinstance(value, date) and not isinstance(value, datetime):
        return {"day": value}
    if not isinstance(value, str):
        raise _wrong(value, name)
    try:
        return {"day": date.fromisoformat(value.strip())}
    except ValueError:
        raise _wrong(value, name) from None


def _choice(value: Any, name: str, options: list[Any]) -> dict[str, Any]:
    if type(value) is not int or not any(each["id"] == value and not each.get("gone") for each in options):
        raise _wrong(value, name)
    return {"option": value}


def _wrong(value: Any, name: str) -> UserError:
    return UserError("input.invalid", value=checks.line(str(value)[:200], name)[:40], field=name)


_READERS = {"text": _text, "number": _number, "money": _money, "date": _day, "choice": _choice}
