"""How mail programs mark the quoted original in five languages, as text and as HTML, and what a reader sees folded.

The shapes are those that Gmail, Outlook (Windows, web, mobile), Apple Mail and Thunderbird write; names are ours.
"""

from __future__ import annotations

import pytest

from mailcrm.services.mail.parse.html import clean_html
from mailcrm.services.mail.parse.quoted_html import fold_quotes
from mailcrm.services.mail.parse.quoting import is_forwarding, split_quoted

NEW, OLD = "Fine with us, the second week.", "Which week suits you?"

#: (program, language, the lines above the quoted text); Outlook quotes without marks.
ABOVE = [
    ("Gmail", "en", "On Mon, Mar 4, 2024 at 10:00\u202fAM Jane Doe <jane@x.test> wrote:"),
    ("Gmail", "ja", "2024年3月4日(月) 10:00 田中 花子 <jane@x.test>:"),
    ("Gmail", "de", "Am Mo., 4. März 2024 um 10:00 Uhr schrieb Jane Doe <jane@x.test>:"),
    ("Gmail", "fr", "Le lun. 4 mars 2024 à 10:00, Jane Doe <jane@x.test> a écrit :"),
    ("Gmail", "es", "El lun, 4 mar 2024 a las 10:00, Jane Doe (<jane@x.test>) escribió:"),
    ("Apple Mail", "en", "On 4 Mar 2024, at 10:00, Jane Doe <jane@x.test> wrote:"),
    ("Apple Mail", "ja", "2024/03/04 10:00、田中 花子 <jane@x.test>のメール："),
    ("Apple Mail", "de", "Am 04.03.2024 um 10:00 schrieb Jane Doe <jane@x.test>:"),
    ("Apple Mail", "fr", "Le 4 mars 2024 à 10:00, Jane Doe <jane@x.test> a écrit\xa0:"),
    ("Apple Mail", "es", "El 4 mar 2024, a las 10:00, Jane Doe <jane@x.test> escribió:"),
    ("Thunderbird", "en", "On 04/03/2024 10:00, Jane Doe wrote:"),
    ("Thunderbird", "ja", "On 2024/03/04 10:00, 田中 花子 wrote:"),
    ("Thunderbird", "de", "Am 04.03.24 um 10:00 schrieb Jane Doe:"),
    ("Thunderbird", "fr", "Le 04/03/2024 à 10:00, Jane Doe a écrit\u202f:"),
    ("Thunderbird", "es", "El 4/3/24 a las 10:00, Jane Doe escribió:"),
    ("mailcrm", "en", "On 4 Mar 2024, 10:00, Jane Doe wrote:"),
    ("mailcrm", "ja", "2024年3月4日 10:00、田中 花子からのメール："),
]
HEADS = [
    ("en", ("From: Jane Doe <jane@x.test>", "Sent: Monday, March 4, 2024 10:00 AM", "To: Sana", "Subject: Survey")),
    ("ja", ("差出人: 田中 花子 <jane@x.test>", "送信日時: 2024年3月4日 10:00", "宛先: Sana", "件名: 調査")),
    ("de", ("Von: Jane Doe <jane@x.test>", "Gesendet: Montag, 4. März 2024 10:00", "An: Sana", "Betreff: Umfrage")),
    ("fr", ("De\xa0: Jane Doe <jane@x.test>", "Envoyé\xa0: lundi 4 mars 2024 10:00", "À\xa0: Sana", "Objet\xa0: Sondage")),
    ("es", ("De: Jane Doe <jane@x.test>", "Enviado el: lunes, 4 de marzo de 2024 10:00", "Para: Sana", "Asunto: X")),
]  # fmt: skip
RULES = [
    ("en", "-----Original Message-----"), ("ja", "-----元のメッセージ-----"), ("de", "-----Ursprüngliche Nachricht-----"),
    ("fr", "-----Message d’origine-----"), ("es", "-----Mensaje original-----"),
]  # fmt: skip


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def bold(line: str) -> str:
    """A header line as Outlook writes it: the name in bold."""
    name, colon, rest = line.partition(":")
    return f"<b>{name}{colon}</b>{escaped(rest)}"


