"""The CRM panel beside a conversation: person, deal, who may see it, what happened lately."""

import reflex as rx

from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import button, icon_button, ink
from mailcrm.components.forms import error_line, field, text_input
from mailcrm.components.icons import icon, tracking_icon
from mailcrm.components.linking import why_button
from mailcrm.components.sharing import visibility_section
from mailcrm.state.composer import ComposerState
from mailcrm.state.i18n import tr
from mailcrm.state.inbox import InboxState
from mailcrm.state.panel import PanelState
from mailcrm.state.present import DealRow, Item, PersonRow, Step


def deal_panel() -> rx.Component:
    """Return the panel pane."""
    return rx.el.aside(
        rx.el.header(
            rx.el.h2(tr("Linked to"), class_name="t2 b grow"),
            rx.cond(PanelState.has_links, why_button(f"panel{PanelState.thread_id}", PanelState.thread_id)),
            rx.el.span(
                icon_button(
                    "panel-right-close",
                    tr("Hide the panel"),
                    on_click=PanelState.toggle,
                    custom_attrs={"data-hide": "true"},
                ),
                class_name="only-narrow",
            ),
            class_name="bar bar-line",
        ),
        rx.cond(
            PanelState.thread_id > 0,
            rx.el.div(_person(), _deals(), _stranger(), visibility_section(), _recent(), class_name="scroll"),
        ),
        class_name="pane crm-pane",
        id="linked",
        tab_index=-1,
        aria_label=tr("Linked to"),
    )


def person_head(row: rx.Var[PersonRow]) -> rx.Component:
    """Return a person's avatar, name and job, linking to their page."""
    return rx.el.div(
        avatar(row.initials, row.hue, size="md"),
        rx.el.div(
            rx.el.a(row.name, href=row.href, class_name="b cut", dir="auto"),
            rx.cond(row.job != "", rx.el.span(row.job, class_name="dim cut", dir="auto")),
            class_name="col grow",
        ),
        icon_button("mail", tr("Write an email"), on_click=ComposerState.compose_to(row.address)),
        class_name="row gap12",
    )


def stage_progress(steps: rx.Var[list[Step]]) -> rx.Component:
    """Return the stages as a thin bar."""
    return rx.el.ol(
        rx.foreach(
            steps,
            lambda step: rx.el.li(
                rx.el.span(step.name, class_name="sr"),
                custom_attrs={
                    "data-done": step.done,
                    "aria-current": rx.cond(step.state == "here", "step", rx.Var("undefined")),
                },
            ),
        ),
        class_name="progress",
    )


def _person() -> rx.Component:
    return rx.el.section(
        rx.cond(
            PanelState.person.id > 0,
            rx.fragment(
                person_head(PanelState.person),
                rx.el.div(
                    rx.cond(PanelState.person.organization != "", _fact("building-2", PanelState.person.organization)),
                    rx.cond(PanelState.person.address != "", _fact("mail", PanelState.person.address)),
                    rx.cond(PanelState.person.phone != "", _fact("phone", PanelState.person.phone)),
                    rx.match(
                        PanelState.person.consent,
                        ("granted", _fact("shield-check", tr("Agreed to tracking"))),
                        ("refused", _fact("shield-x", tr("Declined tracking"))),
                        rx.fragment(),
                    ),
                    style={"marginBlockStart": "8px"},
                ),
            ),
            rx.cond(
                PanelState.adding,
                _contact_form(),
                rx.el.div(
                    rx.el.p(tr("No contact yet"), class_name="b"),
                    rx.el.p(PanelState.unknown, class_name="dim cut", dir="auto"),
                    rx.cond(
                        PanelState.unknown_address != "",
                        button(
                            icon("user-round-plus"),
                            tr("Add contact"),
                            on_click=PanelState.set_adding(True),
                            style={"marginBlockStart": "8px"},
                            data_testid="add-contact",
                        ),
                    ),
                ),
            ),
        ),
        class_name="sect",
    )


