"""The order page of a launch: it shows the present chart, and sends the order for "Sign and send"."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastapi import Request
from fastapi.responses import Response

from cds_service.base.errors import StoreDown
from cds_service.base.logs import get_log
from cds_service.clinical.content.texts import Notice
from cds_service.rendering.order_draft import OrderDraft
from cds_service.rendering.orders.form import OrderForm, service_request
from cds_service.service.smart.chart import Reading, context_of, patient_words, read_chart
from cds_service.service.smart.ehr import Ehr, EhrRefused, Placing
from cds_service.web.form import is_from_here, read_form
from cds_service.web.pages.order.copy import plain_text
from cds_service.web.pages.order.launched_page import SENDING_SECONDS, LaunchedPage
from cds_service.web.pages.order.view import OrderView

log = get_log()

_FIELDS = {
    "code": "service",
    "category": "service",
    "priority": "priority",
    "bodySite": "side",
    "reasonCode": "indication",
    "note": "note",
}
"""Element of the ServiceRequest -> the field of the form for it."""
_STATUS = {"form_key": 403, "mistakes": 422, "invalid": 422, "same_order": 409, "exists": 409, "other_patient": 403}


@dataclass(frozen=True, slots=True)
class OrderPage(LaunchedPage):
    """One request to the order page of one launch."""

    def _notice(self, key: str) -> Notice:
        found: Notice = getattr(self.content.texts.page.order, key)
        return found

    async def show(self) -> Response:
        """Return the page for the present stage of the order."""
        if self.launch.stage == "placed":
            return self._placed(self.launch.placed or {})
        if self.launch.stage == "sending":
            if self.deps.clock().timestamp() - self.launch.sent_at < SENDING_SECONDS:
                return self._being_sent()
            return await self._looked_for(None)
        if self.launch.stage == "unsure":
            return await self._looked_for(None)
        return self._drawn(await self._view())

    async def act(self, request: Request) -> Response:
        """Handle a form of the page: show the text, send the order, or search for it."""
        sent = await read_form(request)
        form = OrderForm.read(sent)
        if sent.get("action") == "text":
            return plain_text(form.text(self.content, self.launch.patient_words))
        if not is_from_here(request) or not self.ticket.is_form_key(sent.get("key", "")):
            return self._drawn(await self._view(), form, "form_key")
        if self.launch.stage == "unsure":
            return await self._looked_for(
                form
            )  # whichever button was pressed, nothing is sent before the outcome is known
        if self.launch.stage != "open":
            return await self.show()
        if mistakes := form.mistakes(self.content):
            return self._drawn(replace(await self._view(), mistakes=mistakes), form, "mistakes")
        return await self._send(form, again=sent.get("again") == "yes")

    # Showing the page.

    async def _view(self) -> OrderView:
        """Return the data of the page from the present chart, or without it if it cannot be read."""
        ehr = Ehr(self.deps.transport, self.launch)
        try:
            patient, can_create = await self.deps.threads.do(lambda: (ehr.patient(), ehr.can_create()))
        except EhrRefused as error:
            return self._without_chart(error.why)
        words = patient_words(patient)
        if words != self.launch.patient_words:
            await self._keep(stage=self.launch.stage, patient_words=words)
        content = self.content
        reading = await self._reading()
        may = can_create and bool(self.launch.user)
        note = "can_place" if may else ("not_taken" if self.launch.user else "nobody")
        return replace(
            self._frame(reading.draft, OrderForm.preset(content, reading.draft), note),
            patient=words,
            may_send=may,
            basis=reading.basis,
            incomplete=reading.incomplete,
            same=reading.same,
        )

    async def _reading(self) -> Reading:
        deps, now = self.deps, self.deps.clock()
        reading = await read_chart(deps.reader, deps.current.service, self.caller, self.launch, now)
        deps.auditing.chart(now, self.caller, self.launch, reading.parts)
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

    def _drawn(self, view: OrderView, form: OrderForm | None = None, note: str = "") -> Response:
        """Render the page. ``form``: the input to show instead of the preset values."""
        view = replace(view, form=form or view.form, note=self._notice(note) if note else view.note)
        ancestors = self.caller.client.frame_ancestors
        status = _STATUS.get(note, 200)
        return self.deps.pages.page(
            "order.html", status=status, content=self.content, view=view, framed_by=ancestors, forms=True
        )

    def _placed(self, placed: object) -> Response:
        ancestors = self.caller.client.frame_ancestors
        patient = self.launch.patient_words
        return self.deps.pages.page(
            "order_placed.html",
            framed_by=ancestors,
            content=self.content,
            note=self._notice("placed"),
            patient=patient,
            placed=placed,
        )

    def _being_sent(self) -> Response:
        ancestors = self.caller.client.frame_ancestors
        address = f"/orders/launched/{self.ticket.id}"
        note = self._notice("being_sent")
        return self.deps.pages.page(
            "order_wait.html", framed_by=ancestors, content=self.content, note=note, address=address
        )

    # Sending the order.

    async def _send(self, form: OrderForm, *, again: bool) -> Response:
        """Send the order. Only the request that changes the stage first sends; a second one finds it sent or placed."""
        sending = await self._keep(stage="sending", sent_at=self.deps.clock().timestamp())
        if sending is None:
            return await (await self._again()).show()
        try:
            note, placing, reading = await sending._attempt(form, again=again)
        except BaseException:
            await sending._keep(stage="unsure")  # a fault of this service, perhaps after sending
            raise
        placed = dict(placing.order) if placing and placing.order else None
        if placing is not None:
            self.deps.auditing.order(self.deps.clock(), self.caller, self.launch, form.service, placing.outcome)
            log.info("order", client=self.caller.name, reason=placing.outcome)
        try:
            stage = note if note in ("placed", "unsure") else "open"
            await sending._keep(stage=stage, placed=placed)
        except StoreDown:
            log.error("order_not_noted", client=self.caller.name)  # the reader still sees the outcome
        if note == "placed":
            return self._placed(placed or {})
        issues = placing.issues if placing else ()
        mistakes = {
            _FIELDS[issue.element]: f"{self.content.pages.order.ehr_says} {issue.words}"
            for issue in issues
            if issue.element in _FIELDS
        }
        view = self._of_reading(reading, note) if reading else self._without_chart(note)
        view = replace(view, issues=tuple(issue.words for issue in issues), mistakes=mistakes)
        view = replace(view, ask_again=note == "same_order", check=note == "unsure")
        return self._drawn(view, form, note)

    async def _attempt(self, form: OrderForm, *, again: bool) -> tuple[str, Placing | None, Reading | None]:
        """Return the key of the notice, the outcome of the order, and the chart that was read for it."""
        deps, launch = self.deps, self.launch
        if not launch.user:
            return "nobody", None, None
        ehr = Ehr(deps.transport, launch)
        try:
            can_create, fits, _ = await deps.threads.do(lambda: (ehr.can_create(), ehr.encounter_fits(), ehr.patient()))
        except EhrRefused as error:
            return error.why, None, None
        if not fits or not can_create:
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
            deps.clock(),
        )
        placing = await deps.threads.do(lambda: ehr.place(resource))
        return placing.outcome, placing, reading

    def _of_reading(self, reading: Reading, note: str) -> OrderView:
        form = OrderForm.preset(self.content, reading.draft)
        view = self._frame(reading.draft, form, note)
        may = note in ("same_order", "invalid", "not_sent")
        return replace(view, may_send=may, basis=reading.basis, incomplete=reading.incomplete, same=reading.same)

    async def _looked_for(self, form: OrderForm | None) -> Response:
        """Search the EHR for the order of this launch, whose outcome is uncertain."""
        ehr = Ehr(self.deps.transport, self.launch)
        try:
            found = await self.deps.threads.do(ehr.find)
        except EhrRefused as error:
            note = "expired" if error.why == "expired" else "unsure"
            view = self._without_chart(error.why)
            return self._drawn(replace(view, check=note == "unsure"), form, note)
        if found:
            await self._keep(stage="placed", placed=dict(found))
            return self._placed(found)
        kept = await self._keep(stage="open")
        if kept is None:
            return await (await self._again()).show()
        return self._drawn(await kept._view(), form, "not_found")
