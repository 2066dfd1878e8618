"""Words in each language: gettext catalogues, and dates, money and sizes in a locale's own form.

English sentences are the msgids. A context (`state|Open`) tells apart words that English writes alike. The catalogues
are `.po` files read with Babel when first asked for, so there is nothing to compile. `python -m mailcrm.services.i18n`
brings the catalogues up to date with the source; a test proves that nothing is missing and nothing is left over.
Does not decide which language a user reads: that is in the user's row.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, numbers
from babel.dates import format_date, format_time, format_timedelta, get_day_names
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from mailcrm.errors import MailcrmError
from mailcrm.sentences import SENTENCES

PACKAGE = Path(__file__).resolve().parents[1]
LOCALE_DIR = PACKAGE / "locale"
LANGUAGES = {"en": "English", "ja": "日本語"}
#: Functions whose first string argument (after a language, for gettext) is a msgid.
MARKERS = {"tr": 0, "trn": 0, "gettext": 1, "ngettext": 1, "N_": 0}
EXTRACTED = ("pages", "components", "state", "endpoints", "services")


@functools.cache
def catalogue(language: str) -> dict[str, str]:
    """Every msgid with its text in `language`; English where a translation is missing."""
    english = _read("en")
    if language not in LANGUAGES or language == "en":
        return english
    return english | {key: text for key, text in _read(language).items() if text and key in english}


def _read(language: str) -> dict[str, str]:
    with (LOCALE_DIR / language / "LC_MESSAGES" / "mailcrm.po").open("rb") as handle:
        found = read_po(handle, locale=language)
    texts: dict[str, str] = {}
    for message in found:
        if not isinstance(message.id, str) or not message.id:
            continue
        key = f"{message.context}|{message.id}" if message.context else message.id
        fallback = message.id if language == "en" else ""
        texts[key] = message.string if isinstance(message.string, str) and message.string else fallback
    return texts


def N_(msgid: str) -> str:  # noqa: N802  (gettext's own name for it)
    """Mark a msgid for the catalogue where it is listed, to be translated where it is shown."""
    return msgid


def gettext(language: str, msgid: str, **params: object) -> str:
    """Return the text of `msgid` in `language`, with `{name}` parameters filled."""
    text = catalogue(language).get(msgid) or msgid.rpartition("|")[2]
    return text.format(**params) if params else text


def ngettext(language: str, one: str, many: str, n: int, **params: object) -> str:
    """Return the text for a number: `one` when n is 1, else `many`; both may name `{n}`."""
    return gettext(language, one if n == 1 else many, n=number(language, n), **params)


def sentence(error: MailcrmError, language: str) -> str:
    """Return an error's one sentence in `language`."""
    return sentence_of(error.code, language, **error.params)


def sentence_of(code: str, language: str, **params: object) -> str:
    """Return the sentence of an error code, as it arrives in a redirect; unknown codes get the general one."""
    msgid = SENTENCES.get(code, SENTENCES["internal"])
    if isinstance(params.get("field"), str):  # a field's label, in the words of the page it stands on
        params["field"] = gettext(language, str(params["field"]))
    try:
        return gettext(language, msgid).format(**params)
    except (KeyError, IndexError, ValueError):
        return gettext(language, SENTENCES["internal"])


def kept_sentence(code: str, params: Mapping[str, object], language: str) -> str:
    """Return the sentence of an error that a row keeps; "" for a row that keeps none."""
    return sentence_of(code, language, **params) if code else ""


def zone(name: str) -> tzinfo:
    """Return the named time zone; UTC for a name that does not exist."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def best_language(accept_language: str) -> str:
    """Return the first supported language of an Accept-Language header, else English."""
    for part in accept_language.split(","):
        tag = part.split(";")[0].strip().lower().split("-")[0]
        if tag in LANGUAGES:
            return tag
    return "en"


def number(language: str, value: int) -> str:
    """Return 12,480 in the locale's digits and grouping."""
    return numbers.format_decimal(value, locale=_locale(language))


