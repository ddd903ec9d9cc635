"""Numbers with their evidence, and the strict base class of all content models."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from cds_service.base.plain_text import plain

Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
FigureStatus = Literal["seen", "recalled", "adapted", "expert", "policy", "article"]
Measured = Literal["lr_present", "lr_absent", "sensitivity", "specificity", "odds_ratio"]
PlainText = Annotated[str, AfterValidator(plain)]
"""Text shown in places without Markdown, so official displays with brackets are allowed."""

_PERCENT = 100.0
_RATIOS = ("lr_present", "lr_absent")
_COUNT = re.compile(r"\d[\d ]*")


class ContentModel(BaseModel):
    # Built when first used: a model that is only ever part of another is then built once, with that one.
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)


class Figure(ContentModel):
    """A number of days, its source, and how reliable it is."""

    days: int = Field(ge=1, le=36_500)
    source: Key
    status: FigureStatus


class Interval(ContentModel):
    """A confidence interval, or the range over several studies, as given in the source.

    ``value``: the figure that the interval belongs to, if it is not the weight itself.
    """

    of: Measured
    value: float | None = Field(default=None, gt=0)
    low: float = Field(gt=0)
    high: float = Field(gt=0)

    @model_validator(mode="after")
    def possible(self) -> Self:
        """Check that the bounds are in order, and that a figure that is not a likelihood ratio has its own value.

        Sensitivity and specificity are in percent.
        """
        if self.low >= self.high:
            raise ValueError(
                f"the interval of `{self.of}` has `low` {self.low:g}, which is not below `high` {self.high:g}"
            )
        if self.of not in _RATIOS and self.value is None:
            raise ValueError(f"the interval of `{self.of}` needs `value`, the figure it belongs to")
        if self.of in ("sensitivity", "specificity") and self.high > _PERCENT:
            raise ValueError(f"`{self.of}` is in percent: at most 100")
        return self


class Studies(ContentModel):
    """How much evidence was read. ``words``: as counted in the source; the numbers must appear in it."""

    words: PlainText = Field(min_length=3)
    number: int | None = Field(default=None, ge=1)
    patients: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def counted(self) -> Self:
        """Check that the counts appear in ``words``."""
        counts = {int(count.replace(" ", "")) for count in _COUNT.findall(self.words)}
        for key in ("number", "patients"):
            count = getattr(self, key)
            if count is not None and count not in counts:
                raise ValueError(f"`{key}` is {count}, which is not in `{self.words}`")
        return self


class Weight(ContentModel):
    """How one finding changes the likelihood of one cause: likelihood ratios, each with source and status.

    The other fields describe the evidence that was read: the patients, the studies, the intervals, and how the ratios
    were derived.
    """

    finding: Key
    confirms: bool = False
    lr_present: float | None = Field(default=None, gt=0, le=100)
    lr_absent: float = Field(gt=0, le=10)
    source: Key
    status_present: FigureStatus
    status_absent: FigureStatus
    ci: tuple[Interval, ...] = ()
    studies: Studies | None = None
    population: PlainText = ""
    basis: PlainText = ""

    @model_validator(mode="after")
    def either(self) -> Self:
        """Check that the finding either confirms the cause or has a likelihood ratio."""
        if self.confirms == (self.lr_present is not None):
            raise ValueError("give exactly one of `confirms = true` and `lr_present`")
        return self

    @model_validator(mode="after")
    def intervals_fit(self) -> Self:
        """Check that each interval contains its figure. A ratio with status "seen" is its own figure."""
        names = [interval.of for interval in self.ci]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"`ci` has more than one interval for `{repeated[0]}`")
        for interval in self.ci:
            own = self._own(interval.of)
            if interval.of in _RATIOS and interval.value is not None and self._status(interval.of) == "seen":
                raise ValueError(f"`{interval.of}` has status `seen`, so remove the interval's own `value`")
            value = interval.value if interval.value is not None else own
            if value is None:
                raise ValueError(f"`ci` has an interval for `{interval.of}`, which is not given")
            if not interval.low <= value <= interval.high:
                raise ValueError(
                    f"the interval of `{interval.of}` ({interval.low:g} to {interval.high:g}) must contain {value:g}"
                )
        return self

    @model_validator(mode="after")
    def evidence_whole(self) -> Self:
        """Check that studies are given together with their population."""
        if (self.studies is None) != (not self.population):
            raise ValueError("`studies` and `population` must be given together")
        if self.ci and self.studies is None:
            raise ValueError("`ci` needs `studies` and `population`")
        return self

    @property
    def read_at_source(self) -> bool:
        """Whether a figure was read in its source, or derived from a study that was read and is described here."""
        statuses = {self.status_present, self.status_absent}
        return "seen" in statuses or ("adapted" in statuses and self.studies is not None)

    @property
    def without_study(self) -> bool:
        """Whether both figures rest only on an expert, the article or a policy choice."""
        return not {self.status_present, self.status_absent} & {"seen", "adapted", "recalled"}

    def _own(self, of: Measured) -> float | None:
        return {"lr_present": self.lr_present, "lr_absent": self.lr_absent}.get(of)

    def _status(self, of: Measured) -> FigureStatus:
        return self.status_present if of == "lr_present" else self.status_absent
