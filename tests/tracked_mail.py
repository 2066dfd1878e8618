"""HTML messages of the corpora, for the tests of rewriting: distinct bodies, in the order of their file names."""

from __future__ import annotations

from pathlib import Path

from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.mail.parse.values import UnparsableMessage

LEAST = 200  # issue 6: so many messages are rewritten and read back


def html_bodies(corpora: Path) -> dict[str, str]:
    """Return the distinct HTML parts by file name; at least LEAST of them."""
    found: dict[str, str] = {}
    seen: set[str] = set()
    for path in sorted(corpora.rglob("*.eml")):
        try:
            body = parse_message(path.read_bytes()).html
        except UnparsableMessage:
            continue
        if body and body.strip() and body not in seen:
            seen.add(body)
            found[str(path.relative_to(corpora))] = body
    assert len(found) >= LEAST
    return found


#: What those messages have too little of: links of every shape, in one page each.
SHAPES = {
    "entities": '<p>Prices <a href="https://x.test/?a=1&amp;b=2&copy=3&#x26;d=%20#e" title="a &amp; b">here</a>&nbsp;&hellip;</p>',
    "quotes": """<p><a href='https://x.test/"q"' class=c>one</a> <a href=https://x.test/bare?x=1>two</a></p>""",
    "unicode": '<p><a href="https://bücher.example/straße?q=日本&r=é#ü">books</a></p>',
    "breaks": '<p><a href="\n https://x.test/a\tb\n/c ">broken</a> <a href="https://x.test/a b|c{d}^`">odd</a></p>',
    "nested": '<table><tr><td><a href="https://x.test/1"><b>x</b><img alt="i" width="20" height="20"></a></td></tr></table>',
    "user": '<p><a href="https://user:pw@x.test:8443/p;a=1?b=[1]&c=\'2\'">port</a> <a href="HTTP://X.test">upper</a></p>',
    "unclosed": '<p><a href="https://x.test/1">one<p><a href="https://x.test/2">two',
    "styled": '<style>p:last-child{margin:0}img{display:block!important;width:100%!important}</style><p>a<p><a href="https://x.test/">b</a>',
    "centred": '<body style="margin:0"><center><p>a</p><a href="https://x.test/">b</a></center></body>',
    "reply": (
        '<html><body><p>New: <a href="https://x.test/new">n</a></p><p class="mailcrm-attribution">On Monday:</p>'
        '<blockquote class="mailcrm-quote"><p><a href="https://x.test/old">o</a></p></blockquote></body></html>'
    ),
}
