"""The names in the content that code depends on, by kind.

Code uses these constants instead of the literal names. ``loading/required_names.py`` checks at load time that the
content has each of them, with the properties that code relies on. The service therefore never starts with content in
which one was deleted or renamed.
"""

from __future__ import annotations

from typing import Final

# Findings
SUSPECTED_DVT: Final = "suspected_dvt_coded"
PREVIOUS_DVT: Final = "previous_dvt"
SELF_TEST: Final = "homans_or_selftest_positive"
PREGNANCY: Final = "pregnancy"
POST_PARTUM: Final = "postpartum_6w"
PHLEGMASIA: Final = "leg_blue_massive"
PE_SYMPTOMS: Final = "chest_pain_dyspnoea"
SCAN: Final = "us_proximal_dvt"
D_DIMER: Final = "ddimer_positive"
ANTICOAGULANT: Final = "on_anticoagulant"
CANCER: Final = "active_cancer"
MALIGNANCY: Final = "malignancy_on_record"
INJECTING: Final = "iv_drug_use"
CARE_PLAN: Final = "palliative_care_only"
RUPTURED_CYST_SCAN: Final = "us_bakers_rupture"
CALF_TENDERNESS: Final = "calf_tenderness"
CALF_DIFFERENCE: Final = "calf_circumference_diff_3cm"

FINDINGS: Final = (
    SUSPECTED_DVT,
    PREVIOUS_DVT,
    SELF_TEST,
    PREGNANCY,
    POST_PARTUM,
    PHLEGMASIA,
    PE_SYMPTOMS,
    SCAN,
    D_DIMER,
    ANTICOAGULANT,
    CANCER,
    MALIGNANCY,
    INJECTING,
    CARE_PLAN,
    RUPTURED_CYST_SCAN,
    CALF_TENDERNESS,
    CALF_DIFFERENCE,
)

# Causes
DVT: Final = "dvt"
PULMONARY_EMBOLISM: Final = "pulmonary_embolism"
RUPTURED_CYST: Final = "bakers_cyst_ruptured"
ACUTE_LIMB_ISCHAEMIA: Final = "acute_limb_ischaemia"
POPLITEAL_ANEURYSM: Final = "popliteal_aneurysm"

CAUSES: Final = (DVT, PULMONARY_EMBOLISM, RUPTURED_CYST, ACUTE_LIMB_ISCHAEMIA, POPLITEAL_ANEURYSM)
ISCHAEMIA: Final = (ACUTE_LIMB_ISCHAEMIA, POPLITEAL_ANEURYSM)
"""Causes whose rules with speed "now" show an ischaemic foot."""

SUSPICION: Final = frozenset({DVT, SUSPECTED_DVT})
"""Names for a DVT, including one that is only suspected."""

# Red-flag rules
DVT_RULE: Final = "RF01"
PAEDIATRIC_RULE: Final = "RF17"

RED_FLAGS: Final = (DVT_RULE, PAEDIATRIC_RULE)

# Orders
D_DIMER_ORDER: Final = "d_dimer"

DUPLEX_ORDER: Final = "venous_duplex"

ORDERS: Final = (D_DIMER_ORDER, DUPLEX_ORDER)
TEST_ORDERS: Final = (D_DIMER_ORDER, DUPLEX_ORDER)
"""Tests for a DVT; they are not needed if a DVT has already been shown."""

# Actions
SAFETY_NET: Final = "safety_net"
REVIEW_IN_WEEKS: Final = "review_in_weeks"

ACTIONS: Final = (REVIEW_IN_WEEKS, SAFETY_NET)

# Body sites
SIDE_ONLY: Final = "side_only"

SITES: Final = (SIDE_ONLY,)

# Contexts of words
ELSEWHERE: Final = "elsewhere"
OTHER_PLACE: Final = "other_place"

CONTEXTS: Final = (ELSEWHERE, OTHER_PLACE)
"""Contexts of words that name places off the leg."""

# Sources
EXPERT: Final = "expert"
"""Means "no publication"."""

SOURCES: Final = (EXPERT,)

# Terms of red-flag conditions that code computes. They are not in the content (evidence section D).
DVT_SUSPECTED: Final = "dvt_suspected"
AGE_UNDER_18: Final = "age_under_18"
RUPTURED_CYST_KNOWN: Final = "bakers_cyst_ruptured_known"
NEW_LEG_PAIN: Final = "new_leg_pain"
ONE_LEG: Final = "one_leg"

VIRTUAL_TERMS: Final = frozenset({DVT_SUSPECTED, AGE_UNDER_18, RUPTURED_CYST_KNOWN, NEW_LEG_PAIN, ONE_LEG})
