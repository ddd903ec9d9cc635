"""How much of its daily quota of feedback on unknown cards each client has used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table with one row a client and day; the service deletes those of past days."""
    op.create_table(
        "feedback_quota",
        sa.Column("client", sa.Text, primary_key=True),
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """What was used today is forgotten."""
    op.drop_table("feedback_quota")
