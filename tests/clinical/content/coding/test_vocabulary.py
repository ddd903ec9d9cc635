"""The net of words: what a text may be about, with the reason, and what it is not about."""

from __future__ import annotations

import random
import time
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.vocabulary import COLUMNS, NOTHING, Vocabulary, Word, parse, plain
from cds_service.clinical.content.coding.word_net import Context, Rule, WordNet, sentences
from tests.conftest import ROOT

TABLE = ROOT / "cards" / "vocabulary" / "words.tsv"

FOUND = [
    # a place and a sign, in any order and form
    ("swollen left calf", "calf_swelling", "sign before place"),
    ("calf is swollen", "calf_swelling", "place before sign"),
    ("Swelling/pain L calf", "pain_calf", "a stroke between signs"),
    ("calf-swelling", "calf_swelling", "a hyphen"),
    ("LEG PAIN", "leg_pain", "capitals"),
    ("pain in the L lower leg", "lower_leg_pain", "the side as a letter"),
    ("knee swelling, left", "knee_swelling", "the side behind a comma"),
    ("left, swollen since Monday: knee", "knee_swelling", "place and sign on both sides of a comma"),
    ("pain behind left knee", "pain_behind_knee", "three words in any order"),
    ("knee: painful at the back of the joint", "pain_behind_knee", "a phrase of the table"),
    ("tender calf", "calf_tenderness", "tenderness"),
    ("popliteal pain", "pain_behind_knee", "the hollow of the knee"),
    ("lump behind knee", "swelling_behind_knee", "a lump"),
    ("Effusion, left knee", "knee_effusion", "an effusion"),
    # a clot
    ("DVT ?", "dvt", "a question"),
    ("r/o DVT", "dvt", "to be ruled out"),
    ("? clot in leg", "dvt", "a clot with its place"),
    ("VTE", "dvt", "an acronym"),
    ("Phlegmasia cerulea dolens", "dvt", "a form of it"),
    ("saddle embolus of pulmonary artery", "pulmonary_embolism", "an artery of the lung"),
    # what denies is not read: the row stays possible
    ("no evidence of DVT", "dvt", "a denial in words is no proof"),
    ("DVT excluded", "dvt", "a denial in words is no proof"),
    ("no calf swelling", "calf_swelling", "a denial in words is no proof"),
    # words around it that are overruled, or belong to something else
    ("DVT left leg, family history of cancer", "dvt", "family history of something else"),
    ("DVT. Family history of cancer.", "dvt", "another sentence"),
    ("DVT family history of cancer", "dvt", "family history of what stands behind it"),
    ("Acute DVT of left leg despite prophylaxis", "dvt", "a side and `acute`"),
    ("DVT suspected, prophylaxis given", "dvt", "another part of the sentence"),
    ("prophylaxis stopped, DVT", "dvt", "prophylaxis does not reach over a comma"),
    ("thromboprophylaxis given, calf swollen", "calf_swelling", "a sign is no disease"),
    ("mother reports swollen calf", "calf_swelling", "a sign is not of the family"),
    ("Thrombosis of arm and leg", "dvt", "an arm and a leg"),
    ("3 week history of DVT", "dvt", "a history of weeks is the present"),
    ("low back pain radiating to left leg", "leg_pain", "the pain goes to the leg"),
    ("history of DVT 2009", "previous_dvt", "an old one"),
    ("Z.n. TVT 2015", "previous_dvt", "German for an old one; points within abbreviations"),
    ("family history of DVT", "thrombophilia", "family history of clots is a finding of its own"),
    ("FH: DVT", "thrombophilia", "an abbreviation"),
    ("FH: diabetes, DVT", "thrombophilia", "a list"),
    ("DVT in father", "thrombophilia", "the word behind it"),
    # cancer and pregnancy
    ("Secondary malignant neoplasm of ampulla of Vater", "malignancy_on_record", "no German father"),
    ("Mammakarzinom", "malignancy_on_record", "a German compound"),
    ("pregnancy test positive", "pregnancy", "a test that is positive"),
    ("Überwachung einer Risikoschwangerschaft", "pregnancy", "a risk within the word"),
    ("Placenta praevia in pregnancy", "pregnancy", "a Latin word"),
    # languages
    ("Wadenschmerzen re.", "pain_calf", "German compound"),
    ("Wade li. geschwollen", "calf_swelling", "German, point behind an abbreviation"),
    ("Beinschwellung", "leg_swelling", "German compound of both"),
    ("Schmerzen in der Kniekehle", "pain_behind_knee", "German"),
    ("V.a. TVT", "dvt", "German for suspected"),
    ("Beinvenenthrombose", "dvt", "German compound"),
    ("douleur au mollet gauche", "pain_calf", "French"),
    ("OEDÈME DU MEMBRE INFÉRIEUR", "leg_swelling", "French, capitals with accents"),
    ("mollet gonfle\u0301", "calf_swelling", "French, the accent as a character of its own"),
    ("oede\u0300me du mollet", "calf_swelling", "French, the accent within the part that is looked for"),
    ("thrombose veineuse profonde", "dvt", "French"),
    ("antécédents familiaux de thrombose veineuse", "thrombophilia", "French"),
    ("pijn in de kuit", "pain_calf", "Dutch"),
    ("gezwollen been", "leg_swelling", "Dutch"),
    ("trombosebeen", "dvt", "Dutch"),
    ("borstkanker", "malignancy_on_record", "Dutch"),
    ("dolore al polpaccio", "pain_calf", "Italian"),
    ("gamba gonfia", "leg_swelling", "Italian"),
    ("sospetta TVP", "dvt", "Italian"),
    ("dolor en la pantorrilla", "pain_calf", "Spanish"),
    ("pierna derecha hinchada", "leg_swelling", "Spanish"),
    ("Flebitis y tromboflebitis de otros vasos profundos de los miembros inferiores", "dvt", "CIE-10"),
    ("dor na panturrilha", "pain_calf", "Portuguese"),
    ("perna inchada", "leg_swelling", "Portuguese"),
    ("Neoplasia maligna da mama", "malignancy_on_record", "CID-10"),
    ("svullen vad", "calf_swelling", "Swedish"),
    ("djup ventrombos", "dvt", "Swedish"),
    ("Malign tumör i bröstkörtel", "malignancy_on_record", "ICD-10-SE"),
    ("legghevelse", "calf_swelling", "Norwegian"),
    ("Ondartet svulst i bryst", "malignancy_on_record", "Norwegian"),
    ("rødt hævet ben", "leg_swelling", "Danish"),
    ("blodprop i benet", "dvt", "Danish"),
    ("pohjekipu", "pain_calf", "Finnish"),
    ("syvä laskimotukos", "dvt", "Finnish"),
    ("rintasyöpä", "malignancy_on_record", "Finnish"),
    ("calf tightness", "pain_calf", "tightness"),
    ("dicke Wade", "calf_swelling", "German, thick"),
    ("dickes Bein links", "leg_swelling", "German, thick"),
    ("Wade druckdolent", "calf_tenderness", "German"),
    ("Wadendruckschmerz", "deep_vein_tenderness", "tender muscle or tender veins"),
    ("Bein rot und warm", "redness", "German"),
    ("Bein rot und warm", "warmth", "German"),
    ("dik been", "leg_swelling", "Dutch, thick"),
    ("dikke kuit", "calf_swelling", "Dutch, thick"),
    ("kuit drukpijnlijk", "calf_tenderness", "Dutch"),
    ("rode kuit", "redness", "Dutch"),
    ("mollet chaud", "warmth", "French"),
    ("grosse jambe rouge", "leg_swelling", "French"),
    ("grosse jambe rouge", "redness", "French"),
    ("mollet sensible", "calf_tenderness", "French"),
    ("pantorrilla caliente e hinchada", "warmth", "Spanish"),
    ("pierna roja", "redness", "Spanish"),
    ("pantorrilla dolorida", "pain_calf", "Spanish"),
    ("polpaccio caldo", "warmth", "Italian"),
    ("gamba arrossata", "redness", "Italian"),
    ("perna vermelha", "redness", "Portuguese"),
    ("batata da perna dolorida", "pain_calf", "Portuguese"),
    ("ömhet i vaden", "calf_tenderness", "Swedish"),
    ("tjockt ben", "leg_swelling", "Swedish"),
    ("leggen er varm", "warmth", "Norwegian"),
    ("vondt i leggen", "pain_calf", "Norwegian"),
    ("lægsmerter", "pain_calf", "Danish"),
    ("ømhed i læggen", "calf_tenderness", "Danish"),
    ("tykt ben", "leg_swelling", "Danish"),
    ("aristava pohje", "calf_tenderness", "Finnish"),
    ("punoittava sääri", "redness", "Finnish"),
    ("left calf bigger than right", "calf_swelling", "compared"),
    ("Arm- und Beinvenenthrombose", "dvt", "an arm and a leg"),
    ("Katheterthrombose, TVT Bein", "dvt", "another part of the sentence"),
    ("catheter-directed thrombolysis for DVT", "dvt", "a catheter is no place"),
    ("DVT clinic today", "dvt", "a clinic where one is looked for"),
]

