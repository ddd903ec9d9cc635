"""The numbers of the report, counted by DuckDB over the Parquet files of verdicts."""

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
    """The openings and cards of a run, as SQL views."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        result = self._connection.execute(query)
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def run(self, statement: str) -> None:
        """Run a statement that creates a view or a table."""
        self._connection.execute(statement)

    def row(self, query: str) -> dict[str, Any]:
        """Return the only row of a query."""
        return self.rows(query)[0]


@contextmanager
def verdicts(folder: Path, scratch: Path, zone: str = "UTC", suffix: str = "") -> Iterator[Verdicts]:
    """Open the verdicts of a run. ``zone``: time zone of days, weeks and months. ``suffix``: of the folder names."""
    scratch.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {"memory_limit": "384MB", "threads": 2, "temp_directory": str(scratch)}
    with duckdb.connect(":memory:", config=config) as connection:
        for kind in ("openings", "cards"):
            files = str(folder / f"{kind}{suffix}" / "*.parquet").replace("'", "''")
            # `at` is in UTC; `day` is in the site's time zone.
            connection.execute(
                f"CREATE VIEW {kind} AS SELECT *, "  # nosec B608 - our own paths only
                f"CAST(timezone('{zone}', \"at\") AS DATE) AS day FROM read_parquet('{files}')"
            )
        yield Verdicts(connection)


def totals(results: Verdicts) -> dict[str, Any]:
    """Return the numbers of openings and cards."""
    return results.row("""
        SELECT count(*) AS openings, count(*) FILTER (cards > 0) AS openings_with_card,
               count(*) FILTER (worst IN ('critical', 'warning')) AS openings_with_urgent_card,
               count(*) FILTER (not_answered <> '') AS openings_not_answered,
               count(*) FILTER (complaint) AS openings_with_complaint,
               count(*) FILTER (dvt_card) AS openings_with_dvt_card,
               count(*) FILTER (dvt_card AND wells_recorded = 9) AS completed,
               CAST(coalesce(sum(cards), 0) AS BIGINT) AS cards
        FROM openings""")


def by_month(results: Verdicts) -> list[dict[str, Any]]:
    """Return trigger and completion rate of each month."""
    rows = results.rows("""
        SELECT strftime(date_trunc('month', day), '%Y-%m') AS month, count(*) AS openings,
               count(*) FILTER (cards > 0) AS some, count(*) FILTER (dvt_card) AS dvt,
               count(*) FILTER (dvt_card AND wells_recorded = 9) AS completed
        FROM openings GROUP BY month ORDER BY month""")
    return [
        {
            "month": row["month"],
            "openings": row["openings"],
            "trigger_rate": rate(row["some"], row["openings"]),
            "completion_rate": rate(row["completed"], row["dvt"]),
        }
        for row in rows
    ]


def by_week(results: Verdicts) -> list[dict[str, Any]]:
    """Return the openings of each week, by the most urgent card shown."""
    return results.rows("""
        SELECT strftime(date_trunc('week', day), '%Y-%m-%d') AS week, count(*) AS openings,
               count(*) FILTER (worst = 'critical') AS critical, count(*) FILTER (worst = 'warning') AS warning,
               count(*) FILTER (worst = 'info') AS info
        FROM openings GROUP BY week ORDER BY week""")


def by_rule(results: Verdicts, openings: int) -> dict[str, Any]:
    """Return cards per 1,000 openings by rule or cause, with their indicators."""
    rows = results.rows("""
        SELECT rule, count(*) AS cards, count(DISTINCT (patient, opening)) AS openings,
               count(*) FILTER (indicator = 'critical') AS critical,
               count(*) FILTER (indicator = 'warning') AS warning, count(*) FILTER (indicator = 'info') AS info
        FROM cards GROUP BY rule ORDER BY cards DESC, rule""")
    return {
        row["rule"]: {
            **per_1000(row["openings"], openings),
            "cards": row["cards"],
            "by_indicator": {name: row[name] for name in ("critical", "warning", "info")},
        }
        for row in rows
    }


def by_indicator(results: Verdicts, openings: int) -> dict[str, Any]:
    """Return openings per 1,000 with at least one card of each indicator."""
    rows = results.rows("""
        SELECT indicator, count(*) AS cards, count(DISTINCT (patient, opening)) AS openings
        FROM cards GROUP BY indicator""")
    counted = {row["indicator"]: row for row in rows}
    return {
        name: {
            **per_1000(counted.get(name, {}).get("openings", 0), openings),
            "cards": counted.get(name, {}).get("cards", 0),
        }
        for name in ("critical", "warning", "info")
    }


def breakdowns(results: Verdicts) -> dict[str, list[dict[str, Any]]]:
    """Return openings with a card, by features of patient and encounter, the most frequent first."""
    answer = {}
    for name in _BREAKDOWNS:
        rows = results.rows(f"""
            SELECT coalesce(nullif({name}, ''), 'not recorded') AS name, count(*) AS openings,
                   count(*) FILTER (cards > 0) AS some, count(*) FILTER (dvt_card) AS dvt
            FROM openings GROUP BY 1 ORDER BY {"name" if name == "age_band" else "openings DESC, name"}
            LIMIT {_MAX_LISTED}""")  # nosec B608 - our own names only
        answer[name] = [
            {
                "name": row["name"],
                "openings": row["openings"],
                "with_card": rate(row["some"], row["openings"]),
                "with_dvt_card": rate(row["dvt"], row["openings"]),
            }
            for row in rows
        ]
    return answer


def clinician_days(results: Verdicts) -> dict[str, Any] | None:
    """Return the cards per clinician and day; None if no encounter names a clinician."""
    row = results.row("""
        WITH days AS (SELECT practitioner, day, sum(cards) AS cards FROM openings
                      WHERE practitioner <> '' GROUP BY ALL)
        SELECT count(*) AS clinician_days, avg(cards) AS mean, quantile_cont(cards, 0.5) AS median,
               quantile_cont(cards, 0.95) AS p95, CAST(max(cards) AS BIGINT) AS most FROM days""")
    return {**row, "mean": round(row["mean"], 4)} if row["clinician_days"] else None


def wells(results: Verdicts) -> dict[str, Any]:
    """Return how many Wells items are recorded at openings with a DVT card."""
    recorded = results.rows("""
        SELECT wells_recorded AS items, count(*) AS openings FROM openings
        WHERE dvt_card AND wells_recorded IS NOT NULL GROUP BY items ORDER BY items""")
    missing = results.rows("""
        SELECT item, count(*) AS openings FROM (SELECT unnest(wells_missing) AS item FROM openings WHERE dvt_card)
        GROUP BY item ORDER BY openings DESC, item""")
    return {"recorded": recorded, "missing": missing, "openings": sum(row["openings"] for row in recorded)}


def silent(results: Verdicts) -> list[dict[str, Any]]:
    """Return why openings showed no card, the most frequent reason first."""
    return results.rows("""
        SELECT silent_because AS reason, count(*) AS openings FROM openings
        WHERE cards = 0 AND not_answered = '' GROUP BY reason ORDER BY openings DESC, reason""")


def not_answered(results: Verdicts) -> list[dict[str, Any]]:
    """Return why the service would have refused to answer, the most frequent reason first."""
    return results.rows("""
        SELECT not_answered AS reason, count(*) AS openings FROM openings
        WHERE not_answered <> '' GROUP BY reason ORDER BY openings DESC, reason""")


def milliseconds(results: Verdicts) -> dict[str, Any]:
    """Return the time of judging one opening, in milliseconds."""
    row = results.row("""
        SELECT quantile_cont(milliseconds, 0.5) AS p50, quantile_cont(milliseconds, 0.95) AS p95,
               quantile_cont(milliseconds, 0.99) AS p99, max(milliseconds) AS most
        FROM openings WHERE not_answered = ''""")
    return {name: round(value, 3) if value is not None else None for name, value in row.items()}


def followed(results: Verdicts, days: int) -> dict[str, Any]:
    """Return the accuracy of the DVT card by later records, for openings with a label."""
    after = f"after_{days}_days"
    row = results.row(f"""
        SELECT count(*) FILTER (dvt_card AND {after} = 'yes') AS hits,
               count(*) FILTER (NOT dvt_card AND {after} = 'yes') AS missed,
               count(*) FILTER (dvt_card AND {after} = 'no') AS alarms,
               count(*) FILTER (NOT dvt_card AND {after} = 'no') AS quiet,
               count(*) FILTER ({after} = 'known before') AS known,
               count(*) FILTER ({after} = 'not followed up') AS lost FROM openings""")  # nosec B608 - our own names
    patients = results.row(f"""
        WITH patients AS (SELECT patient, bool_or(dvt_card) AS seen FROM openings
                          WHERE {after} = 'yes' GROUP BY patient)
        SELECT count(*) AS clots, count(*) FILTER (seen) AS seen FROM patients""")  # nosec B608 - our own names
    shown = row["hits"] + row["alarms"]
    return {
        "sensitivity": rate(patients["seen"], patients["clots"]),
        "positive_predictive_value": rate(row["hits"], shown),
        "number_needed_to_alert": round(shown / row["hits"], 2) if row["hits"] else None,
        "openings": {name: row[name] for name in ("hits", "missed", "alarms", "quiet", "known", "lost")},
    }
