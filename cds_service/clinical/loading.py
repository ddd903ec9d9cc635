"""From the texts of ``cards/`` to ``Content``: one strict loader for checker, tests and service.

All mistakes of all files are reported together, each with its file and, where one can be given, a hint.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from cds_service.clinical import content as c
from cds_service.clinical.codes import URI
from cds_service.ground.errors import ContentError, Problem

VIRTUAL_TERMS = frozenset({"dvt_suspected", "age_under_18", "bakers_cyst_ruptured_known"})
"""Terms a red-flag condition may name that are not findings (evidence section D)."""

_Model = TypeVar("_Model", bound=BaseModel)


def known_keys() -> frozenset[str]:
    """Every key that any content file may use."""
    models = [m for m in vars(c).values() if isinstance(m, type) and issubclass(m, c.Content_)]
    return frozenset(name for model in models for name in model.model_fields)


class _Loader:
    def __init__(self, texts: Mapping[str, str], pathway: str) -> None:
        self.texts = texts
        self.pathway_key = pathway
        self.problems: list[Problem] = []
        self.files: dict[str, str] = {}
        self._keys = sorted(known_keys())

    def complain(self, file: str, place: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(file, place, message, hint))

    def toml(self, name: str) -> dict[str, Any]:
        try:
            return tomllib.loads(self.texts[name])
        except KeyError:
            self.complain(name, "", "this file is missing", "restore it from the last release")
        except tomllib.TOMLDecodeError as error:
            self.complain(name, "", f"is not valid TOML: {error}", "check quotes and brackets near that line")
        return {}

    def model(self, kind: type[_Model], name: str, data: Any, prefix: str = "") -> _Model | None:
        # Through JSON, because strict models take lists for tuples only there.
        try:
            return kind.model_validate_json(json.dumps(data, default=str))
        except ValidationError as error:
            for mistake in error.errors(include_url=False):
                place = ".".join(part for part in (prefix, *map(str, mistake["loc"])) if part)
                self.complain(name, place, *self._in_plain_words(mistake["type"], mistake["loc"], mistake["msg"]))
            return None

    def _in_plain_words(self, kind: str, loc: tuple[int | str, ...], message: str) -> tuple[str, str]:
        last = str(loc[-1]) if loc else ""
        if kind == "extra_forbidden":
            near = difflib.get_close_matches(last, self._keys, 1)
            hint = f"did you mean `{near[0]}`?" if near else "cards/README.md lists the keys"
            return f"unknown key `{last}`", hint
        if kind == "missing":
            return f"the key `{last}` is missing", "cards/README.md says what it holds"
        return message.removeprefix("Value error, "), ""

    def below(self, folder: str) -> Iterator[str]:
        return (name for name in sorted(self.texts) if name.startswith(folder + "/"))

    def table(self, kind: type[_Model], *names: str) -> dict[str, _Model]:
        """Files in which each top-level key is one entry."""
        found: dict[str, _Model] = {}
        for name in names:
            for key, data in self.toml(name).items():
                if key in found:
                    self.complain(name, key, f"`{key}` is already defined in {self.files[key]}", "keep one of the two")
                    continue
                if (entry := self.model(kind, name, data, key)) is not None:
                    found[key] = entry
                    self.files[key] = name
        return found

    def one_each(self, kind: type[_Model], folder: str) -> dict[str, _Model]:
        """A folder in which each file is one entry, named by the file."""
        found: dict[str, _Model] = {}
        for name in self.below(folder):
            key = PurePosixPath(name).stem.split("-")[0]
            if (entry := self.model(kind, name, self.toml(name))) is not None:
                found[key] = entry
                self.files[key] = name
        return found

    def single(self, kind: type[_Model], name: str) -> _Model | None:
        data = self.toml(name)
        return self.model(kind, name, data) if data else None

    def local(self, text: str | None) -> tuple[c.LocalCode, ...]:
        if text is None:
            return ()
        name = "local codes"
        try:
            rows = tomllib.loads(text).get("code", [])
        except tomllib.TOMLDecodeError as error:
            self.complain(name, "", f"is not valid TOML: {error}")
            return ()
        found = [self.model(c.LocalCode, name, row, f"code[{place}]") for place, row in enumerate(rows)]
        if not rows:
            self.complain(name, "", "holds no [[code]] entry", "see cards/README.md, local codes")
        return tuple(entry for entry in found if entry is not None)

    def build(self, local_text: str | None) -> c.Content:
        findings = self.table(c.Finding, *self.below("findings"))
        causes = self.one_each(c.Cause, "causes")
        red_flags = self.one_each(c.RedFlag, "red_flags")
        pathways = self.one_each(c.Pathway, "dvt")
        orders = self.one_each(c.OrderTemplate, "orders")
        actions = self.table(c.Action, "actions.toml")
        citations = self.table(c.Citation, "citations.toml")
        measures = self.table(c.Measure, "vocabulary/measures.toml")
        sites = self.table(c.BodySite, "vocabulary/body_sites.toml")
        answers = self.single(c.Answers, "vocabulary/answers.toml")
        reasoning = self.single(c.Reasoning, "reasoning.toml")
        local_codes = self.local(local_text)
        pathway = pathways.get(self.pathway_key)
        if pathway is None:
            self.complain(f"dvt/{self.pathway_key}.toml", "", "the chosen DVT pathway cannot be loaded")
        if pathway is None or answers is None or reasoning is None or self.problems:
            raise ContentError(tuple(self.problems))
        built = c.Content(
            version=_digest(self.texts, local_text),
            findings=findings,
            causes=causes,
            red_flags=red_flags,
            pathway=pathway,
            orders=orders,
            actions=actions,
            citations=citations,
            measures=measures,
            answers=answers,
            sites=sites,
            reasoning=reasoning,
            local_codes=local_codes,
        )
        for other in pathways.values():
            self._check_pathway(built, other)
        self._check_references(built)
        if self.problems:
            raise ContentError(tuple(self.problems))
        return built

    def _known(self, file: str, place: str, key: str, among: Mapping[str, object], what: str) -> None:
        if key not in among:
            near = difflib.get_close_matches(key, list(among), 1)
            self.complain(file, place, f"no {what} is called `{key}`", f"did you mean `{near[0]}`?" if near else "")

    def _check_references(self, content: c.Content) -> None:
        self._check_codes(content)
        for key, cause in content.causes.items():
            self._check_cause(content, key, cause)
        for rule, flag in content.red_flags.items():
            self._check_red_flag(content, rule, flag)
        for key, action in content.actions.items():
            self._known("actions.toml", key, action.source, content.citations, "source")
        for derived in content.reasoning.derived:
            for finding_key in (derived.finding, *derived.all, *filter(None, [derived.one_leg_only])):
                self._known("reasoning.toml", "derived", finding_key, content.findings, "finding")
        for age in content.reasoning.ages:
            for finding_key in (age.finding, *age.with_any):
                self._known("reasoning.toml", "ages", finding_key, content.findings, "finding")

    def _check_codes(self, content: c.Content) -> None:
        for key, finding in content.findings.items():
            if finding.recency:
                self._known(
                    self.files[key], f"{key}.recency.source", finding.recency.source, content.citations, "source"
                )
        for _, key, entry in content.entries():
            file = self.files.get(key, "vocabulary/answers.toml")
            for site in entry.narrowed_by:
                self._known(file, f"{key}: {entry.code}", site, content.sites, "body site")
        for key, measure in content.measures.items():
            self._known("vocabulary/measures.toml", key, measure.finding, content.findings, "finding")
            self._known("vocabulary/measures.toml", key, measure.source, content.citations, "source")
        for key, place in content.sites.items():
            for wider in place.within:
                self._known("vocabulary/body_sites.toml", key, wider, content.sites, "body site")
        for local in content.local_codes:
            self._known("local codes", local.code, local.finding, content.findings, "finding")
            if local.system in URI.values():
                self.complain(
                    "local codes", local.code, "a local code cannot redefine a standard system", "use your own URI"
                )

    def _check_cause(self, content: c.Content, key: str, cause: c.Cause) -> None:
        file = self.files[key]
        self._known(file, "prior.source", cause.prior.source, content.citations, "source")
        seen: set[str] = set()
        for weight in cause.supports:
            self._known(file, f"supports.{weight.finding}", weight.finding, content.findings, "finding")
            self._known(file, f"supports.{weight.finding}.source", weight.source, content.citations, "source")
            if weight.finding in seen:
                self.complain(file, f"supports.{weight.finding}", "is weighed twice", "keep one of the two")
            seen.add(weight.finding)
        for order in cause.card.consider:
            self._known(file, "card.consider", order, content.orders, "order")
        for action in cause.card.actions:
            self._known(file, "card.actions", action, content.actions, "action")

    def _check_red_flag(self, content: c.Content, rule: str, flag: c.RedFlag) -> None:
        file = self.files[rule]
        self._known(file, "cause", flag.cause, content.causes, "cause")
        self._known(file, "source", flag.source, content.citations, "source")
        for order in flag.card.consider:
            self._known(file, "card.consider", order, content.orders, "order")
        for term in (*flag.when.terms(), *flag.sooner_if):
            if term not in VIRTUAL_TERMS:
                self._known(file, "when", term, content.findings, "finding")
        if "{side}" not in flag.card.summary and any(
            term in content.findings and content.findings[term].side == "leg" for term in flag.when.terms()
        ):
            self.complain(file, "card.summary", "does not name the leg", "put {side} where the leg belongs")

    def _check_pathway(self, content: c.Content, pathway: c.Pathway) -> None:
        file = f"dvt/{pathway.title}"
        self._known(file, "source", pathway.source, content.citations, "source")
        if [item.number for item in pathway.items] != list(range(1, 11)):
            self.complain(file, "items", "the ten Wells items are numbered 1 to 10 in order")
        for item in pathway.items:
            for key in item.any:
                self._known(file, f"items.{item.number}", key, content.findings, "finding")
                finding = content.findings.get(key)
                if finding and finding.dvt.wells_item != item.number:
                    self.complain(file, f"items.{item.number}", f"`{key}` does not carry this Wells item itself")
        for order in (*pathway.orders, *pathway.pregnancy_orders, *pathway.emergency_orders):
            self._known(file, "orders", order, content.orders, "order")


def _digest(texts: Mapping[str, str], local_text: str | None) -> str:
    digest = hashlib.sha256()
    for name in sorted(texts):
        digest.update(name.encode())
        digest.update(b"\0")
        digest.update(texts[name].encode())
    digest.update((local_text or "").encode())
    return digest.hexdigest()[:12]


def load(texts: Mapping[str, str], pathway: str, local_text: str | None = None) -> c.Content:
    """The content in ``texts`` (relative path -> TOML), judged by DVT pathway ``pathway``.

    Raises:
        ContentError: with every mistake of every file.
    """
    return _Loader(texts, pathway).build(local_text)
