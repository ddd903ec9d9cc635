"""Load the table of words and check it against the rules and contexts that use it."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping

from cds_service.base.errors import Problem
from cds_service.clinical.content.coding import vocabulary
from cds_service.clinical.content.coding.vocabulary import Word
from cds_service.clinical.content.models import ProblemWords, WordContext

WORDS_TABLE = "vocabulary/words.tsv"
RULES_FILE = "vocabulary/problem_words.toml"
CONTEXTS_FILE = "vocabulary/word_contexts.toml"


def words_in(texts: Mapping[str, str]) -> tuple[tuple[Word, ...], list[Problem]]:
    """Return the table of words, and every line of it that is wrong."""
    if WORDS_TABLE not in texts:
        return (), [Problem(WORDS_TABLE, "", "this file is missing", "restore it from the last release")]
    words, mistakes = vocabulary.parse(texts[WORDS_TABLE])
    return tuple(words), [Problem(WORDS_TABLE, f"line {line}", mistake, "") for line, mistake in mistakes]


def problems(
    words: Collection[Word],
    rules: Mapping[str, ProblemWords],
    contexts: Mapping[str, WordContext],
    keys: Collection[str],
) -> Iterator[Problem]:
    """Yield unused or missing groups and unknown names. ``keys``: all findings and causes."""
    if not words:
        return  # the missing table is already reported
    groups = {word.group for word in words}
    used = {vocabulary.NOTHING, *vocabulary.NEEDED}
    for group in set(vocabulary.NEEDED) - groups:
        yield Problem(WORDS_TABLE, group, f"the code needs words of the group `{group}`", "restore them")
    for key, rule in rules.items():
        if key not in keys:
            yield _unknown(RULES_FILE, key, "finding or cause", key, keys)
        for group in {group for named in rule.named for group in named} - groups:
            yield _unknown(RULES_FILE, f"{key}.named", "group of words", group, groups)
        for name in {*rule.unless, *rule.instead} - contexts.keys():
            yield _unknown(RULES_FILE, f"{key}.unless", "context", name, contexts)
        for other in set(rule.instead.values()) - set(keys):
            yield _unknown(RULES_FILE, f"{key}.instead", "finding or cause", other, keys)
        used |= {group for named in rule.named for group in named}
    for key, context in contexts.items():
        for group in {key, *context.overruled_by, *context.takes} - groups:
            yield _unknown(CONTEXTS_FILE, key, "group of words", group, groups)
        used |= {key, *context.overruled_by, *context.takes}
    for group in sorted(groups - used):
        yield Problem(WORDS_TABLE, group, f"no rule and no context uses the group `{group}`", "correct its name")


def _unknown(file: str, place: str, kind: str, name: str, known: Collection[str]) -> Problem:
    near = difflib.get_close_matches(name, known, 1)
    return Problem(file, place, f"no {kind} is called `{name}`", f"did you mean `{near[0]}`?" if near else "")
