"""What is shipped for putting the service into operation, against the schemas and tools of those who will read it.

No container engine runs here: the Containerfile's steps are run without one, in the long run.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from cds_service.base.settings import Settings
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
CONTAINERFILE = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
FILES = sorted(path for path in DEPLOY.rglob("*") if path.suffix in (".yaml", ".yml", ".conf", ".service", ".timer"))


def loaded(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]


def base() -> dict[str, dict[str, Any]]:
    """Kind/name -> document."""
    found = [one for path in sorted((KUBERNETES / "base").glob("*.yaml")) for one in loaded(path)]
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in found if one["kind"] != "Kustomization"}


def validate_kubernetes(document: dict[str, Any]) -> None:
    import kubernetes_validate  # its jsonschema compiles grammars for seconds: not while the tests are collected

    kubernetes_validate.validate(document, "1.31", strict=True)


def test_compose_is_as_its_schema_says() -> None:
    import jsonschema  # see above

    package = find_spec("check_jsonschema")
    assert package is not None
    folder = Path(package.origin or "").parent
    (schema,) = folder.rglob("*compose-spec*.json")
    compose = loaded(DEPLOY / "compose.yaml")[0]
    jsonschema.validate(compose, json.loads(schema.read_text(encoding="utf-8")))
    for name in ("cds-1", "cds-2", "migrate"):
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    published = {name: one["ports"] for name, one in compose["services"].items() if "ports" in one}
    assert published == {"nginx": ["127.0.0.1:8443:8443"]}
    assert compose["networks"]["inside"] == {"internal": True}


def test_every_kubernetes_document_is_as_its_schema_says() -> None:
    for name, document in base().items():
        validate_kubernetes(document)
        assert name


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_overlays_render(overlay: str) -> None:
    done = subprocess.run(
        ["kubectl", "kustomize", KUBERNETES / "overlays" / overlay], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    everything = list(yaml.safe_load_all(done.stdout))
    documents = {one["kind"]: one for one in everything}
    assert (len(everything), len(documents)) == (8, 7)  # both ConfigMaps are one kind
    for document in everything:
        validate_kubernetes(document)
        assert document["metadata"]["namespace"] == "knee-cds"
    scaler, budget = documents["HorizontalPodAutoscaler"]["spec"], documents["PodDisruptionBudget"]["spec"]
    limits = (scaler["minReplicas"], scaler["maxReplicas"], budget["minAvailable"])
    assert limits == {"small": (2, 3, 1), "large": (4, 12, 3)}[overlay]
    assert documents["Deployment"]["spec"]["template"]["spec"]["containers"][0]["image"].startswith("knee-cds:")


def test_every_file_that_a_kustomization_names_is_there() -> None:
    for path in KUBERNETES.rglob("kustomization.yaml"):
        for name in loaded(path)[0]["resources"]:
            assert (path.parent / name).exists(), f"{path}: {name}"


def test_the_pods_have_no_rights() -> None:
    documents = base()
    for name in ("Deployment/knee-cds", "Job/knee-cds-migrate"):
        pod = documents[name]["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False  # else KNEE_CDS_PORT is an address
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == int(dict(steps(-1))["USER"])
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
    pod = documents["Deployment/knee-cds"]["spec"]["template"]["spec"]
    pause = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > Settings.model_fields["shutdown_seconds"].default + pause


def test_the_pods_are_joined_to_the_rest() -> None:
    """Probes, and names of one document in another, which no schema knows."""
    documents = base()
    deployment = documents["Deployment/knee-cds"]["spec"]
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    probes = {key: container[f"{key}Probe"]["httpGet"]["path"] for key in ("startup", "readiness", "liveness")}
    assert probes == {"startup": "/health/ready", "readiness": "/health/ready", "liveness": "/health/live"}
    named = [one["configMapRef"]["name"] for one in container["envFrom"]]
    named += [one["configMap"]["name"] for one in pod["volumes"] if "configMap" in one]
    assert {f"ConfigMap/{one}" for one in named} == {one for one in documents if one.startswith("ConfigMap/")}
    command = (KUBERNETES / "base" / "settings.yaml").read_text(encoding="utf-8")
    for name in ("Deployment/knee-cds", "Job/knee-cds-migrate"):
        for one in documents[name]["spec"]["template"]["spec"]["containers"][0]["env"]:
            assert f"--from-literal={one['valueFrom']['secretKeyRef']['key']}=" in command
    labels = deployment["template"]["metadata"]["labels"]
    assert documents["Service/knee-cds"]["spec"]["selector"] == labels
    assert documents["PodDisruptionBudget/knee-cds"]["spec"]["selector"]["matchLabels"] == labels
    migration = documents["Job/knee-cds-migrate"]["spec"]["template"]["spec"]["containers"][0]
    assert migration["command"] == ["knee-cds", "database", "upgrade"]


def test_only_the_ingress_and_the_monitoring_come_in() -> None:
    (rule,) = base()["NetworkPolicy/knee-cds"]["spec"]["ingress"]
    spaces = [one["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for one in rule["from"]]
    assert spaces == ["ingress-nginx", "monitoring"]


def test_nginx_keeps_what_the_comments_promise() -> None:
    """That it runs is shown in ``test_replicas.py``."""
    text = re.sub(r"#.*", "", (DEPLOY / "nginx.conf").read_text(encoding="utf-8"))
    assert "proxy_next_upstream error timeout;" in text
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in text
    assert "server_tokens off;" in text
    assert "least_conn;" in text
    assert int(Settings.model_fields["max_body_bytes"].default) == 20_000_000
    assert "client_max_body_size 20m;" in text
    for path in ("/metrics", "/health/ready"):
        assert f"location = {path} {{ return 404; }}" in text
    (log,) = re.findall(r"log_format \w+ '([^']*)'", text)
    assert set(re.findall(r"\$(\w+)", log)) == {
        "time_iso8601", "request_method", "uri", "status", "request_time", "upstream_response_time"
    }  # fmt: skip
    assert re.search(r"location /orders/ \{\s*error_log \S+ crit;", text)


def test_the_units_have_no_rights() -> None:
    unit = (DEPLOY / "systemd" / "knee-cds@.service").read_text(encoding="utf-8").splitlines()
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "User=knee-cds", "ExecReload=/bin/kill -HUP $MAINPID"):
        assert line in unit
    (stop,) = [int(line.partition("=")[2]) for line in unit if line.startswith("TimeoutStopSec=")]
    assert stop > Settings.model_fields["shutdown_seconds"].default


def test_the_image_holds_no_secret() -> None:
    for stage in (0, -1):
        for word, rest in steps(stage):
            if word in ("ENV", "ARG"):
                assert not re.search(r"KEY|PASSWORD|SECRET|TOKEN|DATABASE_URL", rest), rest


def test_egress_is_listed() -> None:
    policy = base()["NetworkPolicy/knee-cds"]["spec"]
    assert policy["podSelector"] == {}
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    ports = [{port["port"] for port in rule["ports"]} for rule in policy["egress"]]
    assert ports == [{53}, {5432}, {443}]
    assert all(rule["to"] for rule in policy["egress"])
    assert all(peer.get("ipBlock", {}).get("cidr") != "0.0.0.0/0" for rule in policy["egress"] for peer in rule["to"])


def test_scaling_looks_at_calls_in_flight_too() -> None:
    metrics = base()["HorizontalPodAutoscaler/knee-cds"]["spec"]["metrics"]
    assert [one["type"] for one in metrics] == ["Resource", "Pods"]
    assert metrics[1]["pods"]["metric"]["name"] == "knee_cds_calls_in_flight"


def test_secrets_are_only_referred_to() -> None:
    documents = base()
    assert not [name for name in documents if name.startswith("Secret/")]
    env = documents["Deployment/knee-cds"]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {one["name"]: one["valueFrom"]["secretKeyRef"]["name"] for one in env} == dict.fromkeys(
        ("KNEE_CDS_DATABASE_URL", "KNEE_CDS_HASH_KEY"), "knee-cds-secrets"
    )
    secret = {name for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)}
    assert secret == {"database_url", "hash_key"}


def test_the_clients_in_the_map_load(tmp_path: Path) -> None:
    text = base()["ConfigMap/knee-cds-clients"]["data"]["clients.toml"]
    (tmp_path / "clients.toml").write_text(text, encoding="utf-8")
    from cds_service.service.evaluate import Service

    service = Service.from_settings(Settings(clients=tmp_path / "clients.toml"))
    assert [one.client.silent for one in service.clients.everyone if one.name == "north"] == [True]


@pytest.mark.parametrize(
    "path", [*FILES, DEPLOY / "Containerfile", DEPLOY / "compose.env.example"], ids=lambda one: one.name
)
def test_only_settings_that_exist_are_set(path: Path) -> None:
    for name in re.findall(r"KNEE_CDS_([A-Z_]+)", path.read_text(encoding="utf-8")):
        assert name.lower() in Settings.model_fields


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """With a program that exists in the place of ours."""
    for path in (DEPLOY / "systemd").iterdir():
        text = path.read_text(encoding="utf-8").replace("/opt/knee-cds/bin/knee-cds", "/bin/true")
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    units = ["knee-cds@8001.service", "knee-cds-canary.service", "knee-cds-canary.timer"]
    (tmp_path / units[0]).symlink_to(tmp_path / "knee-cds@.service")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(tmp_path / one for one in units)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    about_ours = [line for line in done.stderr.splitlines() if "knee-cds" in line]
    assert about_ours == []


def steps(stage: int) -> list[tuple[str, str]]:
    """(instruction, rest) of a stage, continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", CONTAINERFILE)
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    stages: list[list[tuple[str, str]]] = []
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stages.append([])
        stages[-1].append((word, rest.strip()))
    return stages[stage]


