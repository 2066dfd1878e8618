"""What a browser may call: every public method of a state is a remote endpoint, so the list is kept by hand.

A new handler goes in here once somebody has looked at it: takes `actor_of`, coerces its arguments (state/coerce.py),
and leaves the rest to a service verb that authorises rows.
"""

from __future__ import annotations

import inspect

import pytest
import reflex as rx
from reflex_base.registry import RegistrationContext

import mailcrm.mailcrm
from mailcrm.state import session

OURS = "mailcrm___state___"
#: module.state -> its handlers. `setvar` is Reflex's own, on every state; the Gate refuses it.
ALLOWED = {
    "account.account_state": "ask_end_others change_password close confirm copied end end_others load prove refresh show",
    "audit_log.audit_log_state": "choose_group choose_person load more",
    "arrange.arrange_state": "ask find join merge part split",
    "bcc_address.bcc_address_state": "copied make open_page reissue undo_reissue",
    "bell.bell_state": "follow read_all refresh show",
    "blocking.blocking_state": "add again ask block choose close load remove take_back typed with_subdomains",
    "bulk.bulk_state": "act share snooze undo",
    "board.board_state": "ask_lost choose_label choose_owner choose_person choose_pipeline choose_view close_lost create delete drop drop_deleted drop_lost drop_won find find_person lose move open_page refresh reopen restore set_creating start start_for win",
    "composer.composer_state": "arrive ask_consent change change_body change_plain choose_after choose_from choose_remind close close_tab compose compose_here compose_mailto compose_to discard drop_offer drop_quote keep_mine link_to load_newer minimise open_draft reply send send_untracked take_offer toggle_clicks toggle_copies toggle_later toggle_opens toggle_visibility undo widen",
    "composer_tools.composer_tools_state": "find keep_as_template link look_at open_picker use_template",
    "connect.connect_state": "arrive back choose_protocol connect look pick show sign_in_there start",
    "connect_fresh.fresh_state": "close go",
    "deal.deal_state": "close_pick delete find give join leave lose move open_page pick refresh reopen restore save set_losing take win",
    "deal_table.table_state": "change clear more narrow_to open_page pick pick_all put_back refresh set_filter sort toggle_column",
    "earlier.earlier_state": "link offer undo",
    "importing.import_state": "ask_undo check choose close_question discard leave map_column open_page refresh set_flag set_text start undo",
    "remind.remind_state": "arrived remind snooze snooze_row take_back",
    "filtering.filter_state": "choose choose_day clear count find_person load show",
    "palette.palette_state": "create_person find go search_all",
    "thread_labels.thread_label_state": "change create delete edit restore show toggle undo",
    "views.views_state": "ask change delete edit load move restore save",
    "inbox.inbox_state": "archive archive_row back cancel_send delete more newest open_page put_back refresh retry_send seen select send_now step take_suggestion unread",
    "leads.leads_state": "archive bring_back choose choose_label choose_owner choose_person close_form convert delete edit find find_person give more open_page refresh restore revert save start",
    "merge.merge_state": "choose close confirm search start swap undo",
    "linking.pick_state": "clear everything find link page search toggle undo",
    "linking.why_state": "relink show unlink",
    "live.live_state": "pushed",
    "marks.mark_state": "refresh show",
    "notifying.notifying_state": "change_hour choose load switch_quiet",
    "tracking_report.tracking_report_state": "choose open_page refresh refresh_soon show_raw",
    "nav.nav_state": "load refresh",
    "organization.organization_state": "add_domain change delete hand_over open_page put_domain_back refresh remove_domain restore",
    "organizations.organizations_state": "clear create delete find give more open_page pick pick_all put_label refresh set_creating set_filter take_back",
    "panel.panel_state": "add_contact add_to dismiss find link relink set_adding set_picking toggle undo_link unlink",
    "people.people_state": "clear create delete find give more of_organization open_page pick pick_all put_label refresh set_creating set_filter sort take_back",
    "person.person_state": "add_address ask_consent ask_move change change_phone close_move delete edit find_organization find_person hand_over make_primary move_address move_back open_page put_address_back refresh remove_address restore save set_consent",
    "person_tracking.person_tracking_state": "ask_erase erase",
    "tracking_policy.tracking_policy_state": "choose_days choose_network_days choose_policy load switch_footer",
    "webhooks.webhooks_state": "ask ask_delete close_delete create delete hide_secret load renew retry show_log switch test",
    "profile.profile_state": "change change_links change_undo load",
    "record.record_state": "add_label open_page refresh save set_currency show toggle_label",
    "remote_images.remote_images_state": "again allow load remove switch take_back",
    "search.search_state": "complete search",
    "aliases.alias_state": "add remove",
    "reconnect.reconnect_state": "try_again",
    "settings.mailboxes_state": "ask_remove choose choose_deals close_question keep_history load pause refresh refresh_soon remove share sign_in_again switch sync_now",
    "settings_folders.folders_state": "cancel confirm sync_all tick watch",
    "settings_health.health_state": "copy_details retry verify",
    "settings_records.records_settings_state": "choose close color create_field create_label delete_field delete_label load raise_field raise_label rename_field rename_label restore_field restore_label save_options set_creating set_type",
    "settings_writes.writes_state": "dismiss retry",
    "settings_pipelines.pipelines_state": "add_stage change close_question create delete load move move_and_delete put_back raise_pipeline rename set_creating",
    "sharing.sharing_state": "keep_private share_again share_later show_readers toggle toggle_message",
    "signatures.signatures_state": "change_body create delete load raise_one rename restore select set_default",
    "templates.templates_state": "ask_name change_body change_name change_subject close close_naming copy create delete drop files_changed find find_person name_folder open_page preview_with refresh remove_file restore select send_test set_folder share shift shift_folder use",
    "team.team_state": "ask_disable ask_unlock close_question disable invite load send_link show_invite unlock",
    "teams.teams_state": "close delete edit load pick put_back save set_scope",
    "smart_bcc.smart_bcc_state": "add again bring_back choose discard load make_people more refresh reissue release remove resend share undo_reissue",
    "smart_bcc_drop.drop_state": "ask connect load remove show",
    "first_steps.first_steps_state": "load",
    "trash.trash_state": "choose_kind load more restore",
    "thread.thread_state": "fetch_file show_remote toggle_paper unfold",
    "timeline.timeline_state": "add_activity add_note choose choose_tab delete_activity delete_note edit_note more move_activity open_page pin_note refresh reschedule restore_activity restore_note save_note show show_remote tick unfold untick",
    "tries.tries_state": "show",
    "welcome.welcome_state": "open_code open_forgot open_reset open_invite open_login open_setup set_language",
}
#: Reflex's own handlers that exist besides ours (0.10.1).
REFLEX = {
    "reflex___state____state.hydrate",
    "reflex___state____state.hydrate_and_load",
    "reflex___state____state.set_is_hydrated",
    "reflex___state____state.reflex___state____frontend_event_exception_state.handle_frontend_exception",
    "reflex___state____state.reflex___state____on_load_internal_state.on_load_internal",
    "reflex___state____state.reflex___state____on_load_internal_state.set_is_hydrated",
    "reflex___state____state.reflex___state____update_vars_internal_state.update_vars_internal",
}


