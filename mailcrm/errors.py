"""The error tree: every failure that a person may meet, with its one sentence.

Each error carries a `code` (stable, lower-case, dotted) and named parameters. The sentence of a code lives in
`SENTENCES` in English and is translated through the gettext catalogues (`services/i18n.py`) with the English
sentence as its msgid. What the sentence says: what happened, then what to do (DESIGN.md §10).

Does not hold providers' answers: those are translated where they arrive (`providers/`, `imap/client.py`,
`outbox/smtp.py`), always `raise … from`.
"""

from __future__ import annotations

SENTENCES: dict[str, str] = {
    "not_found": "That doesn’t exist, or you can’t see it.",
    "internal": "Something went wrong on our side. Try again; if it goes on, look at the server’s log.",
    "auth.wrong": "That email and password don’t match. {left} tries left.",
    "auth.locked": "Too many tries. Wait until {until}, then try again.",
    "auth.signed_out": "You were signed out. Sign in again to go on.",
    "auth.disabled": "This account is switched off. Ask your administrator.",
    "auth.password_short": "That password is too short. Use at least {least} characters.",
    "auth.password_common": "That password is too easy to guess. Use a longer phrase.",
    "auth.email_invalid": "“{email}” isn’t an email address. Check it for a missing part.",
    "auth.email_taken": "Somebody with the address {email} already has an account.",
    "auth.name_missing": "Enter a name, so that colleagues know who this is.",
    "auth.setup_done": "This server is set up already. Sign in instead.",
    "auth.invite_invalid": "This invitation was used or has expired. Ask for a new link.",
    "auth.admin_only": "Only an administrator can do this.",
    "auth.last_admin": "This is the last administrator. Make somebody else one first.",
    "auth.bad_origin": "The request came from another site, so it was refused. Open mailcrm and try again.",
    "input.invalid": "“{value}” doesn’t fit {field}. Change it and try again.",
    "input.missing": "{field} is empty. Fill it in and try again.",
    "input.too_long": "{field} is longer than {most} characters. Shorten it and try again.",
    "attachment.gone": "“{name}” was left on the server because of its size, and the server no longer has this email. "
    "Ask the sender for the file.",
    "thread.nothing_left": "Nothing would be left of the conversation. Choose a later message to split from.",
    "thread.same": "That is this conversation itself. Choose another one.",
    "thread.too_long": "Together the conversations have more than {most} messages. Leave them apart.",
    "secret.unreadable": "The stored password can’t be read with this server’s key. Enter it again.",
    "database.newer": "The database was made by a newer mailcrm ({found}). Install that version, or restore an older backup.",
}


class MailcrmError(Exception):
    """Base of every error that mailcrm raises on purpose."""

    code = "internal"

    def __init__(self, code: str | None = None, /, **params: object) -> None:
        """Keep `code` (default: the class's) and the sentence's parameters.

        Raises KeyError when the code has no sentence: an error without words is a defect, found by any test.
        """
        self.code = code or type(self).code
        self.params = params
        super().__init__(SENTENCES[self.code].format(**params))

    @property
    def sentence(self) -> str:
        """The English sentence; translate with `i18n.sentence(error, language)`."""
        return str(self)


class UserError(MailcrmError):
    """The user asked for something that can't be done; the sentence says what to change."""


class NotFound(MailcrmError):
    """The row is absent or the actor may not see it; the two can't be told apart."""

    code = "not_found"


class TransientError(MailcrmError):
    """It may work later without anybody doing anything; `retry_after` is in seconds, None when unknown."""

    def __init__(self, code: str | None = None, /, *, retry_after: float | None = None, **params: object) -> None:
        super().__init__(code, **params)
        self.retry_after = retry_after


class PermanentError(MailcrmError):
    """It will fail again until somebody changes something."""


class NeedsReconnect(PermanentError):
    """The mailbox's credentials no longer work; the user signs in again (M10)."""


class ConfigError(MailcrmError):
    """A setting is wrong; the start stops with this sentence."""


SENTENCES["config.invalid"] = "{name}={value!r} is not usable: {why}."

