"""What a server's refusal means: the table of providers' real words, for IMAP and SMTP (sync.md A4). Pure.

    words of the answer ──▶ Meaning ──▶ error code ("imap.…", "smtp.…") ──▶ ends by itself, or the user signs in again

Only words decide here; who reads answers off the wire is `imap/failures.py` and `outbox/smtp.py`. A meaning that is SURE
can't come from a server's bad day, so nobody waits for a second one; a plain "wrong password" can: servers that have lost
their directory say so to everybody, and three in a row are needed (sync/outcome.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Meaning = Literal["throttled", "outage", "app_password", "web_sign_in", "oauth_only", "off", "either", "password"]


@dataclass(frozen=True, slots=True)
class Words:
    """Words that an answer holds, in lower case, and what they mean; `who` says so, for people who read this table."""

    text: str
    meaning: Meaning
    who: str


#: The first that fits decides, so what ends by itself comes first: nobody is to be signed out by a busy server.
TABLE: tuple[Words, ...] = (
    Words("throttled", "throttled", "Microsoft: Request is throttled. Suggested Backoff Time: N milliseconds"),
    Words("too many", "throttled", "Gmail, Yahoo, Dovecot: too many connections, too many bad auth attempts"),
    Words("[limit]", "throttled", "Yahoo"),
    Words("[overquota]", "throttled", "RFC 5530"),
    Words("rate limit", "throttled", "Yahoo"),
    Words("bandwidth limits", "throttled", "Gmail: Account exceeded command or bandwidth limits"),
    Words("try again later", "throttled", "many"),
    Words("[inuse]", "throttled", "RFC 5530"),
    Words("session expired", "throttled", "Gmail's BYE after its daily download limit"),
    Words("[unavailable]", "outage", "RFC 5530; Dovecot, Yahoo"),
    Words("[serverbug]", "outage", "RFC 5530"),
    Words("temporary", "outage", "Dovecot: Temporary authentication failure"),
    Words("temporarily", "outage", "many"),
    Words("internal error", "outage", "Dovecot"),
    Words("internal server error", "outage", "many"),
    Words("server busy", "outage", "Microsoft"),
    Words("service unavailable", "outage", "many"),
    Words("shutting down", "outage", "many"),
    Words("application-specific password", "app_password", "Gmail, 5.7.9"),
    Words("app-specific password", "app_password", "iCloud"),
    Words("app password", "app_password", "Fastmail, Yandex"),
    Words("application password is required", "app_password", "Mail.ru"),
    Words("parol prilozheniya", "app_password", "Mail.ru, in Latin letters"),
    Words("using authorized code", "app_password", "QQ: Please using authorized code to login"),
    Words("authorized code is incorrect", "app_password", "QQ"),
    Words("authorization code to login", "app_password", "QQ, SMTP: Please enter your authorization code to login"),
    Words("weixin token", "app_password", "QQ: Login fail. Please using weixin token"),
    Words("授权码", "app_password", "QQ, NetEase: authorisation code"),
    Words("web browser", "web_sign_in", "Gmail: Please log in via your web browser, 5.7.14"),
    Words("[webalert", "web_sign_in", "Gmail: Web login required"),
    Words("web login required", "web_sign_in", "Gmail"),
    Words("verify your account", "web_sign_in", "Mail.ru, AOL"),
    Words("unsafe login", "web_sign_in", "NetEase, although mailcrm said who it is (ID)"),
    Words("basic authentication is disabled", "oauth_only", "Microsoft, 5.7.139"),
    Words("basic authentication is not supported", "oauth_only", "Microsoft, 5.7.30"),
    Words("not enabled for imap", "off", "Gmail: Your account is not enabled for IMAP use"),
    Words("imap service is disabled", "off", "many"),
    Words("imap access is disabled", "off", "many"),
    Words("imap access disabled", "off", "many"),
    Words("invalid credentials or imap is disabled", "either", "Yandex does not tell which"),
    Words("password is incorrect, login frequency", "either", "QQ: account abnormal, service not open, password …"),
    Words("imap is disabled", "off", "many"),
    Words("logindisabled", "off", "RFC 3501: the server takes no LOGIN"),
    Words("smtpclientauthentication is disabled", "off", "Microsoft: for the tenant or the mailbox"),
    Words("smtp auth is disabled", "off", "many"),
    Words("does not have access rights to this service", "off", "Yandex, SMTP"),
    Words("user has no permission", "off", "NetEase, SMTP, 550"),
    Words("[contactadmin]", "off", "RFC 5530"),
)

#: What no bad day of a server explains: the user is asked at once.
SURE: frozenset[Meaning] = frozenset({"app_password", "web_sign_in", "oauth_only", "off"})
#: What ends by itself.
PASSING: frozenset[Meaning] = frozenset({"throttled", "outage"})

_CODES: dict[Meaning, str] = {
    "app_password": "app_password",
    "web_sign_in": "web_sign_in",
    "oauth_only": "oauth_only",
    "off": "disabled",
    "either": "wrong_or_off",
    "password": "wrong_password",
}
#: Every error code after which the user has to sign in again, and those of them that one answer is enough for.
REFUSED = frozenset(f"{kind}.{code}" for kind in ("imap", "smtp") for code in _CODES.values())
SURE_CODES = frozenset(f"{kind}.{_CODES[each]}" for kind in ("imap", "smtp") for each in SURE)

_NOT_CONNECTED = "authenticated but not connected"  # Microsoft, at the first command after a sign-in that failed
_LOCKED_OUT = "unsafe login"  # NetEase, when a folder is opened
_SPACES = re.compile(r"\s+")


def of_sign_in(answer: str) -> Meaning:
    """Return what the refusal of a sign-in means; what nobody knows is a wrong password."""
    text = _folded(answer)
    return _meaning(text) or "password"


def of_command(answer: str) -> Meaning | None:
    """Return what the refusal of a later command says of the sign-in; None when it is about the command.

    Some servers sign everybody in and refuse afterwards.
    """
    text = _folded(answer)
    found = _meaning(text)
    if found in PASSING:
        return found
    if _NOT_CONNECTED in text:
        return "password"
    return "web_sign_in" if _LOCKED_OUT in text else None


def code(protocol: Literal["imap", "smtp"], meaning: Meaning) -> str:
    """Return the error code of a refusal that does not end by itself."""
    return f"{protocol}.{_CODES[meaning]}"


def _meaning(text: str) -> Meaning | None:
    return next((words.meaning for words in TABLE if words.text in text), None)


def _folded(answer: str) -> str:
    return _SPACES.sub(" ", answer.casefold())
