"""What providers bear: the roles' connections never pass it (providers.md §3)."""

from __future__ import annotations

import pytest

from mailcrm.services.mail.providers import pace

HOSTS = [host for host, _ in pace._HOSTS] + ["mail.example.org"]


@pytest.mark.parametrize("host", HOSTS)
def test_the_roles_together_stay_within_the_limit(host: str) -> None:
    found = pace.of_host(host)
    assert found.watch + pace.SYNC + pace.WRITE <= found.connections
    assert found.renew_s < 29 * 60  # RFC 2177
    assert found.safety_s <= 5 * 60


def test_hosts_are_matched_by_their_end_and_nothing_else() -> None:
    assert pace.of_host("imap.gmail.com").all_mail
    assert pace.of_host("IMAP.Gmail.com.").all_mail
    assert pace.of_host("imap.notgmail.com") == pace.GENERIC
    assert pace.of_host("gmail.com.example.org") == pace.GENERIC
    assert pace.of_host("imap.some.me.com") != pace.GENERIC
    assert pace.of_host("home.com") == pace.GENERIC
    assert not pace.of_host("imap.163.com").idle
