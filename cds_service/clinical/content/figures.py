"""Figures with what they rest on: the strict base of all content, and the models of a number and its evidence."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from cds_service.base.plain_text import plain

Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
FigureStatus = Literal["seen", "recalled", "adapted", "expert", "policy", "article"]
Measured = Literal["lr_present", "lr_absent", "sensitivity", "specificity", "odds_ratio"]
PlainText = Annotated[str, AfterValidator(plain)]
"""Shown as it is in places without Markdown: official displays may hold brackets."""

_PERCENT = 100.0
_RATIOS = ("lr_present", "lr_absent")
_COUNT = re.compile(r"\d[\d ]*")


class ContentModel(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Figure(ContentModel):
    """A number of days, its source and how far it can be trusted."""

    days: int = Field(ge=1, le=36_500)
    source: Key
    status: FigureStatus


class Interval(ContentModel):
    """A confidence interval, or the range over several studies, as the source has it.

    ``value``: the figure of the source that it belongs to, where the weight itself is another one.
    """

    of: Measured
    value: float | None = Field(default=None, gt=0)
    low: float = Field(gt=0)
    high: float = Field(gt=0)

    @model_validator(mode="after")
    def possible(self) -> Self:
        """What is no ratio of the weight names its own value, in percent; the bounds are in order."""
        if self.low >= self.high:
            raise ValueError(f"the interval of `{self.of}` begins at {self.low:g} and ends at {self.high:g}")
        if self.of not in _RATIOS and self.value is None:
            raise ValueError(f"the interval of `{self.of}` needs the `value` that it belongs to")
        if self.of in ("sensitivity", "specificity") and self.high > _PERCENT:
            raise ValueError(f"`{self.of}` is in percent")
        return self


class Studies(ContentModel):
    """How much evidence was read. ``words``: as the source counts it; the numbers are those that stand in it."""

    words: PlainText = Field(min_length=3)
    number: int | None = Field(default=None, ge=1)
    patients: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def counted(self) -> Self:
        """The typed counts repeat the words."""
        said = {int(count.replace(" ", "")) for count in _COUNT.findall(self.words)}
        for key in ("number", "patients"):
            count = getattr(self, key)
            if count is not None and count not in said:
                raise ValueError(f"`{key}` is {count}, which is not in `{self.words}`")
        return self


class Weight(ContentModel):
    """How one finding bears on one cause: likelihood ratios with the source and status of each.

    What was read for them, where something was: in whom, how many, with which intervals, and how the ratios follow.
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
        """A finding either confirms the cause or carries a likelihood ratio."""
        if self.confirms == (self.lr_present is not None):
            raise ValueError("give either `confirms = true` or `lr_present`")
        return self

    @model_validator(mode="after")
    def intervals_fit(self) -> Self:
        """Each interval holds the figure that it belongs to; a figure read as it stands has no other one."""
        names = [one.of for one in self.ci]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"`ci` has more than one interval of `{repeated[0]}`")
        for one in self.ci:
            own = self._own(one.of)
            if one.of in _RATIOS and one.value is not None and self._status(one.of) == "seen":
                raise ValueError(f"`{one.of}` was seen as it stands, so its interval has no other `value`")
            value = one.value if one.value is not None else own
            if value is None:
                raise ValueError(f"`ci` holds `{one.of}`, which is not given")
            if not one.low <= value <= one.high:
                raise ValueError(f"the interval of `{one.of}`, {one.low:g} to {one.high:g}, does not hold {value:g}")
        return self

    @model_validator(mode="after")
    def evidence_whole(self) -> Self:
        """What was counted was counted in somebody."""
        if (self.studies is None) != (not self.population):
            raise ValueError("`studies` and `population` are given together")
        if self.ci and self.studies is None:
            raise ValueError("`ci` needs `studies` and `population`")
        return self

    @property
    def read_at_source(self) -> bool:
        """Whether a figure was read where it stands, or made from a study that was read and is described here."""
        statuses = {self.status_present, self.status_absent}
        return "seen" in statuses or ("adapted" in statuses and self.studies is not None)

    @property
    def without_study(self) -> bool:
        """Whether nothing but an expert's, the article's or a policy's choice stands behind both figures."""
        return not {self.status_present, self.status_absent} & {"seen", "adapted", "recalled"}

    def _own(self, of: Measured) -> float | None:
        return {"lr_present": self.lr_present, "lr_absent": self.lr_absent}.get(of)

    def _status(self, of: Measured) -> FigureStatus:
        return self.status_present if of == "lr_present" else self.status_absent