SILENT = [
    "DVT prophylaxis",
    "Prophylaxis for DVT",
    "thromboprophylaxis",
    "Thromboseprophylaxe mit Heparin",
    "trombosprofylax",
    "profilaxia de TVP",
    "at risk of DVT",
    "DVT risk assessment",
    "Thromboserisiko",
    "VTE leaflet given",
    "fear of DVT",
    "Family history of cancer",
    "FH: breast cancer, melanoma",
    "grandmother had breast cancer",
    "screening for cancer",
    "cancer screening normal",
    "Screening mammography for breast cancer",
    "HPV vaccine for cervical cancer",
    "CA 125 cancer antigen",
    "malignant hypertension",
    "malignant hyperthermia",
    "carcinoma in situ of cervix",
    "Leukaemia in remission",
    "history of breast cancer",
    "pregnancy test negative",
    "not pregnant",
    "Contraception: pregnancy prevention",
    "Schwangerschaftstest",
    "history of cesarean section",
    "coronary thrombosis",
    "Cerebral venous sinus thrombosis",
    "Thrombosis of right arm",
    "portal vein thrombosis",
    "Thrombose tiefer Gefäße der oberen Extremitäten",
    "thrombosed haemorrhoids",
    "thrombocytopenia",
    "Thrombozytose",
    "post-phlebitic syndrome",
    "TVT sling procedure",
    "TVT for stress incontinence",
    "tricuspid TVP",
    "embolization of fibroids",
    "fat embolism",
    "blood clots in urine",
    "Blodprop i hjertet",
    "shoulder pain after fall on knee",
    "hip pain; knee replacement 2010",
    "Kopfschmerz, Knie-TEP",
    "Phantom pain after amputation of leg",
    "neck pain",
    "eyes have been swollen",
    "swollen face",
    "calf muscle strain",
    "Fracture of leg",
    "leg length discrepancy",
    "knee replacement",
    "Knieprothese",
    "vad gör ont?",
    "Ben has hip pain",
    "le mal de mer",
    "Brustbein",
    "Steißbein geprellt",
    "He had been painfully shy",
    "Essential hypertension",
    "Diabetes mellitus type 2",
    "vaccine",
    "modem",
    "Armthrombose",
    "Armvenenthrombose rechts",
    "Port-Thrombose",
    "Portthrombose",
    "ZVK-Thrombose",
    "Katheterthrombose",
    "Thrombose der V. subclavia",
    "line thrombosis",
    "catheter-related thrombosis",
    "thrombose du bras",
    "thrombose veine porte",
    "trombosis del brazo",
    "trombosi del braccio",
    "armtrombos",
    "ventrombos i armen",
    "Nierenvenenthrombose",
    "information om benet",
    "intramedullary rod, left leg",
    "Dickdarmpolyp",
    "tight hamstrings, leg press",
    "leg ulcer is getting larger",
    "volgens trombosedienst",
]
"""What plainly cannot concern us, or is another matter: nothing of it may be named."""


