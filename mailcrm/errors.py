"""The error tree: every failure that a person may meet, with its one sentence.

Each error carries a `code` (stable, lower-case, dotted) and named parameters; the sentence of a code stands in
`sentences.py`.

Does not hold providers' answers: those are translated where they arrive (`providers/`, `imap/client.py`,
`outbox/smtp.py`), always `raise … from`.
"""

from __future__ import annotations

from mailcrm.sentences import SENTENCES


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


class CodeNeeded(UserError):
    """The password was right, and the account asks for a code too: `ticket` stands for the password for a while."""

    code = "auth.code_needed"

    def __init__(self, ticket: str) -> None:
        super().__init__()
        self.ticket = ticket


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


class GrantLost(NeedsReconnect):
    """The provider took its grant back for good ("invalid_grant"): no further try can help, the user signs in again."""

    code = "oauth.revoked"


class ConfigError(MailcrmError):
    """A setting is wrong; the start stops with this sentence."""


class DeliveryUnknown(MailcrmError):
    """The connection broke after the final dot: the message may or may not be sent. Look for it in Sent first."""

    code = "smtp.unknown"
