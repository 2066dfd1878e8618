"""Translates what an Exchange server, or the library speaking to it, did wrong into mailcrm's errors.

Errors are known by their names in the protocol (ResponseCode), not by their words, which are in the server's language.
What can't be classified becomes transient: trying again later is the one answer that loses nothing.
"""

# exchangelib has no types of its own; what leaves this module is annotated.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import io
import ssl
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from exchangelib import errors

from mailcrm.errors import MailcrmError, NeedsReconnect, PermanentError, TransientError
from mailcrm.services.mail.ews.http import AnswerTooLarge, NotSoap
from mailcrm.services.mail.providers import failures
from mailcrm.services.mail.providers.values import ServerSpec

MOST_WAIT_S = 15 * 60.0
_BUSY_S = 60.0  # where the server names no time

_MISSING = ("ErrorFolderNotFound", "ErrorSyncFolderNotFound", "ErrorItemNotFound", "ErrorInvalidIdMalformed")
_NO_MAILBOX = ("ErrorNonExistentMailbox", "ErrorAccessDenied", "ErrorMissingEmailAddress", "ErrorInvalidUserInfo")
DOWN = (
    "ErrorInternalServerError", "ErrorInternalServerTransientError", "ErrorMailboxStoreUnavailable",
    "ErrorMailboxMoveInProgress", "ErrorMailboxFailover", "ErrorConnectionFailed", "ErrorTimeoutExpired",
    "ErrorExceededConnectionCount", "ErrorTooManyObjectsOpened", "ErrorBatchProcessingStopped",
)  # fmt: skip
_LOST_STATE = ("ErrorInvalidSyncStateData", "ErrorSyncStateNotFound")


class StateLost(Exception):
    """The server does not know a folder's sync state any more: all is to be listed again."""


def of(exc: BaseException, spec: ServerSpec, *, folder: str | None = None, address: str = "") -> MailcrmError:
    """Return the error that an exception means."""
    name, host = type(exc).__name__, spec.host
    if isinstance(exc, MailcrmError):
        return exc
    if isinstance(exc, errors.UnauthorizedError):
        return NeedsReconnect("imap.wrong_password", host=host)
    if isinstance(exc, (errors.ErrorServerBusy, errors.RateLimitError)):
        return TransientError("imap.throttled", host=host, retry_after=_wait(exc))
    if isinstance(exc, (AnswerTooLarge, NotSoap)):
        return TransientError("server.protocol", host=host, port=spec.port)
    if found := _of_connection(exc, spec):
        return found
    if folder is not None and (name in _MISSING or name == "ErrorAccessDenied"):
        return PermanentError("imap.folder_missing", folder=folder)
    if address and name in _NO_MAILBOX:
        return PermanentError("ews.no_mailbox", host=host, address=address)
    if name in DOWN:
        return TransientError("imap.unavailable", host=host, answer=name)
    if isinstance(exc, errors.ResponseMessageError):
        return TransientError("imap.refused", host=host, answer=name)
    return TransientError("server.protocol", host=host, port=spec.port)


def _wait(exc: BaseException) -> float:
    """Return for how long the server asks to be left alone, in seconds; a server may ask for anything."""
    asked: Any = getattr(exc, "back_off", None) or getattr(exc, "wait", None) or _BUSY_S
    try:
        return min(max(float(asked), 1.0), MOST_WAIT_S)
    except (TypeError, ValueError, OverflowError):
        return _BUSY_S


def _of_connection(exc: BaseException, spec: ServerSpec) -> MailcrmError | None:
    """Return what a failure on the way means, by what lies beneath the libraries' own exceptions."""
    chain = list(_beneath(exc))
    for each in chain:
        if isinstance(each, MailcrmError):
            return each
    for each in chain:
        if isinstance(each, ssl.SSLError):
            return failures.of_connection(each, spec.host, spec.port)
    if any(isinstance(each, (TimeoutError, requests.Timeout)) for each in chain):
        return TransientError("server.timeout", host=spec.host, port=spec.port)
    for each in chain:
        # What can't be read twice is an OSError in Python, and no trouble on the way.
        if isinstance(each, OSError) and not isinstance(each, (requests.RequestException, io.UnsupportedOperation)):
            return failures.of_connection(each, spec.host, spec.port)
    if any(isinstance(each, requests.RequestException) for each in chain):
        return TransientError("server.lost", host=spec.host)
    return None


def _beneath(exc: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[Any] = [exc]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]


@contextmanager
def translated(spec: ServerSpec, *, folder: str | None = None, address: str = "") -> Generator[None]:
    """Turn every failure of the block into one of mailcrm's errors, or StateLost, `raise … from`."""
    try:
        yield
    except (MailcrmError, StateLost):
        raise
    except Exception as exc:
        if type(exc).__name__ in _LOST_STATE:
            raise StateLost from exc
        raise of(exc, spec, folder=folder, address=address) from exc