def test_the_image_is_small_in_rights() -> None:
    last = dict(steps(-1))
    assert int(last["USER"]) >= 10_000
    assert "/health/live" in last["HEALTHCHECK"]
    assert json.loads(last["CMD"]) == ["knee-cds", "serve"]
    assert last["STOPSIGNAL"] == "SIGTERM"
    words = [word for stage in (0, -1) for word, _ in steps(stage)]
    assert "ADD" not in words
    installs = [part for _, rest in steps(0) for part in rest.split("&&") if "pip install" in part]
    assert installs
    assert all("--require-hashes" in part or "--no-index" in part for part in installs)


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")}
    for word, rest in steps(0):
        if word == "COPY":
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert source in kept or ("deploy/requirements*.txt" in kept and "requirements" in source), source


@pytest.mark.long
def test_the_steps_of_the_image_without_an_engine(tmp_path: Path) -> None:
    """Each RUN of the build stage, in a folder in the place of the root; then what it made answers."""
    source = tmp_path / "source"
    for word, rest in steps(0):
        if word == "COPY":
            *names, target = rest.split()
            for name in names:
                place = source / target / (Path(name).name if target.endswith("/") and (ROOT / name).is_file() else "")
                place.parent.mkdir(parents=True, exist_ok=True)
                if (ROOT / name).is_dir():
                    shutil.copytree(ROOT / name, source / target)
                else:
                    shutil.copy(ROOT / name, place if place.suffix else source / target)
        if word == "RUN":
            script = (
                rest.replace("/opt/", f"{tmp_path}/opt/")
                .replace("${TRACING}", "")
                .replace("python3 ", f"{sys.executable} ", 1)
            )
            done = subprocess.run(["bash", "-euc", script], cwd=source, capture_output=True, text=True, timeout=600)
            assert done.returncode == 0, done.stderr
    program = tmp_path / "opt" / "knee-cds" / "bin" / "knee-cds"
    subprocess.run([program, "examples", tmp_path / "patients"], cwd=tmp_path, check=True, timeout=60)
    assert list((tmp_path / "patients").glob("*.json"))
