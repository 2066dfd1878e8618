"""Cells to values: amounts, days, moments, states, several in one cell. Pure; raises UserError with what to change.

What a single cell can't tell (1/2/2026, 1,234) is looked for in the whole column: `order_of` and `decimals_of`. When
the column can't tell either, the order of days is asked for; an amount counts as thousands.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal

from mailcrm.errors import UserError
from mailcrm.services import i18n
from mailcrm.services.crm import checks

ORDERS = ("dmy", "mdy", "ymd")
_YEAR_FIRST = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
_YEAR_LAST = re.compile(r"(\d{1,2})\s*([-/.])\s*(\d{1,2})\s*\2\s*(\d{4}|\d{2})")
_NAMED = re.compile(
    r"(?:(\d{1,2})\.?[\s-]+([^\W\d]{3,9})\.?|([^\W\d]{3,9})\.?\s+(\d{1,2}))(?:,?[\s-]+)(\d{4})", re.UNICODE
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = re.compile(
    r"[T\s]*(\d{1,2})[:時](\d{2})(?:[:分](\d{2})(?:[.,]\d+)?)?[秒分]?\s*([AaPp])?\.?[Mm]?\.?\s*(Z|UTC|[+-]\d{2}:?\d{2})?"
)
_AMOUNT = re.compile(r"[+-]?\d{1,24}(?:\.\d{1,12})?")
_SIGNS = re.compile(r"[^\d.,+\-()']")
#: An Excel day number of the years 1982 to 2064.
_SERIAL = re.compile(r"[3-5]\d{4}(?:\.\d+)?")
_STATUS = {
    "open": "open", "オープン": "open", "進行中": "open", "商談中": "open", "未完了": "open",
    "won": "won", "受注": "won", "成立": "won", "成約": "won", "獲得": "won",
    "lost": "lost", "失注": "lost", "不成立": "lost", "損失": "lost",
}  # fmt: skip


def folded(text: str) -> str:
    """Return a text for comparing: one width, one case, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def several(cell: str, *, exact: bool = False) -> list[str]:
    """Cut a cell with several values: at line breaks, and unless `exact` at commas, semicolons and bars."""
    parts = re.split(r"[\r\n]+" if exact or "\n" in cell else r"[;,|、；，]+", cell)
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))


def phones(cell: str, *, exact: bool = False) -> list[str]:
    """Cut a cell with several telephone numbers; "12 34, ext. 5" is one."""
    if exact or "\n" in cell:
        return several(cell, exact=True)
    return [part.strip() for part in re.split(r"\s*[;,|/、；，]\s*(?=[+(]?\d[\d\s().-]{5,}\d)", cell) if part.strip()]


def order_of(cells: Iterable[str]) -> str:
    """Return how days are written in these cells: "dmy", "mdy", or "" when they can't tell."""
    day_first = month_first = dotted = False
    for cell in cells:
        found = _YEAR_LAST.match(unicodedata.normalize("NFKC", cell).strip())
        if found:
            day_first |= int(found[1]) > 12
            month_first |= int(found[3]) > 12
            dotted |= found[2] == "."
    if day_first and not month_first:
        return "dmy"
    if month_first and not day_first:
        return "mdy"
    return "dmy" if dotted and not month_first else ""


def is_day_unclear(cell: str) -> bool:
    """Say whether the cell is a day that may be two."""
    found = _YEAR_LAST.match(unicodedata.normalize("NFKC", cell).strip())
    return (
        found is not None and found[2] != "." and int(found[1]) <= 12 and int(found[3]) <= 12 and found[1] != found[3]
    )


def day(cell: str, order: str, field: str) -> date:
    """Return the day of a cell; a time behind it is passed over."""
    return _day(cell, order, field)[0]


def moment(cell: str, order: str, field: str, zone: tzinfo) -> datetime:
    """Return the moment of a cell, in `zone` unless it names one itself; a day alone is its noon."""
    found, rest = _day(cell, order, field)
    clock = _CLOCK.fullmatch(rest.strip()) if rest.strip() else None
    if rest.strip() and clock is None:
        raise _wrong(cell, field)
    try:
        if clock is None:
            return datetime.combine(found, time(12), zone).astimezone(UTC)
        hour = int(clock[1])
        if clock[4]:
            hour = hour % 12 + (12 if clock[4].lower() == "p" else 0)
        at = datetime.combine(found, time(hour, int(clock[2]), int(clock[3] or 0)), zone)
        if clock[5]:
            at = at.replace(tzinfo=UTC)
            if clock[5] not in ("Z", "UTC"):
                hours, minutes = int(clock[5][1:3]), int(clock[5][-2:])
                at -= timedelta(hours=hours, minutes=minutes) * (1 if clock[5][0] == "+" else -1)
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong(cell, field) from None