def _stranger() -> rx.Component:
    """Return the offer to add somebody who takes part, beside the person who is known (DESIGN (c))."""
    return rx.cond(
        (PanelState.person.id > 0)
        & PanelState.can_change
        & (PanelState.unknown_address != "")
        & ~PanelState.dismissed.contains(PanelState.unknown_address),
        rx.el.section(
            rx.cond(
                PanelState.adding,
                _contact_form(),
                rx.el.div(
                    icon("sparkles", cls="accent"),
                    rx.el.div(
                        rx.el.p(tr("{name} isn’t a contact yet.", name=PanelState.unknown), dir="auto"),
                        rx.el.div(
                            button(
                                rx.cond(
                                    PanelState.known_organization != "",
                                    tr("Add to {organization}", organization=PanelState.known_organization),
                                    tr("Add contact"),
                                ),
                                look="link",
                                size="btn-sm",
                                on_click=PanelState.set_adding(True),
                                data_testid="add-stranger",
                            ),
                            button(tr("Dismiss"), look="ghost", size="btn-sm", on_click=PanelState.dismiss),
                            class_name="row gap6",
                        ),
                        class_name="col",
                    ),
                    class_name="row gap12 suggest-line",
                ),
            ),
            class_name="sect",
            data_testid="stranger",
        ),
    )


def _fact(name: str, text: rx.Var[str]) -> rx.Component:
    return rx.el.p(icon(name), rx.el.span(text, class_name="cut", dir="auto"), class_name="fact-line")


def _alike(row: rx.Var[PersonRow]) -> rx.Component:
    return rx.el.div(
        rx.el.p(tr("{name} is a contact already.", name=row.name), dir="auto"),
        button(
            tr("Add the address to {name} instead", name=row.name),
            look="link",
            size="btn-sm",
            on_click=PanelState.add_to(row.id),
            data_testid="contact-alike",
        ),
        class_name="col",
        key=row.id,
    )


def _contact_form() -> rx.Component:
    return rx.el.form(
        rx.foreach(PanelState.alike, _alike),
        field(
            tr("Name"),
            text_input("contact-name", form_name="name", default_value=PanelState.prefill_name, dir="auto"),
            name="contact-name",
        ),
        field(
            tr("Email"),
            text_input("contact-address", form_name="address", default_value=PanelState.unknown_address),
            name="contact-address",
        ),
        field(
            tr("Organization"),
            text_input(
                "contact-organization",
                form_name="organization",
                default_value=PanelState.prefill_organization,
                dir="auto",
            ),
            name="contact-organization",
        ),
        field(
            tr("Job title"),
            text_input("contact-job", form_name="job_title", default_value=PanelState.prefill_job, dir="auto"),
            name="contact-job",
        ),
        field(
            tr("Phone"),
            text_input("contact-phone", form_name="phone", default_value=PanelState.prefill_phone, inputmode="tel"),
            name="contact-phone",
        ),
        error_line(PanelState.wrong),
        rx.el.div(
            ink(tr("Add contact"), type="submit", data_testid="add-contact-save"),
            button(tr("Cancel"), look="ghost", on_click=PanelState.set_adding(False)),
            class_name="row",
        ),
        on_submit=PanelState.add_contact,
        class_name="col gap12",
    )


def _deals() -> rx.Component:
    return rx.el.section(
        rx.cond(
            PanelState.deals.length() > 0,
            rx.foreach(PanelState.deals, _deal),
            rx.fragment(
                rx.el.div(rx.el.span(tr("Deal")), class_name="sect-head"),
                rx.cond(
                    PanelState.candidates.length() > 0,
                    rx.el.div(
                        rx.el.p(tr("Several open deals. Which one is this about?"), class_name="t1 dim"),
                        rx.foreach(PanelState.candidates, _pick),
                        class_name="col",
                    ),
                    rx.el.p(tr("Not linked to a deal."), class_name="dim"),
                ),
            ),
        ),
        rx.el.div(_link_deal(), style={"marginBlockStart": "10px"}),
        class_name="sect",
    )