@pytest.mark.parametrize(("text", "key", "reason"), FOUND, ids=[one[0] for one in FOUND])
def test_what_a_text_may_be_about(content: Content, text: str, key: str, reason: str) -> None:
    assert key in content.word_net.keys_in(text), reason


@pytest.mark.parametrize("text", SILENT)
def test_what_is_another_matter_stays_silent(content: Content, text: str) -> None:
    assert not content.word_net.keys_in(text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("family history of DVT", "dvt"),
        ("DVT in father", "dvt"),
        ("history of DVT 2009", "dvt"),
        ("Superficial vein thrombosis of leg", "dvt"),
        ("Family history of pulmonary embolism", "pulmonary_embolism"),
    ],
)
def test_what_is_something_else_is_not_named_as_itself(content: Content, text: str, key: str) -> None:
    found = content.word_net.keys_in(text)
    assert found
    assert key not in found


def test_every_name_of_ours_is_found(content: Content) -> None:
    """No word around it may take a name of a finding or cause away from itself."""
    named = {key: one.name for key, one in content.findings.items()}
    named |= {key: one.title for key, one in content.causes.items()}
    lost = [key for key, name in named.items() if len(name) > 3 and key not in content.word_net.keys_in(name)]
    assert not lost


def test_displays_of_our_codes_are_found(content: Content) -> None:
    lost = [
        entry.display
        for kind, key, entry in content.entries()
        if kind in ("finding", "cause") and entry.relation != "broader" and not entry.substance
        if key not in content.word_net.keys_in(entry.display)
    ]
    assert not lost


