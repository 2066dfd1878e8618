"""How each provider's server speaks, as far as it is known (providers.md §2, §3): data of the contract suite.

`refused`: what it answers to a wrong secret, and the error that mailcrm makes of it. Rows without a recording speak like
Dovecot, Cyrus or the server they are said to run; the printed table says so.
"""

from __future__ import annotations

from dataclasses import dataclass

COMMON = "AUTH=PLAIN AUTH=LOGIN"
DOVECOT = (
    "LITERAL+ ID IDLE ENABLE NAMESPACE UIDPLUS MOVE SPECIAL-USE CONDSTORE QRESYNC UNSELECT ESEARCH LIST-STATUS "
    "LIST-EXTENDED CHILDREN"
)
COREMAIL = "ID LITERAL+ UIDPLUS SPECIAL-USE XLIST APPENDLIMIT=71680000 X-CM-EXT-1"
YAHOO = "ID UIDPLUS MOVE OBJECTID LITERAL+ NAMESPACE"


@dataclass(frozen=True)
class Spoken:
    """A server's way to speak. `recorded` False: nobody has seen it, it is assumed."""

    offers: str = DOVECOT
    before: str = COMMON
    refused: tuple[tuple[str, str], ...] = (("[AUTHENTICATIONFAILED] Authentication failed.", "imap.wrong_password"),)
    recorded: bool = False
    oauth: bool = False
    no_select_options: bool = False
    no_id_before: bool = False
    delimiter: str = "/"
    #: What happens once in the middle of a sync: (command, the server's words, the error that mailcrm makes of it).
    trouble: tuple[tuple[str, str, str], ...] = (("FETCH", "BYE Server closing connection", "server.lost"),)
    phantoms: tuple[str, ...] = ()
    most_line: int = 0
    search_space: bool = False
    decimals: bool = False
    foreign: bool = False


CLOSING = Spoken.trouble
LIMITED = (*CLOSING, ("FETCH", "NO [LIMIT] FETCH Rate limit hit.", "imap.throttled"))
MICROSOFT = (
    *CLOSING,
    ("FETCH", "BAD Request is throttled. Suggested Backoff Time: 2000 milliseconds", "imap.throttled"),
    ("LIST", "BAD User is authenticated but not connected.", "oauth.token_refused"),
)
NETEASE_TROUBLE = (
    *CLOSING,
    ("EXAMINE", "NO EXAMINE Unsafe Login. Please contact kefu@188.com for help", "imap.web_sign_in"),
)
NETEASE_WORDS = (
    ("LOGIN Login error password error", "imap.wrong_password"),
    ("LOGIN Unsafe Login. Please contact kefu@188.com for help", "imap.web_sign_in"),
)
WRONG = ("[AUTHENTICATIONFAILED] Invalid credentials (Failure)", "imap.wrong_password")

