"""The evidence behind the weights of a cause. It has separate blocks in the file, so that the weights form a table."""

from __future__ import annotations

from typing import Any


def join_evidence(cause: dict[str, Any]) -> list[str]:
    """Move each block ``[evidence.FINDING]`` of a parsed cause into its row of ``supports``.

    Returns the findings of blocks that fit no row, or that repeat a key of it.
    """
    rows, blocks = cause.get("supports"), cause.get("evidence")
    if not isinstance(rows, list) or not isinstance(blocks, dict):
        return []
    by_finding = {row["finding"]: row for row in rows if isinstance(row, dict) and "finding" in row}
    misfits = []
    for finding, block in cause.pop("evidence").items():
        row = by_finding.get(finding)
        if row is None or not isinstance(block, dict) or not row.keys().isdisjoint(block):
            misfits.append(finding)
        else:
            row.update(block)
    return misfits
