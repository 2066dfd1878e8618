"""Threading decides by Message-IDs alone; the oldest thread wins, a full one takes nobody in (sync.md A6)."""

from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.mail.thread.references import MAX_MESSAGES, Join, Start, decide, ids_of


def choose(ids: list[str], known: dict[str, int], sizes: dict[int, int] | None = None) -> Start | Join:
    threads = set(known.values())
    return decide(ids, known, sizes or dict.fromkeys(threads, 1), {t: t for t in threads})


def test_an_unknown_message_starts_a_thread() -> None:
    assert choose(["a@x"], {}) == Start()


def test_a_reply_joins_and_ties_threads_together() -> None:
    assert choose(["new@x", "a@x"], {"a@x": 4}) == Join(4)
    assert choose(["new@x", "a@x", "b@x"], {"a@x": 9, "b@x": 4}) == Join(4, (9,))


def test_a_full_thread_takes_nobody_in() -> None:
    assert choose(["n@x", "a@x"], {"a@x": 1}, {1: MAX_MESSAGES}) == Start()
    assert choose(["n@x", "a@x", "b@x"], {"a@x": 1, "b@x": 2}, {1: MAX_MESSAGES, 2: 3}) == Join(2)
    assert choose(["n@x", "a@x", "b@x"], {"a@x": 1, "b@x": 2}, {1: 300, 2: 200}) == Join(1)


def test_ids_are_named_once() -> None:
    assert ids_of("a", "b", ["c", "b", "a"]) == ("a", "b", "c")
    assert ids_of(None, None, []) == ()


@given(
    st.lists(st.sampled_from("abcdef"), max_size=6),
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 4)),
    st.lists(st.integers(0, MAX_MESSAGES), min_size=4, max_size=4),
)
def test_no_thread_ever_passes_the_cap(ids: list[str], known: dict[str, int], counts: list[int]) -> None:
    sizes: dict[int, int] = dict(zip((1, 2, 3, 4), counts, strict=True))
    intent = decide(ids, known, sizes, {t: t for t in sizes})
    if isinstance(intent, Join):
        assert 1 + sizes[intent.thread] + sum(sizes[t] for t in intent.merge) <= MAX_MESSAGES
        assert intent.thread not in intent.merge
