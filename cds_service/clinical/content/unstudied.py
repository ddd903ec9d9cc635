"""Numbers without a study: chosen by an expert, the article or a policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.figures import Figure, FigureStatus, Weight

_CHOSEN: frozenset[FigureStatus] = frozenset({"expert", "policy", "article"})


@dataclass(frozen=True, slots=True)
class Chosen:
    """A weight of ``cause`` with the names of its chosen ratios. A ratio of 1 has no effect and is left out."""

    cause: str
    weight: Weight
    sides: tuple[str, ...]

    def words(self) -> str:
        """Return, for example, ``3 if present, 0.5 if absent``."""
        given = {"lr_present": "present", "lr_absent": "absent"}
        return ", ".join(f"{getattr(self.weight, side):g} if {given[side]}" for side in self.sides)


def chosen_weights(content: Content) -> Iterator[Chosen]:
    """Yield every weight with a chosen ratio, by cause and in the order of its file."""
    for key, cause in sorted(content.causes.items(), key=lambda item: item[1].title.lower()):
        for weight in cause.supports:
            sides = []
            if weight.lr_present not in (None, 1.0) and weight.status_present in _CHOSEN:
                sides.append("lr_present")
            if weight.lr_absent != 1.0 and weight.status_absent in _CHOSEN:
                sides.append("lr_absent")
            if sides:
                yield Chosen(key, weight, tuple(sides))


def chosen_priors(content: Content) -> list[tuple[str, float]]:
    """Return the title and prior of each cause with a chosen prior."""
    causes = content.causes.values()
    return sorted((cause.title, cause.prior.value) for cause in causes if cause.prior.status in _CHOSEN)


def chosen_spans(content: Content) -> dict[int, list[str]]:
    """Return how long findings stay current, for chosen durations: days -> names."""
    by_days: dict[int, list[str]] = {}
    for finding in content.findings.values():
        if finding.recency and finding.recency.status in _CHOSEN and not finding.general:
            by_days.setdefault(finding.recency.days, []).append(finding.name)
    return {days: sorted(names) for days, names in sorted(by_days.items())}


def chosen_limits(content: Content) -> list[str]:
    """Return in words the chosen limits of measurements, ages, rules, the pathway and the method."""
    limits = [
        f"{key}: {measure.threshold:g} {measure.unit}"
        for key, measure in content.measures.items()
        if measure.status in _CHOSEN
    ]
    limits += [f"{content.name(age.finding)} (from the age)" for age in content.reasoning.ages if age.status in _CHOSEN]
    for name, part in (("pathway", content.pathway), ("method", content.reasoning)):
        for key in type(part).model_fields:
            figure = getattr(part, key)
            if isinstance(figure, Figure) and figure.status in _CHOSEN:
                limits.append(f"{name}, {key}: {figure.days} days")
    limits += [
        f"rule {key} as a whole: {flag.card.title}" for key, flag in content.red_flags.items() if flag.status in _CHOSEN
    ]
    return limits
