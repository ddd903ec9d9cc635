"""The service whose feedback address a statement was sent to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column. It stays empty in rows from the time when there was one service."""
    op.add_column("feedback", sa.Column("service", sa.Text))


def downgrade() -> None:
    """Of which service a statement is, is lost."""
    op.drop_column("feedback", "service")
