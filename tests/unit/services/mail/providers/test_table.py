"""M11: a row for every system of providers.md, each whole and each found again from what it is known by."""

from __future__ import annotations

import pytest

from mailcrm.services.mail.imap.folders import with_roles
from mailcrm.services.mail.providers import pace, sizes, table
from mailcrm.services.mail.providers.table import Provider

SYSTEMS = {
    1: "gmail", 2: "yahoo", 3: "microsoft365", 4: "exchange", 5: "outlook", 6: "icloud", 7: "aol", 8: "fastmail",
    9: "gandi", 10: "gmx", 11: "mailru", 12: "yandex", 13: "godaddy", 14: "hover", 15: "namecheap", 16: "bluehost",
    17: "soverin", 18: "zimbra", 19: "reg123", 20: "netease126", 21: "qq", 22: "aliyun", 23: "netease163",
    24: "yeah", 25: "mail139", 26: "generic",
}  # fmt: skip
ROWS = table.providers()
rows = pytest.mark.parametrize("row", ROWS, ids=[row.key for row in ROWS])
QUIRKS = {
    "ask_capability_again", "backoff_hint", "bye_on_close", "certificate_of_box", "daily_limit", "decimal_integers",
    "empty_parts", "few_folders", "id_required", "labels", "locks_when_busy", "message_limit", "no_condstore",
    "no_id_before_sign_in", "no_idle", "no_move", "no_qresync", "odd_folders", "off_at_first", "old_tls", "rate_limit",
    "repeated_bye", "thirty_days", "three_products", "xlist",
}  # fmt: skip


def test_every_system_has_its_row_and_its_tile() -> None:
    assert {row.system for row in ROWS} == set(SYSTEMS)
    for system, key in SYSTEMS.items():
        assert table.get(key).system == system
        assert table.get(key).tile
    assert sum(row.tile for row in ROWS) == 26
    assert ROWS[-1].key == "generic"


@rows
def test_a_row_is_whole(row: Provider) -> None:
    assert row.name
    assert row.title
    assert row.mark or row.key == "generic"
    for language in ("en", "ja"):
        assert 2 <= len(row.steps[language]) <= 3
        assert all(step.endswith((".", "。")) and "!" not in step.replace("Yahoo!", "") for step in row.steps[language])
    assert len(row.steps["en"]) == len(row.steps["ja"])
    assert not row.secret_url or row.secret_url.startswith("https://")
    if row.secret_kind in ("app_password", "code") and row.auth[0] == row.secret_kind:
        assert row.secret_url  # who needs a secret made for us is told where
    assert row.signs_in_at or row.secret_kind
    assert set(row.quirks) <= QUIRKS
    assert row.imap.port in (993, 143)
    assert row.smtp.port in (465, 587, 994)
    assert row.smtp.security == ("starttls" if row.smtp.port == 587 else "ssl")


@rows
def test_each_domain_and_server_leads_back_to_its_row(row: Provider) -> None:
    for domain in (*row.domains, *(each for region in row.regions for each in region.domains)):
        name = domain.replace("*", "contoso")
        assert table.of_domain(name) == row
        assert table.of_domain(name.upper() + ".") == row
        imap, smtp = row.servers(f"ann@{name}")
        assert (imap.username, smtp.username) == (
            "ann" if row.username == "local" else f"ann@{name}",
            "ann" if row.smtp_username == "local" else f"ann@{name}",
        )
    if row.bears.hosts and "{" not in row.imap.host:
        found = table.of_server(row.imap.host)
        assert found is not None
        assert found.bears.pace == row.bears.pace
        assert found.bears.saves_sent == row.bears.saves_sent
        assert found.bears.send_id == row.bears.send_id
        assert pace.of_host(row.imap.host) == pace.Pace(**row.bears.pace)
        assert sizes.of_host(row.smtp.host) == (row.bears.size_mb or 25) * sizes.MB


@rows
def test_each_mx_leads_back_to_its_row(row: Provider) -> None:
    for pattern in (*row.mx, *(each for region in row.regions for each in region.mx)):
        name = pattern.replace("[2-6]", "3").replace("[0-9]", "1").replace("[12]", "2").replace("[1-3]", "2")
        name = name.replace("[01]", "0").replace("[nw]", "n").replace("*", "alt1")
        found = table.of_mx(["filter.unknown.example", name.upper() + "."])
        assert found is not None, name
        assert found[0] == row, (name, found[0].key)


@rows
def test_its_folders_are_known_by_their_names_alone(row: Provider) -> None:
    """Without SPECIAL-USE (Microsoft, Yahoo, iCloud, Yandex) names are all there is."""
    delimiter = "." if any("." in name for name in row.folders.values()) else "/"
    listed = with_roles([((), delimiter, "INBOX"), *(((), delimiter, name) for name in row.folders.values())])
    assert {folder.name: folder.role for folder in listed[1:]} == {name: role for role, name in row.folders.items()}


def test_what_is_told_of_providers_holds() -> None:
    """Facts of providers.md that the engine acts on."""
    assert {row.key for row in ROWS if row.signs_in_at == "google"} == {"gmail"}
    assert {row.key for row in ROWS if row.signs_in_at == "microsoft"} == {"microsoft365", "outlook"}
    assert {row.key for row in ROWS if row.bears.send_id} == {"netease163", "netease126", "yeah", "netease_enterprise"}
    assert {row.key for row in ROWS if row.bears.saves_sent == "yes"} == {
        "gmail", "microsoft365", "outlook", "netease163", "netease126", "yeah", "netease_enterprise",
    }  # fmt: skip
    assert table.get("icloud").servers("ann@me.com")[0].username == "ann"
    assert table.get("icloud").servers("ann@me.com")[1].username == "ann@me.com"
    assert table.get("gmx").servers("ann@gmx.com")[0].host == "imap.gmx.com"
    assert table.get("gmx").servers("ann@gmx.at")[0].host == "imap.gmx.net"
    assert table.get("godaddy").servers("a@b.test", mx="mailstore1.asia.secureserver.net")[1].host == (
        "smtp.asia.secureserver.net"
    )
    assert table.get("bluehost").servers("ann@shop.test")[0].host == "mail.shop.test"


@pytest.mark.parametrize(
    "domain", ["notgmail.com", "gmail.com.example.org", "gmail", "", "mail.gmail.com", "*", "gmx."]
)
def test_what_only_looks_like_a_domain_of_ours_is_not(domain: str) -> None:
    assert table.of_domain(domain) is None


def test_aol_is_told_from_yahoo_and_a_stranger_from_both() -> None:
    assert [table.of_mx([name])[0].key for name in ("mail.gm0.yahoodns.net", "mta5.am0.yahoodns.net")] == [  # type: ignore[index]
        "aol",
        "yahoo",
    ]
    assert table.of_mx(["mx.example.org"]) is None
    assert table.of_mx([]) is None
    assert table.get("no such key").key == "generic"
