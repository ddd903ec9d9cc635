"""All of the clinical content, with what is looked up in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from graphlib import TopologicalSorter
from itertools import chain
from operator import attrgetter

from cds_service.clinical.content.coding.code_index import CodeIndex
from cds_service.clinical.content.coding.code_tables import CodeTable
from cds_service.clinical.content.coding.code_uses import CodeMeaning, CodeUse, LegSide, UseKind
from cds_service.clinical.content.coding.codes import Code
from cds_service.clinical.content.coding.formulary import Formulary
from cds_service.clinical.content.coding.medicine_names import MedicineName
from cds_service.clinical.content.coding.recognition import Recogniser, names_in
from cds_service.clinical.content.coding.systems import Systems
from cds_service.clinical.content.coding.vocabulary import Vocabulary, Word
from cds_service.clinical.content.coding.word_net import Context, Rule, WordNet
from cds_service.clinical.content.decisions import Decision
from cds_service.clinical.content.lookback import limits_of
from cds_service.clinical.content.models import (
    About,
    Action,
    Answers,
    BodySite,
    Cause,
    Citation,
    CodeEntry,
    Finding,
    Leaflet,
    LocalCode,
    Measure,
    OrderCode,
    OrderTemplate,
    Pathway,
    ProblemWords,
    Reasoning,
    RedFlag,
    WordContext,
)
from cds_service.clinical.content.names import DVT_RULE
from cds_service.clinical.content.page_words import PageWords
from cds_service.clinical.content.texts import Texts
from cds_service.clinical.content.weights import Weighing


@dataclass(frozen=True)
class Content:
    """The whole clinical content, loaded and cross-checked. ``version`` is a digest of every file."""

    version: str
    findings: Mapping[str, Finding]
    causes: Mapping[str, Cause]
    red_flags: Mapping[str, RedFlag]
    pathway: Pathway
    orders: Mapping[str, OrderTemplate]
    actions: Mapping[str, Action]
    citations: Mapping[str, Citation]
    measures: Mapping[str, Measure]
    answers: Answers
    sites: Mapping[str, BodySite]
    reasoning: Reasoning
    about: About
    leaflet: Leaflet
    systems: Systems
    problem_words: Mapping[str, ProblemWords]
    word_contexts: Mapping[str, WordContext]
    words: tuple[Word, ...]
    texts: Texts
    pages: PageWords
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    tables: Mapping[str, CodeTable] = field(default_factory=dict)
    medicine_names: tuple[MedicineName, ...] = ()
    local_codes: tuple[LocalCode, ...] = ()
    translated: tuple[CodeMeaning, ...] = ()
    """What a site's own codes mean that stand for standard ones."""
    others: frozenset[tuple[str, str]] = frozenset()
    """(address, code) of those that stand for a standard code that is none of ours."""

    def uses(self, system: str, code: str) -> tuple[CodeUse, ...]:
        """Everything ``code`` means here; empty for a code of no concern.

        In a hierarchy a code is looked up by everything it begins with, the longest first for each key.
        """
        return self._index.find(system, code)

    def current_uses(self, system: str, code: str) -> tuple[CodeUse, ...]:
        """``uses``, but none for a late effect of an old injury."""
        return self._index.find_current(system, code)

    @cached_property
    def concerns(self) -> Callable[[str, str], bool]:
        """Whether a resource with this system and code has to be read."""
        return self._index.concerns

    @cached_property
    def may_concern(self) -> Callable[[str], bool]:
        """Whether there is a system in which a resource with this code has to be read."""
        return self._index.may_concern

    def uses_anywhere(self, code: str) -> tuple[CodeUse, ...]:
        """Everything ``code`` means in any of our systems, for a code whose system is missing or not known."""
        return self._index.find_anywhere(code)

    def uses_named(self, system: str, code: str) -> tuple[CodeUse, ...]:
        """``uses``, and what an expression names that is not understood as a whole."""
        return self._index.named(system, code)

    def is_whole(self, system: str, code: str) -> bool:
        """Whether a code of ours says nothing beside what is ours."""
        return self._index.is_whole(system, code)

    def is_sequela(self, system: str, code: str) -> bool:
        """Whether the code says that it is a late effect of an old injury."""
        return self._index.is_sequela(system, code)

    @cached_property
    def knows_system(self) -> Callable[[str], bool]:
        """Whether a code of this system can be told to be ours or not; a site's mapped systems are known."""
        return self._index.knows_system

    @cached_property
    def identifies(self) -> Callable[[str, str], bool]:
        """Whether a code that is none of ours can be one of its system, so that it tells it is about something else."""
        return self._index.identifies

    def is_other(self, system: str, code: str) -> bool:
        """Whether a site says that its code stands for a standard one that is none of ours."""
        place = self.systems.code(system, code)
        return (place.system, place.code) in self.others

    def is_mapped(self, system: str) -> bool:
        """Whether a site has mapped codes of this system, so that it knows what is in it."""
        return system in self._mapped

    @cached_property
    def _mapped(self) -> frozenset[str]:
        return frozenset(local.system for local in self.local_codes)

    @cached_property
    def recogniser(self) -> Recogniser:
        """The net for what is not understood: our codes in any shape, and the names of findings and causes."""
        return Recogniser(self, self.word_net, self.formulary.names)

    @cached_property
    def formulary(self) -> Formulary:
        """What is known of medicines beyond the codes that are ours."""
        return Formulary(self.systems, self.tables.values(), self.medicine_names)

    @cached_property
    def word_net(self) -> WordNet:
        """The net of words: by the rules for problems, and by the names of findings and causes."""
        rules = (Rule(key, one.named, frozenset(one.unless), one.instead) for key, one in self.problem_words.items())
        contexts = {
            group: Context(frozenset(one.overruled_by), one.spreads, frozenset(one.takes), one.of_medicines)
            for group, one in self.word_contexts.items()
        }
        names = (name for key, text in self._names() for name in names_in(key, text))
        return WordNet(Vocabulary(self.words), rules, contexts, names)

    def lists_all(self, system: str) -> bool:
        """Whether what our content says of this system is complete, as in a hierarchy, so that words add nothing."""
        return self._index.lists_all(system)

    def _names(self) -> Iterator[tuple[str, str]]:
        for key, finding in self.findings.items():
            yield key, finding.name
        for key, cause in self.causes.items():
            yield key, cause.title
        for kind, key, entry in self.entries():
            # The names of medicines have a table of their own.
            if kind in ("finding", "cause") and entry.relation != "broader" and not entry.substance:
                yield key, entry.display

    def entries(self) -> Iterator[tuple[UseKind, str, CodeEntry]]:
        """Every code entry of the content with what it stands for."""
        for key, finding in self.findings.items():
            for entry in finding.codes:
                yield "finding", key, entry
        for key, cause in self.causes.items():
            for entry in cause.codes:
                yield "cause", key, entry
        for key, measure in self.measures.items():
            for entry in measure.codes:
                yield "measure", key, entry
        for entry in self.answers.present:
            yield "present", "present", entry
        for entry in self.answers.absent:
            yield "absent", "absent", entry
        for entry in self.answers.unknown:
            yield "unknown", "unknown", entry
        for key, site in self.sites.items():
            for entry in site.codes:
                yield "site", key, entry

    def order_codes(self) -> Iterator[tuple[str, OrderCode, LegSide | None]]:
        """Every code that shows an order has been placed, with its leg."""
        for key, order in self.orders.items():
            for code in (order.code, *order.recognise):
                yield key, code, code.side
            if order.left:
                yield key, order.left, "left"
            if order.right:
                yield key, order.right, "right"

    @cached_property
    def _index(self) -> CodeIndex:
        rows = map(
            attrgetter("system", "plain", "plain_to", "use"),
            chain.from_iterable(one.rows for one in self.tables.values()),
        )
        return CodeIndex(self.systems, self._meanings(), rows, self.others)

    def coded(self) -> Iterator[tuple[Code, CodeUse]]:
        """Every code written out in the content, with what it stands for; a site's own included."""
        return ((Code(one.address, one.code), one.use) for one in self._meanings())

    def _meanings(self) -> Iterator[CodeMeaning]:
        for kind, key, entry in self.entries():
            use = CodeUse(kind, key, entry.relation, entry.side, entry.narrowed_by, entry.anywhere)
            plain = self._normal(entry.system, entry.code)
            use = replace(use, stem=len(plain), endings=entry.endings(), substance=entry.substance or "")
            yield self._meaning(entry.system, plain, replace(use, status=entry.status, part=entry.part or ""))
        for key, finding in self.findings.items():
            if not finding.general:
                yield self._meaning("finding", key, CodeUse("finding", key))
        for key, code, side in self.order_codes():
            plain = self._normal(code.system, code.code)
            yield self._meaning(code.system, plain, CodeUse("order", key, "exact", side))
        for local in self.local_codes:
            if local.finding is not None:
                place = self.systems.code(local.system, local.code)
                yield CodeMeaning(place.system, place.code, CodeUse("finding", local.finding, "exact", local.side))
        yield from self.translated

    def _normal(self, system: str, code: str) -> str:
        return self.systems.by_key[system].normal(code)

    def _meaning(self, system: str, code: str, use: CodeUse) -> CodeMeaning:
        return CodeMeaning(self.systems.by_key[system].uri, code, use)

    @cached_property
    def weighing(self) -> Weighing:
        """The weights of all causes as the differential reads them."""
        return Weighing(self.findings, self.causes)

    @cached_property
    def red_flag_terms(self) -> tuple[tuple[str, RedFlag, frozenset[str]], ...]:
        """Each red-flag rule in order with the terms of which at least one must hold."""
        return tuple((rule, flag, frozenset(flag.when.terms())) for rule, flag in sorted(self.red_flags.items()))

    @property
    def dvt_orders(self) -> tuple[str, ...]:
        """The orders for a suspected DVT that is no emergency, the preferred first."""
        return self.red_flags[DVT_RULE].card.consider

    @cached_property
    def looked_back(self) -> Mapping[str, int]:
        """By finding, for some of those that are measured: the days for which any rule looks back at one."""
        return limits_of(self.findings, self.measures.values(), self.pathway, self.reasoning, self.implies)

    @cached_property
    def days_of_code(self) -> Callable[[str, str], int | None]:
        """The days for which a number with this system and code is looked at; None without a limit."""

        def days(system: str, code: str) -> int | None:
            found = []
            for use in self.uses_named(system, code):
                if use.is_of_concern:
                    limit = self.looked_back.get(self.measures[use.key].finding) if use.kind == "measure" else None
                    if limit is None:
                        return None
                    found.append(limit)
            return max(found, default=0)

        return lru_cache(maxsize=4_096)(days)

    @cached_property
    def kinds_of_unit(self) -> Mapping[str, frozenset[str]]:
        """By finding the kinds of unit that tell its values apart (``feu``, ``ddu``); empty where there is one kind."""
        found: dict[str, frozenset[str]] = {}
        for one in self.measures.values():
            kinds = frozenset(kind.lower() for kind in one.unit.split()[1:])
            found[one.finding] = found.get(one.finding, frozenset()) | kinds
        return found

    @cached_property
    def implied_terms(self) -> Mapping[str, frozenset[str]]:
        """By finding those that it may follow from in one step."""
        return {
            key: frozenset(term for one in finding.implied_by for term in one.terms())
            for key, finding in self.findings.items()
        }

    @cached_property
    def implied(self) -> tuple[str, ...]:
        """Findings that follow from others, each after those that it follows from."""
        follows = {key: sorted(terms) for key, terms in self.implied_terms.items()}
        return tuple(key for key in TopologicalSorter(follows).static_order() if self.findings[key].implied_by)

    @cached_property
    def implies(self) -> Mapping[str, frozenset[str]]:
        """Finding -> all that may follow from it, by one step or several."""
        found: dict[str, set[str]] = {}
        for key in reversed(self.implied):
            for term in self.implied_terms[key]:
                found.setdefault(term, set()).update({key}, found.get(key, ()))
        return {key: frozenset(all_) for key, all_ in found.items()}

    @cached_property
    def wells_findings(self) -> frozenset[str]:
        """Findings that any Wells item reads."""
        return frozenset(key for item in self.pathway.items for key in item.any)

    def closest(self, sites: frozenset[str]) -> frozenset[str]:
        """Of ``sites``, those that hold none of the others."""
        return frozenset(one for one in sites if not any(one in self._wider[other] for other in sites - {one}))

    def site_and_wider(self, key: str) -> frozenset[str]:
        """``key`` and every wider place it lies in."""
        return self._wider[key]

    @cached_property
    def _wider(self) -> Mapping[str, frozenset[str]]:
        def all_of(key: str) -> frozenset[str]:
            return frozenset({key}).union(*(all_of(wider) for wider in self.sites[key].within))

        return {key: all_of(key) for key in self.sites}

    def name(self, key: str) -> str:
        """Our own words for a finding or a cause."""
        return self.findings[key].name if key in self.findings else self.causes[key].title

    def short(self, key: str) -> str:
        """The name of a finding or a cause as it stands in the middle of a sentence."""
        return self.findings[key].short if key in self.findings else self.causes[key].short
