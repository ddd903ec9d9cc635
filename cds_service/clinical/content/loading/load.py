"""Load the texts of ``cards/`` into ``Content``; used by the checker, the tests and the service.

All mistakes of all files are reported together, each with its file and, if possible, a hint.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath
from typing import Any, TypeVar, get_args

import tomli
from pydantic import BaseModel

from cds_service.base.errors import ContentError, Problem
from cds_service.base.strict_toml import validated
from cds_service.clinical.content import decisions, figures
from cds_service.clinical.content import models as c
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding import code_tables, medicine_names
from cds_service.clinical.content.coding.code_uses import UseKind
from cds_service.clinical.content.coding.medicine_names import MedicineName
from cds_service.clinical.content.coding.systems import Systems
from cds_service.clinical.content.coding.vocabulary import Word
from cds_service.clinical.content.decisions import Change, Decision
from cds_service.clinical.content.loading import decisions as loading_decisions
from cds_service.clinical.content.loading import languages, numbers
from cds_service.clinical.content.loading import local_codes as against_shipped
from cds_service.clinical.content.loading import required_names as needed
from cds_service.clinical.content.loading import words as loading_words
from cds_service.clinical.content.loading.evidence import join_evidence
from cds_service.clinical.content.loading.places import set_at
from cds_service.clinical.content.loading.signed import OPEN, SIGNED, Files
from cds_service.clinical.content.loading.systems import SYSTEMS_FILE, systems_of
from cds_service.clinical.content.loading.words import CONTEXTS_FILE, RULES_FILE, WORDS_TABLE
from cds_service.clinical.content.names import VIRTUAL_TERMS
from cds_service.clinical.content.page_words import PageWords
from cds_service.clinical.content.texts import Texts

_MESSAGES = "text/en.toml"
_PAGES = "text/en/pages.toml"
NAMES_FILE = "vocabulary/medicine_names.tsv"
_HEADER = re.compile(r"^\[([a-z][a-z0-9_]*)\]", re.MULTILINE)
_PLACES = {"findings", "causes", "red_flags", "dvt", "orders"}
_FILES = {
    "about.toml", "actions.toml", "citations.toml", "leaflet.toml", "reasoning.toml", "vocabulary/measures.toml",
    "vocabulary/body_sites.toml", "vocabulary/answers.toml", SYSTEMS_FILE, NAMES_FILE, RULES_FILE,
    CONTEXTS_FILE, WORDS_TABLE, OPEN, _MESSAGES, _PAGES,
}  # fmt: skip

_Model = TypeVar("_Model", bound=BaseModel)


def known_keys() -> frozenset[str]:
    """Return every key that any content file may use."""
    named = (*vars(c).values(), *vars(figures).values(), *vars(decisions).values())
    models = [m for m in named if isinstance(m, type) and issubclass(m, figures.ContentModel)]
    return frozenset(name for model in models for name in model.model_fields)


class _Loader:
    def __init__(self, texts: Mapping[str, str], pathway: str, changes: Sequence[Change]) -> None:
        self.texts = texts
        self.changes = changes
        self.read: dict[str, dict[str, Any]] = {}
        """Each file as parsed TOML, with the changes that are being tried."""
        self.pathway_key = pathway
        self.problems: list[Problem] = []
        self.files: dict[tuple[type[BaseModel], str], str] = {}
        """The file of each entry, including broken ones, so that a reference to a broken entry is not a second mistake.
        """
        self._keys = sorted(known_keys())

    def complain(self, file: str, place: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(file, place, message, hint))

    def toml(self, name: str) -> dict[str, Any] | None:
        """Return the parsed file; None if it is missing, empty or broken, which is then already reported."""
        try:
            data = tomli.loads(self.texts[name])
        except KeyError:
            self.complain(name, "", "this file is missing", "restore it from the last release")
        except tomli.TOMLDecodeError as error:
            self.complain(name, "", f"is not valid TOML: {error}", "check quotes and brackets near that line")
        else:
            for finding in join_evidence(data):
                hint = "give the finding a row in `supports`, and each key once"
                self.complain(name, f"evidence.{finding}", "belongs to no weight of this cause", hint)
            for change in self.changes:
                if change.file == name:
                    set_at(data, change.place, change.value)
            self.read[name] = data
            if data:
                return data
            self.complain(name, "", "this file is empty", "restore it from the last release, or delete it")
        return None

    def model(self, kind: type[_Model], name: str, data: Any, prefix: str = "") -> _Model | None:
        entry, problems = validated(kind, name, data, prefix=prefix, keys=self._keys, manual="cards/README.md")
        self.problems += problems
        return entry

    def below(self, folder: str) -> Iterator[str]:
        return (name for name in sorted(self.texts) if name.startswith(folder + "/"))

    def _declare(self, kind: type[BaseModel], key: str, name: str, place: str = "") -> bool:
        """Store the file of ``key``. Reports it and returns False if another file already defines it."""
        if earlier := self.files.get((kind, key)):
            self.complain(name, place, f"`{key}` is already defined in {earlier}", "keep one of the two")
            return False
        self.files[kind, key] = name
        return True

    def table(self, kind: type[_Model], *names: str) -> dict[str, _Model]:
        """Read files in which each top-level key is one entry."""
        entries: dict[str, _Model] = {}
        for name in names:
            data = self.toml(name)
            if data is None:
                for key in _HEADER.findall(self.texts.get(name, "")):
                    self.files.setdefault((kind, key), name)
                continue
            for key, entry_data in data.items():
                if self._declare(kind, key, name, key) and (entry := self.model(kind, name, entry_data, key)):
                    entries[key] = entry
        return entries

    def one_each(self, kind: type[_Model], folder: str) -> dict[str, _Model]:
        """Read a folder in which each file is one entry with the file's name."""
        entries: dict[str, _Model] = {}
        for name in self.below(folder):
            key = PurePosixPath(name).stem.split("-")[0]
            if not self._declare(kind, key, name):
                continue
            data = self.toml(name)
            if data is not None and (entry := self.model(kind, name, data)) is not None:
                entries[key] = entry
        return entries

    def single(self, kind: type[_Model], name: str) -> _Model | None:
        data = self.toml(name)
        return self.model(kind, name, data) if data is not None else None

    def local(self, text: str | None) -> tuple[c.LocalCode, ...]:
        if text is None:
            return ()
        name = "local codes"
        try:
            data = tomli.loads(text)
        except tomli.TOMLDecodeError as error:
            self.complain(name, "", f"is not valid TOML: {error}")
            return ()
        for key in data.keys() - {"code"}:
            self.complain(name, key, f"unknown key `{key}`", "each entry begins with [[code]]")
        rows = data.get("code")
        if not data and text.strip():  # a draft in which everything is commented out
            return ()
        if not isinstance(rows, list) or not rows:
            self.complain(name, "", "has no [[code]] entry", "see cards/README.md, local codes")
            return ()
        entries = [self.model(c.LocalCode, name, row, f"code[{place}]") for place, row in enumerate(rows)]
        return tuple(entry for entry in entries if entry is not None)

    def build(self, local_text: str | None) -> Content:
        self._check_places()
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
        about = self.single(c.About, "about.toml")
        leaflet = self.single(c.Leaflet, "leaflet.toml")
        texts = self.single(Texts, _MESSAGES)
        pages = self.single(PageWords, _PAGES)
        open_points = self.table(Decision, OPEN)
        local_codes = self.local(local_text)
        entries = self.table(c.SystemEntry, SYSTEMS_FILE)
        systems, problems = systems_of(entries, frozenset(key for of, key in self.files if of is c.SystemEntry))
        self.problems += problems
        tables = self._tables(systems)
        words, problem_words, word_contexts = self._words()
        names = self._medicine_names()
        named = [
            (self.files[type(item), key], key, item.codes)
            for table in (findings, causes, measures, sites)
            for key, item in table.items()
        ]
        self.problems += code_tables.repeated(tables, named, systems.by_key)

        for table in (findings, causes, measures, sites):
            self._check_codes(table)
        self._check_findings(findings, measures, reasoning)
        for key, cause in causes.items():
            self._check_cause(key, cause)
        for rule, flag in red_flags.items():
            self._check_red_flag(rule, flag, findings)
            self.problems += numbers.of_rule(self.files[c.RedFlag, rule], flag, findings, measures)
        for key, pathway in pathways.items():
            self._check_pathway(key, pathway, findings)
        for key, action in actions.items():
            self._check_sources("actions.toml", action, key)
        self._check_measures(measures, answers)
        self._check_sites(sites)
        self._check_reasoning(reasoning)
        self._check_about(about)
        self._check_decisions(open_points)
        self._check_local(local_codes)
        if (c.Pathway, self.pathway_key) not in self.files:
            self.complain(f"dvt/{self.pathway_key}.toml", "", "the chosen DVT pathway is missing")
        self.problems += needed.problems(needed.Parts(self.files, findings, causes, red_flags, pathways, reasoning))

        chosen = pathways.get(self.pathway_key)
        if not (chosen and answers and reasoning and about and leaflet and texts and pages) or self.problems:
            raise ContentError(tuple(self.problems))
        shipped = Content(
            version=version_of(self.texts, local_text),
            findings=findings,
            causes=causes,
            red_flags=red_flags,
            pathway=chosen,
            orders=orders,
            actions=actions,
            citations=citations,
            measures=measures,
            answers=answers,
            sites=sites,
            reasoning=reasoning,
            about=about,
            leaflet=leaflet,
            systems=systems,
            problem_words=problem_words,
            word_contexts=word_contexts,
            words=words,
            texts=texts,
            pages=pages,
            decisions=open_points,
            tables=tables,
            medicine_names=names,
        )
        return against_shipped.added(shipped, local_codes)

    def _check_findings(
        self, findings: dict[str, c.Finding], measures: dict[str, c.Measure], reasoning: c.Reasoning | None
    ) -> None:
        files = {key: self.files[c.Finding, key] for key in findings}
        for key, finding in findings.items():
            self._check_sources(files[key], finding, key)
        self._check_places_of(findings)
        self._check_parts(findings)
        self._check_implications(findings)
        self.problems += numbers.of_findings(findings, measures, reasoning, files)

    def _check_measures(self, measures: dict[str, c.Measure], answers: c.Answers | None) -> None:
        self.problems += numbers.of_units(measures, answers.other_units if answers else ())
        for key, measure in measures.items():
            self._known("vocabulary/measures.toml", f"{key}.finding", measure.finding, c.Finding)
            self._check_sources("vocabulary/measures.toml", measure, key)

    def _check_sites(self, sites: dict[str, c.BodySite]) -> None:
        for key, site in sites.items():
            for wider in site.within:
                self._known("vocabulary/body_sites.toml", f"{key}.within", wider, c.BodySite)

    def _known(self, file: str, place: str, key: str, kind: type[BaseModel]) -> None:
        if (kind, key) not in self.files:
            near = difflib.get_close_matches(key, [known for of, known in self.files if of is kind], 1)
            hint = f"did you mean `{near[0]}`?" if near else ""
            self.complain(file, place, f"no {_WORDS[kind]} is called `{key}`", hint)

    def _check_sources(self, file: str, part: BaseModel | tuple[object, ...], place: str = "") -> None:
        """Check every ``source`` in ``part`` and in everything inside it."""
        inside: Iterable[tuple[object, object]] = (
            ((name, getattr(part, name)) for name in _with_sources(type(part)))
            if isinstance(part, BaseModel)
            else enumerate(part)
        )
        for name, value in inside:
            if name == "source" and isinstance(value, str):
                self._known(file, f"{place}.{name}".removeprefix("."), value, c.Citation)
            elif isinstance(value, BaseModel | tuple):
                self._check_sources(file, value, f"{place}.{name}".removeprefix("."))

    def _check_places(self) -> None:
        """Report files that nothing reads."""
        for name in sorted(self.texts):
            folder, _, below = name.partition("/")
            is_table = folder == code_tables.FOLDER and name.endswith(code_tables.SUFFIX)
            is_language = folder == languages.FOLDER and languages.belongs_to_language(name)
            if name not in _FILES and not is_table and not is_language and not (below and folder in _PLACES):
                self.complain(name, "", "nothing reads a file of this name here", "cards/README.md says what is where")

    def _check_codes(self, table: Mapping[str, c.Finding | c.Cause | c.Measure | c.BodySite]) -> None:
        for key, owner in table.items():
            for entry in owner.codes:
                for site in entry.narrowed_by:
                    self._known(self.files[type(owner), key], f"{key}: {entry.code}", site, c.BodySite)

    def _check_places_of(self, findings: Mapping[str, c.Finding]) -> None:
        for key, finding in findings.items():
            if finding.candidates:
                self._known(self.files[c.Finding, key], f"{key}.candidates", finding.candidates, c.Finding)
            for site in finding.not_at:
                self._known(self.files[c.Finding, key], f"{key}.not_at", site, c.BodySite)

    def _check_parts(self, findings: Mapping[str, c.Finding]) -> None:
        """Check that each part of a finding is named by one of its codes and has words."""
        for key, finding in findings.items():
            file, named = self.files[c.Finding, key], {entry.part for entry in finding.codes if entry.part}
            for part in sorted(named - finding.parts.keys()):
                self.complain(
                    file, f"{key}.parts", f"has no words for the part `{part}`", "add it, or remove it from the code"
                )
            for part in sorted(finding.parts.keys() - named):
                self.complain(
                    file, f"{key}.parts", f"no code names the part `{part}`, so it is never shown", "delete it"
                )

    def _check_implications(self, findings: Mapping[str, c.Finding]) -> None:
        """Check that the findings of ``implied_by`` exist and that no finding follows from itself."""
        follows: dict[str, set[str]] = {}
        for key, finding in findings.items():
            follows[key] = {term for implication in finding.implied_by for term in implication.terms()}
            for term in sorted(follows[key]):
                self._known(self.files[c.Finding, key], f"{key}.implied_by", term, c.Finding)
        try:
            TopologicalSorter(follows).prepare()
        except CycleError as error:
            first = error.args[1][0]
            file = self.files.get((c.Finding, first), "findings/")
            self.complain(file, f"{first}.implied_by", "follows from itself", "remove one of the steps")

    def _check_cause(self, key: str, cause: c.Cause) -> None:
        file = self.files[c.Cause, key]
        self._check_sources(file, cause)
        seen: set[str] = set()
        for weight in cause.supports:
            self._known(file, f"supports.{weight.finding}", weight.finding, c.Finding)
            if weight.finding in seen:
                self.complain(file, f"supports.{weight.finding}", "is weighed twice", "keep one of the two")
            seen.add(weight.finding)
        for order in cause.card.consider:
            self._known(file, "card.consider", order, c.OrderTemplate)
        for action in cause.card.actions:
            self._known(file, "card.actions", action, c.Action)

    def _check_red_flag(self, rule: str, flag: c.RedFlag, findings: Mapping[str, c.Finding]) -> None:
        file = self.files[c.RedFlag, rule]
        self._known(file, "cause", flag.cause, c.Cause)
        self._check_sources(file, flag)
        for order in flag.card.consider:
            self._known(file, "card.consider", order, c.OrderTemplate)
        for reason in flag.reasons:
            self._known(file, "reasons", reason.cause, c.Cause)
        for term in (
            *flag.when.terms(),
            *flag.sooner_terms(),
            *(term for reason in flag.reasons for term in reason.when.terms()),
        ):
            if term not in VIRTUAL_TERMS:
                self._known(file, "when", term, c.Finding)
        for other in flag.yields_to:
            self._known(file, "yields_to", other, c.RedFlag)
        if re.search(r"[{}]", flag.card.summary.replace("{side}", "")):
            self.complain(file, "card.summary", "contains braces other than {side}", "only {side} can be filled in")
        if "{side}" not in flag.card.summary and any(
            term in findings and findings[term].side == "leg" for term in flag.when.terms()
        ):
            self.complain(file, "card.summary", "does not name the leg", "put {side} where the leg belongs")

    def _check_pathway(self, key: str, pathway: c.Pathway, findings: Mapping[str, c.Finding]) -> None:
        file = self.files[c.Pathway, key]
        self._check_sources(file, pathway)
        if [item.number for item in pathway.items] != list(range(1, 11)):
            self.complain(file, "items", "the ten Wells items are numbered 1 to 10 in order")
            return
        for key in pathway.swollen_alike.explained_by:
            self._known(file, "swollen_alike.explained_by", key, c.Finding)
        for key in pathway.risk_outside_wells.unless:
            self._known(file, "risk_outside_wells.unless", key, c.Finding)
        for item in pathway.items:
            for key in item.any:
                self._known(file, f"items.{item.number}", key, c.Finding)
                finding = findings.get(key)
                if finding and finding.dvt.wells_item != item.number:
                    self.complain(
                        file, f"items.{item.number}", f"`{key}` does not have this number in its own `dvt.wells_item`"
                    )
        self.problems += numbers.of_items(file, pathway, findings)
        self.problems += numbers.of_pathway(file, pathway)
        for order in (*pathway.pregnancy_orders, *pathway.emergency_orders):
            self._known(file, "orders", order, c.OrderTemplate)

    def _check_reasoning(self, reasoning: c.Reasoning | None) -> None:
        if reasoning is None:
            return
        self._check_sources("reasoning.toml", reasoning)
        self.problems += numbers.of_reasoning(reasoning)
        for derived in reasoning.derived:
            for key in (derived.finding, *derived.all, *filter(None, [derived.one_leg_only])):
                self._known("reasoning.toml", "derived", key, c.Finding)
        for age in reasoning.ages:
            for key in (age.finding, *age.with_any):
                self._known("reasoning.toml", "ages", key, c.Finding)

    def _check_about(self, about: c.About | None) -> None:
        if about is None:
            return
        self._check_sources("about.toml", about)
        for number, accuracy in enumerate(about.accuracy):
            self._known("about.toml", f"accuracy.{number}.about", accuracy.about, c.Cause)
        for key in about.health_status:
            self._known("about.toml", "health_status", key, c.Finding)
        if about.revised < about.released:
            self.complain("about.toml", "revised", "is before `released`")

    def _check_decisions(self, points: Mapping[str, Decision]) -> None:
        for key, point in points.items():
            self._check_sources(OPEN, point, key)
        self.problems += loading_decisions.problems(self.read, points, trying=bool(self.changes))

    def _check_local(self, local_codes: tuple[c.LocalCode, ...]) -> None:
        for local in local_codes:
            if local.finding is not None:
                self._known("local codes", local.code, local.finding, c.Finding)

    def _medicine_names(self) -> tuple[MedicineName, ...]:
        """Return the names of medicines, which refer to findings."""
        if NAMES_FILE not in self.texts:
            self.complain(NAMES_FILE, "", "this file is missing", "restore it from the last release")
            return ()
        names, mistakes = medicine_names.parse(self.texts[NAMES_FILE])
        for line, mistake in mistakes:
            self.complain(NAMES_FILE, f"line {line}", mistake)
        for medicine_name in names:
            if medicine_name.finding != medicine_names.NONE:
                self._known(NAMES_FILE, medicine_name.name, medicine_name.finding, c.Finding)
        return tuple(names)

    def _words(self) -> tuple[tuple[Word, ...], dict[str, c.ProblemWords], dict[str, c.WordContext]]:
        """Return the words for problems, the rules that use them, and the contexts."""
        words, problems = loading_words.words_in(self.texts)
        rules = self.table(c.ProblemWords, RULES_FILE)
        contexts = self.table(c.WordContext, CONTEXTS_FILE)
        keys = {key for of, key in self.files if of in (c.Finding, c.Cause)}
        known = {key for of, key in self.files if of is c.WordContext}
        whole = {key: contexts.get(key, c.WordContext()) for key in known}  # a broken context is not reported twice
        self.problems += (*problems, *loading_words.problems(words, rules, whole, keys))
        return words, rules, contexts

    def _tables(self, systems: Systems) -> dict[str, code_tables.CodeTable]:
        """Return the code tables by file. Their rows refer to findings, causes, measures and body sites."""
        kinds: dict[type[BaseModel], UseKind] = {
            c.Finding: "finding", c.Cause: "cause", c.Measure: "measure", c.BodySite: "site",
        }  # fmt: skip
        known = code_tables.Known(systems.by_key, {key: kinds[of] for of, key in self.files if of in kinds}.get)
        tables: dict[str, code_tables.CodeTable] = {}
        for name in self.below(code_tables.FOLDER):
            tables[name], problems = code_tables.parse(name, self.texts[name], known)
            self.problems += problems
        return tables