def decimal(language: str, value: float, digits: int) -> str:
    """Return 58.0 with so many digits behind the locale's decimal sign."""
    return numbers.format_decimal(value, format=f"#,##0.{'0' * digits}", locale=_locale(language))


def bounded(language: str, value: int, most: int = 999) -> str:
    """Return the number as `number` does, "999+" for more than `most`, "" for none."""
    return f"{number(language, most)}+" if value > most else number(language, value) if value else ""


def format_money(minor: int, currency: str, language: str) -> str:
    """Return an amount of integer minor units; whole amounts carry no decimals (€48,200)."""
    digits = numbers.get_currency_precision(currency)
    amount = minor / 10**digits
    locale = Locale.parse("en_US") if language == "en" else _locale(language)  # its symbols are the short ones: $, ¥
    if minor % 10**digits == 0:
        pattern = locale.currency_formats["standard"].pattern.replace(".00", "")
        text = numbers.format_currency(amount, currency, format=pattern, locale=locale, currency_digits=False)
    else:
        text = numbers.format_currency(amount, currency, locale=locale)
    return text.replace("\N{FULLWIDTH YEN SIGN}", "¥")  # as wide as its digits (DESIGN.md §9)


def minor_digits(currency: str) -> int:
    """Return how many decimals a currency has: 2 for EUR, 0 for JPY."""
    return numbers.get_currency_precision(currency)


def format_size(count: int, language: str) -> str:
    """Return a file size: 418 KB, 2.1 MB."""
    if count < 1000:
        return f"{number(language, count)} B"
    if count < 1_000_000:
        return f"{number(language, round(count / 1000))} KB"
    return f"{numbers.format_decimal(round(count / 1_000_000, 1), locale=_locale(language))} MB"


def clock(language: str, when: datetime, tz: tzinfo) -> str:
    """Return the time of day: 10:42."""
    return format_time(when.astimezone(tz), format="H:mm", locale=_locale(language))


def format_when(when: datetime | date, language: str, time_zone: str, now: datetime) -> str:
    """Return a list's time, as `short_day` does, in the named zone."""
    return short_day(language, when, now, zone(time_zone))


def short_day(language: str, when: datetime | date, now: datetime, tz: tzinfo) -> str:
    """Return a list's time: 10:42 today, Mon this week, 17 Oct this year, 17 Oct 2024 before."""
    day = when.astimezone(tz).date() if isinstance(when, datetime) else when
    today = now.astimezone(tz).date()
    if day == today and isinstance(when, datetime):
        return clock(language, when, tz)
    if timedelta(0) < today - day < timedelta(days=7):
        return format_date(day, "EEE", locale=_locale(language))
    return calendar_day(language, day, today)


def long_day(language: str, when: datetime, now: datetime, tz: tzinfo) -> str:
    """Return a message's time: Today, 10:42 or Mon 20 Oct, 16:12."""
    local, today = when.astimezone(tz), now.astimezone(tz).date()
    at = clock(language, when, tz)
    if local.date() == today:
        return gettext(language, "Today, {time}", time=at)
    if language == "ja":
        return f"{format_date(local, 'M月d日(EEE)', locale=_locale(language))} {at}"
    day = format_date(local, "EEE d MMM" if local.year == today.year else "d MMM y", locale=_locale(language))
    return f"{day}, {at}"


def day_and_time(language: str, when: datetime, now: datetime, tz: tzinfo) -> str:
    """Return a timeline's time: Today, 10:42, else the day alone."""
    if when.astimezone(tz).date() == now.astimezone(tz).date():
        return long_day(language, when, now, tz)
    return short_day(language, when, now, tz)


def calendar_day(language: str, day: date, today: date) -> str:
    """Return 28 Nov, with the year when it is not this year's."""
    if language == "ja":
        return format_date(day, "M月d日" if day.year == today.year else "y年M月d日", locale=_locale(language))
    return format_date(day, "d MMM" if day.year == today.year else "d MMM y", locale=_locale(language))


