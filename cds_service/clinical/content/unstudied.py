"""Figures behind which no study stands: what an expert, the article or a policy chose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.figures import Figure, FigureStatus, Weight

_CHOSEN: frozenset[FigureStatus] = frozenset({"expert", "policy", "article"})


@dataclass(frozen=True, slots=True)
class Chosen:
    """A weight of ``cause`` with the ratios that were chosen: those of 1, which say nothing, left out."""

    cause: str
    weight: Weight
    sides: tuple[str, ...]

    def words(self) -> str:
        """``3 if present, 0.5 if absent``."""
        given = {"lr_present": "present", "lr_absent": "absent"}
        return ", ".join(f"{getattr(self.weight, side):g} if {given[side]}" for side in self.sides)


def chosen_weights(content: Content) -> Iterator[Chosen]:
    """Every weight with such a ratio, by cause and in the order of its file."""
    for key, cause in sorted(content.causes.items(), key=lambda one: one[1].title.lower()):
        for one in cause.supports:
            sides = []
            if one.lr_present not in (None, 1.0) and one.status_present in _CHOSEN:
                sides.append("lr_present")
            if one.lr_absent != 1.0 and one.status_absent in _CHOSEN:
                sides.append("lr_absent")
            if sides:
                yield Chosen(key, one, tuple(sides))


def chosen_priors(content: Content) -> list[tuple[str, float]]:
    """Title and prior of each cause whose prior was chosen."""
    causes = content.causes.values()
    return sorted((one.title, one.prior.value) for one in causes if one.prior.status in _CHOSEN)


def chosen_spans(content: Content) -> dict[int, list[str]]:
    """How long findings stay current, where that was chosen: days -> names."""
    found: dict[int, list[str]] = {}
    for one in content.findings.values():
        if one.recency and one.recency.status in _CHOSEN and not one.general:
            found.setdefault(one.recency.days, []).append(one.name)
    return {days: sorted(names) for days, names in sorted(found.items())}


def chosen_limits(content: Content) -> list[str]:
    """Limits of measurements, ages, rules, the pathway and the method that were chosen, in words."""
    limits = [f"{key}: {one.threshold:g} {one.unit}" for key, one in content.measures.items() if one.status in _CHOSEN]
    limits += [f"{content.name(one.finding)} (from the age)" for one in content.reasoning.ages if one.status in _CHOSEN]
    for name, part in (("pathway", content.pathway), ("method", content.reasoning)):
        for key in type(part).model_fields:
            figure = getattr(part, key)
            if isinstance(figure, Figure) and figure.status in _CHOSEN:
                limits.append(f"{name}, {key}: {figure.days} days")
    limits += [
        f"rule {key} as a whole: {one.card.title}" for key, one in content.red_flags.items() if one.status in _CHOSEN
    ]
    return limits
