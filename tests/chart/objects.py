"""The rendered objects: valid, and every name in them leads somewhere."""

import json

from helm import (
    CHART,
    EVERYTHING,
    EXAMPLES,
    ROOT,
    SCHEMAS,
    Wrong,
    expect,
    find,
    helm,
    objects,
    run,
    yaml,
)
import kubernetes_validate

VERSIONS = ["1.27", "1.31", "1.36"]
# Further sets of values: what the examples and everything.yaml cannot hold at once.
MORE = {
    "a Redis with replicas and volumes": (
        "redis",
        {
            "redis": {
                "replicaCount": 2,
                "auth": {"existingSecret": ""},
                "persistence": {"enabled": True, "storageClass": "-"},
            },
            "networkPolicy": {"redis": {"from": [{"podSelector": {}}]}},
        },
    ),
    "a Deployment with a volume": ("http", {"kind": "Deployment", "replicaCount": 1}),
    "a claim that exists": ("http", {"replicaCount": 1, "persistence": {"existingClaim": "mine"}}),
    "Redis in a Secret": (
        "http",
        {
            "config": {"redis": None},
            "secrets": {
                "redis.url": {"secretName": "redis", "key": "url"},
                "redis.password_file": None,
            },
            "networkPolicy": {"enabled": True, "redis": {"ports": [6380]}},
            "tests": {"redisServers": ["redis:6380"]},
        },
    ),
    "KEDA with a login": (
        "kafka",
        {
            "keda": {
                "enabled": True,
                "authenticationRef": {"name": "kafka"},
                "triggerMetadata": {"limitToPartitionsWithLag": "true"},
                "advanced": {"restoreToOriginalReplicaCount": True},
            },
            "config": {"kafka": {"topics": ["^events"]}},
        },
    ),
    "no probes, no test, no budget": (
        "kafka",
        {
            "livenessProbe": None,
            "startupProbe": None,
            "tests": {"enabled": False},
            "podDisruptionBudget": {"enabled": False},
            "serviceAccount": {"create": False},
        },
    ),
}


def renderings():
    """Every set of values, and the objects that it gives."""
    for file in [*EXAMPLES, EVERYTHING]:
        yield file.name, objects(file)
    for name, (example, values) in MORE.items():
        yield name, objects(CHART / f"ci/{example}-values.yaml", values=values)


def lint():
    """`helm lint` finds nothing in any example."""
    expect(len(EXAMPLES) == 5, f"{len(EXAMPLES)} examples")
    for file in [*EXAMPLES, EVERYTHING]:
        code, out, err = helm(
            "lint", CHART, "--strict", "--kube-version", "1.34.0", "--values", file
        )
        expect(code == 0, f"{file.name}: {out}{err}")


def valid():
    """Every object is valid: Kubernetes' own strictly, for three versions; others by their CRD."""
    own, custom = 0, []
    for name, items in renderings():
        for item in items:
            if ".coreos.com/" in item["apiVersion"] or item["apiVersion"].startswith("keda.sh/"):
                custom.append(item)
                continue
            for version in VERSIONS:
                try:
                    kubernetes_validate.validate(item, version, strict=True)
                except Exception as error:
                    what = f"{item['kind']} {item['metadata']['name']}"
                    where = ".".join(map(str, getattr(error, "path", [])))
                    message = getattr(error, "message", error)
                    raise Wrong(f"{name}: {what}, {version}: {where}: {message}")
            own += 1
    expect(own >= 80 and len(custom) >= 5, f"only {own} objects and {len(custom)} custom resources")
    done = run("node", ROOT / "tests/chart/crds.mjs", SCHEMAS, input=json.dumps(custom))
    expect(done.returncode == 0 and not done.stdout, done.stdout + done.stderr)


def drift():
    """The plain manifests are what the chart renders."""
    done = run(ROOT / "deploy/kubernetes/render", "--check")
    expect(done.returncode == 0, done.stderr)


def alerts():
    """The chart's copy of the alerts is that of dashboards/, and all of it is rendered."""
    copy = CHART / "files/traitsink-alerts.yaml"
    source = ROOT / "dashboards/traitsink-alerts.yaml"
    if source.exists():
        expect(
            copy.read_text() == source.read_text(),
            f"cp {source.relative_to(ROOT)} {copy.relative_to(ROOT)}",
        )
    groups = yaml.safe_load(copy.read_text())["groups"]
    kafka = CHART / "ci/kafka-values.yaml"
    expect(find(objects(kafka), "PrometheusRule")["spec"]["groups"] == groups, "groups differ")
    base = "https://git.example.com/"
    options = {"disabled": ["TraitsinkNotReady"], "alertLabels": {"team": "x"}, "runbookBase": base}
    spec = find(objects(kafka, values={"prometheusRule": options}), "PrometheusRule")["spec"]
    rules = [rule for group in spec["groups"] for rule in group["rules"] if "alert" in rule]
    expect(all(rule["labels"]["team"] == "x" for rule in rules), "a label is missing")
    expect("TraitsinkNotReady" not in [rule["alert"] for rule in rules], "it is not left out")
    for rule in rules:
        expect(rule["annotations"]["runbook_url"].startswith(base), rule)