def decimals_of(cells: Iterable[str]) -> str:
    """Return the decimal sign of these amounts: "." or ",", or "" when they can't tell."""
    votes = {".": 0, ",": 0}
    for cell in cells:
        text = _SIGNS.sub("", unicodedata.normalize("NFKC", cell)).replace("'", "")
        point, comma = text.rfind("."), text.rfind(",")
        if point >= 0 and comma >= 0:
            votes["." if point > comma else ","] += 1
            continue
        for sign, at in ((".", point), (",", comma)):
            if at < 0:
                continue
            if text.count(sign) > 1:
                votes["," if sign == "." else "."] += 1
            elif len(text) - at - 1 != 3:
                votes[sign] += 1
    return "" if votes["."] == votes[","] else max(votes, key=lambda sign: votes[sign])


def money(cell: str, currency: str, decimals: str, field: str) -> int:
    """Return an amount in minor units of its currency; signs of currencies and spaces are passed over."""
    amount = number(cell, decimals, field)
    minor = int((Decimal(amount) * 10 ** i18n.minor_digits(currency)).quantize(Decimal(1), ROUND_HALF_UP))
    if abs(minor) > checks.VALUE_MOST:
        raise _wrong(cell, field)
    return minor


def number(cell: str, decimals: str, field: str) -> Decimal:
    """Return a number as people write it; `decimals` is the decimal sign where it is known."""
    normal = unicodedata.normalize("NFKC", cell).replace("\N{MINUS SIGN}", "-")
    text = _SIGNS.sub("", normal).replace("'", "")
    if sum(char.isalpha() for char in normal) > 5 or re.search(r"\d[^\W\d]+\d", normal):  # 1e4, A1B2
        raise _wrong(cell, field)
    if text.startswith("(") and text.endswith(")"):
        text = "-" + text
    text = text.replace("(", "").replace(")", "")
    if text.endswith("-"):
        text = "-" + text[:-1]
    sign = decimals or _decimal_sign(text)
    other = "," if sign == "." else "."
    text = text.replace(other, "").replace(sign, ".") if sign else text.replace(".", "").replace(",", "")
    if not _AMOUNT.fullmatch(text):
        raise _wrong(cell, field)
    return Decimal(text)


def currency(cell: str, default: str) -> str:
    """Return an ISO 4217 code; "" gives the default."""
    text = unicodedata.normalize("NFKC", cell).strip()
    return (
        checks.currency({"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "円": "JPY"}.get(text, text))
        if text
        else default
    )


def currency_in(cell: str) -> str:
    """Return the code or the sign that stands with an amount, "" when there is none."""
    normal = unicodedata.normalize("NFKC", cell)
    found = re.search(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])", normal)
    if found:
        return found[0]
    return next((code for sign, code in (("€", "EUR"), ("£", "GBP"), ("円", "JPY")) if sign in normal), "")


def status(cell: str, field: str) -> str:
    """Return "open", "won" or "lost"."""
    found = _STATUS.get(folded(cell))
    if found is None:
        raise _wrong(cell, field)
    return found


def _day(cell: str, order: str, field: str) -> tuple[date, str]:
    text = unicodedata.normalize("NFKC", cell).strip()
    try:
        if found := _YEAR_FIRST.match(text):
            return date(int(found[1]), int(found[2]), int(found[3])), text[found.end() :]
        if found := _YEAR_LAST.match(text):
            if order not in ("dmy", "mdy") and is_day_unclear(text):
                raise UserError("import.date_order", value=text[:40])
            first, second = int(found[1]), int(found[3])
            swapped = order == "mdy" or (order != "dmy" and second > 12)
            year = int(found[4]) + (0 if len(found[4]) == 4 else 2000 if int(found[4]) < 70 else 1900)
            return (date(year, first, second) if swapped else date(year, second, first)), text[found.end() :]
        if found := _NAMED.match(text):
            name = (found[2] or found[3])[:3].casefold()
            return date(int(found[5]), _MONTHS.index(name) + 1, int(found[1] or found[4])), text[found.end() :]
        if _SERIAL.fullmatch(text):
            return date(1899, 12, 30) + timedelta(days=int(float(text))), ""
    except (ValueError, OverflowError):
        pass
    raise _wrong(cell, field)


def _decimal_sign(text: str) -> str:
    point, comma = text.rfind("."), text.rfind(",")
    if point >= 0 and comma >= 0:
        return "." if point > comma else ","
    sign, at = (".", point) if point >= 0 else (",", comma)
    if at < 0 or text.count(sign) > 1 or (len(text) - at - 1 == 3 and not text.lstrip("+-").startswith("0")):
        return ""
    return sign


def _wrong(cell: str, field: str) -> UserError:
    return UserError("input.invalid", value=checks.line(cell[:200], field)[:40], field=field)
