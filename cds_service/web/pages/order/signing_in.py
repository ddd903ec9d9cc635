"""The SMART launch: the browser goes to the EHR to sign in and returns with a code."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from cds_service.adapters.clients.model import Caller
from cds_service.adapters.order_links import Page
from cds_service.adapters.sealed_text import NotSealed
from cds_service.base.logs import get_log
from cds_service.service.smart.launches import LaunchFailed, Ticket
from cds_service.service.smart.refusals import refused
from cds_service.web.pages.layout import policy
from cds_service.web.pages.order.cookies import give, ticket_of
from cds_service.web.pages.order.dependencies import Dependencies

log = get_log()


def redirect_uri(deps: Dependencies) -> str:
    """Return the redirect address that is registered with every EHR."""
    return f"{deps.base_url}/orders/callback"


async def launch(deps: Dependencies, iss: str, handle: str, page: Page = "order") -> Response:
    """Send the browser to sign in. ``handle``: the EHR's own for this launch.

    Raises:
        LaunchFailed: the EHR is unknown or does not answer.
        StoreDown: the launch cannot be stored.
    """
    from cds_service.service.smart import sign_in  # slow to load; few sites launch pages

    caller = deps.current.service.clients.launched_from(iss)
    if caller is None or caller.iss is None:
        raise LaunchFailed("unknown_ehr")
    deps.threads.count_launch(deps.clock().timestamp())
    ticket, known = Ticket.new(), caller.iss
    url, begun = await deps.threads.do(
        lambda: sign_in.begin(deps.transport, caller, known, handle, redirect_uri(deps), ticket.id, page)
    )
    await deps.threads.do(lambda: deps.launches.begin(ticket, begun, deps.clock()))
    answer = RedirectResponse(url, 303, policy(caller.client.frame_ancestors))
    give(answer, ticket, https=deps.https)
    return answer


async def callback(deps: Dependencies, request: Request, state: str, code: str, error: str) -> Response:
    """Handle the EHR's answer. The server exchanges the code for a token, which never reaches the browser.

    Raises:
        LaunchFailed: the sign-in failed.
        StoreDown: the database is down.
    """
    from cds_service.service.smart import sign_in

    ticket = ticket_of(request, state, https=deps.https)
    opened = await deps.threads.do(lambda: deps.launches.open(ticket, deps.clock()))
    caller = deps.caller(opened.launch)
    if opened.launch.stage != "signing in":
        raise LaunchFailed("over")
    if error:
        raise refused(error)
    signing = deps.current.service.clients.signing.get(caller.name)
    granted = await deps.threads.do(
        lambda: sign_in.finish(deps.transport, caller, signing, opened.launch, code, redirect_uri(deps), deps.clock())
    )
    wanted = _proposed_order(deps, granted.context, caller, granted.patient)
    changed = await deps.threads.do(
        lambda: deps.launches.change(
            ticket,
            opened,
            until=granted.expires,
            stage="open",
            token=granted.token,
            expires=granted.expires,
            scope=granted.scope,
            patient=granted.patient,
            encounter=granted.encounter,
            user=granted.user,
            banner=granted.banner,
            wanted=wanted,
            verifier="",
            nonce="",
        )
    )
    if changed is None:
        raise LaunchFailed("over")
    log.info("order_page_opened", client=caller.name)
    page = wanted["page"] if wanted else opened.launch.page
    where = "assess" if page == "assess" else "orders"
    return RedirectResponse(f"/{where}/launched/{ticket.id}", 303, policy(caller.client.frame_ancestors))


def _proposed_order(deps: Dependencies, context: str, caller: Caller, patient: str) -> dict[str, str] | None:
    """Return the order that the card proposed, or None if the launch has no valid one.

    Raises:
        LaunchFailed: the order is for another patient.
    """
    if not context:
        return None
    try:
        wanted = deps.links.context(context, deps.clock())
    except NotSealed:
        return None
    if wanted.patient != deps.links.patient_mark(caller, patient):
        raise LaunchFailed("other_patient")
    return {"rule": wanted.rule, "order": wanted.order, "side": wanted.side, "page": wanted.page}