def _deal(row: rx.Var[DealRow]) -> rx.Component:
    return rx.el.div(
        rx.el.div(
            rx.el.span(tr("Deal")),
            button(
                tr("Unlink"),
                look="ghost",
                size="btn-sm",
                on_click=[PanelState.unlink(row.id), InboxState.refresh],
                data_testid="unlink-deal",
            ),
            class_name="sect-head",
        ),
        rx.el.a(row.title, href=row.href, class_name="b", dir="auto", data_testid="linked-deal"),
        rx.el.div(
            rx.el.span(row.value, class_name="t4 num grow"),
            rx.el.span(row.stage, rx.cond(row.days != "", rx.el.span(" · ", row.days)), class_name="t1 dim"),
            class_name="row",
        ),
        stage_progress(PanelState.steps),
        rx.el.dl(
            rx.cond(
                row.close != "", rx.fragment(rx.el.dt(tr("Expected close")), rx.el.dd(row.close, class_name="num"))
            ),
            rx.el.dt(tr("Owner")),
            rx.el.dd(row.owner, dir="auto"),
            class_name="facts",
        ),
    )


def _link_deal() -> rx.Component:
    return rx.popover.root(
        rx.popover.trigger(
            button(
                icon("link"),
                rx.cond(PanelState.deals.length() > 0, tr("Link another deal"), tr("Link to a deal")),
                look="line",
                data_testid="link-deal",
                custom_attrs={"data-key": "l"},
            )
        ),
        rx.popover.content(
            rx.el.div(
                rx.el.input(
                    placeholder=tr("Search deals"),
                    aria_label=tr("Search deals"),
                    on_change=lambda text: PanelState.find(text).debounce(200),
                    class_name="input",
                    data_testid="link-deal-search",
                ),
                rx.el.div(
                    rx.foreach(PanelState.found, _pick),
                    rx.cond(
                        PanelState.found.length() == 0,
                        rx.el.p(tr("No deal matches."), class_name="hint", style={"padding": "8px 10px"}),
                    ),
                    class_name="col scroll",
                    style={"maxBlockSize": "260px", "marginBlockStart": "6px"},
                ),
                class_name="col",
                style={"padding": "8px", "inlineSize": "280px"},
            ),
            class_name="pop",
            side="bottom",
            align="start",
        ),
        open=PanelState.picking,
        on_open_change=PanelState.set_picking,
    )


def _pick(row: rx.Var[DealRow]) -> rx.Component:
    return rx.el.button(
        icon("circle-dollar-sign"),
        rx.el.span(
            rx.el.span(row.title, class_name="cut", dir="auto"),
            rx.el.span(row.stage, class_name="t1 dim cut"),
            class_name="col grow",
        ),
        rx.el.span(row.value, class_name="t1 dim num"),
        type="button",
        class_name="menu-item",
        on_click=[PanelState.link(row.id), InboxState.refresh],
        data_testid="link-deal-option",
        key=row.id,
    )


def _recent() -> rx.Component:
    return rx.cond(
        PanelState.recent.length() > 0,
        rx.el.section(
            rx.el.div(rx.el.span(tr("Recent")), class_name="sect-head"),
            rx.el.ul(rx.foreach(PanelState.recent, _recent_line)),
            class_name="sect",
        ),
    )


def _recent_line(row: rx.Var[Item]) -> rx.Component:
    return rx.el.li(
        tracking_icon(row.icon),
        rx.el.span(rx.cond(row.has_message, row.message.subject, row.text), class_name="cut grow", dir="auto"),
        rx.el.span(row.short, class_name="t1 dim num"),
        class_name="fact-line",
        key=row.key,
    )
