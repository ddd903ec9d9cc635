"""Launches of the order page: patient, order and the EHR's token, sealed for one browser."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table. The service deletes rows when the token of the EHR has expired."""
    op.create_table(
        "launch",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("launch_expires_at", "launch", ["expires_at"])


def downgrade() -> None:
    """Drop the table. Open order pages must be launched again."""
    op.drop_table("launch")
