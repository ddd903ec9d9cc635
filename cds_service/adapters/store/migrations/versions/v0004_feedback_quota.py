"""The used part of each client's daily quota for feedback on unknown cards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create a table with one row for each client and day. The service deletes rows of past days."""
    op.create_table(
        "feedback_quota",
        sa.Column("client", sa.Text, primary_key=True),
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop the table. Every client gets its full quota again."""
    op.drop_table("feedback_quota")