# Mail servers (services/mail/providers, imap, outbox/smtp.py). `server.*` are shared by IMAP and SMTP.
SENTENCES.update(
    {
        "server.unknown_host": "No server called {host} was found. Check the name for a typing mistake.",
        "server.refused": "{host} refuses connections on port {port}. Check the port, or whether the server runs.",
        "server.unreachable": "{host} can’t be reached on port {port}. Check the name, the port and the network.",
        "server.timeout": "{host} did not answer on port {port} in time. Check the port, or try again later.",
        "server.lost": "{host} closed the connection. It will be tried again.",
        "server.protocol": "{host} gave an answer that makes no sense on port {port}. Check the port.",
        "server.private": "{host} is on a private network, which this installation does not allow. "
        "Ask your administrator, or use the server’s public name.",
        "server.clear_text": "{host} is on another machine, so the connection must be encrypted. "
        "Choose SSL/TLS or STARTTLS.",
        "server.tls": "No encrypted connection to {host} on port {port} could be agreed. "
        "The server’s TLS may be too old; ask its operator.",
        "server.tls_to_plain": "Port {port} of {host} does not start with SSL/TLS. "
        "Choose STARTTLS, or use the port for SSL/TLS.",
        "server.plain_to_tls": "Port {port} of {host} expects SSL/TLS from the start. Choose SSL/TLS.",
        "server.no_starttls": "{host} does not offer STARTTLS on port {port}. Choose SSL/TLS and its port.",
        "server.certificate_name": "The certificate of {host} belongs to another name. "
        "Use the name on the certificate, often one your mail provider gives.",
        "server.certificate_expired": "The certificate of {host} has expired or is not valid yet. "
        "Ask the server’s operator to renew it.",
        "server.certificate_untrusted": "The certificate of {host} is not from an issuer this machine trusts. "
        "Install a trusted certificate on the server, or the issuer’s on this machine.",
        "server.bad_text": "{field} holds a line break or a NUL character. Remove it and try again.",
        "imap.wrong_password": "{host} did not accept this user name and password. Check both and enter them again.",
        "imap.app_password": "{host} wants an app password here, not the usual one. "
        "Make one in your mail provider’s security settings and enter it.",
        "imap.disabled": "{host} does not let this account use IMAP. Switch IMAP on in your mail provider’s settings.",
        "imap.throttled": "{host} asks to slow down. It will be tried again later.",
        "imap.unavailable": "{host} is not available for now: “{answer}”. It will be tried again.",
        "imap.folder_missing": "The folder “{folder}” can’t be opened on the server. It will be looked for again.",
        "imap.refused": "{host} refused a command: “{answer}”. It will be tried again.",
        "smtp.wrong_password": "{host} did not accept this user name and password for sending. "
        "Check both and enter them again.",
        "smtp.app_password": "{host} wants an app password for sending, not the usual one. "
        "Make one in your mail provider’s security settings and enter it.",
        "smtp.no_auth": "{host} offers no sign-in on port {port}. Check the port and the security setting.",
        "smtp.deferred": "{host} did not take the message for now: “{answer}”. It will be tried again.",
        "smtp.refused": "{host} refused the message: “{answer}”. Change what it complains about and send again.",
        "smtp.sender_refused": "{host} does not let this mailbox send as {address}. "
        "Choose another sender address, or ask your mail provider.",
        "smtp.recipients_deferred": "{host} took none of the recipients for now: “{answer}”. It will be tried again.",
        "smtp.recipients_refused": "{host} refused every recipient: “{answer}”. Check the addresses.",
        "smtp.no_utf8": "{host} can’t deliver to {address}, because its name part is not plain ASCII. "
        "Ask the recipient for another address.",
        "smtp.unknown": "The connection broke after the message was handed over, so it may have been sent. "
        "Look in Sent before you send it again.",
    }
)


class DeliveryUnknown(MailcrmError):
    """The connection broke after the final dot: the message may or may not be sent. Look for it in Sent first."""

    code = "smtp.unknown"


# Starting, building, the command line (mailcrm/serve.py, build.py, cli/).
SENTENCES.update(
    {
        "serve.port": "Port {port} on {host} is in use. Stop the program that uses it, or set MAILCRM_PORT to another.",
        "serve.address": "{host} is not an address of this machine. Set MAILCRM_HOST to one that is.",
        "serve.database": "The database can’t be reached: {why}. Check MAILCRM_DATABASE_URL.",
        "serve.queue": "The queue can’t be reached. Check MAILCRM_QUEUE_URL, and that its server runs.",
        "serve.redis": "Redis can’t be reached. Check MAILCRM_REDIS_URL, and that its server runs.",
        "build.failed": "The interface could not be built. The last lines above say why; the whole log is in {log}.",
        "build.no_node": "Node is missing from the virtual environment. Run make run, which installs it.",
        "queue.url": "MAILCRM_QUEUE_URL must begin with sqlite:///, redis://, rediss:// or postgresql://.",
        "cli.no_password": "No password came in. Type it, or send it through --password-stdin.",
        "cli.no_user": "Nobody has an account with the address {email}. See user list.",
        "cli.no_mailbox": "No connected mailbox has the address {address}. See mailbox list.",
        "cli.servers_missing": "The servers of {address} are not known. Give --imap-host and --smtp-host.",
        "cli.no_folder": "The mailbox has no folder called “{folder}”. See mailbox folders.",
        "cli.since": "--since takes a number of days such as 30d, or all.",
        "demo.taken": "This data folder already has a workspace. Set MAILCRM_DATA_DIR to an empty folder for the demo.",
        "mailbox.taken": "{address} is connected already.",
        "mailbox.address": "“{address}” isn’t an email address. Check it for a missing part.",
        "mailbox.history": "History must be a number of days from 1 to 36500, or everything.",
    }
)

