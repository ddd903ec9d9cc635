"""The whole clinical content and the look-ups on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from graphlib import TopologicalSorter
from itertools import chain
from operator import attrgetter

from cds_service.clinical.content.coding.code_index import CodeIndex
from cds_service.clinical.content.coding.code_tables import CodeTable
from cds_service.clinical.content.coding.code_uses import Coded, CodeMeaning, CodeUse, LegSide, NumberUse, UseKind
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
    """The whole clinical content, loaded and cross-checked. ``version`` is a digest of all its files."""

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
    """The meanings of a site's own codes that stand for standard codes."""
    others: frozenset[tuple[str, str]] = frozenset()
    """(address, code) of a site's own codes that stand for a standard code not used here."""

    def uses(self, system: str, code: str) -> tuple[CodeUse, ...]:
        """Return everything ``code`` means here; empty if the code is not used.

        In a hierarchy, a code also has the meanings of the codes it begins with. For each key, the longest one counts.
        """
        return self._index.find(system, code)

    def current_uses(self, system: str, code: str) -> tuple[CodeUse, ...]:
        """Return ``uses``, but nothing for a late effect of an old injury."""
        return self._index.find_current(system, code)

    @cached_property
    def concerns(self) -> Callable[[str, str], bool]:
        """Function (system, code): whether a resource with this code must be read."""
        return self._index.concerns

    @cached_property
    def may_concern(self) -> Callable[[str], bool]:
        """Function (code): whether a resource with this code must be read if its system is one of ours."""
        return self._index.may_concern

    def uses_anywhere(self, code: str) -> tuple[CodeUse, ...]:
        """Return everything ``code`` means in any known system, for a code whose system is missing or unknown."""
        return self._index.find_anywhere(code)

    def uses_named(self, system: str, code: str) -> tuple[CodeUse, ...]:
        """Return ``uses``, and the meanings of the parts of an expression that is not understood as a whole."""
        return self._index.named(system, code)

    def is_whole(self, system: str, code: str) -> bool:
        """Whether the meaning of a known code is completely covered here."""
        return self._index.is_whole(system, code)

    def is_sequela(self, system: str, code: str) -> bool:
        """Whether the code means a late effect of an old injury."""
        return self._index.is_sequela(system, code)

    @cached_property
    def knows_system(self) -> Callable[[str], bool]:
        """Function (system): whether it can be decided that a code of this system is used here or not.

        Systems that a site has mapped are known.
        """
        return self._index.knows_system

    @cached_property
    def identifies(self) -> Callable[[str, str], bool]:
        """Function (system, code): whether an unused code is valid in its system and so means something else."""
        return self._index.identifies

    def is_other(self, system: str, code: str) -> bool:
        """Whether a site maps this code to a standard code that is not used here."""
        place = self.systems.code(system, code)
        return (place.system, place.code) in self.others

    def is_mapped(self, system: str) -> bool:
        """Whether a site has mapped codes of this system."""
        return system in self._mapped

    @cached_property
    def _mapped(self) -> frozenset[str]:
        return frozenset(local.system for local in self.local_codes)

    @cached_property
    def recogniser(self) -> Recogniser:
        """Searches data that is not understood for known codes in any form, and for names of findings and causes."""
        return Recogniser(self, self.word_net, self.formulary.names)

    @cached_property
    def formulary(self) -> Formulary:
        """What is known about medicines beyond the codes used here."""
        return Formulary(self.systems, self.tables.values(), self.medicine_names)

    @cached_property
    def word_net(self) -> WordNet:
        """Recognises findings and causes in words: by the rules for problems, and by their names."""
        rules = (
            Rule(key, words.named, frozenset(words.unless), words.instead) for key, words in self.problem_words.items()
        )
        contexts = {
            group: Context(
                frozenset(context.overruled_by), context.spreads, frozenset(context.takes), context.of_medicines
            )
            for group, context in self.word_contexts.items()
        }
        names = (name for key, text in self._names() for name in names_in(key, text))
        return WordNet(Vocabulary(self.words), rules, contexts, names)

    def lists_all(self, system: str) -> bool:
        """Whether the content covers this system completely, as in a hierarchy, so that words add nothing."""
        return self._index.lists_all(system)

    def _names(self) -> Iterator[tuple[str, str]]:
        for key, finding in self.findings.items():
            yield key, finding.name
        for key, cause in self.causes.items():
            yield key, cause.title
        for kind, key, entry in self.entries():
            # The names of medicines are in a separate table.
            if kind in ("finding", "cause") and entry.relation != "broader" and not entry.substance:
                yield key, entry.display

    def entries(self) -> Iterator[tuple[UseKind, str, CodeEntry]]:
        """Yield every code entry of the content with the kind and key it stands for."""
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
        """Yield every code that shows that an order has been placed, with the leg it names."""
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
            chain.from_iterable(table.rows for table in self.tables.values()),
        )
        return CodeIndex(self.systems, self._meanings(), rows, self.others)

    def coded(self) -> Iterator[tuple[Code, CodeUse]]:
        """Yield every code written out in the content with its meaning, including a site's own codes."""
        return ((Code(meaning.address, meaning.code), meaning.use) for meaning in self._meanings())

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
        """The weights of all causes in the form used by the differential."""
        return Weighing(self.findings, self.causes)

    @cached_property
    def red_flag_terms(self) -> tuple[tuple[str, RedFlag, frozenset[str]], ...]:
        """Each red-flag rule, sorted by name, with the terms of which at least one must hold."""
        return tuple((rule, flag, frozenset(flag.when.terms())) for rule, flag in sorted(self.red_flags.items()))

    @cached_property
    def alarming(self) -> frozenset[str]:
        """Every finding or virtual term of a red-flag rule."""
        return frozenset().union(*(terms for _, _, terms in self.red_flag_terms))

    @property
    def dvt_orders(self) -> tuple[str, ...]:
        """The orders for a suspected DVT that is not an emergency, the preferred first."""
        return self.red_flags[DVT_RULE].card.consider

    @cached_property
    def complaints(self) -> frozenset[str]:
        """The findings that open the gate by themselves: complaints other than of the thigh, groin or buttock."""
        return frozenset(key for key, finding in self.findings.items() if finding.complaint not in (None, "proximal"))

    @cached_property
    def looked_back(self) -> Mapping[str, int]:
        """For measured findings: the longest time, in days, for which any rule uses a measurement.

        A finding without a limit has no entry.
        """
        return limits_of(self.findings, self.measures.values(), self.pathway, self.reasoning, self.implies)

    @cached_property
    def days_of_code(self) -> Callable[[str, str], int | None]:
        """Function (system, code): the days for which a number with this code is used; None without a limit."""

        def days(system: str, code: str) -> int | None:
            limits = []
            for use in self.uses_named(system, code):
                if use.is_of_concern:
                    limit = self.looked_back.get(self.measures[use.key].finding) if use.kind == "measure" else None
                    if limit is None:
                        return None
                    limits.append(limit)
            return max(limits, default=0)

        return lru_cache(maxsize=4_096)(days)

    @cached_property
    def use_of_number(self) -> Callable[[tuple[Coded, ...], tuple[Coded, ...]], NumberUse]:
        """Function (codings of a number, codings of its categories): what they say about it.

        Remembered, because charts have few kinds of number, each many times.
        """

        def of_concern(codings: tuple[Coded, ...]) -> bool:
            return any(
                coding.code is not None and self.concerns(coding.system or "", coding.code) for coding in codings
            )

        def use(codings: tuple[Coded, ...], categories: tuple[Coded, ...]) -> NumberUse:
            if not of_concern((*codings, *categories)):
                named = ((coding.system, coding.code) for coding in codings)
                is_identified = any(s is not None and bool(c) and self.identifies(s, c or "") for s, c in named)
                return NumberUse(is_of_concern=False, is_identified=is_identified, days=0)
            limits = [self.days_of_code(coding.system or "", coding.code or "") for coding in codings]
            is_unlimited = None in limits or of_concern(categories)
            days = 0 if is_unlimited else max((limit for limit in limits if limit), default=0)
            return NumberUse(is_of_concern=True, is_identified=False, days=days)

        return lru_cache(maxsize=4_096)(use)

    @cached_property
    def numbers_as_written(self) -> dict[bytes, NumberUse | None]:
        """What numbers say, by their codes as an EHR writes them; None for codes that are not in the shape of FHIR.

        Sorting fills and bounds it. An EHR writes a code in the same way in every chart, so that few are decoded twice.
        """
        return {}

    @cached_property
    def kinds_of_unit(self) -> Mapping[str, frozenset[str]]:
        """For each finding, the unit kinds that tell its values apart (``feu``, ``ddu``); empty if only one."""
        by_finding: dict[str, frozenset[str]] = {}
        for measure in self.measures.values():
            kinds = frozenset(kind.lower() for kind in measure.unit.split()[1:])
            by_finding[measure.finding] = by_finding.get(measure.finding, frozenset()) | kinds
        return by_finding

    @cached_property
    def implied_terms(self) -> Mapping[str, frozenset[str]]:
        """For each finding, the findings that it may follow from in one step."""
        return {
            key: frozenset(term for implication in finding.implied_by for term in implication.terms())
            for key, finding in self.findings.items()
        }

    @cached_property
    def implied(self) -> tuple[str, ...]:
        """Findings that follow from others, each after the findings that it follows from."""
        follows = {key: sorted(terms) for key, terms in self.implied_terms.items()}
        return tuple(key for key in TopologicalSorter(follows).static_order() if self.findings[key].implied_by)

    @cached_property
    def implies(self) -> Mapping[str, frozenset[str]]:
        """For each finding, everything that may follow from it in one or more steps."""
        result: dict[str, set[str]] = {}
        for key in reversed(self.implied):
            for term in self.implied_terms[key]:
                result.setdefault(term, set()).update({key}, result.get(key, ()))
        return {key: frozenset(all_) for key, all_ in result.items()}

    @cached_property
    def wells_findings(self) -> frozenset[str]:
        """Findings used by any Wells item."""
        return frozenset(key for item in self.pathway.items for key in item.any)

    def closest(self, sites: frozenset[str]) -> frozenset[str]:
        """Return the sites that contain none of the other ``sites``."""
        if len(sites) < 2:
            return sites
        return frozenset(site for site in sites if not any(site in self._wider[other] for other in sites - {site}))

    def site_and_wider(self, key: str) -> frozenset[str]:
        """Return ``key`` and every wider place that contains it."""
        return self._wider[key]

    @cached_property
    def _wider(self) -> Mapping[str, frozenset[str]]:
        def all_of(key: str) -> frozenset[str]:
            return frozenset({key}).union(*(all_of(wider) for wider in self.sites[key].within))

        return {key: all_of(key) for key in self.sites}

    def name(self, key: str) -> str:
        """Return the display name of a finding or a cause."""
        return self.findings[key].name if key in self.findings else self.causes[key].title

    def short(self, key: str) -> str:
        """Return the name of a finding or a cause for use in the middle of a sentence."""
        return self.findings[key].short if key in self.findings else self.causes[key].short
