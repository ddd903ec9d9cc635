"""Compare two replays: the openings that another content, or an earlier run, judged differently."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from cds_service.base.errors import WrongSetting
from cds_service.replay.numbers import Verdicts, verdicts

_EXAMPLES = 20
_PER = 10_000
_PLURALS = {"critical": "critical cards", "warning": "warnings", "info": "info cards"}
KINDS = (
    "new card", "card gone", "more urgent", "less urgent", "other leg", "other facts", "other words only",
)  # fmt: skip
_RANK = "CASE indicator WHEN 'critical' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END"
# One row per opening and rule on each side; only openings in both replays are compared.
_CHANGED = f"""
    WITH new AS (SELECT patient, opening, rule, min("at") AS "at", min({_RANK}) AS rank, min(leg) AS leg,
                        string_agg(basis, ' ' ORDER BY basis) AS basis, string_agg(words, ' ' ORDER BY words) AS words
                 FROM cards SEMI JOIN shared USING (patient, opening) GROUP BY ALL),
         old AS (SELECT patient, opening, rule, min("at") AS "at", min({_RANK}) AS rank, min(leg) AS leg,
                          string_agg(basis, ' ' ORDER BY basis) AS basis, string_agg(words, ' ' ORDER BY words) AS words
                   FROM before_cards SEMI JOIN shared USING (patient, opening) GROUP BY ALL)
    SELECT patient, opening, rule, coalesce(new."at", old."at") AS "at",
           old.rank AS rank_before, new.rank AS rank_after, old.leg AS leg_before, new.leg AS leg_after,
           CASE WHEN old.rank IS NULL THEN 'new card' WHEN new.rank IS NULL THEN 'card gone'
                WHEN new.rank < old.rank THEN 'more urgent' WHEN new.rank > old.rank THEN 'less urgent'
                WHEN new.leg <> old.leg THEN 'other leg' WHEN new.basis <> old.basis THEN 'other facts'
                ELSE 'other words only' END AS kind
    FROM new FULL JOIN old USING (patient, opening, rule)
    WHERE old.rank IS NULL OR new.rank IS NULL OR new.rank <> old.rank OR new.leg <> old.leg
          OR new.basis <> old.basis OR new.words <> old.words
"""  # nosec B608 - our own words only
_INDICATORS = {1: "critical", 2: "warning", 3: "info", None: None}


def changes(folder: Path, before: Path, suffix: str, content_before: str, scratch: Path) -> dict[str, Any]:
    """Return the differences between the verdicts in ``folder`` and in ``before``, whose folders end in ``suffix``.

    Raises:
        WrongSetting: the two have no opening in common.
    """
    with verdicts(folder, scratch) as results:
        _view_before(results, before, suffix)
        results.run("""
            CREATE TABLE shared AS
            SELECT patient, opening FROM openings INTERSECT SELECT patient, opening FROM before_openings""")
        counts = results.row("""
            SELECT (SELECT count(*) FROM shared) AS openings, (SELECT count(*) FROM openings) AS after,
                   (SELECT count(*) FROM before_openings) AS before""")
        if not counts["openings"]:
            raise WrongSetting(
                "the two replays have no opening in common: their charts, dates or pseudonym keys "
                "(KNEE_CDS_HASH_KEY) differ"
            )
        results.run(f"CREATE TABLE changed AS {_CHANGED}")
        return _summary(results, counts, content_before)


def _view_before(results: Verdicts, before: Path, suffix: str) -> None:
    for kind in ("openings", "cards"):
        files = str(before / f"{kind}{suffix}" / "*.parquet").replace("'", "''")
        results.run(f"CREATE VIEW before_{kind} AS SELECT * FROM read_parquet('{files}')")  # nosec B608 - our own paths


def _summary(results: Verdicts, counts: dict[str, Any], content_before: str) -> dict[str, Any]:
    by_kind = {
        row["kind"]: row
        for row in results.rows("""
        SELECT kind, count(*) AS cards, count(DISTINCT (patient, opening)) AS openings FROM changed GROUP BY kind""")
    }
    kinds = [
        {**by_kind[kind], "examples": [_example(row) for row in _examples(results, kind)]}
        for kind in KINDS
        if kind in by_kind
    ]
    net = _net(results)
    openings = counts["openings"]
    changed = results.row("SELECT count(DISTINCT (patient, opening)) AS openings FROM changed")["openings"]
    return {
        "verdict": verdict(net, openings, changed),
        "content_before": content_before,
        "openings_compared": openings,
        "openings_only_before": counts["before"] - openings,
        "openings_only_after": counts["after"] - openings,
        "openings_changed": changed,
        "kinds": kinds,
        "net_cards_by_rule": [
            {"rule": rule, "indicator": indicator, "cards": cards, "per_10000": round(cards * _PER / openings, 3)}
            for (indicator, rule), cards in sorted(net.items())
            if cards
        ],
    }


def _examples(results: Verdicts, kind: str) -> list[dict[str, Any]]:
    return results.rows(f"""
        SELECT * FROM changed WHERE kind = '{kind}' ORDER BY rule, patient, opening LIMIT {_EXAMPLES}""")  # nosec B608


def _example(row: dict[str, Any]) -> dict[str, Any]:
    sides = {
        side: {"indicator": _INDICATORS[row[f"rank_{side}"]], "leg": row[f"leg_{side}"]}
        if row[f"rank_{side}"] is not None
        else None
        for side in ("before", "after")
    }
    return {
        "patient": row["patient"],
        "opening": row["opening"],
        "day": row["at"].date().isoformat(),
        "rule": row["rule"],
        **sides,
    }


def _net(results: Verdicts) -> Counter[tuple[str, str]]:
    """Return the change in the number of cards by indicator and rule."""
    net: Counter[tuple[str, str]] = Counter()
    for row in results.rows("SELECT rule, rank_before, rank_after, count(*) AS cards FROM changed GROUP BY ALL"):
        for rank, sign in ((row["rank_after"], 1), (row["rank_before"], -1)):
            if rank is not None:
                net[_INDICATORS[rank] or "", row["rule"]] += sign * row["cards"]
    return net


def verdict(net: Counter[tuple[str, str]], openings: int, changed: int) -> str:
    """Return the result in a sentence: ``12 more warnings per 10,000 openings, all from RF02.``"""
    if not changed:
        return f"Nothing changes: all {openings:,} openings show the same."
    parts = []
    for indicator, words in _PLURALS.items():
        rules = {rule: cards for (level, rule), cards in net.items() if level == indicator and cards}
        total = sum(rules.values())
        if rules and total:
            change = f"{'more' if total > 0 else 'fewer'} {words} per 10,000 openings"
            parts.append(f"{_number(abs(total) * _PER / openings)} {change}, {_from(rules, total)}")
        elif rules:
            parts.append(f"as many {words}, but from other rules ({', '.join(sorted(rules))})")
    if not parts:
        parts.append("as many cards of each urgency")
    return f"{'; '.join(parts)}. {changed:,} of {openings:,} openings change."


def _from(rules: dict[str, int], total: int) -> str:
    ordered = sorted(rules, key=lambda rule: (-rules[rule] * (1 if total > 0 else -1), rule))
    if len(ordered) == 1:
        return f"all from {ordered[0]}"
    listed = ", ".join(f"{rule} {rules[rule]:+,}" for rule in ordered[:3])
    return f"from {listed}{' and others' if len(ordered) > 3 else ''}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
