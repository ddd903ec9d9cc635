"""The weights of findings for a cause, each with its status and the studies behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.figures import Interval, Weight
from cds_service.clinical.content.models import Cause
from cds_service.web.pages.evidence.sources import Number


@dataclass(frozen=True, slots=True)
class Read:
    """The evidence behind a weight: studies, population, intervals, and how the ratios were derived."""

    studies: str
    population: str
    intervals: tuple[str, ...]
    basis: str


@dataclass(frozen=True, slots=True)
class WeightRow:
    """The weight of a finding for a cause. Ratios above 1 support it; ``confirms``: the finding proves the cause."""

    finding: str
    name: str
    confirms: bool
    present: Number | None
    absent: Number
    read: Read | None

    def as_json(self) -> dict[str, Any]:
        """Return the row as JSON."""
        return {
            "finding": self.finding,
            "name": self.name,
            "confirms": self.confirms,
            "present": self.present.as_json() if self.present else None,
            "absent": self.absent.as_json(),
            "read": asdict(self.read) if self.read else None,
        }


def weight_rows(content: Content, cause: Cause) -> Iterator[WeightRow]:
    """Yield every weight of ``cause``, in the order of its file."""
    for weight in cause.supports:
        name = content.findings[weight.finding].name
        present = None
        if weight.lr_present is not None:
            present = Number(f"{name}, present", f"{weight.lr_present:g}", weight.source, weight.status_present)
        absent = Number(f"{name}, absent", f"{weight.lr_absent:g}", weight.source, weight.status_absent)
        yield WeightRow(weight.finding, name, weight.confirms, present, absent, _read(content, weight))


def _read(content: Content, weight: Weight) -> Read | None:
    if not weight.studies and not weight.basis:
        return None
    words = weight.studies.words if weight.studies else ""
    return Read(
        words, weight.population, tuple(_interval_words(content, interval) for interval in weight.ci), weight.basis
    )


def _interval_words(content: Content, interval: Interval) -> str:
    """``if present 1.48 to 2.19``, ``sensitivity 81 (73 to 87) percent``."""
    texts = content.pages.evidence.weights
    span = texts.span.fill(low=f"{interval.low:g}", high=f"{interval.high:g}")
    said = span if interval.value is None else f"{interval.value:g} ({span})"
    if interval.of in ("sensitivity", "specificity"):
        said = texts.percent.fill(span=said)
    return f"{getattr(texts, interval.of)} {said}"
