"""Tokens that were used, so that no replica takes one twice; and which client sent a piece of feedback."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table, and a column that is empty for feedback from before and from callers without a token."""
    op.create_table(
        "token_use",
        sa.Column("token", sa.String(64), primary_key=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("token_use_expires_at", "token_use", ["expires_at"])
    op.add_column("feedback", sa.Column("client", sa.Text))


def downgrade() -> None:
    """Used tokens are forgotten: let no service run on the older tables until the newest has expired."""
    op.drop_column("feedback", "client")
    op.drop_table("token_use")
