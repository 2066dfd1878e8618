"""sync that proves itself

Revision: 0002
Follows: 0001
"""

import sqlalchemy as sa
from alembic import op


revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contact_requests",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("mailbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["mailbox_id"], ["mailboxes.id"], name=op.f("fk_contact_requests_mailbox_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_requests")),
        sa.UniqueConstraint("mailbox_id", "address", name=op.f("uq_contact_requests_mailbox_id_address")),
    )
    op.create_table(
        "server_actions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("mailbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("from_folder_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("from_uidvalidity", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("from_uid", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("to_folder_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("to_uidvalidity", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("to_uid", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("error_code", sa.String(), nullable=False),
        sa.Column("error_params", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('read', 'unread', 'archive', 'unarchive', 'delete', 'undelete')",
            name=op.f("ck_server_actions_kind"),
        ),
        sa.CheckConstraint("state IN ('queued', 'done', 'obsolete', 'failed')", name=op.f("ck_server_actions_state")),
        sa.ForeignKeyConstraint(
            ["from_folder_id"], ["folders.id"], name=op.f("fk_server_actions_from_folder_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["mailbox_id"], ["mailboxes.id"], name=op.f("fk_server_actions_mailbox_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_server_actions_message_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["to_folder_id"], ["folders.id"], name=op.f("fk_server_actions_to_folder_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_server_actions")),
    )
    with op.batch_alter_table("server_actions", schema=None) as batch_op:
        batch_op.create_index("ix_server_actions_due", ["state", "mailbox_id", "not_before"], unique=False)
        batch_op.create_index(batch_op.f("ix_server_actions_message_id"), ["message_id"], unique=False)

    with op.batch_alter_table("attachments", schema=None) as batch_op:
        batch_op.add_column(sa.Column("section", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("blob_sha", sa.String(length=64), nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_attachments_blob_sha"), "blobs", ["blob_sha"], ["sha256"])

    with op.batch_alter_table("blobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("pack", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(
            sa.Column("start", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0")
        )
        batch_op.add_column(
            sa.Column(
                "length", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0"
            )
        )

    with op.batch_alter_table("folders", schema=None) as batch_op:
        batch_op.add_column(sa.Column("watched", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("remote_id", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(
            sa.Column("flags_below", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.add_column(sa.Column("flags_round_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("verify_mended", sa.Integer(), nullable=False, server_default="0"))

    with op.batch_alter_table("mailboxes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("contacts_only", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("hide_gone", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("write_read", sa.Boolean(), nullable=False, server_default=sa.true()))
        batch_op.add_column(sa.Column("write_archive", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("write_delete", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("pass_started_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("pass_stored", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("capabilities", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("watch", sa.String(), nullable=False, server_default=""))
        batch_op.create_check_constraint(op.f("ck_mailboxes_watch"), "watch IN ('', 'idle', 'poll')")
        batch_op.add_column(sa.Column("watched_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("sync_all", sa.Boolean(), nullable=False, server_default=sa.true()))
        batch_op.add_column(sa.Column("verify_requested_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("verify_until", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("verify_done", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("verify_total", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("verify_report", sa.JSON(), nullable=False, server_default="{}"))
    # Whoever left out a folder that is synced by itself had chosen folders.
    op.execute(
        sa.text(
            "UPDATE mailboxes SET sync_all = (NOT EXISTS (SELECT 1 FROM folders WHERE folders.mailbox_id = mailboxes.id "
            "AND NOT folders.chosen AND folders.selectable AND folders.role NOT IN ('drafts', 'junk', 'trash')))"
        )
    )

    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reason_params", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("version", sa.String(), nullable=False, server_default=""))

    with op.batch_alter_table("message_locations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("labels", sa.String(), nullable=False, server_default=""))

    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.add_column(sa.Column("remote_id", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("partial", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("hidden", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index("ix_messages_mailbox_remote", ["mailbox_id", "remote_id"], unique=False)
        lost = sa.text("lost_at IS NOT NULL")
        batch_op.create_index(
            "ix_messages_lost", ["mailbox_id", "size"], unique=False, sqlite_where=lost, postgresql_where=lost
        )
    op.execute("UPDATE messages SET lost_at = gone_at WHERE gone_at IS NOT NULL")

    with op.batch_alter_table("thread_references", schema=None) as batch_op:
        batch_op.add_column(sa.Column("pinned", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    with op.batch_alter_table("thread_references", schema=None) as batch_op:
        batch_op.drop_column("pinned")

    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_index("ix_messages_lost")
        batch_op.drop_index("ix_messages_mailbox_remote")
        batch_op.drop_column("lost_at")
        batch_op.drop_column("hidden")
        batch_op.drop_column("partial")
        batch_op.drop_column("remote_id")

    with op.batch_alter_table("message_locations", schema=None) as batch_op:
        batch_op.drop_column("labels")

    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.drop_column("version")
        batch_op.drop_column("reason_params")

    with op.batch_alter_table("mailboxes", schema=None) as batch_op:
        for name in ("report", "total", "done", "until", "requested_at"):
            batch_op.drop_column(f"verify_{name}")
        batch_op.drop_column("sync_all")
        batch_op.drop_constraint(op.f("ck_mailboxes_watch"), type_="check")
        batch_op.drop_column("watched_at")
        batch_op.drop_column("watch")
        batch_op.drop_column("capabilities")
        batch_op.drop_column("pass_stored")
        batch_op.drop_column("pass_started_at")
        batch_op.drop_column("write_delete")
        batch_op.drop_column("write_archive")
        batch_op.drop_column("write_read")
        batch_op.drop_column("hide_gone")
        batch_op.drop_column("contacts_only")

    with op.batch_alter_table("folders", schema=None) as batch_op:
        batch_op.drop_column("verify_mended")
        batch_op.drop_column("verified_at")
        batch_op.drop_column("flags_round_at")
        batch_op.drop_column("flags_below")
        batch_op.drop_column("remote_id")
        batch_op.drop_column("watched")

    with op.batch_alter_table("blobs", schema=None) as batch_op:
        batch_op.drop_column("length")
        batch_op.drop_column("start")
        batch_op.drop_column("pack")

    with op.batch_alter_table("attachments", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_attachments_blob_sha"), type_="foreignkey")
        batch_op.drop_column("blob_sha")
        batch_op.drop_column("section")

    with op.batch_alter_table("server_actions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_server_actions_message_id"))
        batch_op.drop_index("ix_server_actions_due")

    op.drop_table("server_actions")
    op.drop_table("contact_requests")
