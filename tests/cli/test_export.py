"""The content as FHIR resources: valid, closed in itself, the same bytes twice, in a package as FHIR tools load it."""

from __future__ import annotations

import io
import json
import re
import tarfile
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from cds_service.cli.main import main
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.models import Condition
from cds_service.rendering.fhir_artefacts import cql


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    assert main(["export", "fhir", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def resources(exported: Path) -> dict[str, dict[str, Any]]:
    """``Type/id`` -> resource."""
    found = [json.loads(path.read_bytes()) for path in exported.glob("*.json")]
    return {f"{one['resourceType']}/{one['id']}": one for one in found}


def of_kind(resources: dict[str, dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one for one in resources.values() if one["resourceType"] == kind]


def test_every_resource_is_valid(resources: dict[str, dict[str, Any]]) -> None:
    for one in resources.values():
        get_fhir_model_class(one["resourceType"]).model_validate(one)
    assert {one["resourceType"] for one in resources.values()} == {
        "CodeSystem", "ValueSet", "Library", "ActivityDefinition", "PlanDefinition", "Measure", "TestScript",
        "ImplementationGuide", "Questionnaire",
    }  # fmt: skip


def test_nothing_of_the_content_is_left_out(resources: dict[str, dict[str, Any]], content: Content) -> None:
    (plan,) = of_kind(resources, "PlanDefinition")
    (chart,) = plan["action"]
    assert [one["id"] for one in chart["action"]] == sorted(content.red_flags)
    assert {one["id"].replace("-", "_") for one in of_kind(resources, "ActivityDefinition")} == set(content.orders)
    (library,) = of_kind(resources, "Library")
    assert {one["label"] for one in library["relatedArtifact"]} == set(content.citations)


def test_what_is_named_is_there(resources: dict[str, dict[str, Any]]) -> None:
    urls = {one["url"] for one in resources.values()}
    (guide,) = of_kind(resources, "ImplementationGuide")
    listed = {one["reference"]["reference"] for one in guide["definition"]["resource"]}
    assert listed == set(resources) - {f"ImplementationGuide/{guide['id']}"}
    text = json.dumps([of_kind(resources, kind) for kind in ("PlanDefinition", "Measure")])
    named = re.findall(r'"(?:definitionCanonical)": "([^"]+)"', text)
    named += [one for found in re.findall(r'"library": \["([^"]+)"\]', text) for one in [found]]
    assert len(named) > 20
    assert set(named) <= urls


def test_the_logic_names_only_what_it_defines(resources: dict[str, dict[str, Any]]) -> None:
    (library,) = of_kind(resources, "Library")
    text = b64decode(library["content"][0]["data"]).decode()
    defined = set(re.findall(r'^(?:define|valueset) "([^"]+)":', text, re.MULTILINE))
    code = re.sub(r"^//.*$", "", text, flags=re.MULTILINE)
    assert set(re.findall(r'"([^"]+)"', code)) == defined
    sets = set(re.findall(r"^valueset \"[^\"]+\": '([^']+)'", text, re.MULTILINE))
    assert sets <= {one["url"] for one in of_kind(resources, "ValueSet")}
    (plan,) = of_kind(resources, "PlanDefinition")
    conditions = re.findall(r'"language": "text/cql", "expression": "([^"]+)"', json.dumps(plan))
    assert len(conditions) == len(plan["action"][0]["action"]) - 1, "all but the pathway"
    (measured,) = of_kind(resources, "Measure")
    criteria = re.findall(r'"language": "text/cql", "expression": "([^"]+)"', json.dumps(measured))
    assert {*conditions, *criteria} <= defined


def holds(condition: Condition, present: set[str]) -> bool:
    parts = [one in present if isinstance(one, str) else holds(one, present) for one in condition.all or condition.any]
    return all(parts) if condition.all else any(parts)


def test_the_logic_is_that_of_the_rules(content: Content) -> None:
    """Each rule's line, read as Python, beside the rule itself: with each finding alone, each pair, and all but one."""
    text = cql(content)
    for key, flag in content.red_flags.items():
        line = re.findall(rf'^define "{key}": (.+)$', text, re.MULTILINE)
        if key == "RF01":
            assert line == []
            continue
        terms = sorted(set(flag.when.terms()))
        code = compile(re.sub(r'"([^"]+)"', r'("\1" in present)', line[0]), key, "eval")
        tried = [{one} for one in terms] + [{one, other} for one in terms for other in terms]
        tried += [set(terms) - {one} for one in terms] + [set(), set(terms)]
        for present in tried:
            assert eval(code, {"present": present}) is holds(flag.when, present), (key, present)


def test_the_package_is_one_that_tools_load(exported: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO((exported / "package.tgz").read_bytes()), mode="r:gz") as archive:
        inside = {}
        for one in archive.getmembers():
            assert one.isfile()
            assert (one.mtime, one.uid, one.mode) == (0, 0, 0o644)
            content = archive.extractfile(one)
            assert content is not None
            inside[one.name] = content.read()
    manifest = json.loads(inside["package/package.json"])
    assert re.fullmatch(r"[a-z0-9.-]+", manifest["name"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])
    assert manifest["fhirVersions"] == ["4.0.1"]
    index = json.loads(inside["package/.index.json"])["files"]
    on_disk = {path.name: path.read_bytes() for path in exported.glob("*.json")}
    assert {f"package/{one['filename']}" for one in index} == set(inside) - {
        "package/package.json",
        "package/.index.json",
    }
    for one in index:
        resource = json.loads(inside[f"package/{one['filename']}"])
        assert inside[f"package/{one['filename']}"] == on_disk[one["filename"]]
        assert (resource["resourceType"], resource["id"], resource["url"]) == (
            one["resourceType"],
            one["id"],
            one["url"],
        )


def test_the_same_content_gives_the_same_bytes(exported: Path, tmp_path: Path) -> None:
    assert main(["export", "fhir", str(tmp_path)]) == 0
    once, again = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in (exported, tmp_path))
    assert once == again
