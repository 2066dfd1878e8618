"""What the deals board shows, as frozen rows of texts and flags. Pure: loads nothing."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from mailcrm.services import i18n
from mailcrm.services.i18n import gettext, ngettext
from mailcrm.state.present import DealRow, Eyes, deal, hue


@dataclass(frozen=True)
class BoardCard:
    """A deal's card and what only the board says about it."""

    deal: DealRow
    owner_hue: int
    label: str
    quiet: bool
    step: str  # the next one, in words
    step_tone: str  # late, today, ahead, none
    out: bool  # the last email went out
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Column:
    """A stage of the board."""

    id: int
    name: str
    count: int
    total: str
    cards: tuple[BoardCard, ...]


def columns(view: Any, eyes: Eyes) -> list[Column]:
    """Return the board's columns."""
    today = eyes.now.astimezone(eyes.zone).date()
    return [
        Column(
            id=each.id,
            name=each.name,
            count=each.count,
            total=_total(each, eyes.language),
            cards=tuple(_card(card, eyes, today) for card in each.cards),
        )
        for each in view.columns
    ]


def carry(shown: list[Column], deal_id: int, stage_id: int) -> list[Column]:
    """Return the columns with a card where it was dropped, before the database says so."""
    carried = [card for column in shown for card in column.cards if card.deal.id == deal_id]
    if not carried or not any(column.id == stage_id for column in shown):
        return shown
    return [_with(column, carried[0], here=column.id == stage_id) for column in shown]


def _card(view: Any, eyes: Eyes, today: date) -> BoardCard:
    shown = deal(view, eyes)
    step, tone = next_step(view.next_step, eyes, today)
    quiet = gettext(eyes.language, "quiet for too long") if view.quiet else ""
    parts = (shown.title, shown.organization, shown.value, shown.stage, shown.person, step, quiet)
    return BoardCard(
        deal=shown,
        owner_hue=hue(view.owner or ""),
        label=", ".join(part for part in parts if part),
        quiet=view.quiet,
        step=step,
        step_tone=tone,
        out=view.last_email_out,
        labels=tuple((each.name, each.color) for each in view.labels),
    )


def next_step(step: Any, eyes: Eyes, today: date) -> tuple[str, str]:
    """Return what is planned next in words, and whether it is late, today, ahead or none."""
    if step is None:
        return gettext(eyes.language, "No next step"), "none"
    if step.on is None:
        return step.subject, "ahead"
    if step.on < today:
        late = (today - step.on).days
        return ngettext(eyes.language, "{n} day late", "{n} days late", late), "late"
    if step.on == today:
        return gettext(eyes.language, "{what}, today", what=step.subject), "today"
    day = i18n.short_day(eyes.language, step.on, eyes.now, eyes.zone)
    return gettext(eyes.language, "{what}, {day}", what=step.subject, day=day), "ahead"


def _with(column: Column, card: BoardCard, *, here: bool) -> Column:
    others = tuple(each for each in column.cards if each.deal.id != card.deal.id)
    cards = (card, *others) if here else others
    return replace(column, cards=cards, count=column.count + len(cards) - len(column.cards))


def _total(column: Any, language: str) -> str:
    if not column.count:
        return ""
    money = i18n.format_money(column.total_minor, column.currency, language)
    return gettext(language, "{money} +", money=money) if column.mixed else money


def summary(view: Any, language: str) -> str:
    """Say how many deals there are; their sum, and it weighted by probability, where they share a currency."""
    cards = [card for column in view.columns for card in column.cards]
    said = [ngettext(language, "{n} open deal", "{n} open deals", len(cards))]
    if len({card.currency for card in cards}) == 1:
        currency = cards[0].currency
        said.append(i18n.format_money(sum(card.value_minor for card in cards), currency, language))
        weighted = sum(card.value_minor * card.probability for card in cards) // 100
        money = i18n.format_money(weighted, currency, language)
        said.append(gettext(language, "weighted {money}", money=money))
    return " · ".join(said)