STATES = sorted(
    (each for each in rx.State.get_substates() if each.__module__.startswith("mailcrm.")),
    key=lambda each: each.__name__,
)


def _callable_names() -> list[str]:
    assert mailcrm.mailcrm.app is not None  # importing it registers every state
    return [name for name in RegistrationContext.get().event_handlers if not name.endswith(".setvar")]


def test_browsers_can_call_exactly_what_is_listed() -> None:
    """Architecture, Tests: all browser-callable handlers are compared with an allow-list."""
    found: dict[str, set[str]] = {}
    for name in _callable_names():
        state, _, handler = name.rpartition(".")
        if OURS in state:
            found.setdefault(state.rpartition(".")[2].removeprefix(OURS).replace("____", "."), set()).add(handler)
    assert found == {state: set(handlers.split()) for state, handlers in ALLOWED.items()}


def test_reflex_adds_no_handler_that_we_do_not_know() -> None:
    """An upgrade of Reflex that opens another door is seen here."""
    assert {name for name in _callable_names() if OURS not in name} <= REFLEX


def test_public_events_exist_and_only_show() -> None:
    """F16: before sign-in a browser reaches Reflex's own events and the welcome pages' loaders, nothing else."""
    names = set(_callable_names())
    ours = {name for name in session.PUBLIC_EVENTS if OURS in name}
    assert ours <= names
    assert {name.rpartition(".")[0].rpartition("____")[2] for name in ours} == {"welcome_state"}
    assert session.PUBLIC_EVENTS - ours <= REFLEX | names


@pytest.mark.parametrize("state", STATES, ids=lambda each: each.__name__)
def test_states_have_no_public_helpers(state: type[rx.State]) -> None:
    """reflex.md §2: an undecorated public method is a remote endpoint too, so each is decorated on purpose."""
    for name, member in vars(state).items():
        if name.startswith("_") or name in state.event_handlers:
            continue
        assert not inspect.isfunction(member), f"{state.__name__}.{name}"


@pytest.mark.parametrize("state", STATES, ids=lambda each: each.__name__)
def test_handlers_are_asynchronous(state: type[rx.State]) -> None:
    """Rule 8: a synchronous handler would block every other user."""
    for name, handler in state.event_handlers.items():
        if name == "setvar" or not handler.fn.__module__.startswith("mailcrm."):
            continue
        assert inspect.iscoroutinefunction(handler.fn) or inspect.isasyncgenfunction(handler.fn), (
            f"{state.__name__}.{name}"
        )
