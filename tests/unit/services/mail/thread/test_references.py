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


def test_threads_made_by_hand_are_never_joined() -> None:
    """A message that names both sides of a split goes to its nearest ancestor's; what nobody pinned comes along."""
    known, sizes, age = {"a": 1, "b": 2, "c": 3}, {1: 1, 2: 1, 3: 1}, {1: 1, 2: 2, 3: 3}
    assert decide(["n", "b", "a"], known, sizes, age, {1, 2}) == Join(2)
    assert decide(["n", "a", "b"], known, sizes, age, {1, 2}) == Join(1)
    assert decide(["n", "b", "a", "c"], known, sizes, age, {1, 2}) == Join(2, (3,))
    assert decide(["n", "b", "a"], known, sizes, age, {2}) == Join(1, (2,)), "one alone may take others in"
    assert decide(["n", "b", "a"], known, {**sizes, 2: MAX_MESSAGES}, age, {1, 2}) == Start()


def test_ids_are_named_once() -> None:
    assert ids_of("a", "b", ["d", "c", "b", "a"]) == ("a", "b", "c", "d"), "nearest ancestor first"
    assert ids_of(None, None, []) == ()


@given(
    st.lists(st.sampled_from("abcdef"), max_size=6),
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 4)),
    st.lists(st.integers(0, MAX_MESSAGES), min_size=4, max_size=4),
    st.sets(st.integers(1, 4)),
)
def test_no_thread_ever_passes_the_cap(
    ids: list[str], known: dict[str, int], counts: list[int], pinned: set[int]
) -> None:
    sizes: dict[int, int] = dict(zip((1, 2, 3, 4), counts, strict=True))
    intent = decide(ids, known, sizes, {t: t for t in sizes}, pinned)
    if isinstance(intent, Join):
        assert 1 + sizes[intent.thread] + sum(sizes[t] for t in intent.merge) <= MAX_MESSAGES
        assert intent.thread not in intent.merge
        assert len(pinned.intersection((intent.thread, *intent.merge))) <= 1
