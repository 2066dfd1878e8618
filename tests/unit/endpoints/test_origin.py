"""State-changing requests come from our own pages (F16, CVE-2026-22689's shape)."""

from __future__ import annotations

import pytest

from mailcrm.endpoints.origin import allowed_origins, is_own

HERE = "https://crm.example"


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"origin": "https://crm.example"}, True),
        ({"origin": "https://crm.example:444"}, False),
        ({"origin": "http://crm.example"}, False),
        ({"origin": "https://crm.example.evil.example"}, False),
        ({"origin": "https://evil.example", "sec-fetch-site": "same-origin"}, False),
        ({"origin": "null"}, False),
        ({"origin": "null", "sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({}, False),
    ],
)
def test_only_our_own_pages_may_post(headers: dict[str, str], own: bool) -> None:
    """F16: another site's page never changes anything, whatever it leaves out."""
    assert is_own(headers, HERE) is own


def test_loopback_has_three_names_and_a_public_host_one() -> None:
    """People type localhost or 127.0.0.1; both are this machine. A public host has no aliases."""
    assert set(allowed_origins("http://localhost:8000")) == {
        "http://localhost:8000",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
    }
    assert allowed_origins(HERE) == (HERE,)
