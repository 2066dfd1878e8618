"""What each job does: its name and the verb it calls. Every one is idempotent; any may run twice or not at all.

Verbs are imported when a job first runs, so that starting a worker, and enqueueing from the web, stay light.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from mailcrm.errors import MailcrmError, NotFound
from mailcrm.services.jobs import queue
from mailcrm.services.jobs.turns import Turns

SYNC_THREADS = 32  # nearly all of them wait for servers; how many work is decided by turns.py
SYNC_BUDGET_S = 120.0  # then another mailbox has its turn; what is left is asked for again
TIDY_BUDGET_S = 20.0  # of one run of `tidy`; what is left is its next run's
BATCH = 50  # rows taken by one run of a quick job; what is left is found by the next sweep

log = structlog.get_logger()
#: Set when the process stops: long verbs may look at it between batches.
stopping = threading.Event()
TURNS = Turns(SYNC_THREADS)
_verifying = threading.Lock()
_importing = threading.Lock()


def stop() -> None:
    """The process stops: long verbs end after the batch in hand."""
    stopping.set()
    TURNS.close()


def sync_mailbox(mailbox_id: int) -> None:
    """Sync one mailbox; returns at once when another worker has its lease, or its like have enough threads.

    What was asked for while the pass ran is asked for again at its end, and a pass that was cut goes to the end of
    the queue.
    """
    from mailcrm.services.mail.sync import engine, outcome

    standing = outcome.standing(mailbox_id)
    turn = TURNS.enter(standing[0], suspect=standing[1]) if standing else None
    if turn is None:
        return
    try:
        report = engine.sync_mailbox(mailbox_id, budget=SYNC_BUDGET_S, should_stop=turn.is_over)
    finally:
        turn.leave()
    if not report.busy and not stopping.is_set() and outcome.is_wanted(mailbox_id):
        queue.enqueue("sync_mailbox", mailbox_id=mailbox_id)


def write_back(mailbox_id: int) -> None:
    """Do in the mailbox what its user did here and asked to be done there too."""
    from mailcrm.services.mail.writeback import apply

    apply.write_back(mailbox_id, stopping.is_set)


def verify_mailbox(mailbox_id: int) -> None:
    """Compare a mailbox with its server; one at a time in this process, so that syncing keeps its threads."""
    from mailcrm.services.mail.sync import verify

    if not _verifying.acquire(blocking=False):
        return  # the sweep asks again
    try:
        verify.verify_mailbox(mailbox_id, should_stop=stopping.is_set)
    finally:
        _verifying.release()


def link_pending() -> None:
    """Apply the linking rules to messages that they have not looked at."""
    from mailcrm.services.crm.linking import link

    while link.apply_rules(BATCH) and not stopping.is_set():
        pass


def deliver() -> None:
    """Send what is due."""
    from mailcrm.services.tracking import outgoing

    outgoing.deliver_due(BATCH)


def sent_copy() -> None:
    """Put copies of sent mail into the servers' Sent folders."""
    from mailcrm.services.mail.outbox import sent_copy as outbox

    outbox.store_copies(BATCH)


def draft_copies() -> None:
    """Keep the copies of drafts in the servers' Drafts folders as their drafts are."""
    from mailcrm.services.mail.outbox import draft_copy

    draft_copy.keep_copies(BATCH)


def remind() -> None:
    """Bring back conversations whose time has come."""
    from mailcrm.services.mail import reminders

    reminders.remind_due(BATCH)


def tell_outage() -> None:
    """Write to users whose mailbox needs them."""
    from mailcrm.services.mail import outage_letters

    outage_letters.tell_due(BATCH)


def account_letters() -> None:
    """Write to users about their accounts."""
    from mailcrm.services.auth import account_letters as waiting

    waiting.send_due(BATCH)


def webhooks() -> None:
    """Tell programs what happened to tracked mail."""
    from mailcrm.services.webhooks import deliver

    deliver.deliver_due(BATCH)


