"""Tell new text from quoted text in a reply, line by line and in linear time.

Published quote strippers are quadratic or cubic on hostile input (8 KB of `On ` take
51 s, security.md F15), so this one never backtracks: every line is looked at a fixed
number of times and attributions are only sought in short lines. Forwarded content and
interleaved answers stay whole: there the quote is what the reader needs.
"""

from __future__ import annotations

import re

_MAX_ATTRIBUTION = 300  # characters, over at most three lines
_HEADERS_NEEDED = 2  # of Outlook's block, the first line included

# How an attribution line begins and what stands near its end, by language. All lower-case.
_OPENERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("on ", ("wrote", "writes", "sent", "said")),
    ("am ", ("schrieb", "geschrieben")),
    ("le ", ("a écrit", "écrit")),
    ("el ", ("escribió", "escribio")),
    ("il ", ("ha scritto", "scritto")),
    ("op ", ("schreef", "geschreven")),
    ("em ", ("escreveu",)),
    ("a ", ("escreveu", "escribió")),
    ("w dniu", ("pisze", "napisał", "napisała", "napisał(a)")),
    ("dnia ", ("napisał", "napisała", "napisał(a)", "pisze")),
    ("den ", ("skrev",)),
    ("på ", ("skrev",)),
    ("dne ", ("napsal", "napsala", "napsal(a)")),
    ("pe ", ("a scris",)),
    ("στις ", ("έγραψε",)),
    ("vào ", ("đã viết", "viết")),
    ("pada ", ("menulis",)),
    ("ב-", ("כתב", "כתבה")),
    ("בתאריך", ("כתב", "כתבה", "מאת")),
    ("في ", ("كتب", "كتبت")),
    ("در ", ("نوشت",)),
    ("在 ", ("写道", "寫道")),
    ("于", ("写道", "寫道")),
)
_CLOSERS = (
    "wrote:", "writes:", "schrieb:", "a écrit :", "a écrit:", "escribió:", "ha scritto:", "schreef:", "escreveu:",
    "skrev:", "kirjoitti:", "пишет:", "написал:", "написала:", "писал:", "пише:", "yazdı:", "yazmış:", "napsal(a):",
    "napisał(a):", "írta:", "さんは書きました:", "さんが書きました:", "のメール:", "のメール：", "님이 작성:", "写道：", "写道:", "寫道：",
)  # fmt: skip
_SEPARATORS = (
    "original message", "original-nachricht", "ursprüngliche nachricht", "message d'origine", "message d’origine", "message original",
    "mensaje original", "messaggio originale", "oorspronkelijk bericht", "mensagem original", "ursprungligt meddelande",
    "originalmeddelelse", "oprindelig meddelelse", "opprinnelig melding", "alkuperäinen viesti", "исходное сообщение",
    "wiadomość oryginalna", "původní zpráva", "orijinal ileti", "元のメッセージ", "元のメール", "original mail",
    "原始邮件", "原始郵件", "원본 메시지", "הודעה מקורית", "الرسالة الأصلية",
)  # fmt: skip
_FORWARDS = (
    "forwarded message", "forwarded email", "転送メール", "begin forwarded message", "weitergeleitete nachricht", "message transféré", "message transfere", "mensaje reenviado",
    "messaggio inoltrato", "doorgestuurd bericht", "mensagem encaminhada", "vidarebefordrat", "videresendt",
    "przekazana wiadomość", "пересылаемое сообщение", "пересланное сообщение", "転送メッセージ", "転送された",
    "转发的邮件", "轉寄的郵件", "전달된 메시지",
)  # fmt: skip
#: Apple Mail's, which stand alone on their line, without dashes.
_BARE_FORWARDS = frozenset(
    (
        "begin forwarded message:", "anfang der weitergeleiteten nachricht:", "anfang der weitergeleiteten e-mail:",
        "début du message transféré :", "début du message réexpédié :", "inicio del mensaje reenviado:",
        "inizio messaggio inoltrato:", "begin doorgestuurd bericht:", "転送されたメッセージ:", "転送されたメッセージ：",
    )
)  # fmt: skip
_FORWARDING = re.compile(
    r"^\s*(?:fwd?|wg|tr|rv|enc|i|vs|vb|vl|doorst|転送|转发|轉寄|전달)\s*(?:\[\d+\])?\s*[:：]", re.IGNORECASE
)
_HEADER_KEYS = (
    "from:", "sent:", "to:", "subject:", "date:", "cc:", "von:", "gesendet:", "an:", "betreff:", "datum:", "de :", "de:",
    "envoyé :", "envoyé:", "à :", "objet :", "objet:", "date :", "enviado:", "para:", "asunto:", "assunto:", "fecha:",
    "da:", "inviato:", "a:", "oggetto:", "data:", "van:", "verzonden:", "aan:", "onderwerp:", "från:", "skickat:",
    "till:", "ämne:", "fra:", "sendt:", "til:", "emne:", "lähettäjä:", "lähetetty:", "od:", "wysłano:", "do:", "temat:",
    "от:", "отправлено:", "кому:", "тема:", "дата:", "差出人:", "送信日時:", "送信者:", "宛先:", "件名:", "日時:",
    "差出人：", "送信日時：", "宛先：", "件名：", "发件人:", "发件人：", "发送时间:", "发送时间：", "收件人:", "收件人：",
    "主题:", "主题：", "寄件者:", "보낸 사람:", "보낸 날짜:", "받는 사람:", "제목:", "מאת:", "נשלח:", "אל:", "נושא:",
)  # fmt: skip
_FIRST_KEYS = (
    "from:", "von:", "de :", "de:", "da:", "van:", "från:", "fra:", "lähettäjä:", "od:", "от:", "差出人:", "送信者:",
    "差出人：", "发件人:", "发件人：", "寄件者:", "보낸 사람:", "מאת:", "date:", "subject:",
)  # fmt: skip
_JAPANESE = re.compile(r"^\d{4}[年/-]\d{1,2}[月/-]\d{1,2}.{0,120}[<＜][^<>]{1,120}@[^<>]{1,120}[>＞].{0,20}[:：]$")
_DIGIT = re.compile(r"\d")
_SIGNS = frozenset("-=*_B－＝>＞")  # how separators, forwards and quoted lines begin


