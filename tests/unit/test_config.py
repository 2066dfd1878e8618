"""Settings: defaults, and one sentence for each bad value (contract.md, "Settings")."""

from __future__ import annotations

import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailcrm import config
from mailcrm.errors import ConfigError


def load(folder: Path, **values: str) -> config.Config:
    return config.load({"MAILCRM_DATA_DIR": str(folder), **values})


def test_defaults_need_nothing(tmp_path: Path) -> None:
    found = load(tmp_path / "new")
    assert (found.host, found.port, found.worker) == ("127.0.0.1", 8000, "embedded")
    assert found.public_url == found.tracking_url == "http://localhost:8000"
    assert found.database_url.startswith("sqlite:///")


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    first = load(tmp_path)
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    assert load(tmp_path).secret_keys == first.secret_keys
    assert first.secret_keys[0] not in repr(first)


def test_threads_that_start_together_share_one_key(tmp_path: Path) -> None:
    """And what a killed process of the same number left behind is in nobody's way."""
    (tmp_path / f".secret.key.{os.getpid()}").write_text("half a k")
    together = threading.Barrier(8)

    def begin(_n: int) -> tuple[str, ...]:
        together.wait(20)
        return load(tmp_path).secret_keys

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(begin, range(8)))) == 1


def test_a_key_that_others_can_read_stops_the_start(tmp_path: Path) -> None:
    load(tmp_path)
    (tmp_path / "secret.key").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAILCRM_PORT", "http"),
        ("MAILCRM_PORT", "70000"),
        ("MAILCRM_PUBLIC_URL", "crm.example"),
        ("MAILCRM_PUBLIC_URL", "https://crm.example/?x=1"),
        ("MAILCRM_PUBLIC_URL", "https://crm example"),
        ("MAILCRM_PUBLIC_URL", "https://crm.example:99999"),
        ("MAILCRM_PUBLIC_URL", "https://name:word@crm.example"),
        ("MAILCRM_PUBLIC_URL", "https://[crm.example"),
        ("MAILCRM_TRACKING_URL", "javascript:alert(1)"),
        ("MAILCRM_DATA_DIR", "/dev/null"),
        ("MAILCRM_DATA_DIR", "/proc/nowhere"),
        ("MAILCRM_REDIS_URL", "localhost:6379"),
        ("MAILCRM_SECRET_KEY_FILE", "/"),
        ("MAILCRM_DATABASE_URL", "mysql://x"),
        ("MAILCRM_WORKER", "yes"),
        ("MAILCRM_LOG", "xml"),
        ("MAILCRM_ALLOW_PRIVATE_HOSTS", "maybe"),
        ("MAILCRM_SECRET_KEY", "short"),
        ("MAILCRM_SECRET_KEY_FILE", "/nowhere/secret.key"),
    ],
)
def test_a_bad_value_stops_the_start_with_one_sentence(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, **{name: value})
    assert str(refused.value).startswith(name.replace("_FILE", "_FILE") + "=")
    assert "\n" not in str(refused.value)


def test_https_means_secure_cookies(tmp_path: Path) -> None:
    assert load(tmp_path, MAILCRM_PUBLIC_URL="https://crm.example/").secure_cookies
    assert not load(tmp_path).secure_cookies


def test_smart_bcc_listens_where_it_is_told_for_its_domain(tmp_path: Path) -> None:
    """`MAILCRM_BCC_LISTEN` is SMTP unless it says LMTP, and needs the domain whose mail comes there (M01)."""
    env = {"MAILCRM_DATA_DIR": str(tmp_path), "MAILCRM_BCC_DOMAIN": "Bcc.Example.", "MAILCRM_BCC_LISTEN": "[::1]:25"}
    found = config.load(env).bcc
    assert (found.domain, found.protocol, found.host, found.port) == ("bcc.example", "smtp", "::1", 25)
    lmtp = config.load(
        env | {"MAILCRM_BCC_LISTEN": "lmtp://127.0.0.1:2424", "MAILCRM_BCC_AUTHSERV": "Mx.Example, b"}
    ).bcc
    assert (lmtp.protocol, lmtp.port, lmtp.authservs) == ("lmtp", 2424, frozenset({"mx.example", "b"}))
    for bad in (
        {"MAILCRM_BCC_LISTEN": "25"},
        {"MAILCRM_BCC_RELAYS": "everybody"},
        {"MAILCRM_BCC_DOMAIN": ""},
        {"MAILCRM_BCC_DOMAIN": "a b"},
    ):
        with pytest.raises(ConfigError):
            config.load(env | bad)


def test_the_workspaces_own_mail_needs_a_sender(tmp_path: Path) -> None:
    """`MAILCRM_SMTP_HOST` without an address to write from stops the start."""
    env = {"MAILCRM_DATA_DIR": str(tmp_path), "MAILCRM_SMTP_HOST": "mail.example"}
    with pytest.raises(ConfigError):
        config.load(env)
    found = config.load(env | {"MAILCRM_SMTP_USERNAME": "crm@mail.example", "MAILCRM_SMTP_PASSWORD": "s3cret"})
    assert (found.smtp.sender, found.smtp.port) == ("crm@mail.example", 587)
    assert "s3cret" not in repr(found) + repr(found.shown)
