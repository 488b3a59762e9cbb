"""The manifest and the image of the Kubernetes page, against the fields that KubeRay documents."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "kubernetes.md"
TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
AMOUNTS = {"type": "object", "additionalProperties": {"type": ["string", "integer"]}}


def fields(needed: str = "", **known: Any) -> dict[str, Any]:
    """An object of these fields and no other."""
    return {
        "type": "object",
        "properties": {name.rstrip("_"): kind for name, kind in known.items()},
        "required": needed.split(),
        "additionalProperties": False,
    }


def listed(kind: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": kind, "minItems": 1}


RESOURCES = fields(limits=AMOUNTS, requests=AMOUNTS)
POD = fields(
    "spec",
    spec=fields(
        "containers",
        terminationGracePeriodSeconds=COUNT,
        securityContext=fields(fsGroup=COUNT),
        containers=listed(
            fields(
                "name image",
                name=TEXT,
                image=TEXT,
                env=listed(fields("name value", name=TEXT, value=TEXT)),
                resources=RESOURCES,
                volumeMounts=listed(fields("name mountPath", name=TEXT, mountPath=TEXT)),
            )
        ),
        volumes=listed(
            fields(
                "name",
                name=TEXT,
                persistentVolumeClaim=fields("claimName", claimName=TEXT),
            )
        ),
    ),
)
STARTED = {"type": "object", "additionalProperties": TEXT}  # `ray start` takes words only
JOB = fields(
    "apiVersion kind metadata spec",
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=fields("name", name=TEXT),
    spec=fields(
        "entrypoint rayClusterSpec",
        entrypoint=TEXT,
        submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
        backoffLimit=COUNT,
        shutdownAfterJobFinishes={"type": "boolean"},
        ttlSecondsAfterFinished=COUNT,
        rayClusterSpec=fields(
            "headGroupSpec",
            rayVersion=TEXT,
            authOptions=fields(mode={"enum": ["disabled", "token"]}),
            headGroupSpec=fields("template", rayStartParams=STARTED, template=POD),
            workerGroupSpecs=listed(
                fields(
                    "groupName template",
                    groupName=TEXT,
                    replicas=COUNT,
                    minReplicas=COUNT,
                    maxReplicas=COUNT,
                    rayStartParams=STARTED,
                    template=POD,
                )
            ),
        ),
    ),
)
CLAIM = fields(
    "apiVersion kind metadata spec",
    apiVersion={"const": "v1"},
    kind={"const": "PersistentVolumeClaim"},
    metadata=fields("name", name=TEXT),
    spec=fields(
        "accessModes resources",
        accessModes=listed({"enum": ["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"]}),
        resources=RESOURCES,
    ),
)


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture
def manifest() -> tuple[dict[str, Any], dict[str, Any]]:
    yaml = pytest.importorskip("yaml")
    claim, job = yaml.safe_load_all(block("yaml"))
    return claim, job


def test_each_field_is_one_that_is_documented(manifest: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    claim, job = manifest
    jsonschema.validate(claim, CLAIM)
    jsonschema.validate(job, JOB)
    job["spec"]["rayClusterSpec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0
    with pytest.raises(jsonschema.ValidationError, match="is not of type 'string'"):
        jsonschema.validate(job, JOB)


def test_the_study_lies_on_the_volume_of_the_head(manifest: Any) -> None:
    claim, job = manifest
    words = shlex.split(job["spec"]["entrypoint"])
    out = words[words.index("--out") + 1]
    pod = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    (mount,) = pod["containers"][0]["volumeMounts"]
    (volume,) = pod["volumes"]
    assert out.startswith(mount["mountPath"] + "/")
    assert volume["name"] == mount["name"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert job["spec"]["backoffLimit"] > 0  # a killed head continues


def test_the_command_is_one_that_nas_takes(manifest: Any) -> None:
    """Put together as `nas search` does, up to where it would look for the cluster."""
    from nas.search.words import assignment, tree_of_words

    words = shlex.split(manifest[1]["spec"]["entrypoint"])
    assert words[:2] == ["nas", "search"]
    values = {name.removeprefix("--").replace("-", "_"): value
              for name, value in zip(words[2::2], words[3::2], strict=True)}  # fmt: skip
    numbers = {"trials": int(values["trials"]), "gpus_per_trial": float(values["gpus_per_trial"])}
    plan = assignment(tree_of_words({**values, **numbers})).plan
    assert plan.runner.options["gpus_per_trial"] == 1.0


def test_the_versions_are_those_that_are_pinned(manifest: Any) -> None:
    pinned = (PAGE.parents[1] / "constraints.txt").read_text()
    version = manifest[1]["spec"]["rayClusterSpec"]["rayVersion"]
    assert re.search(rf"^ray(\[.*\])?=={re.escape(version)}$", pinned, re.MULTILINE)
    assert "-c /opt/nas-toolkit/constraints.txt" in block("dockerfile")
