"""The public keys of the clients. They are fetched in the background, so that no call waits for a key server."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from cds_service.adapters.clients.model import Clients, TokenRules
from cds_service.adapters.http import Transport
from cds_service.adapters.http_terms import Deadline, NoAnswer, Terms
from cds_service.base.logs import get_log, place_of
from cds_service.base.networks import Networks
from cds_service.base.settings import Settings
from cds_service.base.worker import Worker

if TYPE_CHECKING:
    from cds_service.adapters.clients.jwks import Key, Keys

log = get_log()

REFRESH_SECONDS = 600.0
UNKNOWN_KID_SECONDS = 60.0
"""Seconds between fetches for unknown key ids, so that made-up ids cannot cause many fetches."""
STALE_SECONDS = 24 * 3600.0
"""How long keys are used while their server is down. Without a limit, a withdrawn key could be used for ever."""
FETCH_SECONDS = 5.0
MAX_BYTES = 262_144
_PAUSES = (2.0, 5.0, 10.0, 30.0, 60.0)


@dataclass(slots=True)
class _Source:
    """One JWK Set address, its keys and the state of fetching. Times are monotonic seconds."""

    url: str
    client: str
    keys: Keys
    fetched: float | None = None
    tried: float | None = None
    failures: int = 0
    why: str = ""
    due: float = 0.0


@dataclass(frozen=True, slots=True)
class SourceState:
    """The state of a source, for health and metrics.

    Attributes:
        client: name of the client.
        keys: number of usable keys.
        why: a code if the last fetch failed; else empty.
    """

    client: str
    keys: int
    why: str


class KeyRing:
    """The keys of all clients. Look-ups never block; a background thread fetches the keys."""

    def __init__(self, transport: Transport, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._clock = clock
        self._files: Mapping[str, Keys] = {}
        self._sources: dict[str, _Source] = {}
        self._worker = Worker("keys", self._run, self._log_fault)
        self._work = self._worker.work

    @classmethod
    def from_settings(cls, settings: Settings) -> KeyRing:
        """Build the key ring of a site, without clients."""
        bundle = str(settings.fhir_ca_bundle) if settings.fhir_ca_bundle else None
        return cls(
            Transport(
                Terms(
                    size=2,
                    per_call=FETCH_SECONDS,
                    ca_bundle=bundle,
                    networks=Networks.of(settings.private_networks),
                    max_bytes=MAX_BYTES,
                    accept="application/json",
                )
            )
        )

    def serve(self, clients: Clients) -> None:
        """Use the keys of these clients from now on. Keys that were fetched before are kept."""
        with self._work:
            self._files = files = clients.key_files
            known, self._sources = self._sources, {}
            for caller in clients.with_tokens:
                rules = caller.client.token
                if rules is not None and rules.jwks_url is not None and caller.name not in files:
                    url = rules.jwks_url
                    self._sources[url] = known.get(url) or _Source(url, caller.name, {})
            self._work.notify_all()
        if self._sources:
            # Loaded here, not in the background: libraries change the filters of warnings while they load, and a
            # second thread that does the same at that moment undoes it.
            self._transport.prepare()
            import_module("cds_service.adapters.clients.jwks")
            self._worker.start()

    def wait(self, seconds: float) -> bool:
        """Wait until every address was tried once. Return false if it takes longer. Use it only at the start."""
        with self._work:
            return self._work.wait_for(self._all_tried, seconds)

    def _all_tried(self) -> bool:
        return all(source.tried is not None for source in self._sources.values())

    def close(self) -> None:
        """Stop fetching."""
        self._worker.stop(0)  # a fetch in progress ends by its own time limit
        self._transport.close()

    def find(self, client: str, rules: TokenRules, kid: str) -> tuple[Key, ...]:
        """Return the client's keys with this id. If there is none, the key set is fetched again in the background."""
        if client in self._files:
            return self._files[client].get(kid, ())
        source = self._sources.get(rules.jwks_url or "")
        if source is None:
            return ()
        keys = source.keys.get(kid, ())
        if not keys:
            self._fetch_soon(source)
        return keys

    @property
    def states(self) -> Sequence[SourceState]:
        """The state of each key set address."""
        with self._work:
            return [
                SourceState(source.client, sum(len(keys) for keys in source.keys.values()), source.why)
                for source in self._sources.values()
            ]

    def _fetch_soon(self, source: _Source) -> None:
        with self._work:
            last = source.tried
            if last is not None and source.due > (soon := last + UNKNOWN_KID_SECONDS):
                source.due = soon
                self._work.notify_all()

    def _run(self) -> None:
        while True:
            with self._work:
                if self._worker.stopping:
                    return
                now = self._clock()
                due = [source for source in self._sources.values() if source.due <= now]
                if not due:
                    soonest = min((source.due for source in self._sources.values()), default=now + REFRESH_SECONDS)
                    self._work.wait(max(0.0, soonest - now))
                    continue
            for source in due:
                self._fetch(source)

    def _fetch(self, source: _Source) -> None:
        from cds_service.adapters.clients.jwks import read_keys  # its library is slow to load; many a site has no keys

        try:
            answer = self._transport.client.get(source.url, None, Deadline(time.monotonic() + FETCH_SECONDS))
            keys, refused = read_keys(answer)
            why = "" if keys else "no_keys"
        except NoAnswer as error:
            keys, refused, why = {}, (), error.why
        except ValueError:
            keys, refused, why = {}, (), "no_jwk_set"
        except Exception as error:  # noqa: BLE001 - one bad key server must not stop fetching from the others
            keys, refused, why = {}, (), type(error).__name__
            log.error("key_fetching_failed", client=source.client, error=why, place=place_of(error))
        with self._work:
            was, now = source.why, self._clock()
            source.tried = now
            if why:
                self._failed(source, why, now)
            else:
                source.keys, source.fetched, source.why, source.failures = keys, now, "", 0
                source.due = now + REFRESH_SECONDS
            self._work.notify_all()
        for words in refused:
            log.warning("key_refused", client=source.client, reason=words)
        if why and why != was:
            log.error("keys_not_fetched", client=source.client, reason=why, keys=len(source.keys))
        elif was and not why:
            log.warning("keys_fetched_again", client=source.client, keys=len(keys))

    def _log_fault(self, error: Exception) -> None:
        log.error("key_fetching_failed", error=type(error).__name__, place=place_of(error))

    def _failed(self, source: _Source, why: str, now: float) -> None:
        """Keep the present keys until they are too old. Call with the lock held."""
        source.why = why
        source.due = now + _PAUSES[min(source.failures, len(_PAUSES) - 1)]
        source.failures += 1
        if source.fetched is not None and now - source.fetched > STALE_SECONDS and source.keys:
            source.keys = {}
            log.error("keys_too_old", client=source.client)
