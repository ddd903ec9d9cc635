"""Before and after: which openings another content, or an earlier run, had judged otherwise."""

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
# One line for each opening and rule, on both sides; only openings that both have judged are compared.
_CHANGED = f"""
    WITH one AS (SELECT patient, opening, rule, min("at") AS "at", min({_RANK}) AS rank, min(leg) AS leg,
                        string_agg(basis, ' ' ORDER BY basis) AS basis, string_agg(words, ' ' ORDER BY words) AS words
                 FROM cards SEMI JOIN shared USING (patient, opening) GROUP BY ALL),
         other AS (SELECT patient, opening, rule, min("at") AS "at", min({_RANK}) AS rank, min(leg) AS leg,
                          string_agg(basis, ' ' ORDER BY basis) AS basis, string_agg(words, ' ' ORDER BY words) AS words
                   FROM before_cards SEMI JOIN shared USING (patient, opening) GROUP BY ALL)
    SELECT patient, opening, rule, coalesce(one."at", other."at") AS "at",
           other.rank AS rank_before, one.rank AS rank_after, other.leg AS leg_before, one.leg AS leg_after,
           CASE WHEN other.rank IS NULL THEN 'new card' WHEN one.rank IS NULL THEN 'card gone'
                WHEN one.rank < other.rank THEN 'more urgent' WHEN one.rank > other.rank THEN 'less urgent'
                WHEN one.leg <> other.leg THEN 'other leg' WHEN one.basis <> other.basis THEN 'other facts'
                ELSE 'other words only' END AS kind
    FROM one FULL JOIN other USING (patient, opening, rule)
    WHERE other.rank IS NULL OR one.rank IS NULL OR one.rank <> other.rank OR one.leg <> other.leg
          OR one.basis <> other.basis OR one.words <> other.words
"""  # nosec B608 - our own words only
_INDICATORS = {1: "critical", 2: "warning", 3: "info", None: None}


def changes(folder: Path, before: Path, suffix: str, content_before: str, scratch: Path) -> dict[str, Any]:
    """What differs between the verdicts in ``folder`` and those in ``before`` (its folders end in ``suffix``).

    Raises:
        WrongSetting: they have no opening in common.
    """
    with verdicts(folder, scratch) as found:
        _view_before(found, before, suffix)
        found.run("""
            CREATE TABLE shared AS
            SELECT patient, opening FROM openings INTERSECT SELECT patient, opening FROM before_openings""")
        counts = found.one("""
            SELECT (SELECT count(*) FROM shared) AS openings, (SELECT count(*) FROM openings) AS after,
                   (SELECT count(*) FROM before_openings) AS before""")
        if not counts["openings"]:
            raise WrongSetting(
                "the two replays have no opening in common: other charts, other moments, or another key of the "
                "pseudonyms (KNEE_CDS_HASH_KEY)"
            )
        found.run(f"CREATE TABLE changed AS {_CHANGED}")
        return _told(found, counts, content_before)


def _view_before(found: Verdicts, before: Path, suffix: str) -> None:
    for kind in ("openings", "cards"):
        files = str(before / f"{kind}{suffix}" / "*.parquet").replace("'", "''")
        found.run(f"CREATE VIEW before_{kind} AS SELECT * FROM read_parquet('{files}')")  # nosec B608 - our own paths


def _told(found: Verdicts, counts: dict[str, Any], content_before: str) -> dict[str, Any]:
    by_kind = {
        one["kind"]: one
        for one in found.rows("""
        SELECT kind, count(*) AS cards, count(DISTINCT (patient, opening)) AS openings FROM changed GROUP BY kind""")
    }
    kinds = [
        {**by_kind[kind], "examples": [_example(one) for one in _examples(found, kind)]}
        for kind in KINDS
        if kind in by_kind
    ]
    net = _net(found)
    openings = counts["openings"]
    changed = found.one("SELECT count(DISTINCT (patient, opening)) AS openings FROM changed")["openings"]
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


def _examples(found: Verdicts, kind: str) -> list[dict[str, Any]]:
    return found.rows(f"""
        SELECT * FROM changed WHERE kind = '{kind}' ORDER BY rule, patient, opening LIMIT {_EXAMPLES}""")  # nosec B608


def _example(one: dict[str, Any]) -> dict[str, Any]:
    sides = {
        side: {"indicator": _INDICATORS[one[f"rank_{side}"]], "leg": one[f"leg_{side}"]}
        if one[f"rank_{side}"] is not None
        else None
        for side in ("before", "after")
    }
    return {
        "patient": one["patient"],
        "opening": one["opening"],
        "day": one["at"].date().isoformat(),
        "rule": one["rule"],
        **sides,
    }


def _net(found: Verdicts) -> Counter[tuple[str, str]]:
    """How many cards more of each indicator and rule."""
    net: Counter[tuple[str, str]] = Counter()
    for one in found.rows("SELECT rule, rank_before, rank_after, count(*) AS cards FROM changed GROUP BY ALL"):
        for rank, sign in ((one["rank_after"], 1), (one["rank_before"], -1)):
            if rank is not None:
                net[_INDICATORS[rank] or "", one["rule"]] += sign * one["cards"]
    return net


def verdict(net: Counter[tuple[str, str]], openings: int, changed: int) -> str:
    """For a reviewer, in a sentence: ``12 more warnings per 10,000 openings, all from RF02.``"""
    if not changed:
        return f"Nothing changes: all {openings:,} openings show the same."
    said = []
    for indicator, words in _PLURALS.items():
        rules = {rule: cards for (one, rule), cards in net.items() if one == indicator and cards}
        total = sum(rules.values())
        if rules and total:
            most = f"{'more' if total > 0 else 'fewer'} {words} per 10,000 openings"
            said.append(f"{_number(abs(total) * _PER / openings)} {most}, {_from(rules, total)}")
        elif rules:
            said.append(f"as many {words}, but from other rules ({', '.join(sorted(rules))})")
    if not said:
        said.append("as many cards of each urgency")
    return f"{'; '.join(said)}. {changed:,} of {openings:,} openings change."


def _from(rules: dict[str, int], total: int) -> str:
    ordered = sorted(rules, key=lambda rule: (-rules[rule] * (1 if total > 0 else -1), rule))
    if len(ordered) == 1:
        return f"all from {ordered[0]}"
    listed = ", ".join(f"{rule} {rules[rule]:+,}" for rule in ordered[:3])
    return f"from {listed}{' and others' if len(ordered) > 3 else ''}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
