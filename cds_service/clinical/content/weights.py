"""The weights as the differential uses them: logarithms by cause and finding, computed once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from cds_service.clinical.content.figures import Weight
from cds_service.clinical.content.models import Cause, Finding

_EXAMINABLE = frozenset({"symptom", "sign", "test", "history"})


@dataclass(frozen=True, slots=True)
class LogWeight:
    """Natural logarithms of one finding's likelihood ratios for one cause; ``present`` is inf if it confirms it."""

    present: float
    absent: float

    @property
    def confirms(self) -> bool:
        """Whether the finding confirms the cause."""
        return self.present == math.inf

    @property
    def effect(self) -> float:
        """The largest change of the log-odds that an answer can make."""
        return max(abs(self.present), abs(self.absent))


class Weighing:
    """Tables over all causes.

    Attributes:
        weights: cause -> finding -> its weight.
        weighed_in: finding -> the causes that have a weight for it.
        confirmed_by: finding -> the causes that it confirms.
        askable: cause -> findings to ask about or examine, the most informative first (evidence F.4).
    """

    def __init__(self, findings: Mapping[str, Finding], causes: Mapping[str, Cause]) -> None:
        self.weights = {
            key: {support.finding: _in_logs(support) for support in cause.supports} for key, cause in causes.items()
        }
        weighed_in: dict[str, list[str]] = {}
        for key, weights in self.weights.items():
            for finding in weights:
                weighed_in.setdefault(finding, []).append(key)
        self.weighed_in = {finding: tuple(keys) for finding, keys in weighed_in.items()}
        self.confirmed_by = {
            finding: tuple(key for key in keys if self.weights[key][finding].confirms)
            for finding, keys in self.weighed_in.items()
        }
        self.askable = {key: _askable(findings, weights) for key, weights in self.weights.items()}


def _in_logs(weight: Weight) -> LogWeight:
    present = math.inf if weight.lr_present is None else math.log(weight.lr_present)
    return LogWeight(present, math.log(weight.lr_absent))


def _askable(findings: Mapping[str, Finding], weights: Mapping[str, LogWeight]) -> tuple[str, ...]:
    keys = [
        key
        for key, weight in weights.items()
        if not weight.confirms and findings[key].kind in _EXAMINABLE and not findings[key].absence_ignored
    ]
    return tuple(sorted(keys, key=lambda key: (-weights[key].effect, key)))
