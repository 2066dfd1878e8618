"""What servers say when they refuse, and what it means (sync.md A4): texts from the field, one line each."""

from __future__ import annotations

import imaplib

import pytest

from mailcrm.errors import MailcrmError, NeedsReconnect, PermanentError, TransientError
from mailcrm.services.mail.imap.failures import of_answer, translated
from mailcrm.services.mail.providers.values import ServerSpec
from mailcrm.services.mail.sync import trouble

SPEC = ServerSpec("imap.example", 993, "ssl", "ann")

SIGNING_IN = [
    ("[AUTHENTICATIONFAILED] Invalid credentials (Failure)", "imap.wrong_password", NeedsReconnect),
    ("LOGIN Login error password error", "imap.wrong_password", NeedsReconnect),  # Netease
    ("[ALERT] Application-specific password required (Failure)", "imap.app_password", NeedsReconnect),  # Gmail
    ("[ALERT] Please log in via your web browser", "imap.web_sign_in", NeedsReconnect),  # Gmail
    ("Login fail. Please using weixin token to login.", "imap.app_password", NeedsReconnect),  # QQ
    ("[ALERT] Your account is not enabled for IMAP use.", "imap.disabled", NeedsReconnect),  # Gmail
    ("[CONTACTADMIN] Ask your administrator", "imap.disabled", NeedsReconnect),
    ("[ALERT] Too many simultaneous connections. (Failure)", "imap.throttled", TransientError),  # Gmail
    ("[LIMIT] LOGIN Rate limit hit.", "imap.throttled", TransientError),  # Yahoo
    ("[UNAVAILABLE] Temporary authentication failure.", "imap.unavailable", TransientError),  # Dovecot
]
LATER = [
    ("Session expired, please login again.", "imap.throttled", TransientError),  # Gmail, after 2,500 MB a day
    ("Request is throttled. Suggested Backoff Time: 12000 milliseconds", "imap.throttled", TransientError),  # Microsoft
    ("User is authenticated but not connected.", "imap.wrong_password", NeedsReconnect),  # Microsoft
    ("[SERVERBUG] Internal error occurred.", "imap.unavailable", TransientError),  # Dovecot
    ("Server shutting down.", "imap.unavailable", TransientError),
    ("EXAMINE Unsafe Login. Please contact kefu@188.com for help", "imap.web_sign_in", NeedsReconnect),
]


@pytest.mark.parametrize(("answer", "code", "kind"), SIGNING_IN)
def test_a_refused_sign_in(answer: str, code: str, kind: type[MailcrmError]) -> None:
    error = of_answer(imaplib.IMAP4.error(answer), SPEC, signing_in=True)
    assert (error.code, type(error)) == (code, kind)
    assert error.code in trouble.TABLE


@pytest.mark.parametrize(("answer", "code", "kind"), LATER)
def test_a_refused_command(answer: str, code: str, kind: type[MailcrmError]) -> None:
    error = of_answer(imaplib.IMAP4.error(answer), SPEC, signing_in=False)
    assert (error.code, type(error)) == (code, kind)
    assert error.code in trouble.TABLE


def test_a_servers_hint_is_honoured_up_to_a_quarter_of_an_hour() -> None:
    """A server must not be able to stop a mailbox for a year."""
    for milliseconds, seconds in ((12_000, 12.0), (99_999_999_999, 900.0)):
        error = of_answer(imaplib.IMAP4.error(f"Suggested Backoff Time: {milliseconds}"), SPEC, signing_in=False)
        assert isinstance(error, TransientError)
        assert error.retry_after == seconds


def test_a_missing_folder_is_the_folders_trouble() -> None:
    with pytest.raises(PermanentError) as caught, translated(SPEC, folder="Old"):
        raise imaplib.IMAP4.error("[NONEXISTENT] Unknown Mailbox: Old")
    assert caught.value.code == "imap.folder_missing"


def test_a_backoff_hint_of_5000_digits_is_a_refusal_like_any_other() -> None:
    """Python makes no number of so many digits: the reader of the refusal broke instead of saying what it was."""
    answer = f"Request is throttled. Suggested Backoff Time: {'9' * 5000} milliseconds"
    error = of_answer(imaplib.IMAP4.error(answer), SPEC, signing_in=True)
    assert error.code == "imap.throttled"
