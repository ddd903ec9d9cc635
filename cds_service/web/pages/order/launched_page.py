"""The base of the order page and the assessment page: who opened the launch, and its stored state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from fastapi import Request

from cds_service.adapters.clients.model import Caller
from cds_service.clinical.content.catalogue import Content
from cds_service.service.smart.launches import Launch, LaunchFailed, Opened, Ticket
from cds_service.web.pages.order.cookies import ticket_of
from cds_service.web.pages.order.dependencies import Dependencies

SENDING_SECONDS = 60
"""After this time, a request that was sending has certainly ended."""
AFTERWARDS = 600
"""How long a page can be opened after its token has expired."""


@dataclass(frozen=True, slots=True)
class LaunchedPage:
    """One request to a page of one launch."""

    deps: Dependencies
    ticket: Ticket
    opened: Opened
    caller: Caller

    @classmethod
    async def of(cls, deps: Dependencies, request: Request, launch: str) -> Self:
        """Return the page of this browser's launch.

        Raises:
            LaunchFailed: there is none. StoreDown: the database is down.
        """
        return await cls._read(deps, ticket_of(request, launch, https=deps.https))

    @classmethod
    async def _read(cls, deps: Dependencies, ticket: Ticket) -> Self:
        opened = await deps.threads.do(lambda: deps.launches.open(ticket, deps.clock()))
        if opened.launch.stage == "signing in":
            raise LaunchFailed("over")
        return cls(deps, ticket, opened, deps.caller(opened.launch))

    async def _again(self) -> Self:
        """Return the page with the state that another request has stored."""
        return await self._read(self.deps, self.ticket)

    @property
    def launch(self) -> Launch:
        """The launch as it was when this request began."""
        return self.opened.launch

    @property
    def content(self) -> Content:
        """The content in the language of the client."""
        return self.deps.current.service.words_for(self.caller)

    @property
    def until(self) -> float:
        """Time until which the page and its data can be opened, in seconds since 1970."""
        return max(self.launch.expires, self.deps.clock().timestamp()) + AFTERWARDS

    async def _keep(self, **changes: object) -> Self | None:
        """Store changes of the launch. Returns the changed page, or None if another request was first."""
        until = self.until
        opened = await self.deps.threads.do(
            lambda: self.deps.launches.change(self.ticket, self.opened, until=until, **changes)
        )
        return type(self)(self.deps, self.ticket, opened, self.caller) if opened else None
