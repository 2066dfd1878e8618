"""M10: what providers really answer, and what it means (sync.md A4, providers.md §3)."""

from __future__ import annotations

import pytest

from mailcrm.sentences import SENTENCES
from mailcrm.services.mail.providers import refusals

SIGN_IN = [
    # Gmail and Google Workspace
    ("[AUTHENTICATIONFAILED] Invalid credentials (Failure)", "password"),
    ("[ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)", "app_password"),
    ("5.7.9 Application-specific password required. For more information, go to", "app_password"),
    ("[ALERT] Please log in via your web browser: https://support.google.com/mail/accounts/answer/78754 (Failure)", "web_sign_in"),
    ("[WEBALERT https://accounts.google.com/signin/continue?sarp=1] Web login required.", "web_sign_in"),
    ("5.7.14 Please log in\r\n5.7.14 via your\r\n web browser and then try again.", "web_sign_in"),
    ("[ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page", "off"),
    ("[ALERT] Too many simultaneous connections. (Failure)", "throttled"),
    ("[ALERT] Account exceeded command or bandwidth limits. (Failure)", "throttled"),
    ("4.7.0 Too many login attempts, please try again later.", "throttled"),
    ("5.7.8 Username and Password not accepted.", "password"),
    # Microsoft 365, Outlook.com
    ("LOGIN failed.", "password"),
    ("AUTHENTICATE failed.", "password"),
    ("5.7.3 Authentication unsuccessful", "password"),
    ("5.7.139 Authentication unsuccessful, basic authentication is disabled.", "oauth_only"),
    ("5.7.30 Basic authentication is not supported for Client Submission.", "oauth_only"),
    ("5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.", "off"),
    ("5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.", "off"),
    ("4.7.0 Temporary authentication failure", "outage"),
    ("Request is throttled. Suggested Backoff Time: 12000 milliseconds", "throttled"),
    # Yahoo, AOL
    ("[AUTHENTICATIONFAILED] LOGIN Invalid credentials", "password"),
    ("[LIMIT] LOGIN Rate limit hit.", "throttled"),
    ("[UNAVAILABLE] LOGIN Server error - Please try again later", "throttled"),
    ("5.7.0 (#AUTH005) Too many bad auth attempts.", "throttled"),
    # iCloud, Fastmail
    ("[AUTHENTICATIONFAILED] Authentication Failed", "password"),
    ("[AUTHENTICATIONFAILED] Incorrect username or password.", "password"),
    ("Sorry, you need to create an app password to use this service", "app_password"),
    # Yandex, Mail.ru
    ("[AUTHENTICATIONFAILED] LOGIN invalid credentials or IMAP is disabled sc=1a2b", "either"),
    ("5.7.8 Error: authentication failed: This user does not have access rights to this service", "off"),
    ("[AUTHENTICATIONFAILED] NEOBHODIM parol prilozheniya / Application password is REQUIRED", "app_password"),
    # QQ
    ("Login fail. Please using weixin token to login.", "app_password"),
    ("Please using authorized code to login", "app_password"),
    ("Authorized code is incorrect", "app_password"),
    ("Login Fail. Please enter your authorization code to login. More information in http://service.mail.qq.com", "app_password"),
    ("Login fail. Account is abnormal, service is not open, password is incorrect, login frequency limited, or system is busy.", "either"),
    # NetEase
    ("LOGIN Login error password error", "password"),
    ("LOGIN Unsafe Login. Please contact kefu@188.com for help", "web_sign_in"),
    ("User has no permission", "off"),
    # The others
    ("[AUTHENTICATIONFAILED] Authentication failed.", "password"),
    ("[UNAVAILABLE] Temporary authentication failure.", "outage"),
    ("Authentication failure[0]", "password"),
    ("[CONTACTADMIN] Ask your administrator", "off"),
    ("LOGINDISABLED", "off"),
    ("Server shutting down.", "outage"),
    ("", "password"),
]  # fmt: skip
LATER = [
    ("User is authenticated but not connected.", "password"),  # Microsoft
    ("EXAMINE Unsafe Login. Please contact kefu@188.com for help", "web_sign_in"),  # NetEase without ID
    ("Session expired, please login again.", "throttled"),  # Gmail
    ("[SERVERBUG] Internal error occurred.", "outage"),
    ("[NONEXISTENT] Unknown mailbox: IMAP is disabled", None),  # a folder's name says nothing of the sign-in
    ("Mailbox doesn't exist: app password", None),
]


@pytest.mark.parametrize(("answer", "meaning"), SIGN_IN)
def test_a_refused_sign_in(answer: str, meaning: str) -> None:
    assert refusals.of_sign_in(answer) == meaning
    assert refusals.of_sign_in(answer.upper()) == meaning


@pytest.mark.parametrize(("answer", "meaning"), LATER)
def test_a_refused_command(answer: str, meaning: str | None) -> None:
    assert refusals.of_command(answer) == meaning


def test_every_refusal_has_its_sentence_and_only_a_doubtful_one_waits_for_another() -> None:
    assert set(SENTENCES) >= refusals.REFUSED
    assert {each.partition(".")[2] for each in refusals.REFUSED - refusals.SURE_CODES} == {
        "wrong_password",
        "wrong_or_off",
    }


def test_every_line_of_the_table_can_be_met() -> None:
    """A line behind a wider one would be dead."""
    for words in refusals.TABLE:
        assert words.text == words.text.casefold()
        assert refusals.of_sign_in(words.text) == words.meaning, words
