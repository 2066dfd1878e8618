"""What `doctor` finds out about an app at a real provider (issue 7: redirect URIs and scopes)."""

from __future__ import annotations

import pytest

from mailcrm import config
from mailcrm.cli import checks
from mailcrm.errors import MailcrmError
from mailcrm.services.mail.oauth import checkup
from tests.integration.oauth.conftest import Loop
from tests.servers.oidc import OidcProvider

PROVIDERS = pytest.mark.parametrize("provider", ["google", "microsoft"])


@PROVIDERS
def test_a_good_app_is_recognised_and_what_must_be_registered_is_printed(
    sqlite_db: object, oidc: OidcProvider, provider: str
) -> None:
    oidc.control(fresh=True)
    with oidc.in_charge():
        said = checkup.look(provider)  # type: ignore[arg-type]
    assert f"{oidc.public_url}/oauth/{provider}/callback" in said
    assert ("https://mail.google.com/" if provider == "google" else "IMAP.AccessAsUser.All") in said


@PROVIDERS
@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"MAILCRM_{}_CLIENT_SECRET": "another secret"}, "oauth.client"),
        ({"MAILCRM_{}_CLIENT_ID": "unknown"}, "oauth.client"),
        ({"MAILCRM_PUBLIC_URL": "http://crm.example"}, "config.invalid"),
        ({"MAILCRM_PUBLIC_URL": "https://192.0.2.7"}, "config.invalid"),
        ({"MAILCRM_OAUTH_{}_TOKEN_URL": "https://localhost:1/token"}, "oauth.unavailable"),
    ],
)
def test_what_is_wrong_with_it_is_said(
    sqlite_db: object, oidc: OidcProvider, provider: str, settings: dict[str, str], code: str,
) -> None:  # fmt: skip
    oidc.control(fresh=True)
    with oidc.in_charge(**{name.format(provider.upper()): value for name, value in settings.items()}):
        with pytest.raises(MailcrmError) as found:
            checkup.look(provider)  # type: ignore[arg-type]
        assert found.value.code == code
        assert "another secret" not in str(found.value)


def test_nothing_set_up_is_nothing_wrong(sqlite_db: object) -> None:
    assert "docs/oauth.md" in checkup.look("google")


def test_doctor_prints_no_secret(loop: Loop, capsys: pytest.CaptureFixture[str]) -> None:
    checks.run()
    said = capsys.readouterr().out
    assert "MAILCRM_GOOGLE_CLIENT_ID" in said
    assert "Sign-in with Google: the app is recognised" in said
    assert config.config().google.client_secret not in said