def shown(html: str, *, opened: bool = True) -> str:
    clean = clean_html(html, remote_images=False, cid_url=lambda _cid: None, mark="m4rk")
    done = fold_quotes(clean.html, "m4rk", "Quoted", folded=opened)
    assert "m4rk" not in done
    return done


def folded_of(html: str) -> tuple[str, str]:
    """Return what stands outside and inside of the fold."""
    before, _, rest = html.partition("<details><summary>Quoted</summary>")
    inside, _, after = rest.partition("</details>")
    return before + after, inside


def holds(html: str, line: str) -> None:
    outside, inside = folded_of(shown(html))
    assert NEW in outside
    assert OLD in inside
    assert OLD not in outside
    assert escaped(line)[:12] not in outside


@pytest.mark.parametrize(("program", "language", "line"), ABOVE)
def test_text(program: str, language: str, line: str) -> None:
    """The plain parts of these programs."""
    new, quoted = split_quoted(f"{NEW}\n\n{line}\n\n> {OLD}\n> Jane\n")
    assert new.strip() == NEW, (program, language)
    assert quoted.startswith(line)


@pytest.mark.parametrize(("language", "head"), HEADS)
def test_text_of_outlook(language: str, head: tuple[str, ...]) -> None:
    """Outlook's header block, with and without its rule, and after the separator line."""
    block = "\n".join(head)
    for above in ("", "________________________________\n", dict(RULES)[language] + "\n"):
        new, quoted = split_quoted(f"{NEW}\n\n{above}{block}\n\n{OLD}\n")
        assert new.strip() == NEW, (language, above)
        assert OLD in quoted


@pytest.mark.parametrize(("program", "language", "line"), ABOVE)
def test_html(program: str, language: str, line: str) -> None:
    """Each program's markup around the same line; none of its classes survives the cleaner."""
    said = escaped(line)
    html = {
        "Gmail": f'<div dir="ltr">{NEW}</div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" '
        f'class="gmail_attr">{said}<br></div><blockquote class="gmail_quote" style="margin:0 0 0 .8ex"><p>{OLD}</p>'
        "</blockquote></div>",
        "Apple Mail": f'<body style="overflow-wrap: break-word;">{NEW}<br><div><br><blockquote type="cite"><div>{said}</div>'
        f'<br class="Apple-interchange-newline"><div><p>{OLD}</p></div></blockquote></div><br></body>',
        "Thunderbird": f'<p>{NEW}</p><div class="moz-cite-prefix">{said}<br></div><blockquote type="cite" '
        f'cite="mid:a@x.test"><p>{OLD}</p></blockquote>',
        "mailcrm": f'<p>{NEW}</p><p class="mailcrm-attribution">{said}</p><blockquote class="mailcrm-quote"><p>{OLD}</p>'
        "</blockquote>",
    }[program]
    holds(html, line)


@pytest.mark.parametrize(("program", "language", "line"), ABOVE)
def test_html_without_marks_of_its_program(program: str, language: str, line: str) -> None:
    """After a list server or another program took the classes away, the line and the blockquote are left."""
    holds(f"<div>{NEW}</div><div>{escaped(line)}</div><div><blockquote><p>{OLD}</p></blockquote></div>", line)
    holds(f"<div>{NEW}<br><br>{escaped(line)}<br><blockquote>{OLD}</blockquote></div>", line)


