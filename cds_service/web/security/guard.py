"""The checks between the network and a route: authentication, body limits and rate limits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request

from cds_service.adapters.clients.model import Caller
from cds_service.base.strict_json import parse
from cds_service.web.body import Bodies, Body, Parse
from cds_service.web.security.authenticator import Authenticator
from cds_service.web.security.rate_limits import RateLimits


@dataclass(frozen=True, slots=True)
class Guard:
    """The three checks, in the order in which a call passes them."""

    authenticator: Authenticator
    bodies: Bodies
    rate_limits: RateLimits

    async def authenticate(self, request: Request) -> Caller | None:
        """Authenticate a call before its body is read. Returns None if the site requires no token.

        Raises:
            Unauthorized: the token is missing or wrong.
            TooMuch: the client has used up its calls of this minute.
        """
        authenticated = await self.authenticator.authenticate(request)
        if authenticated is not None:
            await self.rate_limits.take(authenticated)
        return authenticated

    async def read(self, request: Request, authenticated: Caller | None, parse: Parse = parse) -> Body:
        """Return the body as JSON, within the limits of the client or the site. Raises as ``Bodies.read`` does."""
        return await self.bodies.read(request, authenticated.client.limits.body_bytes if authenticated else None, parse)

    @asynccontextmanager
    async def working(self, caller: Caller, authenticated: Caller | None) -> AsyncIterator[None]:
        """Count the call as in progress while the context is open.

        Raises:
            TooMuch: the client or the service has too many calls in progress.
        """
        if authenticated is None:
            await self.rate_limits.take(caller)
        with self.rate_limits.working(caller):
            yield