# --- properties ---

PLACES = {"pain_calf": ["calf", "Wade", "mollet", "polpaccio"], "leg_pain": ["leg", "pierna", "jambe", "perna"]}
SIGNS = ["pain", "Schmerzen", "dolore", "douleur", "smerte"]
NEUTRAL = ["since", "Monday", "patient", "left", "seit", "gestern", "nach", "training", "42", "slight"]


@given(st.data())
def test_order_does_not_matter_and_other_words_take_nothing_away(content: Content, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(PLACES)))
    words = [data.draw(st.sampled_from(PLACES[key])), data.draw(st.sampled_from(SIGNS))]
    words += data.draw(st.lists(st.sampled_from(NEUTRAL), max_size=12))
    text = data.draw(st.sampled_from([" ", ", ", " - ", "/", ": "])).join(data.draw(st.permutations(words)))
    assert key in content.word_net.keys_in(
        data.draw(st.sampled_from([text, text.upper(), f"x. {text}. y", f"({text})"]))
    )


@given(st.text(max_size=400))
def test_no_text_is_an_error(content: Content, text: str) -> None:
    content.word_net.keys_in(text)
    content.word_net.keys_in(f"{text} calf pain DVT {text}")


@given(st.lists(st.sampled_from(["DVT", "calf pain", "pregnant", "leg swelling", "breast cancer"]), min_size=1))
def test_a_sentence_more_takes_nothing_away(content: Content, said: list[str]) -> None:
    net = content.word_net
    keys = {key for one in said for key in net.keys_in(one)}
    for around in ("Family history of cancer", "DVT prophylaxis given", "Shoulder pain", "Arm"):
        assert keys <= net.keys_in(". ".join([f"{around} today", *(f"{one} here" for one in said), f"{around} too"]))


