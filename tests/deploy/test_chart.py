"""The chart of Helm and the components of Kustomize: both make what deploy/kubernetes has, and change what
they say that they change."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from services import needed

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
DIGEST = "registry.example.com/kogge@sha256:" + "0" * 64
IDS = {"runAsUser", "runAsGroup", "fsGroup"}
OF_OPERATORS = {"ServiceMonitor", "PrometheusRule"}
"""The schemas of Kubernetes do not know them."""

Made = dict[tuple[str, str], dict[str, Any]]


def parsed(text: str) -> Made:
    found = [one for one in yaml.safe_load_all(text) if one]
    made = {(one["kind"], one["metadata"]["name"]): one for one in found}
    assert len(made) == len(found)
    return made


def helm(**values: object) -> subprocess.CompletedProcess[str]:
    needed(shutil.which("helm") is not None, "Helm is not installed")
    given = [word for name, value in values.items() for word in ("--set-json", f"{name}={json.dumps(value)}")]
    words = ["helm", "template", "kogge", FOLDER, "--namespace", "kogge", *given]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def chart(**values: object) -> Made:
    done = helm(**values)
    assert done.returncode == 0, done.stderr
    return parsed(done.stdout)


def kustomized(folder: Path, *components: str) -> Made:
    """What Kustomize makes of the manifests with these components of theirs."""
    needed(shutil.which("kubectl") is not None, "kubectl is not installed")
    shutil.copytree(FOLDER, folder / "base")
    named = [f"base/{one}" for one in components]
    text = yaml.safe_dump({"kind": "Kustomization", "resources": ["base"], "components": named})
    (folder / "kustomization.yaml").write_text(text)
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return parsed(done.stdout)


def pods(made: Made) -> list[dict[str, Any]]:
    return [one["spec"]["template"]["spec"] for one in made.values() if "template" in one.get("spec", {})]


def images(made: Made) -> set[str]:
    return {
        one["image"] for pod in pods(made) for one in [*pod["containers"], *pod.get("initContainers", [])]
    }


def valid(made: Made) -> None:
    for (kind, _), one in made.items():
        if kind not in OF_OPERATORS:
            kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


def test_the_chart_makes_what_kustomize_makes(tmp_path: Path) -> None:
    plain, made = kustomized(tmp_path), chart()
    del plain["Namespace", "kogge"]
    for name in ("prefect-migrate", "kogge-setup"):
        own = made.pop(("Job", f"{name}-1"))
        own["metadata"]["name"] = name
        made["Job", name] = own
    assert made == plain


def test_its_values_arrive() -> None:
    rule = {"to": [{"ipBlock": {"cidr": "192.0.2.0/28"}}], "ports": [{"protocol": "TCP", "port": 443}]}
    database = {"ipBlock": {"cidr": "192.0.2.16/32"}}
    made = chart(
        image=DIGEST,
        replicas={"kogge-worker": 6},
        settings={"prefect-settings": {"PREFECT_SERVER_DATABASE_HOST": "db.example.com"}},
        storageClassName="nfs",
        anyUser=True,
        monitoring=True,
        workersReach=[rule],
        databasesAt=[database],
        overrides={"Deployment/kogge-watch": {"spec": {"replicas": 3}}},
    )
    valid(made)
    assert images(made) == {DIGEST}
    assert made["Deployment", "kogge-worker"]["spec"]["replicas"] == 6
    assert made["Deployment", "kogge-watch"]["spec"]["replicas"] == 3
    told = made["ConfigMap", "prefect-settings"]["data"]
    assert told["PREFECT_SERVER_DATABASE_HOST"] == "db.example.com"
    assert told["PREFECT_SERVER_DATABASE_USER"] == "prefect"
    assert made["PersistentVolumeClaim", "kogge-state"]["spec"]["storageClassName"] == "nfs"
    assert not [pod for pod in pods(made) if IDS & pod["securityContext"].keys()]
    assert {kind for kind, _ in made} >= OF_OPERATORS
    server, *others = made["NetworkPolicy", "kogge-workers"]["spec"]["egress"]
    assert server["to"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "prefect-server"}}}]
    assert others == [rule]
    for name in ("kogge-ledger", "prefect-databases"):
        (egress,) = made["NetworkPolicy", name]["spec"]["egress"]
        assert egress["to"] == [database]


@pytest.mark.parametrize("value", [{"replica": {}}, {"image": "kogge"}, {"replicas": {"kogge-wroker": 2}}])
def test_a_value_that_it_does_not_have_is_refused(value: dict[str, object]) -> None:
    assert helm(**value).returncode != 0


def test_a_cluster_may_choose_the_users(tmp_path: Path) -> None:
    made = kustomized(tmp_path, "openshift", "monitoring")
    valid(made)
    assert not [pod for pod in pods(made) if IDS & pod["securityContext"].keys()]
    assert all(pod["securityContext"]["runAsNonRoot"] for pod in pods(made))
    assert {kind for kind, _ in made} >= OF_OPERATORS
