"""Translates what an IMAP server, or the library reading it, did wrong into mailcrm's errors (sync.md A4).

What a refusal's words mean is a table, `providers/refusals.py`. What can't be classified becomes transient: trying again
later is the one answer that loses nothing.
"""

# IMAPClient has no types of its own; what leaves this module is annotated.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateUsage=false

from __future__ import annotations

import imaplib
import re
from collections.abc import Generator
from contextlib import contextmanager

from imapclient import exceptions

from mailcrm.errors import MailcrmError, NeedsReconnect, PermanentError, TransientError
from mailcrm.services.mail.providers import failures, refusals
from mailcrm.services.mail.providers.values import ServerSpec

_MISSING = ("[nonexistent]", "doesn't exist", "does not exist", "unknown mailbox", "no such mailbox", "[noperm]")
_BACKOFF = re.compile(r"backoff time:?\s*(\d{1,12})", re.IGNORECASE)  # Microsoft, in milliseconds
_MAX_BACKOFF_S = 15 * 60.0

_OURS = ("literal of", "answer too long", "answer with too many lines", "got more than")  # wire.py's, imaplib's

_SHOWN = 120  # characters of a server's answer that a person sees


def shown(answer: object) -> str:
    """Return a server's answer as one short printable line."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
    return "".join(c if c.isprintable() else " " for c in text).strip()[:_SHOWN]


def _said(text: str, phrases: tuple[str, ...]) -> bool:
    return any(phrase in text for phrase in phrases)


def of_answer(
    exc: BaseException, spec: ServerSpec, *, signing_in: bool, with_token: bool = False, folder: str | None = None
) -> MailcrmError:
    """Return the error that a NO, BAD or BYE means."""
    text = str(exc).lower()
    if hint := _BACKOFF.search(text):
        return TransientError("imap.throttled", host=spec.host, retry_after=min(int(hint[1]) / 1000, _MAX_BACKOFF_S))
    meaning = refusals.of_sign_in(text) if signing_in else refusals.of_command(text)
    if meaning == "throttled":
        return TransientError("imap.throttled", host=spec.host)
    if meaning == "outage":
        return TransientError("imap.unavailable", host=spec.host, answer=shown(exc))
    if with_token and meaning not in refusals.SURE:
        return NeedsReconnect("oauth.token_refused", host=spec.host)
    if meaning is not None:
        return NeedsReconnect(refusals.code("imap", meaning), host=spec.host)
    if folder is not None and _said(text, _MISSING):
        return PermanentError("imap.folder_missing", folder=folder)
    return TransientError("imap.refused", host=spec.host, answer=shown(exc))


def _of_abort(exc: imaplib.IMAP4.abort, spec: ServerSpec) -> MailcrmError:
    """EOF, BYE, or out of step: the connection is dead in every case (A9 #9)."""
    text = str(exc).lower()
    if "unexpected response" in text or "unterminated line" in text:
        return TransientError("server.protocol", host=spec.host, port=spec.port)
    if "eof" not in text and "socket error" not in text:
        found = of_answer(exc, spec, signing_in=False)
        if found.code != "imap.refused" or _said(text, _OURS):
            return found  # else a BYE with a reason that nobody knows
    return TransientError("server.lost", host=spec.host)


@contextmanager
def translated(
    spec: ServerSpec, *, signing_in: bool = False, with_token: bool = False, folder: str | None = None
) -> Generator[None]:
    """Turn every failure of the block into one of mailcrm's errors, `raise … from`."""
    try:
        yield
    except MailcrmError:
        raise
    except exceptions.CapabilityError as exc:
        raise PermanentError("server.no_starttls", host=spec.host, port=spec.port) from exc
    except exceptions.ProtocolError as exc:
        raise TransientError("server.protocol", host=spec.host, port=spec.port) from exc
    except (TimeoutError, OSError, EOFError) as exc:
        error = failures.of_connection(exc, spec.host, spec.port)
        raise error or TransientError("server.lost", host=spec.host) from exc
    except imaplib.IMAP4.error as exc:
        # IMAPClient makes a LoginError of a connection that broke during LOGIN: that is nobody's wrong password.
        broken = exc.__context__ if isinstance(exc, exceptions.LoginError) else exc
        if isinstance(broken, imaplib.IMAP4.abort):
            raise _of_abort(broken, spec) from broken
        raise of_answer(exc, spec, signing_in=signing_in, with_token=with_token, folder=folder) from exc
    except (RecursionError, IndexError, KeyError, ValueError, TypeError, AttributeError, AssertionError) as exc:
        # What IMAPClient raises on malformed answers (F13)
        raise TransientError("server.protocol", host=spec.host, port=spec.port) from exc