@pytest.mark.parametrize(
    "piece",
    [
        "calf ",
        "a",
        "DVT,",
        "family history of ",
        "((((",
        "thromb",
        "pain in ",
        "?",
        "é",
        "。",
        "x.y",
        "leg pain; ",
        "\n",
    ],
)
def test_a_long_text_takes_no_long_time(content: Content, piece: str) -> None:
    """100 kB of anything, in one sentence or many; a pattern that runs away would take minutes."""
    text = piece * (100_000 // len(piece)) + " swollen calf"
    start = time.process_time()
    found = content.word_net.keys_in(text)
    assert time.process_time() - start < 5
    assert "calf_swelling" in found


def test_a_long_note_of_many_words_takes_no_long_time(content: Content) -> None:
    pick = random.Random(7)
    words = [word.strip("*") for word in (line.split("\t")[0] for line in TABLE.read_text("utf-8").splitlines()[1:])]
    text = " ".join(pick.choice(words) + pick.choice(["", ",", ".", ";", "abc"]) for _ in range(12_000))
    start = time.process_time()
    content.word_net.keys_in(text)
    assert time.process_time() - start < 5


# --- the mechanism, by words of its own ---


def net(*words: Word, rules: list[Rule], contexts: dict[str, Context] | None = None) -> WordNet:
    return WordNet(Vocabulary(words), rules, contexts or {})


@pytest.mark.parametrize("order", list(permutations(["red", "house", "big"])))
def test_all_groups_of_one_way_are_needed(order: tuple[str, ...]) -> None:
    found = net(Word("red", "colour"), Word("house", "thing"), rules=[Rule("x", (("colour", "thing"),))])
    assert found.keys_in(" ".join(order)) == {"x"}
    assert not found.keys_in("red; house")
    assert not found.keys_in("red")


@pytest.mark.parametrize(
    ("entry", "holds", "holds_not"),
    [
        ("calf", "calf", "calfskin"),
        ("waden*", "wadenkrampf", "haarwaden"),
        ("*krebs", "brustkrebs", "krebse"),
        ("*karzinom*", "mammakarzinome", "karzino"),
        ("Ödem", "odem", "odeme"),
    ],
)
def test_where_in_a_word_the_letters_stand(entry: str, holds: str, holds_not: str) -> None:
    (word,), mistakes = parse("\t".join(COLUMNS) + f"\n{entry}\tgroup\ten\tseen\n")
    assert not mistakes
    groups = Vocabulary([word]).groups_of
    assert groups(holds) == {"group"}
    assert not groups(holds_not)


def test_a_word_that_is_told_apart_is_not_what_it_holds() -> None:
    told = Vocabulary([Word("emboli", "embolism", starts=False, ends=False), Word("embolization", NOTHING)])
    assert told.groups_of("thromboembolism") == {"embolism"}
    assert not told.groups_of("embolization")


@pytest.mark.parametrize(
    ("text", "expected"), [("Œdème", "oedeme"), ("HÆVELSE", "haevelse"), ("Fuß", "fuss"), ("ＤＶＴ", "dvt")]
)
def test_letters_are_compared_plainly(text: str, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("one two. Three", 1),
        ("swelling. Then", 2),
        ("Schmerz li. Wade", 1),
        ("DVT. Next", 2),
        ("2.5 cm", 1),
        ("a; b", 2),
        ("a\nb", 2),
        ("", 0),
        (" .,;", 0),
    ],
)
def test_where_a_sentence_ends(text: str, number: int) -> None:
    assert len(list(sentences(text))) == number


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("word\tgroup\n", 1),
        ("\t".join(COLUMNS) + "\ncalf\tcalf\ten\n", 2),
        ("\t".join(COLUMNS) + "\ncalf\tcalf\ten\t \n", 2),
        ("\t".join(COLUMNS) + "\nca*lf\tcalf\ten\tseen\n", 2),
        ("\t".join(COLUMNS) + "\n*cal*\tcalf\ten\tseen\n", 2),
        ("\t".join(COLUMNS) + "\nlower* leg\tleg\ten\tseen\n", 2),
        ("\t".join(COLUMNS) + "\ncalf\tThe calf\ten\tseen\n", 2),
        ("\t".join(COLUMNS) + "\ncalf\tcalf\ten\tseen\nCALF\tcalf\tde\tseen\n", 3),
    ],
)
def test_a_wrong_table_is_refused(text: str, line: int) -> None:
    _, mistakes = parse(text)
    assert [number for number, _ in mistakes] == [line]
