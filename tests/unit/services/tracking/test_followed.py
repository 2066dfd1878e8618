"""The mark in links that were followed (T05): where it belongs, and nowhere else."""

from __future__ import annotations

from mailcrm.services.tracking.followed import marked


def said(n: int) -> str:
    return f'"{n}" <times>'


def test_a_followed_link_says_so_and_nothing_else_changes() -> None:
    page = (
        '<p><a href="https://x.test/a?b=1&amp;c=2" rel="noopener">the <b>plan</b></a> <a href="https://x.test/">x</a></p>'
        '<details><blockquote><a href="https://x.test/a?b=1&amp;c=2">quoted</a></blockquote></details>'
    )
    made = marked(page, {"https://x.test/a?b=1&c=2": 3, "https://other.test/": 1}, said)
    mark = made[made.index("<span") : made.index("</span>") + 7]
    assert made.replace(mark, "", 1) == page
    assert made.count("mc-followed") == 1
    assert made.index("plan</b>") < made.index(mark) < made.index("</a>")
    assert 'title="&quot;3&quot; &lt;times&gt;"' in mark


def test_without_any_it_is_the_same() -> None:
    page = '<a href="https://x.test/">x</a>'
    assert marked(page, {}, said) is page
    assert marked(page, {"https://x.test": 1}, said) == page
