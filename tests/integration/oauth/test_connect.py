"""Connecting through OAuth, with the real libraries, provider and servers (M09, issue 7 "OAuth" and "Bad input")."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import select

from mailcrm.errors import MailcrmError, NotFound, UserError
from mailcrm.models import Mailbox, OAuthAttempt, utcnow
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import mailboxes
from mailcrm.services.mail.oauth import flow
from mailcrm.services.mail.oauth.values import SCOPES
from mailcrm.services.mail.outbox import smtp
from mailcrm.services.mail.signing_in import credentials, signed_in
from mailcrm.services.mail.sync.engine import sync_mailbox
from tests.builders import a_user
from tests.integration.oauth.conftest import SESSION, Loop, query

PROVIDERS = pytest.mark.parametrize("provider", ["google", "microsoft"])


def rows() -> list[Mailbox]:
    with reading() as session:
        return list(session.exec(select(Mailbox)))


@PROVIDERS
def test_a_mailbox_is_connected_synced_and_sent_from_with_tokens_alone(loop: Loop, provider: str) -> None:
    loop.dovecot.deliver(loop.address, b"From: x@y.test\r\nSubject: hello\r\n\r\nhi\r\n")
    view = loop.connect(provider)
    assert view.address == loop.address
    row = rows()[0]
    assert (row.auth, row.grant_subject, row.status) == (provider, loop.address, "active")
    report = sync_mailbox(view.id)
    assert (report.error, report.stored) == (None, 1)
    access = credentials(view.id)
    sent = signed_in(
        access,
        lambda now: smtp.deliver(
            now.smtp, now.smtp_password, mail_from=loop.address, rcpt_to=["bob@far.test"],
            message=b"Subject: out\r\n\r\nbody\r\n", allow_private=True,
        ),
    )  # fmt: skip
    assert sent.accepted == ("bob@far.test",)
    assert access.imap_password not in (loop.address, "never used")
    assert "Bearer" not in repr(access)


@PROVIDERS
def test_a_person_is_sent_away_with_pkce_state_nonce_least_scopes_and_their_address(loop: Loop, provider: str) -> None:
    url = flow.begin(loop.actor, SESSION, provider, address=loop.address)
    asked = query(url)
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert len(asked["state"]) >= 43
    assert asked["nonce"]
    assert asked["login_hint"] == loop.address
    assert asked["redirect_uri"] == f"{loop.oidc.public_url}/oauth/{provider}/callback"
    own = {"openid", "profile", "offline_access"} if provider == "microsoft" else set[str]()
    assert set(asked["scope"].split()) == set(SCOPES[flow.known(provider)]) | own
    if provider == "google":
        assert (asked["access_type"], asked["include_granted_scopes"]) == ("offline", "true")
    with reading() as session:
        attempt = session.exec(select(OAuthAttempt)).one()
    assert asked["state"] not in attempt.state_hash
    assert asked["nonce"].encode() not in attempt.secret
    assert timedelta(minutes=9) < attempt.expires_at - utcnow() <= timedelta(minutes=10)


@PROVIDERS
def test_without_an_address_the_account_is_chosen_there(loop: Loop, provider: str) -> None:
    asked = query(flow.begin(loop.actor, SESSION, provider))
    assert "select_account" in asked["prompt"]
    assert "login_hint" not in asked


@PROVIDERS
def test_a_sign_in_is_used_once_by_who_began_it_where_they_began_it(loop: Loop, provider: str) -> None:
    """security.md 10: missing, replayed, foreign and expired state; codes swapped between users; mix-up of providers."""
    other = a_user("Bea")
    url = flow.begin(loop.actor, SESSION, provider, address=loop.address)
    params = loop.oidc.walk(url, loop.address)
    elsewhere = "microsoft" if provider == "google" else "google"
    wrong = [
        (loop.actor, SESSION, provider, params | {"state": ""}),
        (loop.actor, SESSION, provider, params | {"state": params["state"][:-1]}),
        (loop.actor, "another session of the same person", provider, params),
        (other, SESSION, provider, params),
        (loop.actor, SESSION, elsewhere, params),
    ]
    for actor, secret, name, given in wrong:
        with pytest.raises(UserError) as refused:
            flow.finish(actor, secret, name, given)
        assert refused.value.code == "oauth.expired"
    assert not rows()
    assert flow.finish(loop.actor, SESSION, provider, params).is_new
    with pytest.raises(UserError) as refused:
        flow.finish(loop.actor, SESSION, provider, params)
    assert refused.value.code == "oauth.expired"
    assert len(rows()) == 1


@PROVIDERS
def test_what_comes_back_after_ten_minutes_or_from_another_provider_is_refused(loop: Loop, provider: str) -> None:
    params = loop.oidc.walk(flow.begin(loop.actor, SESSION, provider, address=loop.address), loop.address)
    with transaction() as session:
        attempt = session.exec(select(OAuthAttempt)).one()
        attempt.expires_at = utcnow() - timedelta(seconds=1)
    with pytest.raises(UserError) as refused:
        flow.finish(loop.actor, SESSION, provider, params)
    assert refused.value.code == "oauth.expired"
    params = loop.oidc.walk(flow.begin(loop.actor, SESSION, provider, address=loop.address), loop.address)
    with pytest.raises(UserError) as refused:
        flow.finish(loop.actor, SESSION, provider, params | {"iss": "https://attacker.test"})
    assert refused.value.code == "oauth.expired"
    assert not rows()


@PROVIDERS
def test_a_code_of_another_sign_in_is_refused_by_pkce(loop: Loop, provider: str) -> None:
    """A code that somebody else obtained, put into my way back, finds another verifier (and is of no use)."""
    theirs = loop.oidc.walk(flow.begin(loop.actor, SESSION, provider, address=loop.address), loop.address)
    mine = flow.begin(loop.actor, SESSION, provider, address=loop.address)
    with pytest.raises(MailcrmError) as refused:
        flow.finish(loop.actor, SESSION, provider, {"code": theirs["code"], "state": query(mine)["state"]})
    assert refused.value.code == "oauth.expired"
    assert not rows()


@PROVIDERS
def test_pkce_cannot_be_taken_off_or_made_plain_on_the_way(loop: Loop, provider: str) -> None:
    """A downgrade: the provider is asked without a challenge; it refuses (and our exchange sends the verifier anyway)."""
    url = flow.begin(loop.actor, SESSION, provider, address=loop.address)
    bare = re.sub(r"&code_challenge=[^&]*&code_challenge_method=S256|&code_challenge_method=S256", "", url)
    bare = re.sub(r"&code_challenge=[^&]*", "", bare)
    params = loop.oidc.walk(bare, loop.address)
    assert params["error"] == "invalid_request"
    with pytest.raises(UserError) as refused:
        flow.finish(loop.actor, SESSION, provider, params)
    assert refused.value.code == "oauth.refused"
    known = base64.urlsafe_b64encode(hashlib.sha256(b"a" * 43).digest()).decode().rstrip("=")
    url = flow.begin(loop.actor, SESSION, provider, address=loop.address)
    params = loop.oidc.walk(re.sub(r"code_challenge=[^&]*", f"code_challenge={known}", url), loop.address)
    with pytest.raises(MailcrmError) as refused:
        flow.finish(loop.actor, SESSION, provider, params)
    assert refused.value.code == "oauth.expired"
    assert not rows()


@PROVIDERS
def test_consent_declined_stores_nothing_and_can_be_begun_again(loop: Loop, provider: str) -> None:
    params = loop.oidc.walk(flow.begin(loop.actor, SESSION, provider, address=loop.address), loop.address, decline=True)
    with pytest.raises(UserError) as refused:
        flow.finish(loop.actor, SESSION, provider, params)
    assert refused.value.code == "oauth.declined"
    assert not rows()
    assert loop.connect(provider).address == loop.address


@PROVIDERS
def test_a_grant_that_does_not_last_or_leaves_mail_out_is_refused(loop: Loop, provider: str) -> None:
    loop.oidc.control(issueRefresh=False)
    with pytest.raises(UserError) as refused:
        loop.connect(provider)
    assert refused.value.code == "oauth.no_refresh"
    loop.oidc.control(
        fresh=True, dropScopes=["https://mail.google.com/", "https://outlook.office.com/IMAP.AccessAsUser.All"]
    )
    with pytest.raises(UserError) as refused:
        loop.connect(provider)
    assert refused.value.code == "oauth.scope"
    assert not rows()


@PROVIDERS
def test_another_account_than_the_mailboxs_own_is_refused_and_the_old_grant_stays(loop: Loop, provider: str) -> None:
    view = loop.connect(provider)
    before = rows()[0].secret
    stranger = loop.account()
    with pytest.raises(UserError) as refused:
        loop.connect(provider, account=stranger, mailbox_id=view.id)
    assert refused.value.code == "oauth.other_account"
    assert refused.value.params == {"granted": stranger, "address": loop.address}
    assert rows()[0].secret == before
    with pytest.raises(UserError) as refused:
        loop.connect(provider, account=stranger)
    assert refused.value.code == "oauth.other_address"
    assert len(rows()) == 1


def test_a_forged_email_claim_makes_no_mailbox_another_persons(loop: Loop) -> None:
    """Microsoft: whoever runs a tenant writes anything into "email". The sign-in name counts; another address counts only
    when the mail server lets the token in under it."""
    victim = loop.account()
    loop.oidc.control(claimEmail=victim)
    assert loop.connect("microsoft").address == loop.address
    assert [row.address for row in rows()] == [loop.address]
    elsewhere = replace(loop, actor=a_user("Eve"), address=victim)  # who types the address that the forger claims
    with pytest.raises(MailcrmError) as refused:
        elsewhere.connect("microsoft", account=loop.account())
    assert refused.value.code == "oauth.token_refused"
    assert [row.address for row in rows()] == [loop.address]


@PROVIDERS
def test_signing_in_again_mends_the_mailbox_and_makes_no_second_one(loop: Loop, provider: str) -> None:
    view = loop.connect(provider)
    with transaction() as session:
        row = session.get_one(Mailbox, view.id)
        row.status, row.error_code = "needs_reconnect", "oauth.revoked"
        row.reconnect_told_at = utcnow()
    again = loop.connect(provider, mailbox_id=view.id)
    assert (again.id, again.status, again.error) == (view.id, "active", "")
    assert loop.connect(provider).id == view.id
    row = rows()[0]
    assert row.reconnect_told_at is None
    assert row.sync_requested_at is not None


def test_a_mailbox_with_an_app_password_changes_to_a_grant(loop: Loop) -> None:
    view = loop.connect("google")
    mailboxes.reconnect(loop.actor, view.id, "never used")  # the password of its Dovecot user, for IMAP
    assert rows()[0].auth == "password"
    loop.connect("google")
    assert [row.auth for row in rows()] == ["google"]


def test_somebody_elses_mailbox_is_not_found(loop: Loop) -> None:
    view = loop.connect("google")
    other = a_user("Bea")
    for verb in (flow.start_url, lambda actor, provider, **more: flow.begin(actor, SESSION, provider, **more)):
        with pytest.raises(NotFound):
            verb(other, "google", mailbox_id=view.id)
    assert flow.start_url(loop.actor, "google", mailbox_id=view.id).startswith("/oauth/google/start?address=")


def test_a_removed_mailboxs_grant_is_taken_back_at_google(loop: Loop) -> None:
    view = loop.connect("google")
    token = credentials(view.id).imap_password
    mailboxes.remove(loop.actor, view.id)
    assert not loop.oidc.is_active(token.value)  # type: ignore[union-attr]


def test_two_users_mailboxes_of_one_account_do_not_end_each_other(loop: Loop) -> None:
    mine = loop.connect("google")
    theirs = loop.of(a_user("Bea")).connect("google")
    mailboxes.remove(loop.actor, mine.id)
    assert not sync_mailbox(theirs.id).error
