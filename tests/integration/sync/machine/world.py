"""One mailbox on both sides: runs passes against a fake account, and says what is wrong with what they left.

`ledger_holds` must be true at every moment, also after a death; `differences` is empty once the passes converged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from mailcrm.services.access import Actor
from mailcrm.services.mail import blobs, folder_choice, mailboxes
from mailcrm.services.mail.imap.client import ImapConnection, connect
from mailcrm.services.mail.imap.wire import Limits
from mailcrm.services.mail.mailboxes import Credentials
from mailcrm.services.mail.sync.engine import SyncReport, sync_mailbox
from tests.fakes.imap.account import Account, Mail
from tests.fakes.imap.memory import Network
from tests.integration.sync.machine.acts import NOW, Act, act
from tests.integration.sync.machine.database import Died, Store, fate

PATIENCE = 5  # passes that rules of doubt may ask for before all is told
_PLACES = (
    ("location", "message_locations"),
    ("pending", "pending_uids"),
    ("skipped", "skipped_uids"),
    ("quarantined", "quarantine"),
)
#: What a pass may say of a server whose connections break, but which knows us.
_HONEST = ("server.lost", "server.protocol", "server.timeout", "server.refused", "imap.refused")

# M14: hidden is what has places, none of them in a folder that is synced.
_MISHIDDEN = """
    SELECT m.id, m.hidden FROM messages m JOIN message_locations l ON l.message_id = m.id
    JOIN folders f ON f.id = l.folder_id GROUP BY m.id HAVING m.hidden != (max(f.chosen) = 0)
