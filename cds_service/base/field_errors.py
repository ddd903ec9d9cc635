"""Messages about invalid fields in received data. They never quote the values."""

from __future__ import annotations

from pydantic import ValidationError

MAX_MISTAKES = 5
_OURS = "Value error, "
"""Prefix that pydantic puts before the messages of our own validators."""
_WORDS = {"missing": "is missing", "extra_forbidden": "is not known here"}


def field_errors(error: ValidationError) -> str:
    """Return the mistakes as one line, at most ``MAX_MISTAKES`` of them.

    Example: ``context.patientId: is missing; hookInstance: must be a UUID``.
    """
    mistakes = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"{'.'.join(map(str, mistake['loc'])) or 'body'}: {words(mistake['type'], mistake['msg'])}"
        for mistake in mistakes[:MAX_MISTAKES]
    )


def words(kind: str, message: str) -> str:
    """Return what is wrong with one field, in pydantic's words, except for UUIDs: there pydantic quotes the input."""
    if kind.startswith("uuid_"):
        return "must be a UUID"
    if kind in _WORDS:
        return _WORDS[kind]
    if message.startswith(_OURS):
        return message.removeprefix(_OURS)
    expectation = message.removeprefix("Input ")
    return expectation[:1].lower() + expectation[1:]


def in_words(error: Exception) -> str:
    """Return an error as text for a reader at a terminal, without system error numbers or class names."""
    if isinstance(error, ValidationError):
        return field_errors(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    return str(error)
