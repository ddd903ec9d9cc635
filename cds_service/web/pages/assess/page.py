"""The assessment page of a launch: the chart as it was read, the answers, and "Save to the chart"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from cds_service.adapters.sealed_text import NotSealed
from cds_service.base.errors import StoreDown
from cds_service.base.logs import get_log
from cds_service.clinical.record import Side
from cds_service.rendering.assess_draft import AssessDraft
from cds_service.rendering.gaps import IncompletePart, incomplete_parts
from cds_service.service.assessment.form import AssessForm
from cds_service.service.assessment.observation import Signed, observation
from cds_service.service.assessment.result import Assessed, assessed
from cds_service.service.smart.chart import context_of, patient_words, read_chart, side_of, user_words
from cds_service.service.smart.ehr import Ehr, EhrRefused, Placing
from cds_service.web.form import is_from_here, read_form
from cds_service.web.pages.assess.view import AssessView
from cds_service.web.pages.layout import policy
from cds_service.web.pages.order.launched_page import SENDING_SECONDS, LaunchedPage

log = get_log()

MAX_CHART_IN_FORM = 12_000
"""Most characters of a sealed chart in a form. This is less than the limits for opening it and for a form."""
_AGAIN = ("unsure", "not_sent", "no_answer")
"""Outcomes after which "Save to the chart" may be pressed again."""
_STATUS = {
    "form_key": 403, "mistakes": 422, "invalid": 422, "exists": 409, "other_window": 409, "other_patient": 403,
    "unread": 502, "no_answer": 502,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AssessPage(LaunchedPage):
    """One request to the assessment page of one launch."""

    async def show(self) -> Response:
        """Read the chart again, and show it with the stored answers."""
        form = AssessForm.read(self.launch.answers or {})
        view = await self._view(form)
        if view.patient and view.patient != self.launch.patient_words:
            await self._keep(patient_words=view.patient)
        return self._drawn(view, self._standing())

    async def act(self, request: Request) -> Response:
        """Handle a form of the page: show the result, go on to the order, or save."""
        sent = await read_form(request)
        form, action = AssessForm.read(sent), sent.get("action", "")
        if self.launch.saving == "saved":  # an assessment that is saved in the chart cannot be changed here
            form = AssessForm.read(self.launch.answers or {})
        if not is_from_here(request) or not self.ticket.is_form_key(sent.get("key", "")):
            return self._drawn(self._frame(form, "form_key"), "form_key")
        view = await self._worked_out(form, sent.get("chart", ""))
        if action == "part":
            return self._part(view)
        if view.mistakes:
            return self._drawn(view, "mistakes")
        if action == "order":
            return await self._to_order(form, view)
        if action == "save":
            return await self._save(form, view)
        return self._drawn(view)

    # Showing the page.

    async def _view(self, form: AssessForm) -> AssessView:
        """Return the data of the page from the present chart. Without it there are no questions."""
        ehr = Ehr(self.deps.transport, self.launch, "Observation")
        try:
            patient, can_create = await self.deps.threads.do(lambda: (ehr.patient(), ehr.can_create()))
        except EhrRefused as error:
            return self._frame(form, error.why if error.why in ("expired", "other_patient") else "unread")
        draft, incomplete = await self._chart()
        if draft is None:
            return replace(self._frame(form, "unread"), incomplete=incomplete)
        may = can_create and bool(self.launch.user)
        note = "can_save" if may else ("not_taken" if self.launch.user else "nobody")
        view = self._of_chart(form, draft, note, may_save=may)
        return replace(view, patient=patient_words(patient))

    async def _chart(self) -> tuple[AssessDraft | None, tuple[IncompletePart, ...]]:
        """Return the present chart (None if it could not be judged) and its incomplete parts."""
        deps, now = self.deps, self.deps.clock()
        alone = replace(self.launch, answers=None)
        reading = await read_chart(deps.reader, deps.current.service, self.caller, alone, now)
        deps.auditing.chart(now, self.caller, self.launch, reading.parts)
        if reading.record is None:
            return None, reading.incomplete
        rule = self.launch.wanted["rule"] if self.launch.wanted else ""
        return AssessDraft.of_record(rule, side_of(self.launch), reading.record), reading.incomplete

    async def _worked_out(self, form: AssessForm, sealed: str) -> AssessView:
        """Return the data of the page from the chart in the form, without a request to the EHR.

        This also works after the token has expired. A chart that was too long for the form is read again.
        """
        try:
            draft = self.deps.links.assessed(sealed, self.deps.clock(), self.ticket.secret)
        except NotSealed:
            return await self._view(form)
        may = bool(self.launch.user) and Ehr(self.deps.transport, self.launch, "Observation").allowed
        note = "can_save" if may else ("not_taken" if self.launch.user else "nobody")
        return self._of_chart(form, draft, self._standing() or note, may_save=may)

    def _of_chart(self, form: AssessForm, draft: AssessDraft, note: str, *, may_save: bool) -> AssessView:
        links, now = self.deps.links, self.deps.clock()
        service, context = self.deps.current.service, context_of(self.launch)
        found = assessed(service, self.caller, draft.record, draft.side, draft.rule, form, now, context)
        incomplete = incomplete_parts(draft.record)
        if found is None:
            return replace(self._frame(form, "nothing"), incomplete=incomplete)
        chart = links.assess_sealed(draft, self.until, self.ticket.secret)
        may_save = may_save and self.launch.saving != "saved"
        carried = chart if len(chart) <= MAX_CHART_IN_FORM else ""
        view = replace(self._frame(form, note), assessed=found, incomplete=incomplete, chart=carried, may_save=may_save)
        mistakes = form.mistakes(self.content)
        if not found.asked.is_for(form):
            mistakes |= {"assess": self.content.texts.assess.mistakes.leg.fill()}
        return replace(view, mistakes=mistakes)

    def _frame(self, form: AssessForm, note: str) -> AssessView:
        return AssessView(
            content=self.content,
            form=form,
            note=note,
            action=f"/assess/launched/{self.ticket.id}",
            key=self.ticket.form_key(),
            patient=self.launch.patient_words,
            banner=self.launch.banner,
            signer=self.launch.user,
            saved=self.launch.saved,
        )

    def _standing(self) -> str:
        """Return the outcome of saving before this request; empty if nothing was sent."""
        if self.launch.saving == "sending":
            waits = self.deps.clock().timestamp() - self.launch.saving_at < SENDING_SECONDS
            return "being_saved" if waits else "unsure"
        return self.launch.saving

    def _drawn(self, view: AssessView, note: str = "") -> Response:
        """Render the page. ``note``: key of the notice to show instead of the one in ``view``."""
        view = replace(view, note=note or view.note)
        ancestors = self.caller.client.frame_ancestors
        status = _STATUS.get(view.note, 200)
        return self.deps.pages.page(
            "assess.html", status=status, view=view, content=view.content, framed_by=ancestors, forms=True
        )

    def _part(self, view: AssessView) -> Response:
        ancestors = self.caller.client.frame_ancestors
        return self.deps.pages.page(
            "assess_result.html", view=view, content=view.content, framed_by=ancestors, forms=True
        )

    # Ordering and saving.

    async def _to_order(self, form: AssessForm, view: AssessView) -> Response:
        """Store the answers and go to the order page of this launch, which reads the chart and the answers again."""
        if await self._noted(view, answers=form.as_sent()) is None:
            return self._drawn(
                view, "other_window"
            )  # without these answers the order would differ from the one shown here
        ancestors = self.caller.client.frame_ancestors
        return RedirectResponse(f"/orders/launched/{self.ticket.id}", 303, policy(ancestors))

    async def _save(self, form: AssessForm, view: AssessView) -> Response:
        """Save the assessment. Only the request that changes the stage first saves; a second one finds it saved."""
        if self._standing() in ("being_saved", "saved"):
            return self._drawn(view, self._standing())
        if self._standing() == "unsure":
            return await self._looked_for(view)
        if view.assessed is None:
            await self._noted(view, answers=form.as_sent())
            return self._drawn(view)  # the page gives the reason and keeps the input
        if view.assessed.answers.is_empty:
            return self._drawn(view, "empty")
        if view.assessed.side not in (Side.LEFT, Side.RIGHT):
            wrong = {"side": self.content.texts.assess.mistakes.side.fill()}
            return self._drawn(replace(view, mistakes=wrong), "mistakes")
        now = self.deps.clock().timestamp()
        sending = await self._keep(saving="sending", saving_at=now, answers=form.as_sent(), sent=form.as_sent())
        if sending is None:
            return await (await self._again()).show()
        try:
            outcome, placing, judged = await sending._attempt(form)
        except BaseException:
            await sending._keep(saving="unsure")  # a fault of this service, perhaps after sending
            raise
        saved = dict(placing.order) if placing and placing.order else None
        note = "saved" if outcome == "placed" else outcome
        if placing is not None:
            self.deps.auditing.assessment(self.deps.clock(), self.caller, self.launch, placing.outcome)
            log.info("assessment", client=self.caller.name, reason=placing.outcome)
        try:
            if note == "saved":  # another window may have stored other answers in the meantime
                await sending._noted(judged, saving=note, saved=saved, answers=form.as_sent())
            else:
                await sending._noted(None, saving="unsure" if note == "unsure" else "")
        except StoreDown:
            log.error("assessment_not_noted", client=self.caller.name)  # the reader still sees the outcome
        issues = tuple(issue.words for issue in placing.issues) if placing else ()
        view = judged or view  # the data that were sent, if any
        return self._drawn(replace(view, issues=issues, saved=saved, may_save=note in _AGAIN), note)

    async def _looked_for(self, view: AssessView) -> Response:
        """Search the EHR for the assessment of this launch before anything else is sent."""
        ehr = Ehr(self.deps.transport, self.launch, "Observation")
        try:
            found = await self.deps.threads.do(ehr.find)
        except EhrRefused as error:
            return self._drawn(view, "expired" if error.why == "expired" else "unsure")
        if not found:
            kept = await self._keep(saving="")
            return self._drawn(view, "not_found") if kept else await (await self._again()).show()
        saved = await self._view(AssessForm.read(self.launch.sent or {}))  # this may differ from the present input
        kept = await self._noted(saved, saving="saved", saved=dict(found), answers=self.launch.sent)
        return await (kept or await self._again()).show()

    async def _attempt(self, form: AssessForm) -> tuple[str, Placing | None, AssessView | None]:
        """Save, and return the outcome. Checks the patient and judges the chart as read again, before sending."""
        deps, launch = self.deps, self.launch
        if not launch.user:
            return "nobody", None, None
        ehr = Ehr(deps.transport, launch, "Observation")
        try:
            can_create, fits, _, user = await deps.threads.do(
                lambda: (ehr.can_create(), ehr.encounter_fits(), ehr.patient(), ehr.user())
            )
        except EhrRefused as error:
            return error.why, None, None
        if not fits or not can_create:
            return "not_taken" if fits else "other_patient", None, None
        draft, _ = await self._chart()
        view = self._of_chart(form, draft, "can_save", may_save=True) if draft else None
        if view is None or view.assessed is None:
            return "no_answer", None, None
        if view.mistakes:
            return "mistakes", None, view
        resource = self._resource(view.assessed, user_words(user))
        placing = await deps.threads.do(lambda: ehr.place(resource))
        return placing.outcome, placing, view

    async def _noted(self, view: AssessView | None, **changes: object) -> Self | None:
        """Store ``changes``, also if another window of this launch was first: its other changes are kept.

        Returns None if another window was first twice. ``view``: an assessment that led to an order or was saved. It
        is counted once for each launch.
        """
        found = view.assessed if view else None
        counts = found is not None and not found.answers.is_empty
        page, kept = self, None
        for again in (False, True):
            page = await self._again() if again else page
            kept = await page._keep(**changes, counted=counts or page.launch.counted)
            if kept is not None:
                break
        if found is not None and counts and kept is not None and not page.launch.counted:
            await self._count(found)
        return kept

    async def _count(self, found: Assessed) -> None:
        launch, deps = self.launch, self.deps
        rule, version = launch.wanted["rule"] if launch.wanted else "", deps.current.service.content.version
        await deps.threads.do(
            lambda: deps.counts.count(
                deps.clock(), launch.client, rule, version, found.answered, complete=found.is_complete
            )
        )

    def _resource(self, found: Assessed, name: str) -> Mapping[str, object]:
        launch = self.launch
        signed = Signed(launch.patient, launch.encounter, launch.user, launch.assessment, name)
        answers = replace(found.answers, side=found.side)
        return observation(self.deps.current.service.content, answers, found.wells, self.deps.clock(), signed)
