"""Whose pass counts for whose From (DMARC's relaxed alignment)."""

from __future__ import annotations

import pytest

from mailcrm.services.smart_bcc.aligned import Checks, Said, checks_of, is_aligned, is_genuine


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("crm.example", "crm.example"), ("mail.crm.example", "crm.example"), ("crm.example", "bounces.crm.example"),
        ("CRM.example.", "crm.EXAMPLE"), ("bücher.example", "xn--bcher-kva.example"), ("a.corp.co.uk", "corp.co.uk"),
        ("a.unlisted", "mail.a.unlisted"),
    ],
)  # fmt: skip
def test_one_organization(mine: str, theirs: str) -> None:
    assert is_aligned(mine, theirs)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("a.co.uk", "b.co.uk"), ("a.co.uk", "co.uk"), ("x.github.io", "y.github.io"), ("a.unlisted", "b.unlisted"),
        ("crm.example", "crm.example.evil.org"), ("crm.example", "evilcrm.example"), ("", ""), ("crm.example", ""),
        ("localhost", "other"), ("com", "example.com"),
    ],
)  # fmt: skip
def test_different_organizations(mine: str, theirs: str) -> None:
    """A pass of another domain proves nothing, however alike it looks."""
    assert not is_aligned(mine, theirs)


def test_only_a_pass_for_the_domain_in_from_counts() -> None:
    assert is_genuine("crm.example", Checks((Said("dkim", "fail", "crm.example"), Said("spf", "pass", "crm.example"))))
    assert not is_genuine(
        "crm.example", Checks((Said("dkim", "softfail", "crm.example"), Said("spf", "pass", "evil.org")))
    )
    assert not is_genuine("crm.example", Checks(others=(Said("dmarc", "pass", "mail.crm.example"),)))
    assert not is_genuine("crm.example", Checks())


def test_what_was_found_is_read_again_as_it_was() -> None:
    found = Checks((Said("spf", "pass", "a"),), "mx", "pass", "seal", True, (Said("dkim", "fail", "b"),))
    assert checks_of(found.as_json()) == found
    assert checks_of({"ours": True}) is None
