"""What browsers call themselves, and networks cut to what a person recognises."""

from __future__ import annotations

import pytest

from mailcrm.services.auth.devices import coarse_network, device

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "browser", "system", "mobile"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox", "Linux", False),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/142.0 Safari/537.36", "Chrome", "Windows", False),
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/142.0 Safari/537.36 Edg/142.0",
            "Edge", "Windows", False,
        ),
        (f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {WEBKIT} Chrome/142.0 Mobile Safari/537.36", "Chrome", "Android", True),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Mobile/15E148 Safari/604.1",
            "Safari", "iPhone", True,
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.5 Safari/605.1.15",
            "Safari", "macOS", False,
        ),
        ("curl/8.5", "", "", False),
        ("", "", "", False),
        ("\x00<script>" * 20, "", "", False),
    ],
)  # fmt: skip
def test_families(agent: str, browser: str, system: str, mobile: bool) -> None:
    found = device(agent)
    assert (found.browser, found.system, found.mobile) == (browser, system, mobile)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("192.168.7.9", "192.168.7.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("127.0.0.1", "local"),
        ("::1", "local"),
        ("", ""),
        ("testclient", ""),
        ("fe80::1%eth0", "fe80::/48"),
    ],
)
def test_no_whole_address_is_kept(address: str, network: str) -> None:
    assert coarse_network(address) == network