def split_quoted(text: str) -> tuple[str, str]:
    """Return (new, quoted). `quoted` is '' when nothing is quoted or all of it would be."""
    lines = text.split("\n")
    keep, cut = _mark(lines)
    if not cut:
        return text, ""
    new = "\n".join(line for line, kept in zip(lines, keep, strict=True) if kept).strip("\n")
    if not new.strip():
        return text, ""
    return new, "\n".join(line for line, kept in zip(lines, keep, strict=True) if not kept).strip("\n")


def is_forwarding(subject: str) -> bool:
    """Say whether a subject begins as that of a forward does: Outlook marks its forwards nowhere else."""
    return _FORWARDING.match(subject) is not None


def is_quoted(line: str) -> bool:
    """Say whether a line carries a quote mark."""
    return line.lstrip(" ")[:1] in (">", "＞")


def attribution_length(lines: list[str], i: int) -> int:
    """Return how many lines from `i` are an attribution ("On … wrote:"), 0 when none."""
    head = _plain(lines[i])
    if not head:
        return 0
    if len(head) <= _MAX_ATTRIBUTION and _JAPANESE.match(head):
        return 1
    pieces: list[str] = []
    for count in range(1, 4):
        if i + count > len(lines):
            return 0
        piece = _plain(lines[i + count - 1])
        pieces.append(piece)
        if not piece or sum(map(len, pieces)) > _MAX_ATTRIBUTION:
            return 0
        if _is_attribution(" ".join(pieces)):
            # A line of the answer right above an attribution is no part of it.
            later = (" ".join(pieces[start:]) for start in range(1, count))
            return 0 if any(_begins_attribution(each) and _is_attribution(each) for each in later) else count
    return 0


def _is_attribution(line: str) -> bool:
    low = line.lower()
    if low[-1] not in ":：" or not (_DIGIT.search(low) or "@" in low):
        return False
    if low.endswith(_CLOSERS) or (low.endswith(">:") and "@" in low) or " schrieb am " in low:
        return True
    tail = low[-120:]
    return any(low.startswith(start) and any(word in tail for word in words) for start, words in _OPENERS)


def _begins_attribution(line: str) -> bool:
    return line.lower().startswith(tuple(start for start, _ in _OPENERS))


