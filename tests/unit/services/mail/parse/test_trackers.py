"""Threat 2: pictures that only report an opening are told from those that somebody should see."""

from __future__ import annotations

import pytest

from mailcrm.services.mail.parse.html import MAX_REMOTE, clean_html
from mailcrm.services.mail.parse.trackers import is_known, is_tracker


@pytest.mark.parametrize(
    "url",
    [
        "https://acme.us1.list-manage.com/track/open.php?u=1&id=2&e=3",
        "https://u123.ct.sendgrid.net/wf/open?upn=abc",
        "http://mandrillapp.com/track/open.php?u=1",
        "https://www.google-analytics.com/collect?v=1",
        "https://track.hubspot.com/__ptq.gif?a=1",
        "https://abc.emltrk.com/v2/xyz",
        "https://www.facebook.com/tr?id=1&ev=PageView",
        "https://mail.x.test/wf/open?upn=abc",
        "https://T.Yesware.COM./t/abc",
    ],
)
def test_known_services(url: str) -> None:
    assert is_known(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.mailchimp.com/logo.png",
        "https://www.facebook.com/images/logo.png",
        "https://notlist-manage.com/track/open.php",
        "https://x.test/track/open.html",
        "https://list-manage.com.x.test/track/open.php",
        "https://[::1",
        "nonsense",
    ],
)
def test_pictures_of_others_stay(url: str) -> None:
    assert not is_known(url)


@pytest.mark.parametrize(
    ("attributes", "unseen"),
    [
        ({"width": "1", "height": "1"}, True),
        ({"width": "0", "height": "1px"}, True),
        ({"style": "width: 1px; height: 1px"}, True),
        ({"width": "600", "style": "display:none"}, True),
        ({"style": "visibility: hidden"}, True),
        ({"width": "600", "height": "1"}, False),
        ({"width": "1"}, False),
        ({"width": "10", "height": "11"}, False),
        ({"width": "1", "height": "1", "style": "width:600px;height:200px"}, False),
        ({}, False),
    ],
)
def test_what_nobody_sees(attributes: dict[str, str], unseen: bool) -> None:
    assert is_tracker("https://x.test/a.gif", attributes) is unseen


@pytest.mark.parametrize("remote", [True, False])
def test_trackers_are_dropped_and_counted_shown_or_hidden(remote: bool) -> None:
    html = (
        '<img src="https://x.test/a.png"><img src="https://x.test/p.gif" width=1 height=1 alt="x">'
        '<img src="https://u1.ct.sendgrid.net/wf/open?upn=a"><img src="cid:a" width=1 height=1>'
    )
    found = clean_html(html, remote_images=remote, cid_url=lambda cid: f"attachments/{cid}")
    assert found.trackers == 2
    assert found.blocked_images == (0 if remote else 1)
    assert found.remote == (("https://x.test/a.png",) if remote else ())
    assert "x.test" not in found.html
    assert "attachments/a" in found.html


def test_one_message_asks_for_few_images_each_once() -> None:
    html = "".join(f'<img src="https://x.test/{n // 2}.png">' for n in range(MAX_REMOTE * 2 + 50))
    found = clean_html(html, remote_images=True, cid_url=lambda _cid: None)
    assert len(found.remote) == MAX_REMOTE
    assert found.blocked_images == 50
    assert found.html.count("<img") == MAX_REMOTE * 2
