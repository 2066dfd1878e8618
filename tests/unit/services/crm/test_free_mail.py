"""Free mail says nothing about an organization (issue 4: free-mail domains never match an organization)."""

from __future__ import annotations

import pytest

from mailcrm.services.crm.free_mail import is_free, organization_domains

#: Every domain that providers.md names as giving addresses to anybody.
OF_PROVIDERS = """
gmail.com googlemail.com yahoo.com yahoo.ca yahoo.de yahoo.co.in yahoo.com.au yahoo.com.mx ymail.com myyahoo.com
rocketmail.com cox.net yahoo.co.jp ybb.ne.jp outlook.com outlook.jp live.com live.jp hotmail.com hotmail.co.jp msn.com
windowslive.com icloud.com me.com mac.com aol.com aim.com netscape.net compuserve.com cs.com aol.co.uk verizon.net
fastmail.com fastmail.fm gmx.com gmx.us gmx.co.uk gmx.li gmx.net gmx.de gmx.eu gmx.info mein.gmx caramail.com mail.ru
inbox.ru list.ru bk.ru internet.ru mail.ua vk.com yandex.ru yandex.com yandex.com.tr ya.ru narod.ru soverin.net 126.com
qq.com vip.qq.com foxmail.com aliyun.com 163.com vip.163.com 188.com yeah.net 139.com jazztel.es
""".split()


@pytest.mark.parametrize("domain", OF_PROVIDERS)
def test_providers_of_free_mail(domain: str) -> None:
    assert is_free(domain)
    assert organization_domains(f"mika@{domain}") == ()


@pytest.mark.parametrize(
    "domain", ["saimaa.fi", "gmail-tools.com", "live.nation.example", "com", "", "yahoo", "outlook.consulting"]
)
def test_others_are_not(domain: str) -> None:
    assert not is_free(domain)


@pytest.mark.parametrize(
    ("address", "domains"),
    [
        ("mika@saimaa.fi", ("saimaa.fi",)),
        ("mika@mail.saimaa.fi", ("mail.saimaa.fi", "saimaa.fi")),
        ("mika@miura.co.jp", ("miura.co.jp",)),
        ("mika@x.miura.co.jp", ("x.miura.co.jp", "miura.co.jp")),
        ("mika@[192.0.2.1]", ()),
        ("mika", ()),
        ("mika@localhost", ()),
        ("mika@a..b", ()),
    ],
)
def test_by_which_domains_an_organization_is_known(address: str, domains: tuple[str, ...]) -> None:
    assert organization_domains(address) == domains
