"""What the order page says when something does not go as it should: what happened, and what to do now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Words:
    """``title``: what happened, in a few words. ``text``: and what that means. ``tone``: of the note."""

    title: str
    text: str
    tone: Literal["critical", "warning", "info", "good"] = "warning"


_AGAIN = "Open the order again from the card in your EHR. Nothing has been placed."
_BY_HAND = "Nothing has been placed. Order in your own system, and telephone if it is for today."

LAUNCH: dict[str, Words] = {
    "unknown_ehr": Words(
        "This EHR is not known here",
        f"The page was opened from a system that this service has not been set up for. {_BY_HAND}",
    ),
    "no_launch": Words("Not opened from an EHR", f"This address only works when an EHR opens it. {_AGAIN}"),
    "no_smart": Words(
        "The EHR cannot sign you in",
        f"Its SMART configuration could not be read or lacks what is needed for a safe sign-in. {_BY_HAND}",
    ),
    "no_answer": Words("The EHR did not answer", f"Signing in took too long or failed on the way. {_AGAIN}"),
    "refused": Words("The EHR did not let you in", f"It refused the sign-in, or you stopped it. {_AGAIN}"),
    "not_set_up": Words(
        "This page is not set up rightly in your EHR",
        "The EHR refused the sign-in because of how this page is registered with it. Trying again will not help: tell "
        f"whoever looks after your EHR. {_BY_HAND}",
    ),
    "bad_answer": Words(
        "The EHR's answer cannot be used", f"What it sent at the sign-in is not what the standard asks for. {_BY_HAND}"
    ),
    "bad_identity": Words(
        "It is not certain who you are", f"The EHR's proof of who signed in could not be checked. {_BY_HAND}"
    ),
    "no_clinician": Words("Only for clinicians", "Orders are placed by clinicians. Nothing has been placed."),
    "no_patient": Words("No patient came with the launch", f"The EHR did not say whose chart is open. {_AGAIN}"),
    "over": Words("This page has expired", f"It was opened too long ago. {_AGAIN}"),
    "other_browser": Words(
        "Opened in another window",
        f"This order page belongs to another browser, or your browser does not keep the cookie that it needs. {_AGAIN}",
    ),
    "other_patient": Words(
        "Another patient",
        "The card was about one patient, and the EHR has opened this page for another. So that nothing is ordered for "
        f"the wrong one, it stops here. {_AGAIN}",
        "critical",
    ),
    "busy": Words("Too many at once", "Please try again in a moment. Nothing has been placed."),
    "down": Words(
        "The order page cannot work now",
        f"The service cannot keep what it needs for a sign-in. {_BY_HAND}",
    ),
}

NOTES: dict[str, Words] = {
    "can_place": Words("Not placed yet", "Nothing is sent until you press “Sign and send”.", "info"),
    "text_only": Words(
        "Nothing has been ordered",
        "This page cannot place the order in your system. Check the patient and the side, copy the text into your own "
        "order entry, and sign it there.",
    ),
    "not_taken": Words(
        "Nothing has been ordered",
        "Your EHR does not let this page place orders. Check the side, copy the text into your own order entry, and "
        "sign it there.",
    ),
    "nobody": Words(
        "Nothing has been ordered",
        "Your EHR did not say who you are, and an order needs somebody who signs it. Copy the text into your own "
        "order entry, and sign it there.",
    ),
    "expired_link": Words(
        "The facts are no longer with this link",
        "For privacy they go with it for half an hour only. Open the chart again for a fresh link, or fill the order "
        "in by hand. Nothing has been ordered.",
    ),
    "mistakes": Words("Not sent", "Something is missing. See the fields marked below.", "critical"),
    "same_order": Words(
        "Not sent: there is an order like this",
        "Look at the order below. If another one is meant, tick the box above the button and send again.",
        "warning",
    ),
    "expired": Words(
        "Your sign-in has ended: nothing has been placed",
        "Open the order again from the card in your EHR; what you wrote is kept below, to be copied.",
        "critical",
    ),
    "forbidden": Words(
        "Your system does not let this page place orders",
        "Nothing has been placed. Copy the text into your own order entry, and sign it there.",
        "critical",
    ),
    "no_answer": Words(
        "The EHR did not answer: nothing has been placed",
        "Send again in a moment, or copy the text into your own order entry.",
        "critical",
    ),
    "not_sent": Words(
        "The EHR could not be reached: nothing has been placed",
        "Send again in a moment, or copy the text into your own order entry.",
        "critical",
    ),
    "invalid": Words(
        "The EHR did not accept the order: nothing has been placed",
        "What it says stands below. Change the order and send again, or copy the text into your own order entry.",
        "critical",
    ),
    "exists": Words(
        "The EHR says there is such an order already",
        "Look for it in the chart before you order again. This page has placed nothing new.",
        "critical",
    ),
    "unsure": Words(
        "It is not certain whether the order was placed",
        "The EHR did not say, and could not be asked. Look in the chart before you order again. “Check again” "
        "asks it for this very order.",
        "critical",
    ),
    "not_found": Words(
        "The EHR does not have this order",
        "It was asked for it and has not got it. You can send it now; it will not be placed twice.",
        "warning",
    ),
    "being_sent": Words(
        "This order is being sent", "It was signed a moment ago. This page looks again by itself.", "info"
    ),
    "other_patient": Words(
        "Another patient: nothing has been placed",
        "What the EHR now gives is not the patient of this page. Open the order again from the card.",
        "critical",
    ),
    "form_key": Words(
        "Not sent", "The form did not come from this page. Look at it again and send it from here.", "critical"
    ),
    "placed": Words("Placed", "The EHR has taken the order. For a same-day assessment, telephone as well.", "good"),
}

BASIS: dict[str, str] = {
    "changed": "The chart has changed since the card was shown. Below is the order that it asks for now.",
    "none": "The chart, as it reads now, holds no reason for an urgent order. Nothing below is filled in from it.",
    "unread": "The chart could not be read well enough to be judged. Nothing below is filled in from it.",
}
