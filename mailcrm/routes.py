"""URLs and their builders: the one place that spells a path.

Builders take ids and return paths on this server; they check nothing.
"""

from __future__ import annotations

from urllib.parse import urlencode

ROOT = "/"
INBOX = "/inbox"
DRAFTS = "/drafts"
OUTBOX = "/outbox"
SENT = "/sent"
ARCHIVE = "/archive"
THREAD = "/thread/[thread_arg]"
DEALS = "/deals"
DEAL = "/deal/[deal_arg]"
LEADS = "/leads"
LEAD = "/lead/[lead_arg]"
PEOPLE = "/people"
PERSON = "/person/[person_arg]"
ORGANIZATIONS = "/organizations"
ORGANIZATION = "/organization/[organization_arg]"
TEMPLATES = "/templates"
REPORT_TRACKING = "/reports/tracking"
SETTINGS = "/settings"
SETTINGS_SYNC = "/settings/email-sync"
SETTINGS_BCC = "/settings/smart-bcc"
SETTINGS_SIGNATURES = "/settings/signatures"
SETTINGS_PEOPLE = "/settings/people"
SETTINGS_PIPELINES = "/settings/pipelines"
SETTINGS_RECORDS = "/settings/labels-and-fields"
SETTINGS_TRASH = "/settings/trash"
SETTINGS_TRACKING = "/settings/tracking"
SETTINGS_WEBHOOKS = "/settings/webhooks"
SETTINGS_PROFILE = "/settings/profile"
SETTINGS_NOTIFICATIONS = "/settings/notifications"
SETTINGS_IMPORT = "/settings/import"
SETTINGS_ACCOUNT = "/settings/account"
SETTINGS_AUDIT = "/settings/audit"
LOGIN = "/login"
LOGIN_CODE = "/login-code"
FORGOT = "/forgot"
RESET = "/reset/[reset_arg]"
SETUP = "/setup"
INVITE = "/invite/[invite_arg]"

AUTH_LOGIN = "/auth/login"
AUTH_LOGOUT = "/auth/logout"
AUTH_SETUP = "/auth/setup"
AUTH_DEMO = "/auth/demo"
AUTH_INVITE = "/auth/invite"
AUTH_CODE = "/auth/code"
AUTH_FORGOT = "/auth/forgot"
AUTH_RESET = "/auth/reset"

OAUTH_START = "/oauth/{provider}/start"
OAUTH_CALLBACK = "/oauth/{provider}/callback"

CONFIRM_ADDRESS = "/confirm-address/{token}"
IMPORTS = "/imports"

FOLDERS = {"inbox": INBOX, "drafts": DRAFTS, "outbox": OUTBOX, "sent": SENT, "archive": ARCHIVE}


def thread(thread_id: int) -> str:
    """The page of a conversation."""
    return f"/thread/{thread_id}"


def deal(deal_id: int) -> str:
    """The page of a deal."""
    return f"/deal/{deal_id}"


def lead(lead_id: int) -> str:
    """The lead inbox with one lead open."""
    return f"/lead/{lead_id}"


def person(person_id: int) -> str:
    """The page of a person."""
    return f"/person/{person_id}"


def organization(organization_id: int) -> str:
    """The page of an organization."""
    return f"/organization/{organization_id}"


def invite(token: str) -> str:
    """The page on which a colleague accepts an invitation."""
    return f"/invite/{token}"


def reset(token: str) -> str:
    """The page on which a forgotten password is replaced."""
    return f"/reset/{token}"


def oauth_start(
    provider: str, *, address: str = "", mailbox_id: int | None = None, history_days: int | None = None
) -> str:
    """Where a browser begins to sign in at Google or Microsoft; it comes back to the settings of email sync."""
    given = {"address": address, "mailbox": mailbox_id, "history": history_days}
    query = urlencode({name: value for name, value in given.items() if value not in ("", None)})
    return f"/oauth/{provider}/start" + (f"?{query}" if query else "")


def reconnect(mailbox_id: int) -> str:
    """The settings of email sync with one mailbox open to be signed in to again (M10)."""
    return f"{SETTINGS_SYNC}?reconnect={mailbox_id}"


def message_body(message_id: int, *, remote: bool = False) -> str:
    """The cleaned HTML of a message, for a frame; `remote` allows its images from the network."""
    return f"/m/{message_id}/body" + ("?remote=1" if remote else "")


def attachment(message_id: int, number: int) -> str:
    """The download of a message's attachment."""
    return f"/m/{message_id}/attachments/{number}"


def message_part(message_id: int, part: str) -> str:
    """Whatever a message's body names relative to itself."""
    return f"/m/{message_id}/{part}"


def text_file(message_id: int, number: int) -> str:
    """The page that shows a text file of a message."""
    return f"/m/{message_id}/attachments/{number}/text"


def template(template_id: int) -> str:
    """The page of templates with one of them open."""
    return f"{TEMPLATES}?template={template_id}"


def pdf_file(message_id: int, number: int) -> str:
    """The page that shows a PDF file of a message."""
    return f"/m/{message_id}/attachments/{number}/pdf"


def original(message_id: int) -> str:
    """The page that shows a message's headers and source."""
    return f"/m/{message_id}/original"


def print_message(message_id: int) -> str:
    """A message for paper."""
    return f"/m/{message_id}/print"


def print_thread(thread_id: int) -> str:
    """A conversation for paper."""
    return f"/print/{thread_id}"


def attached_message(message_id: int, number: int) -> str:
    """The page that shows an email attached to another one."""
    return f"/m/{message_id}/attachments/{number}/message"


def quarantined(item_id: int) -> str:
    """The download of a message that could not be read."""
    return f"/quarantine/{item_id}/raw"


def tracking_data(person_id: int) -> str:
    """The download of what tracking recorded of a person."""
    return f"/person/{person_id}/tracking-data"


def bad_lines(import_id: int) -> str:
    """The download of the lines that an import could not read."""
    return f"/imports/{import_id}/bad-lines"


def export(kinds: str) -> str:
    """The download of all persons, organizations, deals or leads as CSV, marked for Excel."""
    return f"/export/{kinds}.csv?excel=1"


def tracking_report(query: str = "") -> str:
    """The download of the tracking report as CSV, marked for Excel; `query` narrows it as on the page."""
    return "/reports/tracking.csv?excel=1" + (f"&{query}" if query else "")
