"""``knee-cds assess``: questions on the terminal, the note on standard output."""

from __future__ import annotations

from tests.cli.running import DAY, knee_cds
from tests.conftest import EXAMPLES

LIKELY = str(EXAMPLES / "dvt-likely.json")


def test_the_note_of_the_answers() -> None:
    done = knee_cds("assess", LIKELY, *DAY, given=b"n\nn\ny\nn\nn\n\n" + b"\n" * 40)
    assert done.returncode == 0
    note = done.stdout.decode()
    assert note.startswith("Wells 5, left leg, 16 Mar")
    assert "Yes: whole leg swollen." in note
    assert "No: active cancer; " in note
    assert "Tender deep veins (15 Mar), Observation/" in done.stderr.decode()
    assert "another diagnosis at least as likely" in note.split("Not examined:")[1]


def test_the_end_of_the_input_is_not_a_no() -> None:
    note = knee_cds("assess", LIKELY, *DAY, given=b"n\n").stdout.decode()
    assert note.startswith("Wells 4 to 8, left leg")
    assert "No: active cancer." in note


def test_girths() -> None:
    soft = str(EXAMPLES / "dvt-soft-sign-alone.json")
    note = knee_cds("assess", soft, *DAY, given=b"\n" * 5 + b"39.5\n36\n" + b"\n" * 40).stdout.decode()
    assert "this leg 39.5 cm, other leg 36 cm" in note


def test_girths_that_cannot_be_are_asked_again() -> None:
    """A mistyped number must not be dropped, nor one girth without the other."""
    soft = str(EXAMPLES / "dvt-soft-sign-alone.json")
    typed = b"\n" * 5 + b"395\n36\n" + b"39.5\n\n" + b"39.5\n36\n" + b"\n" * 40
    done = knee_cds("assess", soft, *DAY, given=typed)
    assert "10 cm below tibial tuberosity" in done.stderr.decode()
    assert done.stderr.decode().count("Give both girths in cm, from 10 to 100, or neither.") == 2
    assert "this leg 39.5 cm, other leg 36 cm" in done.stdout.decode()


def test_a_reason_against_an_anticoagulant() -> None:
    """The last question, for the note only."""
    shown = " ".join(knee_cds("assess", LIKELY, *DAY, given=b"\n" * 40).stderr.decode().split())
    assert shown.index("Such as active bleeding") > shown.index("To tell the causes apart")
    questions = shown.count("(y, n, or Enter: not examined)")
    done = knee_cds("assess", LIKELY, *DAY, given=b"\n" * (questions - 1) + b"y\n")
    assert "Something speaks against an anticoagulant." in done.stdout.decode()


def test_what_cannot_be_asked_about() -> None:
    quiet = knee_cds("assess", str(EXAMPLES / "nothing-at-all.json"), *DAY)
    assert quiet.returncode == 2
    assert b"no current complaint of a leg" in quiet.stderr
