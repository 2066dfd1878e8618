"""Logging: one line for each event, as text for people or JSON for machines (MAILCRM_LOG), on standard error.

Everything that logs (ours through structlog; Huey, Granian, Reflex, IMAPClient through the standard library) goes
through one handler, which strikes out secrets. Does not decide what is logged, and never logs message text.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from mailcrm.config import config

STRUCK = "[struck out]"
_SECRET_KEY = re.compile(r"pass(word|wd|phrase)|secret|token|cookie|authorization|credential", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"""(?ixs)
      ( \b (?:cookie|set-cookie|authorization|x-api-key) \\?["']? \s* [:=] \s* \\?["']? ) [^"'\r\n]+   # a header
    | ( \b (?:__Host-)? sid= ) [\w\-.~]+                        # a session
    | ( \b bearer \s+ ) [\w\-.~+/=]+
    | ( :// [^/\s:@]+ : ) [^/\s@]+ (?=@)                        # user:password@host
    | ( [?&] token= ) [^&\s"']+                                 # Reflex's client token
    | ( \b \w* (?:passw(?:or)?d|passphrase|secret) \w* \\?["']? \s* [:=] \s* \[? \\?["']? ) [^"'\r\n]+  # a form's field
    | ( \b with\ value\ ' ) .* (?='\ and\ type\ hint)            # Reflex, of an argument of the wrong type
    | ( \b (?:router_data=|event\ data:|must\ be\ a\ dictionary,\ but\ received) ) .*   # Reflex, an event and what it carries
    """
)
#: Control characters, and Unicode's own line ends: what a stranger sent must not begin a new line, or move the cursor.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_OF_MANY_LINES = ("exception", "stack")
#: Characters of one text; of a longer one its beginning and its end are kept. A stranger must not fill the disk.
MOST = 2_000
MOST_OF_MANY_LINES = 20_000
#: Their own start-up chatter and per-task lines; warnings and errors still come through.
QUIET = (
    "huey",
    "huey.consumer",
    "granian",
    "_granian",
    "alembic",
    "httpx",
    "imapclient",
    "mail.log",
    "pymap",
    "asyncio",
)
#: Libraries that write what an endpoint answered into their log, tokens and all; what went wrong is in our errors.
SILENT = ("msal", "oauthlib", "requests_oauthlib", "google.auth", "google_auth_oauthlib")


def setup(process: str) -> None:
    """Send all logging of this process through one handler; `process` names it on each line. Repeatable."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name(process),
    ]
    if config().log == "json":
        last: list[Any] = [structlog.processors.format_exc_info, strike, structlog.processors.JSONRenderer()]
    else:
        colors = sys.stderr.isatty()
        last = [structlog.processors.format_exc_info, strike, structlog.dev.ConsoleRenderer(colors=colors)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in QUIET:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.WARNING)
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    for name in ("reflex", "reflex_base"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def strike(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace secrets: values under a telling name, and headers, sessions and passwords inside any text.

    Reflex logs an event with an unknown handler whole: headers, and what it carries, which may be somebody's email or
    a megabyte of a stranger's. The text rule, and the most characters, are for that.
    """
    for name, value in event.items():
        if _SECRET_KEY.search(name):
            event[name] = STRUCK
        elif isinstance(value, str):
            many = name in _OF_MANY_LINES
            text = strike_text(_cut(value, MOST_OF_MANY_LINES if many else MOST))
            event[name] = text if many else _one_line(text)
        elif not isinstance(value, (int, float, bool, type(None))):
            event[name] = _one_line(strike_text(_cut(str(value), MOST)))
    return event


def strike_text(text: str) -> str:
    """Replace the secrets that a piece of text is known to carry; keeps the rest as it is."""
    return _SECRET_TEXT.sub(lambda found: next(part for part in found.groups() if part) + STRUCK, text)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    # A rule that begins before the cut would not know what the kept end belongs to: so lines, or nothing, of the end.
    end = text[-most // 2 :].partition("\n")[2]
    return f"{text[: most // 2]} [{len(text) - most // 2 - len(end)} characters left out]\n{end}".rstrip("\n")


def _one_line(text: str) -> str:
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _name(process: str) -> Any:
    def add(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = process
        return event

    return add
