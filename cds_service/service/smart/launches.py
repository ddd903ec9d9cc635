"""Launches of the order page and the assessment page.

They are stored sealed, and only the browser that began a launch can open it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from cds_service.adapters.sealed_text import NotSealed, Seal
from cds_service.adapters.store.store import DatabaseError, Store
from cds_service.base.errors import StoreDown

_PURPOSE = "launch"
TO_SIGN_IN = 600
"""Longest time from the launch to the EHR's response, in seconds."""


class LaunchFailed(Exception):
    """A launch failed. ``why``: a code, for which the page has a text. ``said``: the EHR's error code."""

    def __init__(self, why: str, said: str = "") -> None:
        self.why = why
        self.said = said
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Launch:
    """One launch: the values that the EHR's response is checked against, and later what the EHR granted.

    Attributes:
        client: name of the client.
        iss: FHIR base URL of the EHR.
        verifier: PKCE code verifier.
        nonce: nonce for the id token.
        token_url, jwks_url, issuer: from the EHR's SMART configuration; ``jwks_url`` and ``issuer`` may be empty.
        token: the EHR's access token; empty until it is granted.
        expires: when the token expires, in seconds since 1970.
        user: ``Practitioner/id`` or ``PractitionerRole/id`` in the EHR; empty if it is not named.
        banner: whether the page must show the patient.
        wanted: what the card proposed; None if the launch did not carry it, or came too late.
        order: uuid of the one order that this launch may place.
        stage: state of that order; ``unsure`` if it was sent and its outcome is uncertain.
        patient_words: name, birth date and the like, as read.
        sent_at: when sending began, in seconds since 1970.
        page: the page that was opened.
        answers: answers on the assessment page, as its form sent them.
        sent: the answers that were sent to the EHR to be saved.
        counted: whether this use of the assessment page has been counted.
        assessment: uuid of the one assessment that this launch may save.
        saving, saved, saving_at: as ``stage``, ``placed`` and ``sent_at``, for the assessment.
    """

    client: str
    iss: str
    verifier: str
    nonce: str
    token_url: str
    jwks_url: str
    issuer: str
    order: str
    token: str = ""
    expires: float = 0.0
    scope: str = ""
    patient: str = ""
    encounter: str = ""
    user: str = ""
    banner: bool = True
    wanted: dict[str, str] | None = None
    stage: Literal["signing in", "open", "sending", "unsure", "placed"] = "signing in"
    patient_words: str = ""
    placed: dict[str, str] | None = None
    sent_at: float = 0.0
    page: Literal["order", "assess"] = "order"
    assessment: str = ""
    answers: dict[str, str] | None = None
    sent: dict[str, str] | None = None
    counted: bool = False
    saving: Literal["", "sending", "unsure", "saved"] = ""
    saved: dict[str, str] | None = None
    saving_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Ticket:
    """The key to a launch. ``id`` is in URLs, ``secret`` only in a cookie of the browser that began the launch."""

    id: str
    secret: str

    @classmethod
    def new(cls) -> Ticket:
        """Return a random ticket: an id of 128 bits and a secret of 256 bits."""
        return cls(secrets.token_urlsafe(16), secrets.token_urlsafe(32))

    @property
    def row(self) -> str:
        """The id of the launch in the database."""
        return hashlib.sha256(self.id.encode()).hexdigest()

    def form_key(self) -> str:
        """Return the key for the forms of the page, which another site cannot know."""
        return hmac.new(self.secret.encode(), b"form", hashlib.sha256).hexdigest()

    def is_form_key(self, sent: str) -> bool:
        """Return whether a form was sent from our own page."""
        return hmac.compare_digest(self.form_key().encode(), sent.encode())


@dataclass(frozen=True, slots=True)
class Opened:
    """A launch as it was read from the database, with its version."""

    launch: Launch
    version: int


class Launches:
    """Stores launches. Every method blocks."""

    def __init__(self, store: Store, seal: Seal) -> None:
        self._store = store
        self._seal = seal

    def begin(self, ticket: Ticket, launch: Launch, now: datetime) -> None:
        """Store a new launch.

        Raises:
            StoreDown: the database is down.
        """
        until = now.timestamp() + TO_SIGN_IN
        try:
            self._store.begin_launch(ticket.row, self._closed(ticket, launch, until), _moment(until))
        except (DatabaseError, OSError) as error:
            raise StoreDown("the launch could not be stored") from error

    def open(self, ticket: Ticket, now: datetime) -> Opened:
        """Return the launch of this browser.

        Raises:
            LaunchFailed: the launch has expired or does not exist, or another browser began it.
            StoreDown: the database is down.
        """
        try:
            row = self._store.launch(ticket.row)
        except (DatabaseError, OSError) as error:
            raise StoreDown("the launch could not be read") from error
        if row is None:
            raise LaunchFailed("over")
        state, version = row
        try:
            value = self._seal.open(_PURPOSE, state, now.timestamp(), ticket.secret)
        except NotSealed as error:
            raise LaunchFailed("over" if error.late else "other_browser") from error
        try:
            return Opened(Launch(**value), version)
        except TypeError as error:  # stored by another version of this service
            raise LaunchFailed("over") from error

    def change(self, ticket: Ticket, opened: Opened, *, until: float, **changes: Any) -> Opened | None:
        """Store the launch with ``changes`` and return it; None if it was changed since it was opened.

        ``until``: new end of the launch, in seconds since 1970.

        Raises:
            StoreDown: the database is down.
        """
        launch = replace(opened.launch, **changes)
        state = self._closed(ticket, launch, until)
        try:
            done = self._store.continue_launch(ticket.row, state, opened.version, _moment(until))
        except (DatabaseError, OSError) as error:
            raise StoreDown("the launch could not be stored") from error
        return Opened(launch, opened.version + 1) if done else None

    def _closed(self, ticket: Ticket, launch: Launch, until: float) -> str:
        return self._seal.close(_PURPOSE, asdict(launch), until, ticket.secret)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
