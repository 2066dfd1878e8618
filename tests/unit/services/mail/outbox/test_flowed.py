"""format=flowed (RFC 3676): what is written comes back, whatever the width it went out with."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from mailcrm.services.mail.outbox.flowed import flowed, unflowed

TEXT = st.text(alphabet=st.sampled_from("ab >F.-日ם\n") | st.characters(codec="utf-8", categories=("L", "N", "P")))


def tidy(text: str) -> str:
    """What a reader can't tell apart: blanks at line ends, and the space after the marks of a quote."""
    made: list[str] = []
    for line in text.split("\n"):
        if line == "-- ":
            made.append(line.rstrip(" "))
            continue
        depth, rest = 0, line
        while rest.startswith(">"):
            depth, rest = depth + 1, rest[1:].removeprefix(" ") if rest[1:].startswith(" >") else rest[1:]
        rest = rest.removeprefix(" ") if depth else rest
        made.append(((">" * depth + " ") if depth else "") + rest.rstrip(" "))
    return "\n".join(made)


@given(TEXT)
@example("From here on\n> quoted " + "word " * 40 + "\n-- \nAino")
@example("> > deep\n>> deeper\n>")
def test_it_comes_back(text: str) -> None:
    assert unflowed(flowed(text)) == tidy(text)


def test_long_lines_are_broken_softly() -> None:
    out = flowed("The certificates " * 20)
    assert all(len(line) <= 73 for line in out.split("\n"))
    assert all(line.endswith(" ") for line in out.split("\n")[:-1])


def test_the_mark_of_a_signature_stays_alone() -> None:
    assert flowed("Bye\n-- \nAino") == "Bye\n-- \nAino"


def test_stuffing() -> None:
    assert flowed("From Mika\n  indented") == " From Mika\n   indented"


def test_japanese_is_not_broken_inside_words() -> None:
    line = "日本語" * 60
    assert flowed(line) == line