def _mark(lines: list[str]) -> tuple[list[bool], bool]:
    """Mark the lines to keep. One pass for markers, one for `>` blocks."""
    keep = [True] * len(lines)
    colons = [":" in line or "：" in line for line in lines]  # every attribution and header block has one
    blocks = 0
    i = 0
    while i < len(lines):
        if True not in colons[i : i + 3] and lines[i].strip()[:1] not in _SIGNS:
            i += 1  # as nearly every line of nearly every message
            continue
        length = attribution_length(lines, i)
        if length:
            after = _next_filled(lines, i + length)
            if after < len(lines) and is_quoted(lines[after]):
                end = _block_end(lines, after)
                _drop(keep, i, end)
                blocks += 1
                i = end
                continue
            if after < len(lines):
                _drop(keep, i, len(lines))
                return keep, True
        elif is_forward(lines[i]):
            return keep, not all(keep)  # what follows is the content, not a quote
        elif is_separator(lines, i) or is_header_block(lines, i):
            _drop(keep, i, len(lines))
            return keep, True
        elif is_quoted(lines[i]):
            i = _block_end(lines, i)
            continue
        i += 1
    tail = _trailing_quote(lines)
    if blocks > 1 or (blocks and _marks_elsewhere(lines, keep, tail)):
        keep = [True] * len(lines)  # answers between quotes: the quotes are the context
    _drop(keep, tail, len(lines))
    return keep, not all(keep)


def _marks_elsewhere(lines: list[str], keep: list[bool], tail: int) -> bool:
    return any(keep[i] and is_quoted(lines[i]) for i in range(tail))


def _drop(keep: list[bool], start: int, end: int) -> None:
    for i in range(start, end):
        keep[i] = False


def _next_filled(lines: list[str], i: int) -> int:
    while i < len(lines) and not lines[i].strip():
        i += 1
    return i


def _block_end(lines: list[str], i: int) -> int:
    """Return the end of a `>` block; single empty lines inside it belong to it."""
    end = i
    while i < len(lines):
        if is_quoted(lines[i]):
            end = i + 1
        elif lines[i].strip():
            break
        i += 1
    return end


def _trailing_quote(lines: list[str]) -> int:
    """Return where a quote begins that nothing but empty lines follows."""
    end = len(lines)
    while end > 0 and not lines[end - 1].strip():
        end -= 1
    start = end
    while start > 0 and (is_quoted(lines[start - 1]) or not lines[start - 1].strip()):
        start -= 1
    while start < end and not lines[start].strip():
        start += 1
    if start == end:
        return len(lines)
    for back in (1, 2, 3, 4):
        if start - back >= 0 and attribution_length(lines, start - back):
            return start - back
    return start


def is_forward(line: str) -> bool:
    """Say whether a line announces forwarded content."""
    bare = line.strip()
    if len(bare) < 60 and bare.lower().replace("\xa0", " ") in _BARE_FORWARDS:
        return True
    if len(bare) > 120 or bare[:1] not in ("-", "=", "*", "_", "B", "－", "＝"):
        return False
    low = bare.strip("-_=*＿ー－＝ ").lower()
    return low.startswith(_FORWARDS)


def is_separator(lines: list[str], i: int) -> bool:
    """Say whether "-----Original Message-----" or the rule above Outlook's header block stands at `i`."""
    line = lines[i].strip()
    if len(line) > 120 or len(line) < 6:
        return False
    bare = line.strip("-_=*＿ー－ ").lower()
    if bare and line[0] in "-_=*－" and any(bare.startswith(name) for name in _SEPARATORS):
        return True
    if not bare and line[0] in "-_" and len(line) >= 10:  # Outlook rules off its header block
        after = _next_filled(lines, i + 1)
        return after - i < 4 and after < len(lines) and is_header_block(lines, after)
    return False


def begins_header_block(line: str) -> bool:
    """Say whether a line can be the first of Outlook's header block."""
    return _plain(line).lower().startswith(_FIRST_KEYS)


def is_header_block(lines: list[str], i: int) -> bool:
    """Say whether From, Sent, To, Subject of an original stand from `i` on."""
    if i >= len(lines) or not begins_header_block(lines[i]):
        return False
    found = 0
    for line in lines[i : i + 6]:
        bare = _plain(line).lower()
        if not bare:
            break
        found += bare.startswith(_HEADER_KEYS)
    return found > _HEADERS_NEEDED


def _plain(line: str) -> str:
    """Return a short line without white space and the stars of HTML turned to text."""
    short = line[: _MAX_ATTRIBUTION + 50].strip().replace("*", "").replace("\u200e", "")
    return short.replace("\xa0", " ").replace("\u202f", " ")
