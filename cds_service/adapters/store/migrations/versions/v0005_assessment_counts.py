"""How often the assessment page was used, and for which findings; nothing of any patient."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Counts for each day, client, rule and content."""
    op.create_table(
        "assessment_count",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("client", sa.Text, primary_key=True),
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("content_version", sa.Text, primary_key=True),
        sa.Column("what", sa.Text, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """The counts are lost."""
    op.drop_table("assessment_count")
