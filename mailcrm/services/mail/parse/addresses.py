"""Address headers: names and addr-specs in one linear pass (RFC 5322 3.4, forgiving).

Own scanner, because the stdlib recurses on nested comments (500 parentheses in From
end in RecursionError) and is quadratic on long lists. Groups are flattened to their
members. Does not check that an address could be delivered to, and trusts no display
name: an address inside a name stays a name.
"""

from __future__ import annotations

import functools
import re

from mailcrm.services.mail.parse.charsets import one_line
from mailcrm.services.mail.parse.headers import decode_words, header_charset_text
from mailcrm.services.mail.parse.values import MAX_ADDRESSES, Address

_DOMAIN = re.compile(r"""[^\s@<>()\[\],;:"'\\/?#]+|\[[^\s@<>()\[\]\\]+\]""")
_ODD = re.compile(r'["(<]')
_SHORT = 200  # octets of a header whose addresses are worth remembering
_MAX_SPEC = 320  # octets of a legal addr-spec (RFC 5321 4.5.3.1); keeps glueing linear


def parse_addresses(value: bytes | None, charset: str | None = None) -> tuple[Address, ...]:
    """Return the mailboxes of a header value, at most MAX_ADDRESSES, in order."""
    if not value:
        return ()
    return (
        _remembered(value, charset) if len(value) <= _SHORT else addresses_of_text(header_charset_text(value, charset))
    )


@functools.lru_cache(1000)
def _remembered(value: bytes, charset: str | None) -> tuple[Address, ...]:
    """The same few people write most of a mailbox."""
    return addresses_of_text(header_charset_text(value, charset))


def addresses_of_text(text: str) -> tuple[Address, ...]:
    """Return the mailboxes of decoded text whose encoded words are still encoded."""
    found: list[Address] = []
    current = _Mailbox()
    for kind, token in _tokens(text):
        if kind == ",":
            current.add_to(found)
            current = _Mailbox()
            if len(found) >= MAX_ADDRESSES:
                return tuple(found)
        elif kind == ":":
            current = _Mailbox()  # what came before was a group's name
        else:
            current.take(kind, token)
    current.add_to(found)
    return tuple(found[:MAX_ADDRESSES])


def normal_address(text: str) -> str:
    """Return an addr-spec without spaces, its domain lower-cased; '' when it is none.

    Two unquoted @ are none: programs disagree on which of them counts.
    """
    spec = "".join(one_line(text[: _MAX_SPEC * 4]).split()).strip("<>").removeprefix("mailto:")
    if spec.startswith("@") and ":" in spec:  # obsolete route: <@a,@b:c@d>
        spec = spec.rpartition(":")[2]
    local, at, domain = spec.rpartition("@")
    domain = domain.rstrip(".").lower()
    if not at or not local or not _DOMAIN.fullmatch(domain) or len(spec) > _MAX_SPEC:
        return ""
    if "@" in local and not (local.startswith('"') and local.endswith('"')):
        return ""
    return f"{local}@{domain}"


class _Mailbox:
    """What has been read of one mailbox so far."""

    def __init__(self) -> None:
        self.words: list[tuple[bool, str]] = []  # quoted?, text
        self.comments: list[str] = []
        self.angle: str | None = None

    def take(self, kind: str, token: str) -> None:
        if kind == "<":
            if self.angle is None or not normal_address(self.angle):
                self.angle = token
        elif kind == "(":
            self.comments.append(token)
        elif self.angle is None or not self.words:  # `<a@b.test> Jane` happens too
            self.words.append((kind == '"', token))

    def add_to(self, found: list[Address]) -> None:
        comment = _name(" ".join(self.comments))
        if self.angle is None:
            words, address = self._bare()
        else:
            words, address = [word for _, word in self.words], normal_address(self.angle)
        name = _name(" ".join(words)) or comment
        if name or address:
            found.append(Address(name, address))

    def _bare(self) -> tuple[list[str], str]:
        """Split words without brackets into name and addr-spec, glueing `a @ b . c`."""
        glued: list[tuple[bool, str]] = []
        for quoted, word in self.words:
            before = glued[-1][1] if glued else ""
            near = word[:1] in "@." or before[-1:] in ("@", ".")
            if before and near and not quoted and len(before) < _MAX_SPEC:
                local = quote(before) if glued[-1][0] else before
                glued[-1] = (False, local + word)
            else:
                glued.append((quoted, word))
        for i, (quoted, word) in enumerate(glued):
            # In quotes and alone it was meant as the address; beside others it is a name.
            if "@" in word and (not quoted or len(glued) == 1):
                address = normal_address(word)
                if address:
                    return [w for _, w in glued[:i] + glued[i + 1 :] if "@" not in w], address
        return [word for _, word in self.words], ""


def quote(text: str) -> str:
    """Return text as an RFC 5322 quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _name(text: str) -> str:
    return one_line(decode_words(text)).strip("'").strip() if text else ""


def _tokens(text: str) -> list[tuple[str, str]]:
    """Cut into `,` `:` `<angle>` `(comment)` `"quoted"` and words, in one pass."""
    out: list[tuple[str, str]] = []
    i, size, in_group = 0, len(text), False
    while i < size:
        c = text[i]
        if c in " \t\r\n":
            i += 1
        elif c in ",;":  # Outlook separates with semicolons outside groups as well
            in_group = in_group and c == ","
            out.append((",", ""))
            i += 1
        elif c == ":" and not in_group:
            in_group = True
            out.append((":", ""))
            i += 1
        elif c == '"':
            token, i = _quoted(text, i + 1)
            out.append(('"', token))
        elif c == "(":
            token, i = _comment(text, i + 1)
            out.append(("(", token))
        elif c == "<":
            token, i = _angle(text, i + 1)
            out.append(("<", token))
        else:
            start = i
            while i < size and text[i] not in ' \t\r\n,;"(<' and (in_group or text[i] != ":"):
                literal = text.find("]", i, i + 80) if text[i] == "[" and text[i - 1] == "@" else -1
                i = literal + 1 if literal > 0 else i + 1
            i = max(i, start + 1)
            out.append(("a", text[start:i]))
    return out


def _quoted(text: str, i: int) -> tuple[str, int]:
    out: list[str] = []
    while i < len(text) and text[i] != '"':
        if text[i] == "\\" and i + 1 < len(text):
            i += 1
        out.append(text[i])
        i += 1
    return "".join(out), i + 1


def _comment(text: str, i: int) -> tuple[str, int]:
    out: list[str] = []
    depth = 1
    while i < len(text):
        c = text[i]
        if c == "\\" and i + 1 < len(text):
            i += 1
            c = text[i]
        elif c == "(":
            depth += 1
        elif c == ")":
            depth -= 1
            if depth == 0:
                return "".join(out), i + 1
        out.append(c)
        i += 1
    return "".join(out), i


def _angle(text: str, i: int) -> tuple[str, int]:
    """Read to `>`, keeping quoted local parts whole and dropping comments."""
    end = text.find(">", i)
    if end > 0 and not _ODD.search(text, i, end):
        return text[i:end], end + 1
    out: list[str] = []
    while i < len(text):
        c = text[i]
        if c == ">":
            return "".join(out), i + 1
        if c == '"':
            token, i = _quoted(text, i + 1)
            out.append(quote(token))
            continue
        if c == "(":
            _, i = _comment(text, i + 1)
            continue
        if c == "<":
            out.clear()  # `<<a@b>`: the inner one counts
            i += 1
            continue
        out.append(c)
        i += 1
    return "".join(out), i
