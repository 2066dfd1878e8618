"""A workspace whose Google and Microsoft are the provider on loopback, with mail servers that ask it about tokens."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit

import pytest

from mailcrm.services.access import Actor
from mailcrm.services.mail.mailboxes import MailboxView
from mailcrm.services.mail.oauth import flow
from tests.builders import a_user
from tests.servers.dovecot import DovecotServer
from tests.servers.oidc import OidcProvider
from tests.servers.postfix import PostfixServer

SESSION = "the secret of a browser's session"
_names = itertools.count(1)


@dataclass(frozen=True)
class Loop:
    """Everything that a sign-in needs, and a person who has an account there."""

    actor: Actor
    address: str
    oidc: OidcProvider
    dovecot: DovecotServer
    submission: PostfixServer

    def of(self, actor: Actor) -> Loop:
        """Return the same for another person of the workspace."""
        return replace(self, actor=actor)

    def connect(self, provider: str, *, account: str = "", mailbox_id: int | None = None) -> MailboxView:
        """Do what a browser does: leave, sign in as `account`, come back."""
        url = flow.begin(self.actor, SESSION, provider, address=self.address, mailbox_id=mailbox_id)
        params = self.oidc.walk(url, account or self.address)
        return flow.finish(self.actor, SESSION, provider, params).mailbox

    def account(self) -> str:
        """Make another account with an empty mailbox; return its address."""
        address = f"person{next(_names)}@loop.test"
        self.dovecot.add_user(address, "never used")
        return address


@pytest.fixture
def loop(db: str, oidc: OidcProvider, oauth_dovecot: DovecotServer, submission: PostfixServer) -> Iterator[Loop]:
    """A person, and providers and servers of her."""
    del db
    imap, smtp = f"imaps://localhost:{oauth_dovecot.tls_port}", f"smtp://localhost:{submission.port}"
    oidc.control(fresh=True)
    with oidc.in_charge(imap, smtp):
        made = Loop(a_user("Ann"), "", oidc, oauth_dovecot, submission)
        yield replace(made, address=made.account())
    oidc.control(fresh=True)


def query(url: str) -> dict[str, str]:
    """Return the parameters of an address, each once."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