_WORDS: dict[type[BaseModel], str] = {
    c.Finding: "finding",
    c.Cause: "cause",
    c.OrderTemplate: "order",
    c.Action: "action",
    c.Citation: "source",
    c.BodySite: "body site",
    c.SystemEntry: "code system",
    c.RedFlag: "red-flag rule",
}


@cache
def _with_sources(kind: type[BaseModel]) -> tuple[str, ...]:
    """Return the fields that are or may hold a ``source``. Most of a content are codes and words, which hold none."""
    return tuple(
        name
        for name, field in kind.model_fields.items()
        if name == "source" or any("source" in model.model_fields for model in _models_in(field.annotation, set()))
    )


def _models_in(annotation: object, seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """Return the models that a value of this type may hold, at any depth, added to ``seen``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in seen:
        seen.add(annotation)
        for field in annotation.model_fields.values():
            _models_in(field.annotation, seen)
    for part in get_args(annotation):
        _models_in(part, seen)
    return seen


def version_of(texts: Mapping[str, str], local_text: str | None) -> str:
    """Return the version of a content: a digest of its files, without what was signed, and of a site's own codes."""
    digest = hashlib.sha256()
    for name in sorted(texts.keys() - {SIGNED}):
        digest.update(name.encode())
        digest.update(b"\0")
        digest.update(texts[name].encode())
    digest.update((local_text or "").encode())
    return digest.hexdigest()[:12]


def load(
    texts: Mapping[str, str], pathway: str, local_text: str | None = None, changes: Sequence[Change] = ()
) -> Content:
    """Load the content from ``texts`` (relative path -> TOML) with the DVT pathway ``pathway``.

    ``changes``: values to try instead of those in the files; their places must exist.

    Raises:
        ContentError: lists every mistake of every file.
    """
    content_texts = {name: text for name, text in texts.items() if name != SIGNED}
    return _Loader(content_texts, pathway, changes).build(local_text)


def parsed(texts: Mapping[str, str]) -> Files:
    """Return the files as parsed TOML and the rows of code tables, without validation.

    Raises:
        ContentError: lists every file that is not valid TOML.
    """
    files: dict[str, Mapping[str, Any]] = {}
    problems = []
    for name, text in texts.items():
        if name.endswith(code_tables.SUFFIX):
            files[name] = code_tables.lines_by_code(text)
            continue
        try:
            data = tomli.loads(text)
        except tomli.TOMLDecodeError as error:
            problems.append(Problem(name, "", f"is not valid TOML: {error}"))
            continue
        join_evidence(data)
        files[name] = data
    if problems:
        raise ContentError(tuple(problems))
    return files
