"""Maps OAuth error codes of an EHR to launch failures."""

from __future__ import annotations

from typing import Final

from cds_service.service.smart.launches import LaunchFailed

_REFUSED: Final = frozenset(
    {
        "access_denied", "account_selection_required", "consent_required", "interaction_required", "invalid_grant",
        "login_required",
    }
)  # fmt: skip
_TEMPORARY: Final = frozenset({"server_error", "temporarily_unavailable"})
_WRONG_SETUP: Final = frozenset(
    {
        "invalid_client", "invalid_request", "invalid_request_object", "invalid_request_uri", "invalid_scope",
        "invalid_target", "registration_not_supported", "request_not_supported", "request_uri_not_supported",
        "unauthorized_client", "unsupported_grant_type", "unsupported_response_type",
    }
)  # fmt: skip
"""Errors that another attempt cannot solve: RFC 6749 (4.1.2.1 and 5.2), RFC 8707, OpenID Connect Core (3.1.2.6)."""
UNLISTED: Final = "unlisted"


def refused(code: str) -> LaunchFailed:
    """Return the failure for an error code. Only codes of the standards are kept, because others may be any text."""
    if code in _WRONG_SETUP:
        return LaunchFailed("not_set_up", code)
    if code in _TEMPORARY:
        return LaunchFailed("no_answer", code)
    return LaunchFailed("refused", code if code in _REFUSED else UNLISTED)
