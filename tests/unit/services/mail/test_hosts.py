"""Which addresses mail servers may be at (security.md threat 6: the hidden spellings of private addresses)."""

import pytest

from mailcrm.services.mail.providers.hosts import is_allowed, is_loopback

PRIVATE = [
    "10.0.0.1",
    "192.168.1.1",
    "172.16.0.1",
    "100.64.0.1",
    "fd00::1",
    "::ffff:10.0.0.1",
    "2002:a00:1::",
    "64:ff9b::a00:1",
]
NEVER = ["169.254.169.254", "fe80::1%eth0", "0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "::ffff:169.254.169.254"]


@pytest.mark.parametrize("ip", PRIVATE)
def test_private_addresses_need_the_setting(ip: str) -> None:
    assert not is_allowed(ip, allow_private=False)
    if ":" not in ip or ip.startswith("fd"):
        assert is_allowed(ip, allow_private=True)


@pytest.mark.parametrize("ip", NEVER)
def test_metadata_and_nonsense_addresses_are_never_allowed(ip: str) -> None:
    assert not is_allowed(ip, allow_private=True)


@pytest.mark.parametrize("ip", ["8.8.8.8", "2606:4700::1111", "127.0.0.1", "::1", "127.8.9.1"])
def test_public_and_loopback_addresses_are_allowed(ip: str) -> None:
    assert is_allowed(ip, allow_private=False)


def test_loopback_is_told_through_mapped_addresses() -> None:
    assert is_loopback("::ffff:127.0.0.1")
    assert not is_loopback("8.8.8.8")
