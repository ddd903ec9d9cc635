"""Reads an OperationOutcome in a search result. Only a few kinds of issues mean that the result may be complete."""

from __future__ import annotations

from typing import Any

OUTCOME = "OperationOutcome"
_NOTES = frozenset({("information", "informational"), ("warning", "informational"), ("information", "success")})
"""Severity and code of issues that do not make a result incomplete."""
_NONE = ("information", "not-found")
"""Severity and code of an issue that means: there are no results."""
_NOT_OFFERED = ("not-supported", "not-found", "forbidden")
_EPIC_NONE = "4101"
"""Epic's code in ``details`` for "Resource request returns no results". Its issue code alone does not mean that."""
_EPIC_SEVERITIES = ("information", "warning")
_EPIC_CODES = ("processing", "informational", "not-found", "success")


def is_harmless(outcome: Any) -> bool:
    """Return whether a result with ``outcome`` may still be complete. An unknown issue is not harmless."""
    issues = _issues(outcome)
    return bool(issues) and all(_is_note(issue) or _is_none(issue) for issue in issues)


def says_none(outcome: Any) -> bool:
    """Return whether ``outcome`` says that there are no results and has only harmless issues."""
    return is_harmless(outcome) and any(_is_none(issue) for issue in _issues(outcome))


def says_not_offered(outcome: Any) -> bool:
    """Return whether the server does not offer this search to the caller: not supported, not found or forbidden."""
    issues = _issues(outcome)
    return bool(issues) and all((_severity_and_code(issue) or ("", ""))[1] in _NOT_OFFERED for issue in issues)


def _issues(outcome: Any) -> list[Any]:
    """Return the issues; none if the outcome does not have FHIR's shape or uses rules unknown to this service."""
    if not isinstance(outcome, dict) or outcome.get("resourceType") != OUTCOME:
        return []
    if any(outcome.get(name) is not None for name in ("implicitRules", "modifierExtension")):
        return []
    issues = outcome.get("issue")
    return issues if isinstance(issues, list) else []


def _is_note(issue: Any) -> bool:
    """Return whether the issue is a harmless note without text. A text could say that something was left out."""
    return _severity_and_code(issue) in _NOTES and not (issue.get("diagnostics") or issue.get("details"))


def _is_none(issue: Any) -> bool:
    """Return whether the issue says that there are no results."""
    pair = _severity_and_code(issue)
    if pair is None or pair == _NONE:
        return pair is not None
    is_epic = pair[0] in _EPIC_SEVERITIES and pair[1] in _EPIC_CODES
    return is_epic and _detail_codes(issue.get("details")) == {_EPIC_NONE}


def _severity_and_code(issue: Any) -> tuple[str, str] | None:
    """Return severity and code of an issue; None if one is missing or a modifier extension may change the meaning."""
    if not isinstance(issue, dict) or issue.get("modifierExtension") is not None:
        return None
    severity, code = issue.get("severity"), issue.get("code")
    return (severity, code) if isinstance(severity, str) and isinstance(code, str) else None


def _detail_codes(details: Any) -> set[str]:
    """Return the codes in the details of an issue; an empty text for each that cannot be read."""
    if details is None:
        return set()
    codings = details.get("coding") if isinstance(details, dict) else ""
    if codings is None:
        return set()
    if not isinstance(codings, list):
        return {""}
    codes = [coding.get("code") if isinstance(coding, dict) else None for coding in codings]
    return {code if isinstance(code, str) else "" for code in codes}
