"""deploy/kubernetes: each document against the schemas of the API, what they name of each other, and the
settings and commands of docker-compose.yml. No cluster is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
GUIDE = (ROOT / "docs" / "many-workers.md").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
OLDEST, NEWEST = "1.30", kubernetes_validate.latest_version()
SERVICES = {
    "prefect-migrate": "migrate",
    "prefect-server": "api1",
    "prefect-services": "services",
    "kogge-setup": "setup",
    "kogge-watch": "watch",
    "kogge-worker": "worker",
}
ELSEWHERE = {
    "PREFECT_API_URL",
    "PREFECT_SERVER_DATABASE_HOST",
    "PREFECT_SERVER_UI_API_URL",
    "PREFECT_WORKER_WEBSERVER_HOST",
    "SSL_CERT_FILE",
}
"""Differ: another host, or of Compose alone."""
OF_THE_CHART = {"Chart.yaml", "values.yaml", "values.schema.json", "templates"}
TLS = "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS_"
"""Of a database on another machine."""


def documents() -> Iterator[dict[str, Any]]:
    for file in sorted(FOLDER.glob("*.yaml")):
        if file.name not in {"kustomization.yaml", *OF_THE_CHART}:
            yield from yaml.safe_load_all(file.read_text())


def named(one: dict[str, Any]) -> str:
    return f"{one['kind']} {one['metadata']['name']}"


ALL = list(documents())
TEMPLATES = {
    one["metadata"]["name"]: one["spec"]["template"] for one in ALL if "template" in one.get("spec", {})
}
each = pytest.mark.parametrize("name", sorted(TEMPLATES))


def of(kind: str) -> list[dict[str, Any]]:
    return [one for one in ALL if one["kind"] == kind]


def container(name: str) -> dict[str, Any]:
    (only,) = TEMPLATES[name]["spec"]["containers"]
    return dict(only)


def containers(name: str) -> list[dict[str, Any]]:
    """Those that begin before it, too."""
    return [container(name), *TEMPLATES[name]["spec"].get("initContainers", [])]


def settings(name: str) -> dict[str, str]:
    data = {one["metadata"]["name"]: one["data"] for one in of("ConfigMap")}
    found: dict[str, str] = {}
    for source in container(name)["envFrom"]:
        found |= data[source["configMapRef"]["name"]]
    return found | {one["name"]: one["value"] for one in container(name).get("env", [])}


def matched(selector: dict[str, Any]) -> set[str]:
    """The templates whose pods a selector chooses."""
    wanted = selector.get("matchLabels", {})
    chosen = set()
    for name, template in TEMPLATES.items():
        labels = template["metadata"]["labels"]
        if wanted.items() <= labels.items() and all(
            labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", [])
        ):
            chosen.add(name)
    return chosen


def ports(name: str) -> set[str]:
    return {one["name"] for one in container(name).get("ports", [])}


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("document", ALL, ids=named)
def test_the_api_knows_each_field(document: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(document, version, strict=True)


def test_the_schemas_notice_a_wrong_field() -> None:
    wrong = {**of("Service")[0], "spec": {"selectors": {}}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)


def test_kustomize_names_each_file() -> None:
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    others = {"kustomization.yaml", "monitoring", "openshift", *OF_THE_CHART}
    assert sorted([*listed, *others]) == sorted(one.name for one in FOLDER.iterdir())
    assert len({named(one) for one in ALL}) == len(ALL)
    assert {one["metadata"].get("namespace", "kogge") for one in ALL} == {"kogge"}


@each
def test_a_pod_has_no_rights(name: str) -> None:
    pod = TEMPLATES[name]["spec"]
    only = container(name)
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["serviceAccountName"] in {one["metadata"]["name"] for one in of("ServiceAccount")}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for one in containers(name):
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= one["resources"]["requests"].keys()
        assert "memory" in one["resources"]["limits"]
    assert "livenessProbe" in only or pod.get("restartPolicy") == "Never"


def test_the_image_is_one_of_a_version_and_its_user_is_the_dockerfile_s() -> None:
    (image,) = {one["image"] for name in TEMPLATES for one in containers(name)}
    assert re.fullmatch(r"[\w.-]+/kogge:\d+\.\d+\.\d+", image)
    (user,) = {TEMPLATES[name]["spec"]["securityContext"]["runAsUser"] for name in TEMPLATES}
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"useradd --uid {user} " in dockerfile
    for program in ("with-secrets", "check-services", "await-schema"):
        assert re.search(rf"^COPY .*deploy/{program} .*/opt/kogge/bin/$", dockerfile, re.MULTILINE)


@each
def test_what_a_container_mounts_is_there(name: str) -> None:
    pod = TEMPLATES[name]["spec"]
    mounts = container(name)["volumeMounts"]
    volumes = {one["name"]: one for one in pod["volumes"]}
    assert {one["name"] for one in mounts} == volumes.keys()
    for one in containers(name)[1:]:
        assert all(mount in mounts for mount in one["volumeMounts"])
    for volume in volumes.values():
        if "secret" in volume:
            assert f"create secret generic {volume['secret']['secretName']} --from-file" in GUIDE
            assert volume["secret"]["defaultMode"] == 0o440


@each
def test_a_secret_is_a_file_that_the_guide_makes(name: str) -> None:
    (secret,) = [one["secret"] for one in TEMPLATES[name]["spec"]["volumes"] if one["name"] == "secrets"]
    files = {value for key, value in settings(name).items() if key.endswith("_FROM_FILE")}
    keys = {Path(one).name for one in files} | {one["key"] for one in secret.get("items", [])}
    assert {str(Path(one).parent) for one in files} <= {"/secrets"}
    assert keys
    for key in keys:
        assert f"{secret['secretName']}/{key}" in GUIDE


@pytest.mark.parametrize(("name", "service"), SERVICES.items())
def test_commands_settings_and_times_are_those_of_compose(name: str, service: str) -> None:
    compose = COMPOSE[service]
    told = {key.removesuffix("_FROM_FILE"): value for key, value in compose["environment"].items()}
    told = {key: value for key, value in told.items() if not key.endswith("_AROUND")}  # here a Secret's
    # In the cluster every secret is a file, and the setup shares the settings of workers.
    own = {key.removesuffix("_FROM_FILE"): value for key, value in settings(name).items()}
    secret = {key.removesuffix("_FROM_FILE") for key in settings(name) if key.endswith("_FROM_FILE")}
    of_kogge_toml = {key for key in told if key.startswith("KOGGE_")}
    assert told.keys() - of_kogge_toml <= own.keys()
    assert {key for key in own.keys() - told.keys() if not key.startswith(TLS)} <= {"KOGGE_CONFIG"}
    for key in own.keys() & told.keys() - ELSEWHERE - secret:
        assert own[key] == told[key], key
    assert container(name)["command"] == ["with-secrets"]
    assert container(name)["args"] == compose["command"]
    grace = TEMPLATES[name]["spec"]["terminationGracePeriodSeconds"]
    assert compose.get("stop_grace_period", "60s") == f"{grace}s"


@each
def test_a_probe_asks_a_port_of_its_container(name: str) -> None:
    for kind, probe in container(name).items():
        if kind.endswith("Probe") and "exec" not in probe:
            asked = probe.get("httpGet") or probe["tcpSocket"]
            assert asked["port"] in ports(name)
    numbers = {str(one["containerPort"]) for one in container(name).get("ports", [])}
    said = {*settings(name).values(), *container(name)["args"]}
    assert all(any(one == number or one.endswith(f":{number}") for one in said) for number in numbers)


def test_selectors_choose_the_pods_of_their_own() -> None:
    for one in of("Deployment") + of("StatefulSet"):
        assert matched(one["spec"]["selector"]) == {one["metadata"]["name"]}
    for one in of("PodDisruptionBudget"):
        assert matched(one["spec"]["selector"]) == {one["metadata"]["name"]}
    for one in of("Service"):
        (chosen,) = matched({"matchLabels": one["spec"]["selector"]})
        assert {port["targetPort"] for port in one["spec"]["ports"]} <= ports(chosen)
    (server,) = of("StatefulSet")
    assert server["spec"]["serviceName"] in {one["metadata"]["name"] for one in of("Service")}


def test_workers_ask_the_service_of_prefect() -> None:
    (port,) = next(one for one in of("Service") if one["metadata"]["name"] == "prefect-server")["spec"][
        "ports"
    ]
    for name in ("kogge-setup", "kogge-watch", "kogge-worker"):
        assert settings(name)["PREFECT_API_URL"] == f"http://prefect-server:{port['port']}/api"


def test_every_pod_is_behind_a_policy_and_the_policies_name_pods_and_ports_that_are_there() -> None:
    policies = of("NetworkPolicy")
    closed = next(one for one in policies if one["metadata"]["name"] == "kogge")
    assert matched(closed["spec"]["podSelector"]) == set(TEMPLATES)
    assert closed["spec"]["policyTypes"] == ["Ingress", "Egress"]
    for policy in policies:
        selectors = [policy["spec"]["podSelector"]]
        for rule in policy["spec"].get("ingress", []):
            selectors += [one["podSelector"] for one in rule["from"] if "podSelector" in one]
            for name in matched(policy["spec"]["podSelector"]):
                assert {one["port"] for one in rule["ports"]} <= ports(name)
        for rule in policy["spec"].get("egress", []):
            selectors += [one["podSelector"] for one in rule.get("to", []) if "podSelector" in one]
        for selector in selectors:
            values = {value for one in selector.get("matchExpressions", []) for value in one["values"]}
            assert matched(selector) >= values
            assert matched(selector)


def test_a_service_is_reachable_for_whoever_asks_it() -> None:
    """A pod may be asked only where a policy lets somebody in."""
    let_in = {
        name
        for policy in of("NetworkPolicy")
        if policy["spec"].get("ingress")
        for name in matched(policy["spec"]["podSelector"])
    }
    assert let_in == {one["metadata"]["name"] for one in of("Service")}
    (api,) = [one for one in of("NetworkPolicy") if one["metadata"]["name"] == "prefect-server"]
    (rule,) = api["spec"]["ingress"]
    (source,) = rule["from"]
    asking = {name for name in TEMPLATES if "PREFECT_API_URL" in settings(name)} - {"kogge-metrics"}
    assert matched(source["podSelector"]) == asking


def test_prefect_has_a_database_of_its_own_whose_server_proves_itself() -> None:
    for name in ("prefect-migrate", "prefect-server", "prefect-services"):
        told = settings(name)
        assert told["PREFECT_SERVER_DATABASE_USER"] == told["PREFECT_SERVER_DATABASE_NAME"] == "prefect"
        assert told[f"{TLS}ENABLED"] == told[f"{TLS}CHECK_HOSTNAME"] == "true"


def test_what_workers_remember_outlives_them_and_is_shared() -> None:
    (claim,) = of("PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for name in ("kogge-setup", "kogge-watch", "kogge-worker"):
        (state,) = [one for one in TEMPLATES[name]["spec"]["volumes"] if one["name"] == "state"]
        assert state["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


def test_two_versions_of_workers_never_meet() -> None:
    for one in of("Deployment"):
        if one["metadata"]["name"] in ("kogge-watch", "kogge-worker"):
            assert one["spec"]["strategy"] == {"type": "Recreate"}


def test_nothing_of_prefect_begins_before_its_schema_is_there() -> None:
    for name in ("prefect-server", "prefect-services"):
        (waits,) = containers(name)[1:]
        assert [*waits["command"], *waits["args"]] == ["with-secrets", "await-schema"]
        assert waits["envFrom"] == container(name)["envFrom"]


def test_a_drained_node_leaves_one_of_each_that_must_go_on() -> None:
    spared = {one["metadata"]["name"] for one in of("PodDisruptionBudget")}
    assert spared == {"kogge-watch", "kogge-worker", "prefect-server"}
    for one in of("Deployment") + of("StatefulSet"):
        if one["metadata"]["name"] in spared:
            assert one["spec"]["replicas"] >= 2
            (spread,) = one["spec"]["template"]["spec"]["topologySpreadConstraints"]
            assert matched(spread["labelSelector"]) == {one["metadata"]["name"]}


def test_a_job_that_changed_is_made_anew() -> None:
    """The API refuses a change of a job: Argo CD and Flux replace it."""
    for job in of("Job"):
        told = job["metadata"]["annotations"]
        assert told["argocd.argoproj.io/sync-options"] == "Force=true,Replace=true"
        assert told["kustomize.toolkit.fluxcd.io/force"] == "Enabled"


def test_the_operator_of_prometheus_gets_the_alerts_and_the_metrics() -> None:
    rule = yaml.safe_load((FOLDER / "monitoring" / "prometheus-rule.yaml").read_text())
    plain = yaml.safe_load((ROOT / "deploy" / "prometheus" / "kogge.rules.yml").read_text())
    assert (rule["kind"], rule["spec"]) == ("PrometheusRule", plain)
    monitor = yaml.safe_load((FOLDER / "monitoring" / "service-monitor.yaml").read_text())
    wanted = monitor["spec"]["selector"]["matchLabels"]
    (service,) = [one for one in of("Service") if wanted.items() <= one["metadata"].get("labels", {}).items()]
    ports_there = {one["name"] for one in service["spec"]["ports"]}
    assert {one["port"] for one in monitor["spec"]["endpoints"]} <= ports_there
