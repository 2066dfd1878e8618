"""search index, and what sweeps of the raw store look things up by

FTS5 and GIN are each database's own, so this is raw SQL; env.py keeps `alembic check` from looking at `message_search`.
Every message that is stored already waits in `search_pending`.

Revision: 0003
Follows: 0002
"""

import sqlalchemy as sa
from alembic import op


revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "search_pending",
        sa.Column("message_id", big, nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_search_pending_message_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_search_pending")),
    )
    op.execute("INSERT INTO search_pending (message_id) SELECT id FROM messages")
    op.create_index("ix_messages_blob", "messages", ["blob_sha"])
    op.create_index("ix_blobs_pack", "blobs", ["pack"])
    partial = sa.text("blob_sha IS NOT NULL")
    op.create_index(
        "ix_attachments_blob", "attachments", ["blob_sha"], sqlite_where=partial, postgresql_where=partial
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TABLE message_search (message_id BIGINT PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,"
            " words TSVECTOR NOT NULL)"
        )
        op.execute("CREATE INDEX ix_message_search_words ON message_search USING gin (words)")
        return
    op.execute("CREATE VIRTUAL TABLE message_search USING fts5(subject, people, body, files, tokenize='ascii')")
    # A deleted row's words stay in the index's segments until these are merged: search/index.py `forget_deleted`.
    op.execute("CREATE TABLE message_search_deleted (id INTEGER PRIMARY KEY)")
    op.execute(
        "CREATE TRIGGER message_search_delete AFTER DELETE ON messages BEGIN"
        " DELETE FROM message_search WHERE rowid = old.id;"
        " INSERT OR IGNORE INTO message_search_deleted (id) VALUES (1); END"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        op.execute("DROP TRIGGER message_search_delete")
        op.execute("DROP TABLE message_search_deleted")
    op.execute("DROP TABLE message_search")
    op.drop_index("ix_attachments_blob", "attachments")
    op.drop_index("ix_blobs_pack", "blobs")
    op.drop_index("ix_messages_blob", "messages")
    op.drop_table("search_pending")
