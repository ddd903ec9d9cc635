"""The order page of a SMART launch: what it shows of the present chart, and "Sign and send"."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastapi import Request
from fastapi.responses import Response

from cds_service.adapters.clients.model import Caller
from cds_service.base.errors import StoreDown
from cds_service.base.logs import get_log
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.texts import Notice
from cds_service.rendering.order_draft import OrderDraft
from cds_service.rendering.orders.form import OrderForm, service_request
from cds_service.service.smart.chart import Reading, context_of, patient_words, read_chart
from cds_service.service.smart.ehr import Ehr, EhrRefused, Placing
from cds_service.service.smart.launches import Launch, LaunchFailed, Opened, Ticket
from cds_service.web.form import is_from_here, read_form
from cds_service.web.pages.order.cookies import ticket_of
from cds_service.web.pages.order.copy import plain_text
from cds_service.web.pages.order.dependencies import Dependencies
from cds_service.web.pages.order.view import OrderView

log = get_log()

SENDING_SECONDS = 60
"""After this time a request that was sending an order has ended, with or without success."""
_AFTERWARDS = 600
"""How long a page can still be viewed after its token has expired."""
_FIELDS = {
    "code": "service",
    "category": "service",
    "priority": "priority",
    "bodySite": "side",
    "reasonCode": "indication",
    "note": "note",
}
"""Element of the ServiceRequest -> the form field for it."""
_STATUS = {"form_key": 403, "mistakes": 422, "invalid": 422, "same_order": 409, "exists": 409, "other_patient": 403}


@dataclass(frozen=True, slots=True)
class OrderPage:
    """One HTTP request to the page of one launch."""

    given: Dependencies
    ticket: Ticket
    opened: Opened
    caller: Caller

    @classmethod
    async def of(cls, given: Dependencies, request: Request, launch: str) -> OrderPage:
        """Return the page of this browser's launch.

        Raises:
            LaunchFailed: this browser has no such launch.
            StoreDown: the database is down.
        """
        return await cls._read(given, ticket_of(request, launch, https=given.https))

    @classmethod
    async def _read(cls, given: Dependencies, ticket: Ticket) -> OrderPage:
        opened = await given.threads.do(lambda: given.launches.open(ticket, given.clock()))
        if opened.launch.stage == "signing in":
            raise LaunchFailed("over")
        return cls(given, ticket, opened, given.caller(opened.launch))

    @property
    def launch(self) -> Launch:
        """The launch as it was at the start of this request."""
        return self.opened.launch

    @property
    def content(self) -> Content:
        """The content in the language of the client."""
        return self.given.running.service.words_for(self.caller)

    def _notice(self, key: str) -> Notice:
        notice: Notice = getattr(self.content.texts.page.order, key)
        return notice

    async def show(self) -> Response:
        """Return the page for the present stage of the launch."""
        if self.launch.stage == "placed":
            return self._placed(self.launch.placed or {})
        if self.launch.stage == "sending":
            if self.given.clock().timestamp() - self.launch.sent_at < SENDING_SECONDS:
                return self._being_sent()
            return await self._search_order(None)
        if self.launch.stage == "unsure":
            return await self._search_order(None)
        return self._rendered(await self._view())

    async def act(self, request: Request) -> Response:
        """Handle a form of the page: return the order's text, send the order, or search for it in the EHR."""
        sent = await read_form(request)
        form = OrderForm.read(sent)
        if sent.get("action") == "text":
            return plain_text(form.text(self.content, self.launch.patient_words))
        if not is_from_here(request) or not self.ticket.is_form_key(sent.get("key", "")):
            return self._rendered(await self._view(), form, "form_key")
        if self.launch.stage == "unsure":
            return await self._search_order(form)  # send nothing before it is known whether the order exists
        if self.launch.stage != "open":
            return await self.show()
        if mistakes := form.mistakes(self.content):
            return self._rendered(replace(await self._view(), mistakes=mistakes), form, "mistakes")
        return await self._send(form, again=sent.get("again") == "yes")

    # What is shown.

    async def _view(self) -> OrderView:
        """Return the view from the present chart, or a view without the chart if the EHR does not answer."""
        ehr = Ehr(self.given.transport, self.launch)
        try:
            patient, accepts = await self.given.threads.do(lambda: (ehr.patient(), ehr.accepts_orders()))
        except EhrRefused as error:
            return self._without_chart(error.why)
        words = patient_words(patient)
        if words != self.launch.patient_words:
            await self._keep(stage=self.launch.stage, patient_words=words)
        content = self.content
        reading = await self._reading()
        may_send = accepts and bool(self.launch.user)
        note = "can_place" if may_send else ("not_taken" if self.launch.user else "nobody")
        return replace(
            self._frame(reading.draft, OrderForm.preset(content, reading.draft), note),
            patient=words,
            may_send=may_send,
            basis=reading.basis,
            incomplete=reading.incomplete,
            same=reading.same,
        )

    async def _reading(self) -> Reading:
        given, now = self.given, self.given.clock()
        reading = await read_chart(given.reader, given.running.service, self.caller, self.launch, now)
        given.auditing.chart(now, self.caller, self.launch, reading.parts)
        return reading

    def _without_chart(self, note: str) -> OrderView:
        content = self.content
        wanted = self.launch.wanted["order"] if self.launch.wanted else ""
        bare = OrderDraft.bare(content, wanted if wanted in content.orders else content.dvt_orders[0])
        return self._frame(bare, OrderForm.preset(content, bare), note)

    def _frame(self, draft: OrderDraft, form: OrderForm, note: str) -> OrderView:
        return OrderView(
            content=self.content,
            draft=draft,
            form=form,
            note=self._notice(note),
            action=f"/orders/launched/{self.ticket.id}",
            patient=self.launch.patient_words,
            banner=self.launch.banner,
            key=self.ticket.form_key(),
            basis="unread",
            signer=self.launch.user,
            encounter=self.launch.encounter,
        )

    def _rendered(self, view: OrderView, form: OrderForm | None = None, note: str = "") -> Response:
        """Render the view. ``form``: the clinician's entries, which replace the preset ones."""
        view = replace(view, form=form or view.form, note=self._notice(note) if note else view.note)
        ancestors = self.caller.client.frame_ancestors
        status = _STATUS.get(note, 200)
        return self.given.pages.page("order.html", status=status, view=view, framed_by=ancestors, forms=True)

    def _placed(self, placed: object) -> Response:
        ancestors = self.caller.client.frame_ancestors
        patient = self.launch.patient_words
        return self.given.pages.page(
            "order_placed.html", framed_by=ancestors, note=self._notice("placed"), patient=patient, placed=placed
        )

    def _being_sent(self) -> Response:
        ancestors = self.caller.client.frame_ancestors
        address = f"/orders/launched/{self.ticket.id}"
        note = self._notice("being_sent")
        return self.given.pages.page("order_wait.html", framed_by=ancestors, note=note, address=address)

    # What is done.

    async def _send(self, form: OrderForm, *, again: bool) -> Response:
        """Send the order. Only the request that changes the stage first sends; a second press shows the result."""
        sending = await self._keep(stage="sending", sent_at=self.given.clock().timestamp())
        if sending is None:
            return await (await self._read(self.given, self.ticket)).show()
        try:
            note, placing, reading = await sending._attempt(form, again=again)
        except BaseException:
            await sending._keep(stage="unsure")  # the error may have happened after the order was sent
            raise
        placed = dict(placing.order) if placing and placing.order else None
        if placing is not None:
            self.given.auditing.order(self.given.clock(), self.caller, self.launch, form.service, placing.fate)
            log.info("order", client=self.caller.name, reason=placing.fate)
        try:
            stage = note if note in ("placed", "unsure") else "open"
            await sending._keep(stage=stage, placed=placed)
        except StoreDown:
            log.error("order_not_noted", client=self.caller.name)  # the page still shows the outcome
        if note == "placed":
            return self._placed(placed or {})
        issues = placing.issues if placing else ()
        mistakes = {
            _FIELDS[issue.element]: f"The EHR says: {issue.words}" for issue in issues if issue.element in _FIELDS
        }
        view = self._of_reading(reading, note) if reading else self._without_chart(note)
        view = replace(view, issues=tuple(issue.words for issue in issues), mistakes=mistakes)
        view = replace(view, ask_again=note == "same_order", check=note == "unsure")
        return self._rendered(view, form, note)

    async def _attempt(self, form: OrderForm, *, again: bool) -> tuple[str, Placing | None, Reading | None]:
        """Try to place the order. Returns the key of the notice, the outcome, and the chart as it was read for it."""
        given, launch = self.given, self.launch
        if not launch.user:
            return "nobody", None, None
        ehr = Ehr(given.transport, launch)
        try:
            accepts, fits, _ = await given.threads.do(
                lambda: (ehr.accepts_orders(), ehr.encounter_fits(), ehr.patient())
            )
        except EhrRefused as error:
            return error.why, None, None
        if not fits or not accepts:
            return "not_taken" if fits else "other_patient", None, None
        reading = await self._reading()
        if reading.same and not again:
            return "same_order", None, reading
        content = self.content
        resource = service_request(
            content,
            form,
            reading.draft,
            context_of(launch),
            self.caller.order_coding(form.service, form.side),
            launch.order,
            given.clock(),
        )
        placing = await given.threads.do(lambda: ehr.place(resource))
        return placing.fate, placing, reading

    def _of_reading(self, reading: Reading, note: str) -> OrderView:
        form = OrderForm.preset(self.content, reading.draft)
        view = self._frame(reading.draft, form, note)
        may_send = note in ("same_order", "invalid", "not_sent")
        return replace(view, may_send=may_send, basis=reading.basis, incomplete=reading.incomplete, same=reading.same)

    async def _search_order(self, form: OrderForm | None) -> Response:
        """Search the EHR for the order of this launch, when it is not known whether it was placed."""
        ehr = Ehr(self.given.transport, self.launch)
        try:
            order = await self.given.threads.do(ehr.find)
        except EhrRefused as error:
            note = "expired" if error.why == "expired" else "unsure"
            view = self._without_chart(error.why)
            return self._rendered(replace(view, check=note == "unsure"), form, note)
        if order:
            await self._keep(stage="placed", placed=dict(order))
            return self._placed(order)
        kept = await self._keep(stage="open")
        if kept is None:
            return await (await self._read(self.given, self.ticket)).show()
        return self._rendered(await kept._view(), form, "not_found")

    async def _keep(self, **changes: object) -> OrderPage | None:
        """Change the stored launch. Returns its page, or None if another request changed it first."""
        until = max(self.launch.expires, self.given.clock().timestamp()) + _AFTERWARDS
        opened = await self.given.threads.do(
            lambda: self.given.launches.change(self.ticket, self.opened, until=until, **changes)
        )
        return OrderPage(self.given, self.ticket, opened, self.caller) if opened else None
