"""tracking that tells the truth, grants, smart bcc, webhooks

Revision: 0006
Follows: 0005
"""

import sqlalchemy as sa
from alembic import op


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
_LABELLED = ('person', 'organization', 'deal', 'lead')
_KINDS = ('open', 'click', 'send_failed', 'bounced', 'reminder', 'sync_failed', 'reconnect', 'info')


def upgrade() -> None:
    op.create_table('drop_mailbox',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('address', sa.String(), nullable=False),
    sa.Column('catch_all', sa.Boolean(), nullable=False),
    sa.Column('host', sa.String(), nullable=False),
    sa.Column('port', sa.Integer(), nullable=False),
    sa.Column('security', sa.String(), nullable=False),
    sa.Column('username', sa.String(), nullable=False),
    sa.Column('secret', sa.LargeBinary(), nullable=False),
    sa.Column('folder', sa.String(), nullable=False),
    sa.Column('uidvalidity', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('uidnext', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('lease_owner', sa.String(), nullable=False),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('next_try_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_success_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error_code', sa.String(), nullable=False),
    sa.Column('error_params', sa.JSON(), nullable=False),
    sa.CheckConstraint("security IN ('ssl', 'starttls', 'none')", name=op.f('ck_drop_mailbox_security')),
    sa.CheckConstraint('id = 1', name=op.f('ck_drop_mailbox_single')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_drop_mailbox'))
    )
    op.create_table('webhooks',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('url', sa.String(), nullable=False),
    sa.Column('events', sa.JSON(), nullable=False),
    sa.Column('secret', sa.LargeBinary(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_webhooks_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhooks'))
    )
    with op.batch_alter_table('webhooks', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_webhooks_user_id'), ['user_id'], unique=False)

    op.create_table('draft_copies',
    sa.Column('id', _ID, nullable=False),
    sa.Column('outbox_id', _ID, nullable=True),
    sa.Column('mailbox_id', _ID, nullable=False),
    sa.Column('rfc_message_id', sa.String(), nullable=False),
    sa.Column('folder', sa.String(), nullable=False),
    sa.Column('copied_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('next_try_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error_code', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['mailbox_id'], ['mailboxes.id'], name=op.f('fk_draft_copies_mailbox_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['outbox_id'], ['outbox.id'], name=op.f('fk_draft_copies_outbox_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_draft_copies')),
    sa.UniqueConstraint('outbox_id', 'mailbox_id', name=op.f('uq_draft_copies_outbox_id_mailbox_id'))
    )
    with op.batch_alter_table('draft_copies', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_draft_copies_mailbox_id'), ['mailbox_id'], unique=False)

    op.create_table('remote_image_choices',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('scope', sa.String(), nullable=False),
    sa.Column('pattern', sa.String(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("scope IN ('sender', 'domain', 'always')", name=op.f('ck_remote_image_choices_scope')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_remote_image_choices_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_remote_image_choices')),
    sa.UniqueConstraint('user_id', 'pattern', 'scope', name=op.f('uq_remote_image_choices_user_id_pattern_scope'))
    )
    with op.batch_alter_table('remote_image_choices', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_remote_image_choices_user_id'), ['user_id'], unique=False)

    op.create_table('oauth_attempts',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('provider', sa.String(), nullable=False),
    sa.Column('state_hash', sa.String(), nullable=False),
    sa.Column('secret', sa.LargeBinary(), nullable=False),
    sa.Column('mailbox_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('address', sa.String(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("provider IN ('google', 'microsoft')", name=op.f('ck_oauth_attempts_provider')),
    sa.ForeignKeyConstraint(['mailbox_id'], ['mailboxes.id'], name=op.f('fk_oauth_attempts_mailbox_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_oauth_attempts_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_oauth_attempts')),
    sa.UniqueConstraint('state_hash', name=op.f('uq_oauth_attempts_state_hash'))
    )
    with op.batch_alter_table('oauth_attempts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_oauth_attempts_expires_at'), ['expires_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_oauth_attempts_mailbox_id'), ['mailbox_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_oauth_attempts_user_id'), ['user_id'], unique=False)

    op.create_table('webhook_deliveries',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('webhook_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('event_id', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('payload', sa.JSON(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('next_try_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('status', sa.Integer(), nullable=True),
    sa.Column('error_code', sa.String(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('delivered_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('queued', 'delivered', 'failed')", name=op.f('ck_webhook_deliveries_state')),
    sa.ForeignKeyConstraint(['webhook_id'], ['webhooks.id'], name=op.f('fk_webhook_deliveries_webhook_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook_deliveries')),
    sa.UniqueConstraint('event_id', name=op.f('uq_webhook_deliveries_event_id'))
    )
    with op.batch_alter_table('webhook_deliveries', schema=None) as batch_op:
        batch_op.create_index('ix_webhook_deliveries_due', ['state', 'next_try_at'], unique=False)
        batch_op.create_index('ix_webhook_deliveries_log', ['webhook_id', 'id'], unique=False)

    op.create_table('bcc_addresses',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('local_part', sa.String(), nullable=False),
    sa.Column('deal_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('lead_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('deal_id IS NULL OR lead_id IS NULL', name=op.f('ck_bcc_addresses_one_object')),
    sa.ForeignKeyConstraint(['deal_id'], ['deals.id'], name=op.f('fk_bcc_addresses_deal_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['lead_id'], ['leads.id'], name=op.f('fk_bcc_addresses_lead_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bcc_addresses')),
    sa.UniqueConstraint('local_part', name=op.f('uq_bcc_addresses_local_part'))
    )
    with op.batch_alter_table('bcc_addresses', schema=None) as batch_op:
        batch_op.create_index('ix_bcc_addresses_deal', ['deal_id'], unique=True, sqlite_where=sa.text('revoked_at IS NULL'), postgresql_where=sa.text('revoked_at IS NULL'))
        batch_op.create_index('ix_bcc_addresses_lead', ['lead_id'], unique=True, sqlite_where=sa.text('revoked_at IS NULL'), postgresql_where=sa.text('revoked_at IS NULL'))

    op.create_table('bcc_arrivals',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('way', sa.String(), nullable=False),
    sa.Column('envelope_from', sa.String(), nullable=False),
    sa.Column('envelope_to', sa.String(), nullable=False),
    sa.Column('client_address', sa.String(), nullable=False),
    sa.Column('client_name', sa.String(), nullable=False),
    sa.Column('header_from', sa.String(), nullable=False),
    sa.Column('subject', sa.String(), nullable=False),
    sa.Column('size', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('blob_sha', sa.String(length=64), nullable=True),
    sa.Column('address_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('reason_params', sa.JSON(), nullable=False),
    sa.Column('checks', sa.JSON(), nullable=False),
    sa.Column('message_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('words', sa.String(), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('next_try_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('waiting', 'stored', 'duplicate', 'quarantined', 'ignored', 'refused', 'failed')", name=op.f('ck_bcc_arrivals_state')),
    sa.CheckConstraint("way IN ('smtp', 'lmtp', 'imap')", name=op.f('ck_bcc_arrivals_way')),
    sa.ForeignKeyConstraint(['address_id'], ['bcc_addresses.id'], name=op.f('fk_bcc_arrivals_address_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['blob_sha'], ['blobs.sha256'], name=op.f('fk_bcc_arrivals_blob_sha')),
    sa.ForeignKeyConstraint(['message_id'], ['messages.id'], name=op.f('fk_bcc_arrivals_message_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_bcc_arrivals_user_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bcc_arrivals'))
    )
    with op.batch_alter_table('bcc_arrivals', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_bcc_arrivals_address_id'), ['address_id'], unique=False)
        batch_op.create_index('ix_bcc_arrivals_at', ['received_at', 'id'], unique=False)
        batch_op.create_index('ix_bcc_arrivals_blob', ['blob_sha'], unique=False)
        batch_op.create_index(batch_op.f('ix_bcc_arrivals_message_id'), ['message_id'], unique=False)
        batch_op.create_index('ix_bcc_arrivals_state', ['state', 'next_try_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_bcc_arrivals_user_id'), ['user_id'], unique=False)

    op.create_table('remote_folders',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('mailbox_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('remote_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('uidvalidity', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('uidnext', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('highestmodseq', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('sync_state', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['mailbox_id'], ['mailboxes.id'], name=op.f('fk_remote_folders_mailbox_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_remote_folders')),
    sa.UniqueConstraint('mailbox_id', 'remote_id', name=op.f('uq_remote_folders_mailbox_id_remote_id'))
    )
    op.create_table('remote_items',
    sa.Column('remote_folder_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('uid', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('item_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('size', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('seen', sa.Boolean(), nullable=False),
    sa.Column('draft', sa.Boolean(), nullable=False),
    sa.Column('modseq', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.ForeignKeyConstraint(['remote_folder_id'], ['remote_folders.id'], name=op.f('fk_remote_items_remote_folder_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('remote_folder_id', 'uid', name=op.f('pk_remote_items'))
    )
    op.create_index('ix_remote_items_item', 'remote_items', ['remote_folder_id', 'item_id'], unique=True)
    op.create_table('address_consents',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('address_hash', sa.String(), nullable=False),
    sa.Column('consent', sa.String(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('message_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.CheckConstraint("consent IN ('granted', 'refused')", name=op.f('ck_address_consents_consent')),
    sa.ForeignKeyConstraint(['message_id'], ['messages.id'], name=op.f('fk_address_consents_message_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_address_consents')),
    sa.UniqueConstraint('address_hash', name=op.f('uq_address_consents_address_hash'))
    )
    with op.batch_alter_table('address_consents', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_address_consents_message_id'), ['message_id'], unique=False)

    op.create_table('account_letters',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('email', sa.String(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('next_try_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("kind IN ('reset', 'password', 'link', 'second_on', 'second_off', 'second_reset')", name=op.f('ck_account_letters_kind')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_account_letters'))
    )
    op.create_table('account_tickets',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('token_hash', sa.String(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("kind IN ('reset', 'code')", name=op.f('ck_account_tickets_kind')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_account_tickets_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_account_tickets')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_account_tickets_token_hash'))
    )
    with op.batch_alter_table('account_tickets', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_account_tickets_expires_at'), ['expires_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_account_tickets_user_id'), ['user_id'], unique=False)

    op.create_table('second_factors',
    sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('secret', sa.LargeBinary(), nullable=False),
    sa.Column('last_step', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_second_factors_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('user_id', name=op.f('pk_second_factors'))
    )
    op.create_table('recovery_codes',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('code_hash', sa.String(), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_recovery_codes_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recovery_codes')),
    sa.UniqueConstraint('code_hash', name=op.f('uq_recovery_codes_code_hash'))
    )
    with op.batch_alter_table('recovery_codes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_recovery_codes_user_id'), ['user_id'], unique=False)

    _labels_and_views()

    with op.batch_alter_table('audit', schema=None) as batch_op:
        batch_op.create_index('ix_audit_actor', ['actor_id', 'id'], unique=False)

    with op.batch_alter_table('mailboxes', schema=None) as batch_op:
        batch_op.add_column(sa.Column('kind', sa.String(), nullable=False, server_default="imap"))
        batch_op.add_column(sa.Column('auth', sa.String(), nullable=False, server_default="password"))
        batch_op.add_column(sa.Column('grant_subject', sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column('token_expires_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('token_lease_owner', sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column('token_lease_until', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('reconnect_told_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('write_drafts', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column('track_copies', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column('track_text', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.create_check_constraint(op.f('ck_mailboxes_kind'), "kind IN ('imap', 'ews', 'bcc')")
        batch_op.create_check_constraint(op.f('ck_mailboxes_auth'), "auth IN ('password', 'google', 'microsoft')")

    with op.batch_alter_table('notifications', schema=None) as batch_op:
        batch_op.add_column(sa.Column('held_until', sa.DateTime(timezone=True), nullable=True))

    # The table keeps its AUTOINCREMENT (0005).
    with op.batch_alter_table('outbox', schema=None, table_kwargs={'sqlite_autoincrement': True}) as batch_op:
        batch_op.add_column(sa.Column('track_copies', sa.Boolean(), nullable=False, server_default=sa.false()))

    with op.batch_alter_table('outbox_recipients', schema=None) as batch_op:
        batch_op.add_column(sa.Column('tracking', sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column('handed_over_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_check_constraint(
            op.f('ck_outbox_recipients_tracking'), "tracking IN ('', 'together', 'copy', 'refused', 'not_granted')"
        )

    with op.batch_alter_table('tracked_messages', schema=None) as batch_op:
        batch_op.add_column(sa.Column('recipient', sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column('replied_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('purged_opens', sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column('purged_clicks', sa.Integer(), nullable=False, server_default="0"))
        # A tracked link outlives its user (T10).
        batch_op.alter_column('user_id', existing_type=_ID, nullable=True)
        batch_op.drop_constraint(op.f('fk_tracked_messages_user_id'), type_='foreignkey')
        batch_op.create_foreign_key(
            op.f('fk_tracked_messages_user_id'), 'users', ['user_id'], ['id'], ondelete='SET NULL'
        )

    with op.batch_alter_table('tracking_events', schema=None) as batch_op:
        batch_op.add_column(sa.Column('facts', sa.JSON(), nullable=False, server_default="{}"))
        batch_op.create_index('ix_tracking_events_at', ['at'], unique=False)
        batch_op.create_index(
            'ix_tracking_events_network', ['at'], unique=False,
            sqlite_where=sa.text("network <> ''"), postgresql_where=sa.text("network <> ''"),
        )

    with op.batch_alter_table('sessions', schema=None) as batch_op:
        batch_op.add_column(sa.Column('address', sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column('network', sa.String(), nullable=False, server_default=""))

    with op.batch_alter_table('users', schema=None) as batch_op:
        batch_op.add_column(sa.Column('notify', sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column('quiet_from', sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column('quiet_until', sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column('view_order', sa.JSON(), nullable=False, server_default="[]"))

    with op.batch_alter_table('workspace', schema=None) as batch_op:
        batch_op.add_column(sa.Column('tracking_footer', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column('tracking_days', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('network_days', sa.Integer(), nullable=False, server_default="1"))
        batch_op.add_column(sa.Column('bcc_makes_people', sa.Boolean(), nullable=False, server_default=sa.false()))

    _allow('notifications', 'kind', (*_KINDS, 'replied', 'digest', 'bcc'))
    # Of a million messages a handful waits: an index of those alone.
    op.drop_index('ix_messages_link_pending', 'messages')
    op.create_index(
        'ix_messages_link_pending', 'messages', ['id'], unique=False,
        sqlite_where=sa.text('link_pending IS 1'), postgresql_where=sa.text('link_pending IS TRUE'),
    )
    op.create_index('ix_tracked_messages_sent', 'tracked_messages', ['sent_at'], unique=False)
    for what in ('opens', 'clicks'):
        op.create_index(
            f'ix_tracked_messages_{what}', 'tracked_messages', ['user_id', 'message_id'], unique=False,
            sqlite_where=sa.text(f'{what} > 0'), postgresql_where=sa.text(f'{what} > 0'),
        )
    op.create_index(
        'ix_notifications_held', 'notifications', ['held_until'], unique=False,
        sqlite_where=sa.text('held_until IS NOT NULL'), postgresql_where=sa.text('held_until IS NOT NULL'),
    )


def _labels_and_views() -> None:
    _allow('labels', 'kind', (*_LABELLED, 'thread'))
    op.create_table('thread_labels',
    sa.Column('id', _ID, nullable=False),
    sa.Column('label_id', _ID, nullable=False),
    sa.Column('user_id', _ID, nullable=False),
    sa.Column('thread_id', _ID, nullable=False),
    sa.ForeignKeyConstraint(['label_id'], ['labels.id'], name=op.f('fk_thread_labels_label_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(
        ['thread_id', 'user_id'], ['threads.id', 'threads.user_id'], name=op.f('fk_thread_labels_thread_id_user_id'),
        ondelete='CASCADE',
    ),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_thread_labels')),
    sa.UniqueConstraint('label_id', 'user_id', 'thread_id', name=op.f('uq_thread_labels_label_id_user_id_thread_id'))
    )
    op.create_index('ix_thread_labels_thread', 'thread_labels', ['thread_id'], unique=False)
    op.create_table('saved_views',
    sa.Column('id', _ID, nullable=False),
    sa.Column('user_id', _ID, nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('shared', sa.Boolean(), nullable=False),
    sa.Column('folder', sa.String(), nullable=False),
    sa.Column('filters', sa.String(), nullable=False),
    sa.Column('query', sa.String(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_saved_views_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_saved_views'))
    )
    op.create_index(op.f('ix_saved_views_user_id'), 'saved_views', ['user_id'], unique=False)


def _allow(table: str, column: str, values: tuple[str, ...]) -> None:
    # Another list for a column that holds one of a few words.
    listed = ', '.join(f"'{value}'" for value in values)
    with op.batch_alter_table(table, schema=None) as batch_op:
        batch_op.drop_constraint(op.f(f'ck_{table}_{column}'), type_='check')
        batch_op.create_check_constraint(op.f(f'ck_{table}_{column}'), f'{column} IN ({listed})')


def downgrade() -> None:
    op.execute("DELETE FROM notifications WHERE kind IN ('replied', 'digest', 'bcc')")
    _allow('notifications', 'kind', _KINDS)
    op.drop_index('ix_messages_link_pending', 'messages')
    op.create_index('ix_messages_link_pending', 'messages', ['link_pending', 'id'])
    op.drop_table('saved_views')
    op.drop_table('thread_labels')
    op.execute("DELETE FROM labels WHERE kind = 'thread'")
    _allow('labels', 'kind', _LABELLED)
    with op.batch_alter_table('workspace', schema=None) as batch_op:
        batch_op.drop_column('bcc_makes_people')
        batch_op.drop_column('network_days')
        batch_op.drop_column('tracking_days')
        batch_op.drop_column('tracking_footer')

    with op.batch_alter_table('users', schema=None) as batch_op:
        batch_op.drop_column('view_order')
        batch_op.drop_column('quiet_until')
        batch_op.drop_column('quiet_from')
        batch_op.drop_column('notify')

    with op.batch_alter_table('sessions', schema=None) as batch_op:
        batch_op.drop_column('network')
        batch_op.drop_column('address')

    with op.batch_alter_table('audit', schema=None) as batch_op:
        batch_op.drop_index('ix_audit_actor')

    with op.batch_alter_table('recovery_codes', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_recovery_codes_user_id'))

    op.drop_table('recovery_codes')
    op.drop_table('second_factors')
    with op.batch_alter_table('account_tickets', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_account_tickets_user_id'))
        batch_op.drop_index(batch_op.f('ix_account_tickets_expires_at'))

    op.drop_table('account_tickets')
    op.drop_table('account_letters')

    with op.batch_alter_table('tracking_events', schema=None) as batch_op:
        batch_op.drop_index(
            'ix_tracking_events_network',
            sqlite_where=sa.text("network <> ''"), postgresql_where=sa.text("network <> ''"),
        )
        batch_op.drop_index('ix_tracking_events_at')
        batch_op.drop_column('facts')

    op.execute("DELETE FROM tracked_messages WHERE user_id IS NULL")
    with op.batch_alter_table('tracked_messages', schema=None) as batch_op:
        batch_op.drop_index('ix_tracked_messages_clicks')
        batch_op.drop_index('ix_tracked_messages_opens')
        batch_op.drop_index('ix_tracked_messages_sent')
        batch_op.drop_constraint(op.f('fk_tracked_messages_user_id'), type_='foreignkey')
        batch_op.create_foreign_key(
            op.f('fk_tracked_messages_user_id'), 'users', ['user_id'], ['id'], ondelete='CASCADE'
        )
        batch_op.alter_column('user_id', existing_type=_ID, nullable=False)
        batch_op.drop_column('purged_clicks')
        batch_op.drop_column('purged_opens')
        batch_op.drop_column('replied_at')
        batch_op.drop_column('recipient')

    with op.batch_alter_table('outbox_recipients', schema=None) as batch_op:
        batch_op.drop_constraint(op.f('ck_outbox_recipients_tracking'), type_='check')
        batch_op.drop_column('handed_over_at')
        batch_op.drop_column('tracking')

    with op.batch_alter_table('outbox', schema=None, table_kwargs={'sqlite_autoincrement': True}) as batch_op:
        batch_op.drop_column('track_copies')

    with op.batch_alter_table('notifications', schema=None) as batch_op:
        batch_op.drop_index(
            'ix_notifications_held',
            sqlite_where=sa.text('held_until IS NOT NULL'), postgresql_where=sa.text('held_until IS NOT NULL'),
        )
        batch_op.drop_column('held_until')

    with op.batch_alter_table('mailboxes', schema=None) as batch_op:
        batch_op.drop_constraint(op.f('ck_mailboxes_auth'), type_='check')
        batch_op.drop_constraint(op.f('ck_mailboxes_kind'), type_='check')
        batch_op.drop_column('track_text')
        batch_op.drop_column('track_copies')
        batch_op.drop_column('write_drafts')
        batch_op.drop_column('reconnect_told_at')
        batch_op.drop_column('token_lease_until')
        batch_op.drop_column('token_lease_owner')
        batch_op.drop_column('token_expires_at')
        batch_op.drop_column('grant_subject')
        batch_op.drop_column('auth')
        batch_op.drop_column('kind')

    with op.batch_alter_table('address_consents', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_address_consents_message_id'))

    op.drop_table('address_consents')
    op.drop_index('ix_remote_items_item', 'remote_items')
    op.drop_table('remote_items')
    op.drop_table('remote_folders')
    with op.batch_alter_table('bcc_arrivals', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_bcc_arrivals_user_id'))
        batch_op.drop_index('ix_bcc_arrivals_state')
        batch_op.drop_index(batch_op.f('ix_bcc_arrivals_message_id'))
        batch_op.drop_index('ix_bcc_arrivals_blob')
        batch_op.drop_index('ix_bcc_arrivals_at')
        batch_op.drop_index(batch_op.f('ix_bcc_arrivals_address_id'))

    op.drop_table('bcc_arrivals')
    with op.batch_alter_table('bcc_addresses', schema=None) as batch_op:
        batch_op.drop_index('ix_bcc_addresses_lead', sqlite_where=sa.text('revoked_at IS NULL'), postgresql_where=sa.text('revoked_at IS NULL'))
        batch_op.drop_index('ix_bcc_addresses_deal', sqlite_where=sa.text('revoked_at IS NULL'), postgresql_where=sa.text('revoked_at IS NULL'))

    op.drop_table('bcc_addresses')
    with op.batch_alter_table('webhook_deliveries', schema=None) as batch_op:
        batch_op.drop_index('ix_webhook_deliveries_log')
        batch_op.drop_index('ix_webhook_deliveries_due')

    op.drop_table('webhook_deliveries')
    with op.batch_alter_table('oauth_attempts', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_oauth_attempts_user_id'))
        batch_op.drop_index(batch_op.f('ix_oauth_attempts_mailbox_id'))
        batch_op.drop_index(batch_op.f('ix_oauth_attempts_expires_at'))

    op.drop_table('oauth_attempts')
    op.drop_table('draft_copies')
    op.drop_table('remote_image_choices')
    with op.batch_alter_table('webhooks', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_webhooks_user_id'))

    op.drop_table('webhooks')
    op.drop_table('drop_mailbox')
