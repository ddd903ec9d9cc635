"""What is wrong with fields that came from outside, in words and without their values."""

from __future__ import annotations

from pydantic import ValidationError

MOST = 5
_OURS = "Value error, "
"""How the library begins what our own checks say."""
_WORDS = {"missing": "is missing", "extra_forbidden": "is not known here"}


def field_errors(error: ValidationError) -> str:
    """``context.patientId: is missing; hookInstance: must be a UUID``, at most ``MOST`` of them."""
    mistakes = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"{'.'.join(map(str, mistake['loc'])) or 'body'}: {words(mistake['type'], mistake['msg'])}"
        for mistake in mistakes[:MOST]
    )


def words(kind: str, message: str) -> str:
    """What is wrong with one field. The library's words say what is expected; for a UUID they quote what came."""
    if kind.startswith("uuid_"):
        return "must be a UUID"
    if kind in _WORDS:
        return _WORDS[kind]
    if message.startswith(_OURS):
        return message.removeprefix(_OURS)
    said = message.removeprefix("Input ")
    return said[:1].lower() + said[1:]


def in_words(error: Exception) -> str:
    """An error for a reader at a terminal: no number of the system, no class of a library."""
    if isinstance(error, ValidationError):
        return field_errors(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    return str(error)