def day_heading(language: str, when: datetime, now: datetime, tz: tzinfo) -> str:
    """Return the heading of a list's section: Today, Yesterday, Earlier this week, or a month."""
    day, today = when.astimezone(tz).date(), now.astimezone(tz).date()
    if day >= today:
        return gettext(language, "Today")
    if today - day == timedelta(days=1):
        return gettext(language, "Yesterday")
    if today - day < timedelta(days=7):
        return gettext(language, "Earlier this week")
    same_year = day.year == today.year
    if language == "ja":
        return format_date(day, "M月" if same_year else "y年M月", locale=_locale(language))
    return format_date(day, "LLLL" if same_year else "LLLL y", locale=_locale(language))


def weekdays(language: str, codes: Sequence[str]) -> str:
    """Return iCalendar's MO, WE as Mon, Wed."""
    names: Mapping[int, str] = get_day_names("abbreviated", locale=_locale(language))
    order = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
    return ", ".join(names[order.index(code)] for code in codes if code in order)


def weekday(language: str, day: int) -> str:
    """Return Mon for 0, Sun for 6."""
    return get_day_names("abbreviated", locale=_locale(language))[day]


def span(language: str, length: timedelta) -> str:
    """Return a length of time in one unit: 17 minutes, 3 days."""
    return format_timedelta(length, threshold=1.2, locale=_locale(language))


@functools.cache
def _locale(language: str) -> Locale:
    return Locale.parse("en_GB" if language not in LANGUAGES or language == "en" else language)


# ---- the catalogues' upkeep ------------------------------------------------------------------------------------


def used_msgids() -> dict[str, list[str]]:
    """Every msgid in the source, with the files that use it; error sentences included."""
    found: dict[str, list[str]] = {}
    for path in _sources():
        for msgid in msgids_of(ast.parse(path.read_text())):
            found.setdefault(msgid, []).append(path.relative_to(PACKAGE.parent).as_posix())
    for msgid in SENTENCES.values():
        found.setdefault(msgid, []).append("mailcrm/sentences.py")
    return found


def _sources() -> Iterable[Path]:
    for part in EXTRACTED:
        yield from sorted((PACKAGE / part).rglob("*.py"))


def msgids_of(tree: ast.AST) -> Iterable[str]:
    """Yield the msgids that a module marks; computed ones are the caller's mistake and are not seen.

    The field that an error names (`field="Title"`, `checks.line(title, "Title")`) is one too, when it is a label.
    """
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        fields = [keyword.value for keyword in node.keywords if keyword.arg == "field"]
        if isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "checks":
            fields += node.args[1:2]
        for each in fields:
            if isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value[:1].isupper():
                yield each.value
        if name not in MARKERS:
            continue
        count = 2 if name in ("trn", "ngettext") else 1
        for argument in node.args[MARKERS[name] : MARKERS[name] + count]:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value


def update(language: str) -> int:
    """Rewrite a catalogue to hold exactly the msgids in use, keeping translations; returns how many lack one."""
    path = LOCALE_DIR / language / "LC_MESSAGES" / "mailcrm.po"
    known = _read(language) if path.exists() else {}
    fresh = Catalog(
        locale=language, project="mailcrm", charset="utf-8", fuzzy=False, creation_date=datetime(2026, 1, 1, tzinfo=UTC)
    )
    if path.exists():
        with path.open("rb") as handle:
            fresh.header_comment = read_po(handle, locale=language).header_comment  # the glossary
    missing = 0
    for msgid, files in sorted(used_msgids().items()):
        context, _, text = msgid.rpartition("|")
        translated = known.get(msgid) or (text if language == "en" else "")
        missing += not translated
        fresh.add(text, translated, context=context or None, locations=[(name, 0) for name in sorted(set(files))])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as handle:
        write_po(handle, fresh, width=120, include_lineno=False, omit_header=False, sort_output=True)
    catalogue.cache_clear()
    return missing


if __name__ == "__main__":
    for each in LANGUAGES:
        print(each, update(each), "without a translation")
