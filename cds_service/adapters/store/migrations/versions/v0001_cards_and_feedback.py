"""Cards shown and the feedback on them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "card",
        sa.Column("uuid", sa.String(36), primary_key=True),
        sa.Column("shown_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("pathway", sa.Text, nullable=False),
        sa.Column("content_version", sa.Text, nullable=False),
        sa.Column("indicator", sa.Text, nullable=False),
        sa.Column("leg", sa.Text, nullable=False),
        sa.Column("suggestions", sa.Text, nullable=False),
        sa.Column("shown", sa.Boolean, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("patient_key", sa.String(32)),
        sa.Column("user_key", sa.String(32)),
        sa.Column("encounter_key", sa.String(32)),
        sa.Column("fingerprint", sa.String(32)),
        sa.Column("quiet_until", sa.DateTime(timezone=True)),
    )
    op.create_index("card_quiet", "card", ["client", "patient_key", "user_key"])
    op.create_index("card_quiet_until", "card", ["quiet_until"])
    op.create_index("card_shown_at", "card", ["shown_at"])
    op.create_table(
        "feedback",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("card", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("outcome_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted", sa.Text, nullable=False),
        sa.Column("reason_system", sa.Text),
        sa.Column("reason_code", sa.Text),
        sa.Column("reason_display", sa.Text),
        sa.Column("comment", sa.Text),
    )
    op.create_index("feedback_card", "feedback", ["card"])
    op.create_index("feedback_received_at", "feedback", ["received_at"])


def downgrade() -> None:
    """Drop both tables with all their data."""
    op.drop_table("feedback")
    op.drop_table("card")