SPOKEN: dict[str, Spoken] = {
    "gmail": Spoken(
        "IDLE CONDSTORE UIDPLUS MOVE SPECIAL-USE XLIST X-GM-EXT-1 COMPRESS=DEFLATE ESEARCH LIST-STATUS LIST-EXTENDED "
        "UTF8=ACCEPT ENABLE ID NAMESPACE UNSELECT CHILDREN APPENDLIMIT=35651584",
        "SASL-IR AUTH=XOAUTH2 AUTH=PLAIN AUTH=OAUTHBEARER ID IDLE NAMESPACE",
        (
            WRONG,
            ("[ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)", "imap.app_password"),
            ("[ALERT] Please log in via your web browser: https://support.google.com/mail/accounts/answer/78754 (Failure)", "imap.web_sign_in"),
            ("[ALERT] Your account is not enabled for IMAP use. (Failure)", "imap.disabled"),
            ("[ALERT] Too many simultaneous connections. (Failure)", "imap.throttled"),
        ),
        recorded=True,
        trouble=(
            *CLOSING,
            ("FETCH", "BYE Session expired, please login again.", "imap.throttled"),
            ("FETCH", "NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", "imap.throttled"),
        ),
    ),
    "microsoft365": Spoken(
        "IDLE NAMESPACE ID UNSELECT LITERAL+ UIDPLUS MOVE CHILDREN", "SASL-IR AUTH=PLAIN AUTH=XOAUTH2 ID",
        (("AUTHENTICATE failed.", "oauth.token_refused"),), recorded=True, oauth=True, trouble=MICROSOFT, foreign=True,
    ),
    "outlook": Spoken(
        "IDLE NAMESPACE ID UNSELECT LITERAL+ UIDPLUS MOVE CHILDREN", "SASL-IR AUTH=PLAIN AUTH=XOAUTH2 ID",
        (("AUTHENTICATE failed.", "oauth.token_refused"),), recorded=True, oauth=True, trouble=MICROSOFT, foreign=True,
    ),
    "exchange": Spoken(
        "IDLE NAMESPACE ID UNSELECT LITERAL+ UIDPLUS MOVE CHILDREN", "AUTH=PLAIN AUTH=NTLM",
        (("LOGIN failed.", "imap.wrong_password"),),
    ),
    "yahoo": Spoken(YAHOO, "SASL-IR AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER ID", (
        ("[AUTHENTICATIONFAILED] LOGIN Invalid credentials", "imap.wrong_password"),
        ("[LIMIT] LOGIN Rate limit hit.", "imap.throttled"),
        ("[UNAVAILABLE] LOGIN Server error - Please try again later", "imap.throttled"),
    ), recorded=True, trouble=LIMITED, most_line=1000, search_space=True),
    "yahoo_japan": Spoken(YAHOO, "AUTH=PLAIN AUTH=LOGIN ID", (
        ("[AUTHENTICATIONFAILED] Incorrect username or password.", "imap.wrong_password"),),
        trouble=LIMITED, most_line=1000, search_space=True),
    "icloud": Spoken(
        "CONDSTORE QRESYNC UIDPLUS SORT THREAD=REFERENCES ESEARCH BINARY METADATA LIST-STATUS LIST-EXTENDED IDLE ENABLE ID",
        "AUTH=ATOKEN AUTH=PLAIN SASL-IR", (
            ("[AUTHENTICATIONFAILED] Authentication Failed", "imap.wrong_password"),
            ("[ALERT] App-specific password required", "imap.app_password"),
        ), recorded=True, phantoms=("Notes",),
    ),
    "aol": Spoken(YAHOO, "SASL-IR AUTH=PLAIN AUTH=XOAUTH2 ID", (
        ("[AUTHENTICATIONFAILED] LOGIN Invalid credentials", "imap.wrong_password"),
        ("[LIMIT] LOGIN Rate limit hit.", "imap.throttled"),
    ), recorded=True, trouble=LIMITED, most_line=1000, search_space=True),
    "fastmail": Spoken(DOVECOT + " OBJECTID", "AUTH=PLAIN SASL-IR", (
        ("[AUTHENTICATIONFAILED] Incorrect username or password.", "imap.wrong_password"),
        ("Sorry, you need to create an app password to use this service", "imap.app_password"),
    ), no_id_before=True),  # that it refuses ID before a sign-in is known; what it offers is not
    "yandex": Spoken("IDLE ENABLE ID UIDPLUS MOVE XLIST LITERAL+ NAMESPACE UNSELECT CHILDREN", "AUTH=PLAIN AUTH=XOAUTH2 ID", (
        ("[AUTHENTICATIONFAILED] LOGIN invalid credentials or IMAP is disabled sc=1a2b", "imap.wrong_or_off"),
    ), recorded=True, delimiter="|", trouble=(
        ("FETCH", "BYE IMAP4rev1 Server logging out\r\n* BYE IMAP4rev1 Server logging out", "server.lost"),
    )),
    "mailru": Spoken("IDLE ID UIDPLUS LITERAL+ NAMESPACE XLIST", "AUTH=PLAIN AUTH=XOAUTH2 ID", (
        ("[AUTHENTICATIONFAILED] NEOBHODIM parol prilozheniya / Application password is REQUIRED", "imap.app_password"),
        ("[AUTHENTICATIONFAILED] Authentication failed. Please verify your account by going to https://account.mail.ru", "imap.web_sign_in"),
    ), decimals=True),
    "qq": Spoken("ID NAMESPACE LITERAL+ CHILDREN", "AUTH=LOGIN AUTH=PLAIN AUTH=XOAUTH2 ID", (
        ("Login fail. Please using weixin token to login.", "imap.app_password"),
        ("Authorized code is incorrect", "imap.app_password"),
        ("Please using authorized code to login.", "imap.app_password"),
        ("Login fail. Account is abnormal, service is not open, password is incorrect, login frequency limited, or system is busy.", "imap.wrong_or_off"),
    ), recorded=True),
    "exmail": Spoken("ID NAMESPACE LITERAL+ CHILDREN", "AUTH=LOGIN AUTH=PLAIN ID", (
        ("Login fail. Account is abnormal, service is not open, password is incorrect, login frequency limited, or system is busy.", "imap.wrong_or_off"),
    )),
    **dict.fromkeys(
        ("netease163", "netease126", "yeah"),
        Spoken(COREMAIL, "AUTH=PLAIN ID XLIST", NETEASE_WORDS, recorded=True, trouble=NETEASE_TROUBLE),
    ),
    "netease_enterprise": Spoken(COREMAIL, "AUTH=PLAIN ID XLIST", NETEASE_WORDS, trouble=NETEASE_TROUBLE),
    "aliyun": Spoken("ID LITERAL+ UIDPLUS IDLE", "AUTH=PLAIN AUTH=LOGIN ID", (
        ("LOGIN failed, incorrect username or password", "imap.wrong_password"),)),
    "aliyun_enterprise": Spoken("ID LITERAL+ UIDPLUS IDLE", "AUTH=PLAIN AUTH=LOGIN ID", (
        ("LOGIN failed, incorrect username or password", "imap.wrong_password"),)),
    "mail139": Spoken("ID LITERAL+ UIDPLUS", "AUTH=PLAIN AUTH=LOGIN ID", (
        ("LOGIN Login error password error", "imap.wrong_password"),)),
    "bluehost": Spoken(delimiter="."),
    "zimbra": Spoken("IDLE ID UIDPLUS CONDSTORE QRESYNC ENABLE NAMESPACE LITERAL+ UNSELECT LIST-STATUS LIST-EXTENDED ESEARCH", refused=(
        ("[AUTHENTICATIONFAILED] LOGIN failed", "imap.wrong_password"),),
        trouble=(("FETCH", "BYE mail.shop.test Zimbra IMAP4rev1 server closing connection", "server.lost"),)),
}  # fmt: skip
#: Rows that nobody recorded, and that are said to run Dovecot: gandi, gmx, godaddy, hover, namecheap, soverin, 123-reg.
ASSUMED = Spoken()


def spoken(key: str) -> Spoken:
    """Return how a row's server speaks."""
    return SPOKEN.get(key, ASSUMED)