# Writing and sending (services/mail/outbox).
SENTENCES.update(
    {
        "outbox.no_mailbox": "No mailbox is connected yet. Connect one in Settings, then write.",
        "outbox.not_draft": "This email is on its way already, so it can’t be changed.",
        "outbox.not_failed": "This email did not fail, so there is nothing to send again.",
        "outbox.too_late": "It is too late to undo: the email is on its way.",
        "outbox.no_recipients": "Nobody to send to. Enter at least one address.",
        "outbox.bad_address": "“{address}” isn’t an address mail can be sent to. Correct or remove it.",
        "outbox.too_many": "One email can go to {most} people at most. Send it in several parts.",
        "outbox.empty": "The email is empty. Write a subject or some text.",
        "outbox.too_large": "Attachments may have {most} MB in all. Leave one out, or send a link to it.",
        "outbox.unbuildable": "This email can’t be put together safely. Write it again without the pasted parts.",
        "outbox.gave_up": "{host} did not take the email for a day: “{answer}”. Send it again, or ask the recipient.",
        "outbox.some_refused": "{host} refused some recipients. The others have the email.",
    }
)

SENTENCES.update(
    {
        "sync.doubt_count": "The server’s list of “{folder}” disagrees with its own count. "
        "Nothing was removed; it will be compared again.",
        "sync.doubt_mass": "Many messages seem to be gone from “{folder}”. Nothing was removed; "
        "it will be compared again.",
        "sync.doubt_empty": "“{folder}” suddenly looks empty on the server. Nothing was removed; "
        "it will be compared again.",
        "sync.disk_full": "The disk of mailcrm’s server is full. Nothing is lost; "
        "ask the administrator to make room, and syncing goes on.",
        "sync.broke": "Syncing failed on our side. It will be tried again; the server’s log says why.",
    }
)

# Settings of a mailbox (services/mail/folder_choice.py).
SENTENCES.update(
    {
        "folders.none": "Choose at least one folder, or sync everything.",
        "folders.not_synced": "“{folder}” is not synced, so it can’t be watched. Choose it first.",
        "folders.watched": "At most {most} folders besides the Inbox can be watched. Switch another one off first.",
    }
)

# Writing back what was done here (services/mail/writeback).
SENTENCES.update(
    {
        "writeback.no_archive": "The server has no archive folder. Make one called “Archive” there, then try again.",
        "writeback.no_trash": "The server has no trash folder. Make one called “Trash” there, then try again.",
        "writeback.no_way_back": "The folder it came from is gone from the server. Move the message there by hand.",
        "writeback.no_safe_move": "The server can’t move a message without risk (it has neither MOVE nor UIDPLUS). "
        "Move it in another mail program.",
        "writeback.read_only": "“{folder}” can’t be changed on the server. Ask its owner for the right to.",
        "writeback.target": "“{folder}” can’t be opened on the server. Check that it is there, then try again.",
        "writeback.copy_lost": "The copy in “{folder}” can’t be found, so the original was left where it is. "
        "Look at both, then try again.",
        "writeback.broke": "Writing to the mailbox failed on our side. It will be tried again; the server’s log says why.",
    }
)

# Why a message was set aside (services/mail/quarantine.py, parse/, sync/fetch.py).
SENTENCES.update(
    {
        "quarantine.not_handed_out": "The server lists this email but does not hand it out.",
        "quarantine.malformed": "The server’s answer for this email could not be read.",
        "quarantine.empty": "The server sent an empty email.",
        "quarantine.database": "The database does not take this email.",
        "quarantine.broke": "Reading this email failed ({kind}).",
        "quarantine.unreadable": "No reader understands this email ({kind}).",
        "quarantine.nested": "This email is nested too deeply.",
        "quarantine.deeper": "This email is nested deeper than {most} levels.",
        "quarantine.parts": "This email has too many parts.",
        "quarantine.more_parts": "This email has more than {most} parts.",
        "quarantine.too_large": "This email is larger than {most} MB.",
        "quarantine.header": "The header of this email is longer than {most} KB.",
    }
)
