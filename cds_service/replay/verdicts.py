"""The stored results of each opening and card, as Parquet: with keyed pseudonyms, without names or chart texts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_MOMENT = pa.timestamp("us", tz="UTC")
OPENINGS = pa.schema(
    [
        ("patient", pa.string()),
        ("opening", pa.string()),
        ("at", _MOMENT),
        ("age_band", pa.string()),
        ("sex", pa.string()),
        ("encounter_class", pa.string()),
        ("site", pa.string()),
        ("practitioner", pa.string()),
        ("rows", pa.int32()),
        ("cards", pa.int8()),
        ("worst", pa.string()),
        ("dvt_card", pa.bool_()),
        ("complaint", pa.bool_()),
        ("wells_recorded", pa.int8()),
        ("wells_missing", pa.list_(pa.string())),
        ("silent_because", pa.string()),
        ("not_answered", pa.string()),
        ("after_30_days", pa.string()),
        ("after_90_days", pa.string()),
        ("milliseconds", pa.float32()),
    ]
)
CARDS = pa.schema(
    [
        ("patient", pa.string()),
        ("opening", pa.string()),
        ("at", _MOMENT),
        ("number", pa.int8()),
        ("rule", pa.string()),
        ("indicator", pa.string()),
        ("leg", pa.string()),
        ("basis", pa.string()),
        ("words", pa.string()),
    ]
)


@dataclass(slots=True)
class Opened:
    """One opening of one chart.

    Attributes:
        complaint: a complaint of the knee, calf or leg is current.
        worst: the most urgent indicator shown; empty without a card.
        wells_recorded: number of Wells items 1 to 9 recorded for the most urgent leg; None if the score does not apply.
        not_answered: why the service would have refused to answer; empty if it answered.
    """

    patient: str
    opening: str
    at: datetime
    age_band: str = ""
    sex: str = ""
    encounter_class: str = ""
    site: str = ""
    practitioner: str = ""
    rows: int = 0
    cards: int = 0
    worst: str = ""
    dvt_card: bool = False
    complaint: bool = False
    wells_recorded: int | None = None
    wells_missing: tuple[str, ...] = ()
    silent_because: str = ""
    not_answered: str = ""
    after_30_days: str = ""
    after_90_days: str = ""
    milliseconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ShownCard:
    """One card of an opening.

    ``basis`` is a hash of the facts behind the card, ``words`` a hash of its text; neither can be reversed.
    """

    patient: str
    opening: str
    at: datetime
    number: int
    rule: str
    indicator: str
    leg: str
    basis: str
    words: str


class VerdictFiles:
    """Writes the openings and cards of one part of the work. The files appear only when complete."""

    def __init__(self, folder: Path, name: str, schemas: Mapping[str, pa.Schema] | None = None) -> None:
        """``schemas``: by subfolder of ``folder``, one for each kind of row."""
        self._schemas = dict(schemas or {"openings": OPENINGS, "cards": CARDS})
        self._waiting: dict[str, list[dict[str, Any]]] = {kind: [] for kind in self._schemas}
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._paths = {kind: folder / kind / f"{name}.parquet" for kind in self._schemas}
        for kind, path in self._paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writers[kind] = pq.ParquetWriter(_unfinished(path), self._schemas[kind], compression="zstd")

    def add(self, kind: str, rows: Iterable[Any]) -> None:
        """Add rows: dataclasses whose fields are the columns of that kind."""
        waiting = self._waiting[kind]
        names = self._schemas[kind].names
        waiting.extend({name: getattr(row, name) for name in names} for row in rows)
        if len(waiting) >= 20_000:
            self._write(kind)

    def finish(self) -> None:
        """Close the files and rename them to their final names."""
        for kind, writer in self._writers.items():
            self._write(kind)
            writer.close()
            os.replace(_unfinished(self._paths[kind]), self._paths[kind])

    def _write(self, kind: str) -> None:
        waiting = self._waiting[kind]
        if waiting:
            self._writers[kind].write_table(pa.Table.from_pylist(waiting, self._schemas[kind]))
            waiting.clear()


def _unfinished(path: Path) -> Path:
    return path.with_suffix(".unfinished")