@pytest.mark.parametrize(("language", "head"), HEADS)
def test_html_of_outlook(language: str, head: tuple[str, ...]) -> None:
    """Outlook for Windows, on the web, and mobile: nothing closes the quote, it goes on to the end."""
    lines = "<br>".join(map(bold, head))
    old = f"<div><p>{OLD}</p></div><p>Jane</p>"
    windows = (
        f'<div class="WordSection1"><p class="MsoNormal">{NEW}</p><p class="MsoNormal">&nbsp;</p><div><div style="border:none;'
        f'border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal">{lines}</p></div></div>{old}</div>'
    )
    web = (
        f'<div class="elementToProof">{NEW}</div><div id="appendonsend"></div><hr style="display:inline-block;width:98%" '
        f'tabindex="-1"><div id="divRplyFwdMsg" dir="ltr"><font face="Calibri">{lines}</font><div>&nbsp;</div></div>{old}'
    )
    mobile = (
        f'<div dir="auto">{NEW}</div><div id="mail-editor-reference-message-container"><div style="border-top:1px solid '
        f'#b5c4df"><p>{lines}</p></div>{old}</div>'
    )
    for html in (windows, web, mobile):
        holds(html, head[0])
        assert "<hr" not in folded_of(shown(html))[0]


@pytest.mark.parametrize(("language", "rule"), RULES)
def test_html_made_of_text(language: str, rule: str) -> None:
    """A separator line among lines that only <br> parts."""
    holds(
        f"<div><p>{NEW}<br><br>{rule}<br>{'<br>'.join(map(bold, dict(HEADS)[language]))}<br><br>{OLD}</p></div>", rule
    )


def test_an_answer_below_the_quote_stays_in_sight() -> None:
    html = f'<div>On 4 Mar 2024, Jane wrote:</div><blockquote type="cite">{OLD}</blockquote><p>{NEW}</p>'
    holds(html, "On 4 Mar")


@pytest.mark.parametrize(
    "html",
    [
        f'<blockquote type="cite">{OLD}</blockquote>',  # nothing is new
        f'<p>Hi</p><blockquote type="cite">one?</blockquote><p>{NEW}</p><blockquote type="cite">{OLD}</blockquote><p>Bye</p>',
        f'<p>{NEW}</p><div class="gmail_quote"><div>---------- Forwarded message ---------<br>From: Jane</div>{OLD}</div>',
        f'<p>{NEW}</p><blockquote type="cite"><div>転送されたメッセージ：</div><p>{OLD}</p></blockquote>',
        f"<p>{NEW}</p><div>-------- Weitergeleitete Nachricht --------</div><table><tr><th>Von:</th><td>Jane</td></tr></table>",
        f"<p>{NEW}</p><blockquote>{OLD}</blockquote>",  # a citation of somebody, not of the original
        "<p>From: the beginning it was clear.</p><p>To: be or not</p>",
        "<table><tr><td>From:</td><td>Oslo</td></tr><tr><td>To:</td><td>Bergen</td></tr></table><p>Your trip</p>",
    ],
)
def test_what_stays_whole(html: str) -> None:
    assert "<details>" not in shown(html)


@pytest.mark.parametrize(
    ("subject", "forwarded"),
    [
        ("FW: Survey", True), ("Fwd: Survey", True), ("WG: Umfrage", True), ("TR : Sondage", True), ("RV: Encuesta", True),
        ("転送: 調査", True), ("Re: Fwd: Survey", False), ("Survey", False), ("Free: Survey", False), ("", False),
    ],
)  # fmt: skip
def test_a_forward_is_known_by_its_subject(subject: str, forwarded: bool) -> None:
    """Outlook writes the same markup for both; what is forwarded is what the reader needs."""
    assert is_forwarding(subject) is forwarded
    html = f'<p>{NEW}</p><blockquote type="cite">{OLD}</blockquote>'
    assert ("<details>" in shown(html, opened=not is_forwarding(subject))) is not forwarded


@pytest.mark.parametrize(
    "html",
    [
        "<table><tr><td>a</td></tr><blockquote type=cite>b</blockquote></table>",
        "<ul><li>a<li><blockquote type=cite>b</ul>",
        "<p>a</p>" + "<blockquote type=cite>" * 200,
        "<p>a</p>" + "<div class=gmail_quote>x</div>y" * 200,
        "a<b><blockquote type=cite>x<i></b>y</blockquote>z",
        "<p>a<p><select><blockquote type=cite>x</select>",
    ],
)
def test_hostile_markup_closes_what_it_opens(html: str) -> None:
    done = shown(html)
    assert done.count("<details>") == done.count("</details>")