def renew_token(mailbox_id: int) -> None:
    """Renew a mailbox's token ahead of its end, so that a grant that is gone is noticed without a sync."""
    from mailcrm.services.mail.oauth import tokens

    tokens.renew_due(mailbox_id)


def tell() -> None:
    """Put notifications among the others that quiet hours or a digest held back."""
    from mailcrm.services import telling

    telling.release_due(BATCH)


def smart_bcc() -> None:
    """Decide what becomes of mail that came through Smart Bcc."""
    from mailcrm.services.smart_bcc import intake

    if intake.take_in(BATCH, stopping.is_set) >= BATCH and not stopping.is_set():
        queue.enqueue("smart_bcc")


def drop_mailbox() -> None:
    """Take in what lies in the mailbox of Smart Bcc."""
    from mailcrm.services.smart_bcc import drop

    drop.fetch()


def run_import(import_id: int) -> None:
    """Import the file that was started; one at a time in this process, so that quick jobs keep their threads."""
    from mailcrm.services.crm.transfer import run as transfer

    if not _importing.acquire(blocking=False):
        return  # the sweep asks again
    try:
        transfer.run_import(import_id, stopping.is_set)
    finally:
        _importing.release()


def tidy() -> None:
    """Look over the database once a day, index what waits for it, merge the words of deleted mail out of the index, free what is old or nothing refers to."""
    from mailcrm.services import soundness
    from mailcrm.services.crm import purge
    from mailcrm.services.crm.transfer import imports
    from mailcrm.services.jobs import queue
    from mailcrm.services.mail import blob_sweep
    from mailcrm.services.mail.outbox import later
    from mailcrm.services.mail.search import index
    from mailcrm.services.smart_bcc import arrivals
    from mailcrm.services.tracking import retention
    from mailcrm.services.webhooks import deliver as webhook_log

    soundness.look_if_due()
    later.read_again()
    imports.forget_old()
    webhook_log.forget_old()
    arrivals.forget_old()
    retention.tidy(stopping.is_set)
    purge.purge(stopping.is_set)
    ends = time.monotonic() + TIDY_BUDGET_S
    while not stopping.is_set():
        left = [index.index_waiting(BATCH) > 0, index.forget_deleted(), blob_sweep.sweep()]
        if not any(left):
            return
        if time.monotonic() > ends:
            queue.enqueue("tidy")
            return


def sweep() -> None:
    """Look for work that a lost wake-up left (also runs every few seconds in each worker)."""
    from mailcrm.services.jobs import sweep as sweeper

    sweeper.sweep()


JOBS: dict[str, Callable[..., None]] = {
    "sync_mailbox": sync_mailbox,
    "write_back": write_back,
    "verify_mailbox": verify_mailbox,
    "link_pending": link_pending,
    "deliver": deliver,
    "sent_copy": sent_copy,
    "draft_copies": draft_copies,
    "remind": remind,
    "tell": tell,
    "webhooks": webhooks,
    "tell_outage": tell_outage,
    "account_letters": account_letters,
    "smart_bcc": smart_bcc,
    "drop_mailbox": drop_mailbox,
    "run_import": run_import,
    "renew_token": renew_token,
    "tidy": tidy,
    "sweep": sweep,
}


def run(job: str, args: dict[str, int | str]) -> None:
    """Run a job by name. Failures are logged, never raised: the rows still say what is to do."""
    from mailcrm.services.jobs import sweep as sweeper

    sweeper.began(job, args)
    verb = JOBS.get(job)
    if verb is None:
        log.warning("an unknown job was dropped", job=job)  # from a newer version sharing the queue
        return
    started = time.monotonic()
    try:
        verb(**args)
    except NotFound:
        log.info("the row of a job is gone", job=job, **args)
    except MailcrmError as error:
        log.warning("a job failed", job=job, code=error.code, reason=str(error), **args)
    except Exception:
        log.exception("a job broke", job=job, **args)
    else:
        log.debug("a job ran", job=job, seconds=round(time.monotonic() - started, 3), **args)
