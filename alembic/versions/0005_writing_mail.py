"""writing mail: templates, signatures, attempts, bounces, reminders, junk

Revision: 0005
Follows: 0004
"""

import sqlalchemy as sa
from alembic import op


revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KINDS = ("open", "click", "send_failed", "sync_failed", "reconnect", "info")
_STATES = ("waiting", "accepted", "refused")

#: What stands in a Junk folder and in none that counts (services/mail/junk.py): known from here on.
JUNK = """
UPDATE messages SET junk = TRUE
WHERE id IN (SELECT l.message_id FROM message_locations l JOIN folders f ON f.id = l.folder_id
             WHERE f.role = 'junk' AND f.gone_at IS NULL)
AND NOT EXISTS (SELECT 1 FROM message_locations l JOIN folders f ON f.id = l.folder_id
                WHERE l.message_id = messages.id AND f.role NOT IN ('junk', 'trash', 'flagged') AND f.gone_at IS NULL)
"""


def upgrade() -> None:
    op.create_table(
        "kept_files",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("template_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("signature_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("blob_sha", sa.String(), nullable=False),
        sa.Column("inline", sa.Boolean(), nullable=False),
        sa.Column("content_id", sa.String(), nullable=False),
        sa.CheckConstraint("(template_id IS NULL) <> (signature_id IS NULL)", name=op.f("ck_kept_files_one_owner")),
        sa.ForeignKeyConstraint(["blob_sha"], ["blobs.sha256"], name=op.f("fk_kept_files_blob_sha")),
        sa.ForeignKeyConstraint(
            ["signature_id"], ["signatures.id"], name=op.f("fk_kept_files_signature_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["template_id"], ["templates.id"], name=op.f("fk_kept_files_template_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_files")),
        sa.UniqueConstraint("signature_id", "n", name=op.f("uq_kept_files_signature_id_n")),
        sa.UniqueConstraint("template_id", "n", name=op.f("uq_kept_files_template_id_n")),
    )
    with op.batch_alter_table("kept_files", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_kept_files_signature_id"), ["signature_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_kept_files_template_id"), ["template_id"], unique=False)

    op.create_table(
        "signature_defaults",
        sa.Column("mailbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("use", sa.String(), nullable=False),
        sa.Column("signature_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.CheckConstraint("use IN ('new', 'reply')", name=op.f("ck_signature_defaults_use")),
        sa.ForeignKeyConstraint(
            ["mailbox_id"], ["mailboxes.id"], name=op.f("fk_signature_defaults_mailbox_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["signature_id"], ["signatures.id"], name=op.f("fk_signature_defaults_signature_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("mailbox_id", "use", name=op.f("pk_signature_defaults")),
    )
    with op.batch_alter_table("signature_defaults", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_signature_defaults_signature_id"), ["signature_id"], unique=False)

    op.create_table(
        "reminders",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("thread_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('snooze', 'no_reply')", name=op.f("ck_reminders_kind")),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_reminders_message_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["thread_id"], ["threads.id"], name=op.f("fk_reminders_thread_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_reminders_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminders")),
        sa.UniqueConstraint("user_id", "thread_id", "kind", name=op.f("uq_reminders_user_id_thread_id_kind")),
    )
    with op.batch_alter_table("reminders", schema=None) as batch_op:
        batch_op.create_index(
            "ix_reminders_due",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_reminders_thread_id"), ["thread_id"], unique=False)

    op.create_table(
        "outbox_attempts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("outbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reply_code", sa.Integer(), nullable=True),
        sa.Column("reply_text", sa.String(), nullable=False),
        sa.Column("error_code", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('running', 'sent', 'later', 'failed', 'unknown')", name=op.f("ck_outbox_attempts_outcome")
        ),
        sa.CheckConstraint(
            "step IN ('connect', 'sign_in', 'mail', 'rcpt', 'data', 'dot', 'done')",
            name=op.f("ck_outbox_attempts_step"),
        ),
        sa.ForeignKeyConstraint(
            ["outbox_id"], ["outbox.id"], name=op.f("fk_outbox_attempts_outbox_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_attempts")),
        sa.UniqueConstraint("outbox_id", "n", name=op.f("uq_outbox_attempts_outbox_id_n")),
    )
    with op.batch_alter_table("outbox_attempts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outbox_attempts_outbox_id"), ["outbox_id"], unique=False)

    # Not in batch mode: a table made anew would lose its trigger (0003).
    op.add_column("messages", sa.Column("junk", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(JUNK)

    # SQLite gives the number of a deleted row to the next: a browser's late text would end up in another draft.
    with op.batch_alter_table("outbox", schema=None, table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        batch_op.add_column(sa.Column("lead_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        batch_op.add_column(sa.Column("from_address", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(
            sa.Column("signature_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.add_column(
            sa.Column("template_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.add_column(sa.Column("written_subject", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("written_html", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("plain", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("revision", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("send_local", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("send_zone", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("remind_days", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("idempotency_digest", sa.String(), nullable=False, server_default=""))
        batch_op.create_index(batch_op.f("ix_outbox_lead_id"), ["lead_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_outbox_template_id"), ["template_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_outbox_signature_id"), "signatures", ["signature_id"], ["id"], ondelete="SET NULL"
        )
        batch_op.create_foreign_key(batch_op.f("fk_outbox_lead_id"), "leads", ["lead_id"], ["id"], ondelete="SET NULL")
        batch_op.create_foreign_key(
            batch_op.f("fk_outbox_template_id"), "templates", ["template_id"], ["id"], ondelete="SET NULL"
        )

    with op.batch_alter_table("outbox_recipients", schema=None) as batch_op:
        batch_op.add_column(sa.Column("bounced_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(
            sa.Column("bounce_message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_outbox_recipients_bounce_message_id"),
            "messages",
            ["bounce_message_id"],
            ["id"],
            ondelete="SET NULL",
        )

    with op.batch_alter_table("signatures", schema=None) as batch_op:
        batch_op.add_column(sa.Column("position", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.drop_index(batch_op.f("ix_signatures_mailbox_id"))
        batch_op.drop_constraint(batch_op.f("fk_signatures_mailbox_id"), type_="foreignkey")
        batch_op.drop_column("mailbox_id")

    with op.batch_alter_table("templates", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "updated_at", sa.DateTime(timezone=True), nullable=False, server_default="1970-01-01 00:00:00+00:00"
            )
        )

    op.execute("UPDATE templates SET updated_at = created_at")

    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("undo_seconds", sa.Integer(), nullable=False, server_default="10"))
        batch_op.add_column(sa.Column("mail_links", sa.String(), nullable=False, server_default="mailcrm"))
        batch_op.create_check_constraint(op.f("ck_users_mail_links"), "mail_links IN ('mailcrm', 'system')")

    _allow("notifications", "kind", (*_KINDS, "bounced", "reminder"))
    _allow("outbox_recipients", "state", (*_STATES, "bounced"))


def _allow(table: str, column: str, values: tuple[str, ...]) -> None:
    # Another list for a column that holds one of a few words.
    listed = ", ".join(f"'{value}'" for value in values)
    with op.batch_alter_table(table, schema=None) as batch_op:
        batch_op.drop_constraint(op.f(f"ck_{table}_{column}"), type_="check")
        batch_op.create_check_constraint(op.f(f"ck_{table}_{column}"), f"{column} IN ({listed})")


def downgrade() -> None:
    op.execute("DELETE FROM notifications WHERE kind IN ('bounced', 'reminder')")
    op.execute("UPDATE outbox_recipients SET state = 'refused' WHERE state = 'bounced'")
    _allow("notifications", "kind", _KINDS)
    _allow("outbox_recipients", "state", _STATES)
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_users_mail_links"), type_="check")
        batch_op.drop_column("mail_links")
        batch_op.drop_column("undo_seconds")

    with op.batch_alter_table("templates", schema=None) as batch_op:
        batch_op.drop_column("updated_at")

    with op.batch_alter_table("signatures", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("mailbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_signatures_mailbox_id"), "mailboxes", ["mailbox_id"], ["id"], ondelete="SET NULL"
        )
        batch_op.create_index(batch_op.f("ix_signatures_mailbox_id"), ["mailbox_id"], unique=False)
        batch_op.drop_column("deleted_at")
        batch_op.drop_column("position")

    with op.batch_alter_table("outbox_recipients", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_outbox_recipients_bounce_message_id"), type_="foreignkey")
        batch_op.drop_column("bounce_message_id")
        batch_op.drop_column("bounced_at")

    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_outbox_template_id"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_outbox_lead_id"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_outbox_signature_id"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_outbox_template_id"))
        batch_op.drop_index(batch_op.f("ix_outbox_lead_id"))
        batch_op.drop_column("idempotency_digest")
        batch_op.drop_column("remind_days")
        batch_op.drop_column("send_zone")
        batch_op.drop_column("send_local")
        batch_op.drop_column("revision")
        batch_op.drop_column("plain")
        batch_op.drop_column("written_html")
        batch_op.drop_column("written_subject")
        batch_op.drop_column("template_id")
        batch_op.drop_column("signature_id")
        batch_op.drop_column("from_address")
        batch_op.drop_column("lead_id")

    op.drop_column("messages", "junk")

    with op.batch_alter_table("outbox_attempts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outbox_attempts_outbox_id"))

    op.drop_table("outbox_attempts")
    with op.batch_alter_table("reminders", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_reminders_thread_id"))
        batch_op.drop_index(
            "ix_reminders_due", sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL")
        )

    op.drop_table("reminders")
    with op.batch_alter_table("signature_defaults", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_signature_defaults_signature_id"))

    op.drop_table("signature_defaults")
    with op.batch_alter_table("kept_files", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_kept_files_template_id"))
        batch_op.drop_index(batch_op.f("ix_kept_files_signature_id"))

    op.drop_table("kept_files")
