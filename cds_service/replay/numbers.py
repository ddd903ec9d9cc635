"""What the report says in numbers, counted by DuckDB over the Parquet of verdicts, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from cds_service.replay.intervals import per_1000, rate

_BREAKDOWNS = ("age_band", "sex", "encounter_class", "site")
_MAX_LISTED = 40


class Verdicts:
    """The openings and cards of a run, as views that can be asked."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, query: str) -> list[dict[str, Any]]:
        """The answer to a query, row by row."""
        found = self._connection.execute(query)
        names = [one[0] for one in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def run(self, statement: str) -> None:
        """Make a view or a table."""
        self._connection.execute(statement)

    def one(self, query: str) -> dict[str, Any]:
        """The only row of an answer."""
        return self.rows(query)[0]


@contextmanager
def verdicts(folder: Path, scratch: Path, zone: str = "UTC", suffix: str = "") -> Iterator[Verdicts]:
    """What a run has found. ``zone``: in which days, weeks and months begin. ``suffix``: of the folders to look at."""
    scratch.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {"memory_limit": "384MB", "threads": 2, "temp_directory": str(scratch)}
    with duckdb.connect(":memory:", config=config) as connection:
        for kind in ("openings", "cards"):
            files = str(folder / f"{kind}{suffix}" / "*.parquet").replace("'", "''")
            # `at` is kept in UTC; `day` is the site's.
            connection.execute(
                f"CREATE VIEW {kind} AS SELECT *, "  # nosec B608 - our own paths only
                f"CAST(timezone('{zone}', \"at\") AS DATE) AS day FROM read_parquet('{files}')"
            )
        yield Verdicts(connection)


def totals(found: Verdicts) -> dict[str, Any]:
    """How many openings there were, and with what."""
    return found.one("""
        SELECT count(*) AS openings, count(*) FILTER (cards > 0) AS openings_with_card,
               count(*) FILTER (worst IN ('critical', 'warning')) AS openings_with_urgent_card,
               count(*) FILTER (not_answered <> '') AS openings_not_answered,
               count(*) FILTER (complaint) AS openings_with_complaint,
               count(*) FILTER (dvt_card) AS openings_with_dvt_card,
               count(*) FILTER (dvt_card AND wells_recorded = 9) AS completed,
               CAST(coalesce(sum(cards), 0) AS BIGINT) AS cards
        FROM openings""")


def by_month(found: Verdicts) -> list[dict[str, Any]]:
    """Trigger and completion rate of each month."""
    rows = found.rows("""
        SELECT strftime(date_trunc('month', day), '%Y-%m') AS month, count(*) AS openings,
               count(*) FILTER (cards > 0) AS some, count(*) FILTER (dvt_card) AS dvt,
               count(*) FILTER (dvt_card AND wells_recorded = 9) AS completed
        FROM openings GROUP BY month ORDER BY month""")
    return [
        {
            "month": one["month"],
            "openings": one["openings"],
            "trigger_rate": rate(one["some"], one["openings"]),
            "completion_rate": rate(one["completed"], one["dvt"]),
        }
        for one in rows
    ]


def by_week(found: Verdicts) -> list[dict[str, Any]]:
    """Openings of each week and what stood on them, by the most urgent card."""
    return found.rows("""
        SELECT strftime(date_trunc('week', day), '%Y-%m-%d') AS week, count(*) AS openings,
               count(*) FILTER (worst = 'critical') AS critical, count(*) FILTER (worst = 'warning') AS warning,
               count(*) FILTER (worst = 'info') AS info
        FROM openings GROUP BY week ORDER BY week""")


def by_rule(found: Verdicts, openings: int) -> dict[str, Any]:
    """Cards per 1,000 openings of each rule or cause, with the indicators that they came with."""
    rows = found.rows("""
        SELECT rule, count(*) AS cards, count(DISTINCT (patient, opening)) AS openings,
               count(*) FILTER (indicator = 'critical') AS critical,
               count(*) FILTER (indicator = 'warning') AS warning, count(*) FILTER (indicator = 'info') AS info
        FROM cards GROUP BY rule ORDER BY cards DESC, rule""")
    return {
        one["rule"]: {
            **per_1000(one["openings"], openings),
            "cards": one["cards"],
            "by_indicator": {name: one[name] for name in ("critical", "warning", "info")},
        }
        for one in rows
    }


def by_indicator(found: Verdicts, openings: int) -> dict[str, Any]:
    """Openings per 1,000 with at least one card of each indicator."""
    rows = found.rows("""
        SELECT indicator, count(*) AS cards, count(DISTINCT (patient, opening)) AS openings
        FROM cards GROUP BY indicator""")
    counted = {one["indicator"]: one for one in rows}
    return {
        name: {
            **per_1000(counted.get(name, {}).get("openings", 0), openings),
            "cards": counted.get(name, {}).get("cards", 0),
        }
        for name in ("critical", "warning", "info")
    }


def breakdowns(found: Verdicts) -> dict[str, list[dict[str, Any]]]:
    """Openings with a card, by what is known of patient and encounter; the most frequent first."""
    answer = {}
    for name in _BREAKDOWNS:
        rows = found.rows(f"""
            SELECT coalesce(nullif({name}, ''), 'not recorded') AS name, count(*) AS openings,
                   count(*) FILTER (cards > 0) AS some, count(*) FILTER (dvt_card) AS dvt
            FROM openings GROUP BY 1 ORDER BY {"name" if name == "age_band" else "openings DESC, name"}
            LIMIT {_MAX_LISTED}""")  # nosec B608 - our own names only
        answer[name] = [
            {
                "name": one["name"],
                "openings": one["openings"],
                "with_card": rate(one["some"], one["openings"]),
                "with_dvt_card": rate(one["dvt"], one["openings"]),
            }
            for one in rows
        ]
    return answer


def clinician_days(found: Verdicts) -> dict[str, Any] | None:
    """Cards that one clinician meets in a day; None if no encounter names one."""
    one = found.one("""
        WITH days AS (SELECT practitioner, day, sum(cards) AS cards FROM openings
                      WHERE practitioner <> '' GROUP BY ALL)
        SELECT count(*) AS clinician_days, avg(cards) AS mean, quantile_cont(cards, 0.5) AS median,
               quantile_cont(cards, 0.95) AS p95, CAST(max(cards) AS BIGINT) AS most FROM days""")
    return {**one, "mean": round(one["mean"], 4)} if one["clinician_days"] else None


def wells(found: Verdicts) -> dict[str, Any]:
    """How much of the Wells score the charts hold where it is needed: at openings with a DVT card."""
    recorded = found.rows("""
        SELECT wells_recorded AS items, count(*) AS openings FROM openings
        WHERE dvt_card AND wells_recorded IS NOT NULL GROUP BY items ORDER BY items""")
    missing = found.rows("""
        SELECT item, count(*) AS openings FROM (SELECT unnest(wells_missing) AS item FROM openings WHERE dvt_card)
        GROUP BY item ORDER BY openings DESC, item""")
    return {"recorded": recorded, "missing": missing, "openings": sum(one["openings"] for one in recorded)}


def silent(found: Verdicts) -> list[dict[str, Any]]:
    """Why openings showed nothing; the most frequent first."""
    return found.rows("""
        SELECT silent_because AS reason, count(*) AS openings FROM openings
        WHERE cards = 0 AND not_answered = '' GROUP BY reason ORDER BY openings DESC, reason""")


def not_answered(found: Verdicts) -> list[dict[str, Any]]:
    """Why the service would have refused to answer."""
    return found.rows("""
        SELECT not_answered AS reason, count(*) AS openings FROM openings
        WHERE not_answered <> '' GROUP BY reason ORDER BY openings DESC, reason""")


def milliseconds(found: Verdicts) -> dict[str, Any]:
    """How long judging one opening took."""
    one = found.one("""
        SELECT quantile_cont(milliseconds, 0.5) AS p50, quantile_cont(milliseconds, 0.95) AS p95,
               quantile_cont(milliseconds, 0.99) AS p99, max(milliseconds) AS most
        FROM openings WHERE not_answered = ''""")
    return {name: round(value, 3) if value is not None else None for name, value in one.items()}


def followed(found: Verdicts, days: int) -> dict[str, Any]:
    """What later records say of the DVT card: of openings, those whose label is known."""
    after = f"after_{days}_days"
    one = found.one(f"""
        SELECT count(*) FILTER (dvt_card AND {after} = 'yes') AS hits,
               count(*) FILTER (NOT dvt_card AND {after} = 'yes') AS missed,
               count(*) FILTER (dvt_card AND {after} = 'no') AS alarms,
               count(*) FILTER (NOT dvt_card AND {after} = 'no') AS quiet,
               count(*) FILTER ({after} = 'known before') AS known,
               count(*) FILTER ({after} = 'not followed up') AS lost FROM openings""")  # nosec B608 - our own names
    patients = found.one(f"""
        WITH patients AS (SELECT patient, bool_or(dvt_card) AS seen FROM openings
                          WHERE {after} = 'yes' GROUP BY patient)
        SELECT count(*) AS clots, count(*) FILTER (seen) AS seen FROM patients""")  # nosec B608 - our own names
    shown = one["hits"] + one["alarms"]
    return {
        "sensitivity": rate(patients["seen"], patients["clots"]),
        "positive_predictive_value": rate(one["hits"], shown),
        "number_needed_to_alert": round(shown / one["hits"], 2) if one["hits"] else None,
        "openings": {name: one[name] for name in ("hits", "missed", "alarms", "quiet", "known", "lost")},
    }