"""


class World:
    """A mailbox of `store` and its server's `account`."""

    def __init__(self, store: Store, account: Account, history_days: int | None = None) -> None:
        self.store, self.account, self.history_days = store, account, history_days
        self.store.fresh()
        self.store.rows("UPDATE mailboxes SET history_days = ?", history_days)
        self.ids: dict[str, int] = {}  # every message that was ever stored, by its bytes
        self.happened: Counter[str] = Counter()
        self.contacts_only = False
        self.windows = {history_days}  # every choice of history so far
        self.lied = False  # since the passes last converged

    def sync(
        self,
        *,
        acts: Sequence[tuple[int | str, Act]] = (),
        cut: tuple[int | str, int] | None = None,
        death: tuple[int, str] | None = None,
        refuse: int = 0,
        stop_after: int | None = None,
    ) -> SyncReport | None:
        """Run one pass in which these things happen; None when the process died in it."""
        account = self.account
        network = Network(account, [(at, lambda a=a: act(account, a)) for at, a in acts], cut, refuse)

        def dial(access: Credentials, limits: Limits | None) -> ImapConnection:
            return connect(access.imap, access.imap_password, limits=limits, opener=network.open)

        asked = iter(range(10_000))

        def stop() -> bool:
            return stop_after is not None and next(asked) >= stop_after

        self.lied = self.lied or bool(account.lies)
        before = self._places()
        fate.live(death)
        report = None
        try:
            report = sync_mailbox(self.store.mailbox_id, dial=dial, should_stop=stop)
            assert not report.busy, "the lease was not free"
        except Died:
            self.happened["died"] += 1
        finally:
            fate.live()
        self.happened.update(network.happened)
        self.happened["passes"] += 1
        self.happened["commands"] += len(network.commands)
        self.network = network
        if report is None:  # its process id is no more: the lease is anybody's
            self.store.rows("UPDATE mailboxes SET lease_owner = '', lease_until = NULL")
        if report is not None and report.error is not None:
            self.happened["error " + report.error.code] += 1
            assert report.error.code in _HONEST, repr(report.error) + repr(report.error.__cause__)
        self.ledger_holds()
        self.true_places_stay(before)
        return report

    def a_day_passes(self) -> None:
        """Make everything that is kept with its time two days older."""
        for column in ("flags_checked_at", "flags_round_at"):
            self.store.rows(
                f"UPDATE folders SET {column} = strftime('%Y-%m-%d %H:%M:%f', {column}, '-2 days') || '000'"
                f" WHERE {column} IS NOT NULL"
            )
        self.store.rows("UPDATE folders SET next_try_at = NULL")
        self.store.rows("UPDATE mailboxes SET next_try_at = NULL")

    def choose(self, mask: int) -> None:
        """Sync only some of the folders that are known, by the bits of `mask`; all of them for 0."""
        known = [row[0] for row in self.store.rows(
            "SELECT id FROM folders WHERE gone_at IS NULL AND selectable ORDER BY id"
        )]  # fmt: skip
        chosen = [number for n, number in enumerate(known) if mask >> (n % 5) & 1]
        folder_choice.choose(
            Actor(self.store.user_id), self.store.mailbox_id, everything=not chosen, chosen=chosen
        )  # fmt: skip
        self.ledger_holds()

    def change(self, *, history_days: int | None, contacts_only: bool) -> None:
        """Change how much of the mailbox is wanted (settled questions 7 and 9)."""
        self.history_days, self.contacts_only = history_days, contacts_only
        self.windows.add(history_days)
        mailboxes.change(
            Actor(self.store.user_id), self.store.mailbox_id, history_days=history_days, contacts_only=contacts_only
        )
        self.ledger_holds()

    def settle(self) -> None:
        """Sync in peace until all is told; fail when that takes more than `PATIENCE` passes."""
        self.account.lies.clear()
        wrong: list[str] = []
        for _ in range(PATIENCE):
            self.a_day_passes()
            report = self.sync()
            assert report is not None
            wrong = self.differences()
            if report.error is not None:
                wrong.insert(0, f"the pass failed: {report.error!r}")
            if not wrong:
                break
        else:
            raise AssertionError("\n".join(["it does not converge:", *wrong, *self.network.commands]))
        self.lied = False
        before = self.picture()
        report = self.sync()
        assert report is not None
        assert report.error is None
        assert report.complete, report
        assert (report.stored, report.vanished, report.pending) == (0, 0, 0), report
        assert self.picture() == before, "a quiet pass changed something"

    def picture(self) -> list[Any]:
        """Return what a quiet pass must not change."""
        rows = self.store.rows
        return [
            rows("SELECT folder_id, uid, message_id, flags FROM message_locations ORDER BY 1, 2"),
            rows("SELECT id, thread_id, blob_sha, gone_at IS NULL, read, archived FROM messages ORDER BY 1"),
            rows("SELECT id, name, gone_at IS NULL, uidvalidity, uidnext, server_count FROM folders ORDER BY 1"),
        ]

    # What must hold at every moment

    def ledger_holds(self) -> None:
        """Each UID has one row, the sums agree, and nothing that was stored is lost."""
        rows = self.store.rows
        union = " UNION ALL ".join(f"SELECT folder_id, uid FROM {table}" for _, table in _PLACES)
        twice = rows(f"SELECT folder_id, uid, count(*) FROM ({union}) GROUP BY 1, 2 HAVING count(*) > 1")
        assert not twice, f"UIDs with two rows: {twice}"
        unequal = rows(
            f"SELECT name, server_count, (SELECT count(*) FROM ({union}) u WHERE u.folder_id = f.id) AS told"
            " FROM folders f WHERE f.error_code NOT LIKE 'sync.doubt%' AND told != server_count"
            " AND gone_at IS NULL AND chosen"
        )
        assert not unequal, f"the ledger does not add up: {unequal}"
        beyond = rows(
            f"SELECT name, uidnext, (SELECT max(uid) FROM ({union}) u WHERE u.folder_id = f.id) AS last"
            " FROM folders f WHERE last >= uidnext AND uidnext > 1"  # the newest of a large folder come before its listing
        )
        assert not beyond, f"rows beyond the cursor: {beyond}"
        found = dict(rows("SELECT blob_sha, id FROM messages"))
        for sha, number in self.ids.items():
            assert found.get(sha) == number, f"message {number} was lost or stored anew"
        new = found.keys() - self.ids.keys()
        places = blobs.places(new) if new else {}
        for sha in new:
            assert blobs.digest(blobs.get(sha, places)) == sha
        self.ids = found

        if not self.lied:
            self.nothing_is_passed_over()

    def nothing_is_passed_over(self) -> None:
        """Every UID before the cursor has its row (rule 7): only a listing that lied may leave one out."""
        union = " UNION ALL ".join(f"SELECT folder_id, uid FROM {table}" for _, table in _PLACES)
        for folder_id, name, validity, uidnext in self.store.rows(
            "SELECT id, name, uidvalidity, uidnext FROM folders WHERE gone_at IS NULL AND chosen"
        ):
            box = self.account.boxes.get(name)
            if box is not None and box.uidvalidity == validity:
                known = {uid for (uid,) in self.store.rows(f"SELECT uid FROM ({union}) WHERE folder_id = ?", folder_id)}
                passed = [uid for uid in box.uids() if uid < uidnext and uid not in known]
                assert not passed, f"{name}: the cursor is at {uidnext} and passed over {passed}"

    def _places(self) -> set[tuple[str, int, int]]:
        return set(self.store.rows(
            "SELECT name, uidvalidity, uid FROM message_locations l JOIN folders f ON f.id = l.folder_id"
        ))  # type: ignore[arg-type]  # fmt: skip

    def true_places_stay(self, before: set[tuple[str, int, int]]) -> None:
        """Whatever the server said in a pass, a place that was known and is still true is known afterwards."""
        for name, validity, uid in before - self._places():
            box = self.account.boxes.get(name)
            true = box is not None and box.uidvalidity == validity and uid in box.mails
            assert not true, f"{name} {uid} was taken for gone"

    # What must hold in the end

    def differences(self) -> list[str]:
        """Return what differs between the server and the database; empty when all is told."""
        rows = self.store.rows
        out: list[str] = []
        known = {name: row for name, *row in rows(
            "SELECT name, id, chosen, gone_at IS NULL, server_count, error_code, uidvalidity FROM folders"
        )}  # fmt: skip
        here = Counter[str]()
        for name, box in self.account.boxes.items():
            if name not in known:
                out.append(f"{name}: not known")
                continue
            folder_id, chosen, standing, count, error, validity = known[name]
            if not standing:
                out.append(f"{name}: taken for gone")
            if not chosen:
                continue
            if error:
                out.append(f"{name}: {error}")
            if validity != box.uidvalidity:
                out.append(f"{name}: UIDVALIDITY {validity}, not {box.uidvalidity}")
            if count != len(box.mails):
                out.append(f"{name}: says {count} messages, not {len(box.mails)}")
            out += self._folder_differences(name, folder_id, box.mails)
            here.update({mail.sha for mail in box.mails.values()})
        for name, (_, _, standing, *_) in known.items():
            if standing and name not in self.account.boxes:
                out.append(f"{name}: still taken for there")
        parked = {row[0] for row in rows(  # folders that are not synced are not looked at
            "SELECT message_id FROM message_locations l JOIN folders f ON f.id = l.folder_id"
            " WHERE NOT chosen AND gone_at IS NULL"
        )}  # fmt: skip
        for sha, number, gone in rows("SELECT blob_sha, id, gone_at IS NOT NULL FROM messages"):
            if here[sha] and gone:
                out.append(f"message {number}: marked gone, but it is there")
            if not gone and sha not in here and number not in parked:
                out.append(f"message {number}: not on the server, but not marked gone")
        out += [f"message {number}: hidden={hidden}, not {not hidden}" for number, hidden in rows(_MISHIDDEN)]
        return out

    def _folder_differences(self, name: str, folder_id: int, mails: dict[int, Mail]) -> list[str]:
        rows = self.store.rows
        out: list[str] = []
        places: dict[int, str] = {}
        for place, table in _PLACES[1:]:
            places.update((uid, place) for (uid,) in rows(f"SELECT uid FROM {table} WHERE folder_id = ?", folder_id))
        located = {
            uid: (sha, flags, bool(seen))
            for uid, sha, flags, seen in rows(
                "SELECT uid, blob_sha, flags, seen FROM message_locations l JOIN messages m ON m.id = l.message_id"
                " WHERE folder_id = ?",
                folder_id,
            )
        }
        out += [
            f"{name} {uid}: {places.get(uid, 'stored')}, but not on the server"
            for uid in sorted((located.keys() | places.keys()) - mails.keys())
        ]
        for uid, mail in mails.items():
            expected = self._expected(mail, self.history_days)
            if self.contacts_only and places.get(uid) == "skipped":
                continue  # whose mail is wanted is another test's matter; that it has its place is this one's
            if expected != "stored" and mail.sha not in self.ids:
                ever = {self._expected(mail, days) for days in self.windows}
                if places.get(uid) == "quarantined" and "quarantined" in ever:
                    continue  # it was fetched, and failed, when it was wanted: narrowing takes nothing away
                if places.get(uid) != expected:
                    out.append(f"{name} {uid}: {places.get(uid, 'stored or nothing')}, not {expected}")
                continue
            if uid not in located:
                if places.get(uid) != expected:
                    out.append(f"{name} {uid}: {places.get(uid, 'nothing')}, not {expected}")
                continue
            sha, flags, seen = located[uid]
            if sha != mail.sha:
                out.append(f"{name} {uid}: other bytes")
            if flags != " ".join(sorted(mail.flags)) or seen != ("\\Seen" in mail.flags):
                out.append(f"{name} {uid}: flags {flags!r} seen={seen}, not {sorted(mail.flags)}")
        return out

    def _expected(self, mail: Mail, days: int | None) -> str:
        if days is not None and (NOW - mail.date).days > days:
            return "skipped"
        return "stored" if mail.raw.strip() else "quarantined"
