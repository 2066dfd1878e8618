"""Cleaning mail HTML: each finding of security.md F1 to F5, threats 1 and 3, as its own case."""

from __future__ import annotations

import pytest

from mailcrm.services.mail.parse.css import clean_style
from mailcrm.services.mail.parse.html import MAX_HTML, UncleanableHtml, clean_html
from mailcrm.services.mail.parse.links import safe_link


def clean(html: str, *, remote: bool = False) -> str:
    return clean_html(html, remote_images=remote, cid_url=lambda cid: f"attachments/{cid}" if cid == "a" else None).html


@pytest.mark.parametrize(
    "style",
    [
        "background:url(https://x.test/a)", "fill:url(https://x.test)", "stroke:url(x)", "background-image:image-set('x')",
        "color:var(--x)", "width:calc(1px)", "content:attr(x)", "width:expression(alert(1))", "position:fixed", "z-index:9",
        "margin:-10px", "margin-left:-1em", "text-indent:-9999px", "display:flex", "behavior:url(x)", "-moz-binding:url(x)",
        "background:\\75rl(https://x.test)", "color:red\\3b position:fixed", "list-style:url(x)", "cursor:url(x),auto",
        "color:" + "(" * 500, "font-family:'</style><script>'", "transform:scale(9)", "animation:x 1s", "@import 'x'",
        "background:u/**/rl(x)", "inset:0", "float:var(--x,url(x))", "color:rgb(url(x))", "mask:url(#a)", "filter:url(x)",
    ],
)  # fmt: skip
def test_no_style_that_loads_or_covers(style: str) -> None:
    """F1, F4, threat 3."""
    left = clean_style(style)
    assert "(" not in left.replace("rgb(", "")
    assert "-" not in left.partition(":")[2]
    assert not any(word in left for word in ("position", "z-index", "url", "var", "script", "flex", "inset"))


def test_styles_of_ordinary_mail_stay() -> None:
    style = "color:#fff;background-color:rgb(1, 2,3);font:bold 12px/1.5 Arial, 'Open Sans';padding:4px 8px;width:50.5%"
    assert clean_style(style) == (
        "color: #fff; background-color: rgb(1, 2,3); font: bold 12px/1.5 Arial, 'Open Sans'; padding: 4px 8px; width: 50.5%"
    )
    assert "style='font-family: \"A B\", serif;'" in clean('<p style="font-family:&quot;A B&quot;, serif">x</p>')


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "javascript:123", "vbscript:1", "sms:004412345", "data:text/html,x", "//host/x", "/admin/delete",
        "x.html", "java\tscript:alert(1)", "\x01javascript:alert(1)", "java\u200bscript:1", "https:///x", "https://", "http://[",
        "file:///etc/passwd", "blob:https://x", "https:\\\\x.test", "view-source:http://x", "HTTP://%00x", "https://x.test:abc/",
    ],
)  # fmt: skip
def test_links_that_are_dropped(url: str) -> None:
    """F2, F3: a positive check of the scheme, after invisible characters are gone."""
    assert safe_link(url) is None
    assert "href" not in clean(f'<a href="{url}">x</a>')


def test_links_say_where_they_lead() -> None:
    out = clean(
        '<a href="https://x.test/?a=1&amp;copy=2" title="https://bank.test" onclick=x class=y id=z name=q>bank</a>'
    )
    assert out == (
        '<a href="https://x.test/?a=1&amp;copy=2" title="https://x.test/?a=1&amp;copy=2" target="_blank" '
        'rel="noopener noreferrer nofollow">bank</a>'
    )
    assert "xn--e1afmkfd" in clean('<a href="https://пример.test">x</a>'), "homographs show as punycode (threat 4)"


def test_text_of_removed_elements_goes_too() -> None:
    """F3."""
    assert clean("<head><title>T</title><style>p{}</style></head>a<script>b</script><svg><text>c</text></svg>d") == "ad"


@pytest.mark.parametrize(
    ("html", "remote", "expected", "blocked"),
    [
        ('<img src="https://x.test/a.png">', False, "", 1),
        ('<img src="https://x.test/a.png" alt="Shoes">', False, '<img alt="Shoes">', 1),
        ('<img src="http://x.test/a.png">', True, '<img src="remote-0">', 0),
        ('<img src="cid:a">', False, '<img src="attachments/a">', 0),
        ('<img src="cid:b">', False, "", 0),
        ('<img src="data:image/png;base64,AAAA">', False, '<img src="data:image/png;base64,AAAA">', 0),
        ('<img src="data:image/svg+xml;base64,AAAA">', True, "", 0),
        ('<img src="//x.test/a.png">', True, "", 0),
        ('<img src="/m/1/raw">', True, "", 0),
        ('<img src="https://crm.test/t/o/abc.gif" alt="x">', True, "", 0),
        ('<img srcset="https://x.test/a 2x" src="cid:a">', True, '<img src="attachments/a">', 0),
        ('<table background="https://x.test/a"><tr><td>x</td></tr></table>', True, None, 0),
    ],
)
def test_images(html: str, remote: bool, expected: str | None, blocked: int) -> None:
    """Threat 2."""
    found = clean_html(html, remote_images=remote, cid_url=lambda cid: "attachments/a" if cid == "a" else None)
    assert found.blocked_images == blocked
    if expected is None:
        assert "x.test" not in found.html
    else:
        assert found.html == expected


