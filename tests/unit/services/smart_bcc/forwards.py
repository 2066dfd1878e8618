"""Forwards as Gmail, Outlook (desktop and web), Apple Mail and Thunderbird write them, in five languages.

The shapes are those of the programs; the people are made up. All forward the same message: Mika Aaltonen's of
2 March 2026, 12:00 in Helsinki, to Aino and Liisa.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage

AUTHOR = ("Mika Aaltonen", "mika@saimaa.example")
TO, CC = "aino@crm.test", "liisa@saimaa.example"
BODY = "Hello Aino,\n\nthe offer is fine with us.\n\nMika"
SUBJECT = "Saimaa phase 2"
ORIGINAL_ID = "orig-1@saimaa.example"


@dataclass(frozen=True)
class Form:
    """How one program writes a forward in one language."""

    name: str
    text: str
    html: str = ""
    prefix: str = "Fwd: "


def _gmail(announce: str, date: str, name: str) -> Form:
    head = f"{announce}\nFrom: Mika Aaltonen <mika@saimaa.example>\nDate: {date}\nSubject: {SUBJECT}\n"
    people = f"To: Aino <{TO}>\nCc: <{CC}>\n"
    html = (
        f'<div dir="ltr">FYI</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">{announce}<br>'
        f'From: <strong class="gmail_sendername" dir="auto">Mika Aaltonen</strong> <span dir="auto">&lt;'
        f'<a href="mailto:mika@saimaa.example">mika@saimaa.example</a>&gt;</span><br>Date: {date}<br>Subject: {SUBJECT}'
        f"<br>To: Aino &lt;{TO}&gt;<br>Cc: &lt;{CC}&gt;<br></div><br><br><div>Hello Aino,<br><br>the <b>offer</b> is fine "
        "with us.<br><br>Mika</div></div>"
    )
    return Form(name, f"FYI\n\n{head}{people}\n\n{BODY}\n", html)


def _outlook(keys: tuple[str, ...], date: str, name: str, *, rule: bool = False) -> Form:
    sender, sent, to, cc, subject = keys
    head = (
        f"{sender} Mika Aaltonen <mika@saimaa.example>\n{sent} {date}\n{to} Aino <{TO}>\n"
        f"{cc} Liisa <{CC}>\n{subject} {SUBJECT}\n"
    )
    html = (
        '<html><body><div class="WordSection1"><p class="MsoNormal">FYI</p><p class="MsoNormal">&nbsp;</p><div>'
        '<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal">'
        f"<b>{sender}</b> Mika Aaltonen &lt;mika@saimaa.example&gt; <br><b>{sent}</b> {date}<br><b>{to}</b> Aino &lt;{TO}&gt;"
        f"<br><b>{cc}</b> Liisa &lt;{CC}&gt;<br><b>{subject}</b> {SUBJECT}</p></div></div>"
        '<p class="MsoNormal">Hello Aino,</p><p class="MsoNormal">the <b>offer</b> is fine with us.</p>'
        '<p class="MsoNormal">Mika</p></div></body></html>'
    )
    if rule:
        html = (
            f'<div dir="ltr">FYI</div><hr style="display:inline-block;width:98%"><div id="divRplyFwdMsg" dir="ltr"><font>'
            f"<b>{sender}</b> Mika Aaltonen &lt;mika@saimaa.example&gt;<br><b>{sent}</b> {date}<br><b>{to}</b> Aino &lt;{TO}&gt;"
            f"<br><b>{cc}</b> Liisa &lt;{CC}&gt;<br><b>{subject}</b> {SUBJECT}</font><div>&nbsp;</div></div>"
            "<div>Hello Aino,<br><br>the <b>offer</b> is fine with us.<br><br>Mika</div>"
        )
    line = "________________________________\n" if rule else ""
    return Form(name, f"FYI\n\n{line}{head}\n{BODY}\n", html, "FW: ")


def _apple(announce: str, keys: tuple[str, ...], date: str, name: str) -> Form:
    sender, subject, sent, to, cc = keys
    head = (
        f"{sender} Mika Aaltonen <mika@saimaa.example>\n{subject} {SUBJECT}\n{sent} {date}\n"
        f"{to} Aino <{TO}>\n{cc} Liisa <{CC}>\n\n{BODY}"
    )
    quoted = "\n".join(f"> {line}" if line else "> " for line in head.split("\n"))
    rows = "".join(
        f'<div style="margin:0px"><span><b>{key} </b></span><span>{value}<br></span></div>'
        for key, value in (
            (sender, "Mika Aaltonen &lt;mika@saimaa.example&gt;"),
            (subject, f"<b>{SUBJECT}</b>"),
            (sent, date),
            (to, f"Aino &lt;{TO}&gt;"),
            (cc, f"Liisa &lt;{CC}&gt;"),
        )
    )
    html = (
        f'<html><body>FYI<br><div><br><blockquote type="cite"><div>{announce}</div><br class="x">{rows}<br>'
        "<div><div>Hello Aino,<br><br>the <b>offer</b> is fine with us.<br><br>Mika</div></div></blockquote></div></body></html>"
    )
    return Form(name, f"FYI\n\n> {announce}\n> \n{quoted}\n" if name.endswith("quoted") else
                f"FYI\n\n{announce}\n\n{quoted}\n", html)  # fmt: skip


def _thunderbird(announce: str, keys: tuple[str, ...], date: str, name: str) -> Form:
    subject, sent, sender, to, cc = keys
    rows = (
        (subject, SUBJECT), (sent, date), (sender, "Mika Aaltonen <mika@saimaa.example>"), (to, f"Aino <{TO}>"),
        (cc, f"Liisa <{CC}>"),
    )  # fmt: skip
    text = "\n".join(f"{key} \t{value}" for key, value in rows)
    cells = "".join(
        f'<tr><th align="RIGHT" nowrap="nowrap">{key} </th><td>{value.replace("<", "&lt;").replace(">", "&gt;")}</td></tr>'
        for key, value in rows
    )
    html = (
        f'<p>FYI</p><div class="moz-forward-container"><br><br>{announce}<table class="moz-email-headers-table"><tbody>{cells}'
        "</tbody></table><br><br><p>Hello Aino,</p><p>the <b>offer</b> is fine with us.</p><p>Mika</p></div>"
    )
    return Form(name, f"FYI\n\n\n{announce}\n{text}\n\n\n\n{BODY}\n", html)


GMAIL = "---------- Forwarded message ---------"
FORMS = (
    _gmail(GMAIL, "Mon, Mar 2, 2026 at 12:00\u202fPM", "gmail-en"),
    _gmail(GMAIL, "2026年3月2日(月) 12:00", "gmail-ja"),
    _gmail(GMAIL, "Mo., 2. März 2026 um 12:00 Uhr", "gmail-de"),
    _outlook(("From:", "Sent:", "To:", "Cc:", "Subject:"), "Monday, March 2, 2026 12:00 PM", "outlook-en"),
    _outlook(("差出人:", "送信日時:", "宛先:", "CC:", "件名:"), "2026年3月2日 12:00", "outlook-ja"),
    _outlook(("Von:", "Gesendet:", "An:", "Cc:", "Betreff:"), "Montag, 2. März 2026 12:00", "outlook-de"),
    _outlook(("De :", "Envoyé :", "À :", "Cc :", "Objet :"), "lundi 2 mars 2026 12:00", "outlook-fr"),
    _outlook(("De:", "Enviado el:", "Para:", "CC:", "Asunto:"), "lunes, 2 de marzo de 2026 12:00", "outlook-es"),
    _outlook(("From:", "Sent:", "To:", "Cc:", "Subject:"), "Monday, March 2, 2026 12:00 PM", "owa-en", rule=True),
    _outlook(("差出人:", "送信日時:", "宛先:", "CC:", "件名:"), "2026年3月2日 12:00", "owa-ja", rule=True),
    _apple("Begin forwarded message:", ("From:", "Subject:", "Date:", "To:", "Cc:"),
           "March 2, 2026 at 12:00:00 GMT+2", "apple-en"),
    _apple("転送されたメッセージ:", ("差出人:", "件名:", "日付:", "宛先:", "Cc:"), "2026年3月2日 12:00:00 GMT+2", "apple-ja"),
    _apple("Anfang der weitergeleiteten Nachricht:", ("Von:", "Betreff:", "Datum:", "An:", "Kopie:"),
           "2. März 2026 um 12:00:00 MEZ", "apple-de"),
    _thunderbird("-------- Forwarded Message --------", ("Subject:", "Date:", "From:", "To:", "CC:"),
                 "Mon, 2 Mar 2026 12:00:00 +0200", "thunderbird-en"),
    _thunderbird("-------- 転送メッセージ --------", ("件名:", "日付:", "差出人:", "宛先:", "CC:"),
                 "Mon, 2 Mar 2026 12:00:00 +0200", "thunderbird-ja"),
)  # fmt: skip


def forward(
    form: Form,
    *,
    to: str,
    html: bool = True,
    sender: str = "aino@crm.test",
    original: str = ORIGINAL_ID,
    **headers: str,
) -> bytes:
    """Build the forward."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = f"Aino <{sender}>", to, form.prefix + SUBJECT
    mail["Date"], mail["Message-ID"] = "Tue, 03 Mar 2026 09:00:00 +0200", f"<fwd-{form.name}-{original}>"
    mail["In-Reply-To"] = f"<{original}>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(form.text)
    if html and form.html:
        mail.add_alternative(form.html, subtype="html")
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
