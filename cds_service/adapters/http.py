"""The way to all outgoing connections."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from cds_service.adapters.http_terms import Terms

if TYPE_CHECKING:
    from cds_service.adapters.http_client import Client


class Transport:
    """The HTTP client with its pools. It is loaded for the first request, as many a site has no server to ask."""

    def __init__(self, terms: Terms) -> None:
        """Connect to nothing yet.

        Raises:
            OSError: the site's own CA certificates cannot be read.
        """
        self._terms = terms
        self._client: Client | None = None
        self._lock = threading.Lock()
        if terms.ca_bundle is not None:
            self.prepare()

    @property
    def client(self) -> Client:
        """The client. The first caller waits until it is loaded."""
        return self._client or self.prepare()

    def prepare(self) -> Client:
        """Load the client now, so that no request waits for it."""
        from cds_service.adapters.http_client import Client

        with self._lock:
            if self._client is None:
                self._client = Client(self._terms)
            return self._client

    def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            self._client.close()