@pytest.mark.parametrize(
    ("html", "told"),
    [
        ('<a href="https://evil.test/x">https://bank.com/login</a>', "evil.test"),
        ('<a href="https://evil.test/x"><b>www.</b><i>bank</i>.com</a>', "evil.test"),
        ('<a href="https://xn--80ak6aa92e.com">Sign in</a>', "xn--80ak6aa92e.com"),
        ('<a href="https://bank.com/x">bank.com</a>', None),
        ('<a href="https://click.mailer.test/x">Read more</a>', None),
        ('<a href="https://evil.test/x">bank.com', "evil.test"),
        ('<a data-to="good.test" href="https://x.test">x</a>', None),
    ],
)
def test_a_link_whose_text_names_another_host_says_where_it_leads(html: str, told: str | None) -> None:
    """Threat 4; what is read stays as it was written."""
    out = clean(html)
    assert ("data-to" in out) is (told is not None)
    if told:
        assert f'data-to="{told}"' in out
    assert clean(out) == out


def test_direction_is_found_by_paragraph() -> None:
    assert clean("<p>x</p>") == '<p dir="auto">x</p>'
    assert clean('<div dir="rtl"><p>x</p></div>') == '<div dir="rtl"><p>x</p></div>'
    assert clean('<body dir="rtl" onload=x><p>x</p>') == '<div dir="rtl"><p>x</p></div>'


def test_caps() -> None:
    """F4, F5: refused before bleach sees it."""
    for html in ("x" * (MAX_HTML + 1), "<div>" * 5000, "<b><p>" * 5000, "<dl><dd>" * 5000, "<font>" * 5000):
        with pytest.raises(UncleanableHtml):
            clean(html)


@pytest.mark.parametrize(
    "html",
    [
        "<form action=https://x.test><input name=a><button>b</button></form>", "<iframe src=x></iframe>", "<link rel=preconnect href=//x>",
        "<meta http-equiv=refresh content='0;url=https://x'>", "<base href=https://x>", "<object data=x><embed src=x></object>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>", "<svg><style><img src=x onerror=alert(1)></style></svg>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "<template><img src=x onerror=alert(1)></template>",
        "<video src=https://x poster=https://x></video>", "<a ping=https://x href=https://y>z</a>", "<p onclick=alert(1)>x</p>",
        "<textarea><img src=x onerror=alert(1)></textarea>", "<frameset><frame src=https://x></frameset>", "<input type=image src=https://x>",
    ],
)  # fmt: skip
def test_elements_that_act_are_gone(html: str) -> None:
    out = clean(html, remote=True)
    for word in (
        "onerror=",
        "onclick=",
        "<form",
        "<input",
        "<iframe",
        "<link",
        "<meta",
        "<svg",
        "<math",
        "ping=",
        "<video",
        "<base",
        "<frame",
    ):
        assert word not in out.replace("&lt;", "")


def test_cleaning_twice_changes_nothing() -> None:
    """Threat 1."""
    once = clean('<body bgcolor=red><p>a<b>b<i>c</b>d</i><table>x<tr><td>y</table><a href="https://x.test/?a&b">z</a>')
    assert clean(once) == once


@pytest.mark.parametrize(
    ("html", "style"),
    [
        ("<body bgcolor=#000000 text=white>x", "background-color: #000000; color: white;"),
        ("<style>p{} body { background-color: #A3C5CC; color: black }</style><body>x", "background-color: #A3C5CC; color: black;"),
        ("<style><!-- BODY{background:#008;color:white}--></style><body>x", "background: #008; color: white;"),
        ("<body bgcolor='red;position:fixed'>x", "background-color: red;"),
        ("<style>body{background:url(https://a.test/x)}</style><body style='color: red'>x", "color: red;"),
        ("<style>@media print{body{color:red}}</style><body>x", ""),
    ],
)  # fmt: skip
def test_the_paper_of_a_message_stays_under_its_letters(html: str, style: str) -> None:
    """White letters on a dark body were white on white: a fragment has no body to carry a colour."""
    cleaned = clean(html)
    assert (f'style="{style}"' in cleaned) if style else ("style" not in cleaned)
    assert clean(cleaned) == cleaned
