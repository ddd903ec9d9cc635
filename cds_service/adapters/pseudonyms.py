"""Keyed hashes of users, patients and encounters. The same person has the same hash. Without the key it is useless."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from cds_service.base.logs import get_log
from cds_service.protocol.messages import Context

log = get_log()

_HASHED_USERS = ("Patient/", "RelatedPerson/")


@dataclass(frozen=True, slots=True)
class Requester:
    """The client, user, patient and encounter of one call.

    Attributes:
        client: name of the client.
        user: ``Practitioner/id`` or ``PractitionerRole/id`` as sent; a hash if the user is a patient or relative.
        patient_key, user_key, encounter_key: keyed hashes, unique within the client and its FHIR server.
    """

    client: str
    user: str
    patient_key: str
    user_key: str
    encounter_key: str | None


class KeyedHash:
    """HMAC-SHA-256 under the site's key, cut to 128 bits."""

    def __init__(self, key: str | None) -> None:
        """``key``: the site's key. None for a random key: then hashes cannot be compared after a restart."""
        if key is None:
            log.warning(
                "no_hash_key", message="KNEE_CDS_HASH_KEY is not set: answered cards are forgotten at every restart"
            )
        self._key = key.encode() if key is not None else secrets.token_bytes(32)

    def of(self, *parts: str) -> str:
        """Return the hash of ``parts`` in order; 32 hexadecimal digits."""
        sized = b"".join(b"%d:%s" % (len(part), part) for part in map(str.encode, parts))
        return hmac.new(self._key, sized, hashlib.sha256).hexdigest()[:32]

    def requester(self, client: str, fhir_server: str | None, context: Context) -> Requester:
        """Return the requester of a call. Every hash includes the FHIR server, because ids are unique only there."""
        where = (client, fhir_server or "")
        user_key = self.of("user", *where, context.userId)
        encounter = context.encounterId
        return Requester(
            client=client,
            user=user_key if context.userId.startswith(_HASHED_USERS) else context.userId,
            patient_key=self.of("patient", *where, context.patientId),
            user_key=user_key,
            encounter_key=self.of("encounter", *where, encounter) if encounter else None,
        )
