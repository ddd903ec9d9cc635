"""What an OperationOutcome says of the search that it came with. Only a few issues leave the result whole."""

from __future__ import annotations

from typing import Any

OUTCOME = "OperationOutcome"
_NOTES = frozenset({("information", "informational"), ("warning", "informational"), ("information", "success")})
"""Severity and code of issues that take nothing from a result."""
_NONE = ("information", "not-found")
"""Severity and code of an issue that says: there are no results."""
_NOT_OFFERED = ("not-supported", "not-found", "forbidden")
_EPIC_NONE = "4101"
"""Epic's code in ``details`` for "Resource request returns no results"; its issue code says nothing of its own."""
_EPIC_SEVERITIES = ("information", "warning")
_EPIC_CODES = ("processing", "informational", "not-found", "success")


def is_harmless(outcome: Any) -> bool:
    """Whether a result that comes with ``outcome`` may still be whole. What is not understood is not harmless."""
    issues = _issues(outcome)
    return bool(issues) and all(_is_note(one) or _is_none(one) for one in issues)


def says_none(outcome: Any) -> bool:
    """Whether ``outcome`` says that there are no results, and nothing else that would be of concern."""
    return is_harmless(outcome) and any(_is_none(one) for one in _issues(outcome))


def says_not_offered(outcome: Any) -> bool:
    """Whether ``outcome`` says that there is no such search for this caller: not supported, not found or forbidden."""
    issues = _issues(outcome)
    return bool(issues) and all((_plain(one) or ("", ""))[1] in _NOT_OFFERED for one in issues)


def _issues(outcome: Any) -> list[Any]:
    """The issues; none if the outcome has not FHIR's shape, or follows rules that this service does not know."""
    if not isinstance(outcome, dict) or outcome.get("resourceType") != OUTCOME:
        return []
    if any(outcome.get(name) is not None for name in ("implicitRules", "modifierExtension")):
        return []
    issues = outcome.get("issue")
    return issues if isinstance(issues, list) else []


def _is_note(issue: Any) -> bool:
    """A note without words: what it says in words may be that something was left out."""
    return _plain(issue) in _NOTES and not (issue.get("diagnostics") or issue.get("details"))


def _is_none(issue: Any) -> bool:
    found = _plain(issue)
    if found is None or found == _NONE:
        return found is not None
    is_epic = found[0] in _EPIC_SEVERITIES and found[1] in _EPIC_CODES
    return is_epic and _detailed(issue.get("details")) == {_EPIC_NONE}


def _plain(issue: Any) -> tuple[str, str] | None:
    """Severity and code of an issue; None if it lacks one, or something else may change what it says."""
    if not isinstance(issue, dict) or issue.get("modifierExtension") is not None:
        return None
    severity, code = issue.get("severity"), issue.get("code")
    return (severity, code) if isinstance(severity, str) and isinstance(code, str) else None


def _detailed(details: Any) -> set[str]:
    """The codes in the details of an issue; an empty text for each that cannot be told."""
    if details is None:
        return set()
    codings = details.get("coding") if isinstance(details, dict) else ""
    if codings is None:
        return set()
    if not isinstance(codings, list):
        return {""}
    codes = [one.get("code") if isinstance(one, dict) else None for one in codings]
    return {code if isinstance(code, str) else "" for code in codes}
