"""Launches of the order page: which patient and order, and the EHR's token, sealed for one browser."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table that empties itself: rows live as long as a token of the EHR."""
    op.create_table(
        "launch",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("launch_expires_at", "launch", ["expires_at"])


def downgrade() -> None:
    """Order pages that are open have to be launched again."""
    op.drop_table("launch")
