"""Values: each is known and explained, mistakes are refused, and numbers are computed right."""

import json
import pathlib
import shutil
import tempfile

from helm import CHART, container, expect, find, objects, refusal, worker, yaml

REFUSED = pathlib.Path(__file__).with_name("refused.yaml")
HTTP, KAFKA = CHART / "ci/http-values.yaml", CHART / "ci/kafka-values.yaml"


def defaults():
    """values.yaml and values.schema.json have the same keys, and each key is explained."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())

    def resolved(below):
        name = below.get("$ref", "").removeprefix("#/definitions/")
        return schema["definitions"][name] if name else below

    def compare(here, below, path):
        below = resolved(below)
        if "properties" in below and below.get("additionalProperties") is False:
            known = set(below["properties"]) - {"global"}
            # Names of lists of limits and requests are Kubernetes' own.
            if path != "resources":
                expect(set(here) == known, f"{path}: {sorted(set(here) ^ known)}")
            for key, value in here.items():
                compare(value, below["properties"][key], f"{path}.{key}".strip("."))

    compare(values, schema, "")
    text = (CHART / "values.yaml").read_text().splitlines()
    bare, explained = [], False
    for line in text:
        explained = line != "" and (explained or line.startswith("#"))
        if line[:1].isalpha() and not explained:
            bare.append(line.split(":")[0])
    expect(bare == [], f"no comment stands above: {bare}")


def refused():
    """The mistakes of refused.yaml are refused, with their messages."""
    rows = yaml.safe_load(REFUSED.read_text())
    expect(len(rows) >= 30, f"only {len(rows)} rows")
    for row in rows:
        files = [CHART / f"ci/{row['with']}-values.yaml"] if "with" in row else []
        said = " ".join(refusal(*files, values=row["values"]).split())
        expect(row["message"] in said, f"{row['values']}: {said or 'accepted'}")


def times():
    """The pod may take delivery.stop_delay + delivery.stop_grace + 5 s, rounded up, or more."""
    for delay, grace, override, seconds in (
        (None, None, None, 30),  # 5s, the chart's own delay with HTTP, and 20s
        ("0s", "20s", None, 25),
        ("10s", "500ms", None, 16),
        ("100ms", "900ms", None, 6),
        ("100ms", "901ms", None, 7),
        ("2m", "1m 30s", None, 215),
        ("1.5s", "1h", None, 3607),
        ("10s", "20s", 35, 35),
        ("10s", "20s", 300, 300),
    ):
        delivery = {"stop_delay": delay, "stop_grace": grace}
        # Without a value in secretConfig that of the example counts.
        for key in ("config", "secretConfig") if delay else ("config",):
            values = {key: {"delivery": delivery}, "terminationGracePeriodSeconds": override}
            got = worker(objects(HTTP, values=values))["spec"]["template"]["spec"][
                "terminationGracePeriodSeconds"
            ]
            expect(got == seconds, f"{delay}, {grace}, {override}: {got} instead of {seconds}")
    # Without HTTP nothing waits for load balancers.
    got = worker(objects(KAFKA))["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    expect(got == 25, f"Kafka: {got}")


def memory():
    """The memory of docs/operations.md, with headroom as the limit."""
    for file, config, least in (
        (HTTP, {"http": {"max_connections": 1024}}, 32 + 64),
        (
            HTTP,
            {"http": {"max_connections": 2048}, "delivery": {"max_in_flight": "1GiB"}},
            1024 + 64 + 8,
        ),
        (
            HTTP,
            {
                "http": {"max_connections": 1024},
                "delivery": {"lanes": 10, "max_batch_bytes": "2MiB"},
            },
            32 + 64 + 4 + 12,
        ),
        (
            HTTP,
            {"http": {"max_connections": 1024}, "delivery": {"max_in_flight": "33000KB"}},
            32 + 64,
        ),
        (KAFKA, {}, 32 + 64 + 16),
        (KAFKA, {"kafka": {"librdkafka": {"queued.max.messages.kbytes": 1024}}}, 32 + 64 + 1),
        (CHART / "ci/cluster-values.yaml", {}, 32 + 64 + 8),
    ):
        resources = container(objects(file, values={"config": config, "memoryHeadroomMi": 50}))[
            "resources"
        ]
        expect(
            resources["requests"]["memory"] == f"{least}Mi",
            f"{config}: {resources} instead of {least}",
        )
        expect(resources["limits"]["memory"] == f"{least + 50}Mi", f"{config}: {resources}")
    own = container(objects(HTTP, values={"resources": {"limits": {"memory": "1Gi"}}}))["resources"]
    expect(own == {"limits": {"memory": "1Gi"}, "requests": {"cpu": "100m"}}, own)


def notes():
    """NOTES.txt warns of what loses data, and of nothing else."""
    with tempfile.TemporaryDirectory() as directory:
        chart = pathlib.Path(directory) / "traitsink"
        shutil.copytree(CHART, chart)
        # Helm prints the notes only when it talks to a cluster.
        (chart / "templates/notes.yaml").write_text(
            "kind: Notes\napiVersion: v1\nmetadata: { name: notes }\ntext: |\n"
            '  {{- include (print $.Template.BasePath "/NOTES.txt") . | nindent 2 }}\n'
        )
        for example, values, warnings in (
            ("http", {}, []),
            ("cluster", {}, []),
            ("autoscaled", {}, []),
            (
                "autoscaled",
                {"config": {"dead_letter": {"to": "file", "topic": None}}},
                ["dead letters are lost with their pod"],
            ),
            (
                "kafka",
                {"config": {"dead_letter": {"to": "discard"}}},
                ["events that Redis refuses for good are lost"],
            ),
            ("redis", {}, ["keeps its profiles in memory alone"]),
            (
                "redis",
                {"redis": {"auth": {"existingSecret": ""}, "persistence": {"enabled": True}}},
                ["has no password"],
            ),
        ):
            file = CHART / f"ci/{example}-values.yaml"
            text = find(objects(file, values=values, chart=chart), "Notes")["text"]
            found = text.count("WARNING")
            expect(
                found == len(warnings) and all(one in text for one in warnings),
                f"{example}, {values}: {text}",
            )
            expect(len(text.splitlines()) >= 8 and max(map(len, text.splitlines())) <= 140, text)
