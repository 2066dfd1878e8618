"""The linking rules as values: M02 (counterparties), M27 (persons), M28 and M29 (deals), M30 (unlinked stays so)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.crm.linking.match import (
    POLICIES,
    Directory,
    Intent,
    Target,
    ThreadLinks,
    candidates,
    counterparties,
    decide,
    named,
)

MIKA, NOOR = 1, 2
P_MIKA, P_NOOR = Target("person", MIKA), Target("person", NOOR)


def directory(
    deals: dict[int, tuple[int, ...]] | None = None, leads: dict[int, tuple[int, ...]] | None = None
) -> Directory:
    """Mika and Noor with their open deals; a deal with a higher id is newer."""
    newness = {deal: deal for several in (deals or {}).values() for deal in several}
    return Directory({"mika@x": (MIKA,), "noor@x": (NOOR,)}, deals or {}, leads or {}, newness)


def targets(intents: tuple[Intent, ...]) -> list[Target]:
    return [intent.target for intent in intents]


def test_own_addresses_and_colleagues_are_no_counterparties() -> None:
    """M02, vocabulary: all of From, Reply-To, To, Cc, Bcc, less own addresses, less the workspace's users'."""
    found = counterparties(
        [
            ("from", "Mika@X"),
            ("sender", "robot@x"),
            ("reply_to", "reply@x"),
            ("to", "aino@crm"),
            ("to", "alias@crm"),
            ("cc", "colleague@crm"),
            ("cc", "mika@x"),
            ("bcc", "noor@x"),
            ("to", ""),
        ],
        own=frozenset({"aino@crm", "alias@crm"}),
        colleagues=frozenset({"colleague@crm"}),
    )
    assert found == ("mika@x", "reply@x", "noor@x")


def test_every_person_with_an_address_is_linked_and_says_by_which() -> None:
    """M27, B06: also where two persons share an address."""
    shared = Directory({"info@x": (MIKA, NOOR)})
    assert decide(["info@x", "stranger@x"], ThreadLinks(), shared) == (
        Intent(P_MIKA, "address", "info@x"),
        Intent(P_NOOR, "address", "info@x"),
    )


def test_the_only_open_deal_is_linked() -> None:
    """M28."""
    found = decide(["mika@x"], ThreadLinks(), directory({MIKA: (7,)}))
    assert found[1:] == (Intent(Target("deal", 7), "one_open_deal", "mika@x", MIKA),)


def test_the_switch_of_the_mailbox_is_for_deals_only() -> None:
    """M28 is a toggle; persons are linked all the same."""
    assert targets(decide(["mika@x"], ThreadLinks(), directory({MIKA: (7,)}), link_deals=False)) == [P_MIKA]


def test_several_open_deals_are_never_guessed() -> None:
    """M29: one person's two, and two persons' one each."""
    assert targets(decide(["mika@x"], ThreadLinks(), directory({MIKA: (8, 7)}))) == [P_MIKA]
    assert targets(decide(["mika@x", "noor@x"], ThreadLinks(), directory({MIKA: (7,), NOOR: (8,)}))) == [P_MIKA, P_NOOR]
    assert candidates([MIKA, NOOR], directory({MIKA: (7,), NOOR: (9, 8)})) == (9, 8, 7)


def test_a_deal_that_two_persons_share_is_one_deal() -> None:
    found = decide(["mika@x", "noor@x"], ThreadLinks(), directory({MIKA: (7,), NOOR: (7,)}))
    assert targets(found)[2:] == [Target("deal", 7)]


def test_the_thread_keeps_a_deal_or_lead_of_its_own() -> None:
    """M29: also when exactly one other deal is open."""
    for own in (Target("deal", 3), Target("lead", 3)):
        thread = ThreadLinks(frozenset({P_MIKA, own}))
        for policy in POLICIES:
            assert decide(["mika@x"], thread, directory({MIKA: (7,)}), policy=policy) == ()


def test_the_conversations_other_persons_count_too() -> None:
    """M02: the deal of a conversation is calculated from all its counterparties, whoever wrote the newest message."""
    both = directory({MIKA: (7,), NOOR: (8,)})
    thread = ThreadLinks(frozenset({P_NOOR}), addresses={NOOR: "noor@x"})
    assert targets(decide(["mika@x"], thread, both)) == [P_MIKA], "two persons, two deals: nothing to guess"
    only_hers = directory({NOOR: (8,)})
    assert decide(["mika@x"], thread, only_hers)[1:] == (Intent(Target("deal", 8), "one_open_deal", "noor@x", NOOR),)
    assert decide([], thread, only_hers) == (Intent(Target("deal", 8), "one_open_deal", "noor@x", NOOR),)


def test_smart_bcc_comes_after_the_threads_own_and_before_the_rules() -> None:
    """Issue 4, Deliver 3: own link, Smart Bcc, single open deal, policy."""
    for own in (Target("deal", 3), Target("lead", 3)):
        assert named(Target("deal", 9), ThreadLinks(frozenset({own})), "smart_bcc") == ()
    assert named(Target("deal", 9), ThreadLinks(unlinked=frozenset({Target("deal", 9)})), "smart_bcc") == ()
    intents = named(Target("deal", 9), ThreadLinks(frozenset({P_MIKA})), "smart_bcc")
    assert intents == (Intent(Target("deal", 9), "smart_bcc"),)
    after = ThreadLinks(frozenset({P_MIKA})).with_links(intents)
    assert decide(["mika@x"], after, directory({MIKA: (7,)})) == (), "the rules find a deal of the thread's own"


def test_policies_of_the_mailbox() -> None:
    """M29: ask / newest / all / none."""
    several = directory({MIKA: (8, 7)})
    chosen = {policy: targets(decide(["mika@x"], ThreadLinks(), several, policy=policy))[1:] for policy in POLICIES}
    assert chosen == {
        "ask": [],
        "none": [],
        "newest": [Target("deal", 8)],
        "all": [Target("deal", 8), Target("deal", 7)],
    }


def test_what_was_unlinked_stays_unlinked() -> None:
    """M30: the deal; the newest deal, without falling back on the next one; the person, and their deals with them."""
    no_deal = ThreadLinks(unlinked=frozenset({Target("deal", 8)}))
    assert targets(decide(["mika@x"], no_deal, directory({MIKA: (8,)}))) == [P_MIKA]
    assert targets(decide(["mika@x"], no_deal, directory({MIKA: (8, 7)}), policy="newest")) == [P_MIKA]
    assert targets(decide(["mika@x"], no_deal, directory({MIKA: (8, 7)}), policy="all")) == [P_MIKA, Target("deal", 7)]
    no_person = ThreadLinks(unlinked=frozenset({P_MIKA}))
    assert decide(["mika@x"], no_person, directory({MIKA: (7,)})) == ()


def test_the_only_open_lead_counts_where_no_deal_is_open() -> None:
    """M02: person, lead and deal."""
    assert targets(decide(["mika@x"], ThreadLinks(), directory(leads={MIKA: (5,)})))[1:] == [Target("lead", 5)]
    assert targets(decide(["mika@x"], ThreadLinks(), directory(leads={MIKA: (5, 6)})))[1:] == []
    assert targets(decide(["mika@x"], ThreadLinks(), directory({MIKA: (7, 8)}, {MIKA: (5,)})))[1:] == []


ids = st.integers(1, 4)
addresses = st.sampled_from(["a@x", "b@x", "c@x", "d@x"])
kinds = st.sampled_from(["person", "deal", "lead"])
some_targets = st.frozensets(st.builds(Target, kinds, ids), max_size=6)


@st.composite
def directories(draw: st.DrawFn) -> Directory:
    def several() -> st.SearchStrategy[tuple[int, ...]]:
        return st.lists(ids, unique=True, max_size=3).map(tuple)

    persons = draw(st.dictionaries(addresses, several(), max_size=4))
    newness = dict.fromkeys(range(1, 5), 0) | dict(enumerate(draw(st.permutations(range(1, 5))), 1))

    def newest_first(found: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(found, key=lambda deal: -newness[deal]))

    return Directory(
        persons,
        draw(st.dictionaries(ids, several().map(newest_first), max_size=4)),
        draw(st.dictionaries(ids, several(), max_size=4)),
        newness,
    )


@st.composite
def threads(draw: st.DrawFn) -> ThreadLinks:
    unlinked = draw(some_targets)
    return ThreadLinks(draw(some_targets) - unlinked, unlinked)


@given(st.lists(addresses), threads(), directories(), st.booleans(), st.sampled_from(POLICIES))
def test_the_rules_keep_their_promises(
    found: list[str], thread: ThreadLinks, known: Directory, link_deals: bool, policy: str
) -> None:
    intents = decide(found, thread, known, link_deals=link_deals, policy=policy)
    made = targets(intents)
    assert len(set(made)) == len(made)
    assert not set(made) & thread.unlinked, "M30: never what a person unlinked"
    assert not set(made) & thread.standing, "nothing twice"
    matching = {person for address in found for person in known.persons.get(address, ())}
    assert {one.id for one in made if one.kind == "person"} <= matching, "M27: only by address"
    of_thread = matching | {one.id for one in thread.standing if one.kind == "person"}
    of_deals = [one for one in made if one.kind != "person"]
    if not link_deals or any(one.kind != "person" for one in thread.standing):
        assert not of_deals, "M28, M29"
    if policy in ("ask", "none"):
        assert len(of_deals) <= 1, "M29: no silent guess"
    for intent in intents:
        assert intent.address in found or intent.person in of_thread, "B06: each says by which address or person"

    # Applying the result and deciding again adds nothing.
    after = ThreadLinks(thread.standing | set(made), thread.unlinked)
    again = decide(found, after, known, link_deals=link_deals, policy=policy)
    assert not again


@given(
    st.lists(st.tuples(st.sampled_from(["from", "sender", "reply_to", "to", "cc", "bcc"]), addresses)),
    st.frozensets(addresses),
    st.frozensets(addresses),
)
def test_excluded_addresses_never_come_through(
    participants: list[tuple[str, str]], own: frozenset[str], colleagues: frozenset[str]
) -> None:
    found = counterparties(participants, own, colleagues)
    assert not set(found) & (own | colleagues)
    expected = {address for role, address in participants if role != "sender"} - own - colleagues
    assert set(found) == expected
    assert len(found) == len(expected)
