"""A session that speaks like one provider: its capabilities before and after sign-in, what it refuses and in which words.

A command that the provider does not offer is answered with BAD, so that using it shows. The script is data; what is known
of providers comes from providers.md §2 and §3, and no real server was asked.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field

from tests.fakes.imap.account import Account
from tests.fakes.imap.core import No
from tests.fakes.imap.grammar import Bad, Token
from tests.fakes.imap.memory import MemorySocket, Network
from tests.fakes.imap.session import Session

#: Commands that need to be offered.
NEEDS = {
    "MOVE": "MOVE",
    "ENABLE": "ENABLE",
    "NAMESPACE": "NAMESPACE",
    "IDLE": "IDLE",
    "UNSELECT": "UNSELECT",
    "ID": "ID",
}


@dataclass
class Script:
    """What a provider does. `refusal` is its answer to a wrong secret, `token` the one that XOAUTH2 has to bring."""

    before: frozenset[str] = frozenset({"AUTH=PLAIN", "AUTH=LOGIN"})
    username: str = ""
    secret: str = "right"
    token: str = ""
    refusal: str = "[AUTHENTICATIONFAILED] Authentication failed."
    needs_id: bool = False
    no_id_before: bool = False
    no_select_options: bool = False
    #: Once, instead of a command's answer: "BYE …" ends the connection, anything else is the tagged answer.
    trouble: dict[str, str] = field(default_factory=dict[str, str])
    phantoms: tuple[str, ...] = ()  # folders that are listed and can't be opened
    most_line: int = 0  # octets of a command
    search_space: bool = False  # SEARCH answers end with a space
    decimals: bool = False  # sizes come as decimals
    foreign: bool = False  # FETCH answers tell of messages that nobody asked for
    log: list[str] = field(default_factory=list[str])


class ProviderSession(Session):
    """One connection to it."""

    def __init__(self, account: Account, script: Script) -> None:
        super().__init__(account)
        self.script = script
        self._told_who = False

    def _capabilities(self) -> bytes:
        more = self.account.quirks.offers if self._signed_in else self.script.before
        return " ".join(["IMAP4rev1", *sorted(more)]).encode()

    def _run(self, line: bytes) -> bytes:
        name = line.split(b" ")[1].upper().decode("latin-1") if line.count(b" ") else ""
        words = line.upper().split()
        verb = (
            words[2].decode("latin-1")
            if name == "UID" and len(words) > 2
            else name or (words[1].decode("latin-1") if len(words) > 1 else "")
        )
        if self._idle is None and self._plain is None:
            self.script.log.append(verb)
            need = NEEDS.get(verb)
            offered = self.account.quirks.offers if self._signed_in else self.script.before
            if need and need not in offered:
                return words[0] + b" BAD Unknown command\r\n"
            if verb == "LIST" and b"RETURN" in words and "LIST-STATUS" not in offered:
                return words[0] + b" BAD Syntax error\r\n"
            if self.script.most_line and len(line) > self.script.most_line:
                return words[0] + b" BAD [CLIENTBUG] Command line too long\r\n"
            said = self.script.trouble.pop(verb, "") if self._signed_in else ""
            if said.startswith("BYE "):
                return self._bye(said.removeprefix("BYE "))
            if said:
                return words[0] + f" {said}\r\n".encode()
            if verb in ("SELECT", "EXAMINE") and any(name.encode() in line for name in self.script.phantoms):
                return words[0] + b" NO [NONEXISTENT] Mailbox does not exist\r\n"
        return self._spelled(verb, super()._run(line))

    def _spelled(self, verb: str, answer: bytes) -> bytes:
        if self.script.search_space and verb == "SEARCH" and answer.startswith(b"* SEARCH"):
            return answer.replace(b"\r\n", b" \r\n", 1)
        if verb == "FETCH" and self._idle is None:
            if self.script.decimals:
                answer = re.sub(rb"(RFC822\.SIZE \d+)", rb"\1.0", answer)
            if self.script.foreign and answer.startswith(b"* "):
                answer = b"* 1 FETCH (UID 4000000 FLAGS (\\Seen) RFC822.SIZE 1)\r\n" + answer
        return answer

    def _do_id(self, words: list[Token]) -> bytes:
        if self.script.no_id_before and not self._signed_in:
            raise Bad("ID before sign-in")
        self._told_who = self._signed_in or self._told_who
        return super()._do_id(words)

    def _do_login(self, words: list[Token]) -> bytes:
        given = [bytes(word).decode() for word in words[:2]]
        if self.script.token or given != [self.script.username, self.script.secret]:
            raise No(self.script.refusal)
        return super()._do_login(words)

    def _do_authenticate(self, words: list[Token]) -> bytes:
        mechanism = bytes(words[0]).decode().upper()
        if f"AUTH={mechanism}" not in self.script.before:
            raise Bad("mechanism")
        said = base64.b64decode(bytes(words[1])).decode() if len(words) > 1 else ""
        if mechanism in ("XOAUTH2", "OAUTHBEARER"):
            if f"auth=Bearer {self.script.token}\x01" not in said or not self.script.token:
                raise No(self.script.refusal)
            return super()._do_login([])
        if said.split("\0")[1:] != [self.script.username, self.script.secret]:
            raise No(self.script.refusal)
        return super()._do_login([])

    def _do_select(self, words: list[Token], *, readonly: bool = False) -> bytes:
        if self.script.needs_id and not self._told_who:
            raise No("SELECT Unsafe Login. Please contact kefu@188.com for help")
        if self.script.no_select_options and len(words) > 1:
            raise Bad("SELECT takes no options")
        return super()._do_select(words, readonly=readonly)


@dataclass
class ProviderNetwork(Network):
    """The way to a provider."""

    script: Script = field(default_factory=Script)

    def open(self) -> MemorySocket:
        return MemorySocket(self, ProviderSession(self.account, self.script))
