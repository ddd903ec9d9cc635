"""The home page: what this service is, a sample card, and links to its parts."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response

from cds_service.base.settings import Settings
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.names import DVT_RULE
from cds_service.protocol.services import POSTERIOR_KNEE_PAIN
from cds_service.web.current_service import CurrentService
from cds_service.web.openapi import errors
from cds_service.web.pages.layout import Pages


def add_home_page(app: FastAPI, settings: Settings, current: CurrentService, pages: Pages) -> None:
    """Add ``GET /``."""

    @app.get("/", summary="First page", response_class=HTMLResponse, responses=errors())
    async def home() -> Response:
        content = current.service.content
        return pages.page(
            "home.html",
            content=content,
            base_url=settings.base_url,
            service_id=POSTERIOR_KNEE_PAIN.id,
            sandbox=settings.sandbox,
            reviewed=reviewed_words(content),
            all_reviewed=all(cause.review.by for cause in content.causes.values()),
            pictured=content.red_flags[DVT_RULE].card,
            buttons=[content.orders[key].button for key in content.red_flags[DVT_RULE].card.consider[:2]],
        )


def reviewed_words(content: Content) -> str:
    """Return in words how many causes a clinician has reviewed."""
    signed = sum(bool(cause.review.by) for cause in content.causes.values())
    if not signed:
        return "Not clinically reviewed"
    return f"{signed} of {len(content.causes)} causes clinically reviewed"
