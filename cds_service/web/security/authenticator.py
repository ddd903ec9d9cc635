"""Authenticate calls by the client's token, or let them in without one if the site allows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from importlib import import_module

from fastapi import Request

from cds_service.adapters.clients.keys import KeyRing
from cds_service.adapters.clients.model import Caller, Clients
from cds_service.adapters.store.nonces import Nonces
from cds_service.base.errors import Unauthorized, WrongSetting
from cds_service.base.logs import get_log
from cds_service.base.networks import is_loopback
from cds_service.base.settings import Settings

log = get_log()


class Authenticator:
    """Checks the tokens of calls. One instance per process."""

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        keys: KeyRing,
        nonces: Nonces,
        refused: Callable[[str], None],
        clock: Callable[[], datetime],
    ) -> None:
        """``refused(reason)`` is called for each refused call; ``reason`` is a code.

        Raises:
            WrongSetting: no client could ever authenticate, or everybody could without the site's second confirmation.
        """
        self._settings = settings
        self._keys = keys
        self._nonces = nonces
        self._refused = refused
        self._clock = clock
        self.use(clients)
        if self.required:
            # Slow to load, and never needed where callers send no token; so not at the top, and not in the first call.
            import_module("cds_service.web.security.tokens")

    @property
    def required(self) -> bool:
        """Whether callers must send a token."""
        return self._settings.auth == "required"

    def use(self, clients: Clients) -> None:
        """Use these clients from now on.

        Raises:
            WrongSetting: the clients do not fit the settings.
        """
        _check(self._settings, clients)
        self._clients = clients
        self._keys.serve(clients if self.required else Clients(clients.everyone[:1], ()))

    async def authenticate(self, request: Request) -> Caller | None:
        """Return the caller that the token identifies, or None if the site requires no token. The body is not read.

        Raises:
            Unauthorized: the token is missing, wrong or already used.
        """
        if not self.required:
            return None
        from cds_service.web.security.tokens import verify

        now = self._clock().timestamp()
        try:
            header = request.headers.getlist("authorization")
            if len(header) != 1:
                raise Unauthorized("no_token" if not header else "several_headers")
            url = self._settings.base_url + request.url.path
            identity = verify(header[0], url, now, self._clients, self._keys.find)
            if not await self._nonces.first_use(identity.caller.name, identity.jti, identity.expires, now):
                raise Unauthorized("replay", issuer=identity.issuer, jti=identity.jti)
        except Unauthorized as error:
            self._refused(error.reason)
            log.warning("refused", reason=error.reason, **error.about)
            raise
        return identity.caller


def _check(settings: Settings, clients: Clients) -> None:
    if settings.auth == "required" and not clients.with_tokens:
        raise WrongSetting(
            "KNEE_CDS_AUTH=required, but no client has a token: add a [client.NAME.token] table to a client in "
            "KNEE_CDS_CLIENTS. To try the service with invented patients on this machine, set KNEE_CDS_AUTH=open."
        )
    if settings.auth == "open" and not is_loopback(settings.host) and not settings.open_on_network:
        raise WrongSetting(
            f"KNEE_CDS_AUTH=open lets in everybody who can reach {settings.host}. If this is intended, for instance "
            "because a proxy in front authenticates callers, set KNEE_CDS_OPEN_ON_NETWORK=true too."
        )
