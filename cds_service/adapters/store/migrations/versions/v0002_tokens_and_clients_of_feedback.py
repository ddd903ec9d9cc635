"""Used tokens, so that no replica accepts a token twice, and the client that sent each piece of feedback."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table and a column. The column is empty for older feedback and for callers without a token."""
    op.create_table(
        "token_use",
        sa.Column("token", sa.String(64), primary_key=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("token_use_expires_at", "token_use", ["expires_at"])
    op.add_column("feedback", sa.Column("client", sa.Text))


def downgrade() -> None:
    """Drop the used tokens. Do not start a service on the older tables until the newest token has expired."""
    op.drop_column("feedback", "client")
    op.drop_table("token_use")
