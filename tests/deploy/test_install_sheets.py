"""The sheets for EHR analysts say of this service what its code says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from cds_service.adapters.clients.loading import PROFILES, load_clients
from cds_service.adapters.clients.model import SCOPES
from cds_service.base.settings import Settings
from cds_service.clinical.content.catalogue import Content
from cds_service.protocol.discovery import discovery
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import gather
from cds_service.protocol.queries import Style, plan_of
from cds_service.rendering.frame import override_reasons
from cds_service.service.evaluate import Service
from tests.conftest import EXAMPLES, NOW, ROOT, stories
from tests.web.test_hook import request_for

FOLDER = ROOT / "deploy" / "ehr"
SHEETS = sorted(path.name for path in FOLDER.glob("*.md") if path.name != "README.md")
HEADINGS = [
    "Status", "Endpoint", "Prefetch", "Trigger", "Scopes", "Keys and tokens", "Topics", "Override reasons",
    "Order codes", "Feedback", "Silent mode first", "Check",
]  # fmt: skip


def text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def table(name: str, heading: str) -> dict[str, str]:
    """First cell -> second, without backticks, of the table under a heading."""
    part = text(name).split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| `?(.*?)`? \|$", part, re.MULTILINE)
    return dict(rows)


def test_each_ehr_has_its_sheet() -> None:
    assert "generic.md" in SHEETS
    assert set(re.findall(r"\]\((\S+\.md)\)", text("README.md"))) == set(SHEETS)


@pytest.mark.parametrize("name", SHEETS)
def test_the_headings_are_the_same_everywhere(name: str) -> None:
    assert re.findall(r"^## (.+)$", text(name), re.MULTILINE) == HEADINGS


@pytest.mark.parametrize("name", ["epic.md", "generic.md"])
def test_the_prefetch_to_paste_is_that_of_discovery(name: str, service: Service) -> None:
    """The list of codes changes with the content, and is copied from discovery."""
    offered = discovery(service.plan())["services"][0]["prefetch"]
    assert table(name, "Prefetch") == {key: re.sub("&code=[^&]*", "&code=...", one) for key, one in offered.items()}


@pytest.mark.parametrize("name", SHEETS)
def test_the_examples_of_a_clients_file_load(name: str, tmp_path: Path, content: Content) -> None:
    found = re.findall(r"```toml\n(.*?)```", text(name), re.DOTALL)
    assert found
    for number, example in enumerate(found):
        # An order's section is shown without the client it belongs to.
        whole = example if "profile" in example else f'[client.north]\nprofile = "generic"\n{example}'
        path = tmp_path / f"{number}.toml"
        path.write_text(whole, encoding="utf-8")
        names = set(tomllib.loads(whole)["client"])
        known = {one.name for one in load_clients(Settings(clients=path), content).everyone}
        assert names <= known


def test_every_topic_is_listed(service: Service) -> None:
    listed = table("generic.md", "Topics")
    seen = set()
    for name in stories():
        request = HookRequest.model_validate(request_for(name))
        cards = service.answer(request, gather(request.prefetch), NOW).cards
        seen |= {card.source.topic.code for card in cards}
    assert len(list(EXAMPLES.glob("*.json"))) >= len(stories())
    assert len(seen) > 10
    rules = service.content.red_flags.values()
    feared = {cause for one in rules for cause in (one.cause, *(reason.cause for reason in one.reasons))}
    flagged = {f"knee{cause.replace('_', '')}1" for cause in feared}
    flagged |= {f"knee{rule.lower()}1" for rule, one in service.content.red_flags.items() if one.reasons}
    assert set(listed) == seen | flagged | {"kneegap1", "kneeunread1", "kneeflags1"}
    assert all(re.fullmatch(r"[A-Za-z0-9]{1,100}", topic) for topic in listed)


def test_every_override_reason_and_order_is_listed(content: Content) -> None:
    assert table("generic.md", "Override reasons") == {
        one.code: one.display for one in override_reasons(content.texts.override)
    }
    assert set(table("generic.md", "Order codes")) == set(content.orders)


def test_the_scopes_are_among_those_asked_for() -> None:
    part = text("generic.md").split("\n## Scopes\n")[1].split("\n## ")[0]
    named = set(re.findall(r"patient/\w+\.\w+", part))
    assert named
    assert named < set(SCOPES)
    assert not [scope for scope in named if scope.endswith("c")], "reading only"


def test_the_registration_sheet_says_what_the_service_does(service: Service) -> None:
    sheet = text("README.md")
    lent, ours = re.findall(r"^\| scopes of .*$", sheet, re.MULTILINE)
    named = set(re.findall(r"patient/\w+\.\w+", lent))
    assert named - {"patient/Medication.r"} == {one for one in SCOPES if one.startswith("patient/") and one[-1] != "c"}
    assert {*named, *re.findall(r"`(.+)`", ours)[0].split()} - {"patient/Medication.r"} == set(SCOPES)
    for style in get_args(Style):
        keys = re.findall(rf"^\| {style} \| (.+) \|$", sheet, re.MULTILINE)[0]
        assert keys.replace("`", "").split() == [one.key for one in plan_of(service.content, style).searches]
    for path in ("/orders/launch", "/orders/callback", "/.well-known/jwks.json"):
        assert f"`https://cds.example{path}`" in sheet


@pytest.mark.parametrize("name", [*SHEETS, "README.md"])
def test_every_sheet_names_the_time_for_the_fhir_server(name: str) -> None:
    assert "KNEE_CDS_FHIR_DEADLINE_MS" in text(name)
    assert str(Settings.model_fields["fhir_deadline_ms"].default) in text(name)


def test_only_the_sandbox_profile_hides_errors(tmp_path: Path, content: Content) -> None:
    path = tmp_path / "clients.toml"
    names = [profile.stem for profile in PROFILES.glob("*.toml")]
    path.write_text("".join(f'[client.{one}]\nprofile = "{one}"\n' for one in names))
    everyone = load_clients(Settings(clients=path), content).everyone
    assert {one.name for one in everyone if one.profile.hides_errors} == {"sandbox"}
    assert "on in the profile `sandbox`" in text("README.md")


@pytest.mark.parametrize("name", [name for name in SHEETS if name != "generic.md"])
def test_what_is_unverified_says_so(name: str) -> None:
    status = re.sub(r"\s+", " ", text(name).split("\n## Status\n")[1].split("\n## ")[0]).lower()
    assert re.search(r"not verified|not\*\* verified|\*\*not verified|no session|not with hapi", status)


@pytest.mark.parametrize("name", [*SHEETS, "README.md"])
def test_links_lead_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text(name)):
        if not link.startswith("http"):
            assert (FOLDER / link).exists(), link
    guide = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in re.findall(r"^#+ (.+)$", guide, re.MULTILINE)
    }
    for anchor in re.findall(r"\]\(\.\./README\.md#([^)]+)\)", text(name)):
        assert anchor in headings, anchor
