"""The configuration in the ConfigMap and the Secret."""

import json
import pathlib
import tempfile

from helm import (
    CHART,
    EVERYTHING,
    EXAMPLES,
    container,
    expect,
    find,
    objects,
    program,
    refusal,
    run,
    worker,
)

HTTP = CHART / "ci/http-values.yaml"
CANARY = "canary-d41d8cd9"
# Marked as secret by the program, which hides whatever is as long as a key; public all the same.
PUBLIC = ("ca_pem", "librdkafka")


def marked(schema, path=()):
    """The paths of the keys that the program marks as secret; `[]` is an element of a list."""
    if schema.get("x-form") == "secret":
        yield path
    for name, below in schema.get("properties", {}).items():
        yield from marked(below, (*path, name))
    below = schema.get("items")
    if isinstance(below, dict):
        yield from marked(below, (*path, "[]"))
    below = schema.get("additionalProperties")
    if isinstance(below, dict):
        yield from marked(below, path)
    for other in schema.get("anyOf", []):
        yield from marked(other, path)


def nested(path, value):
    """{"a": {"b": [value]}} of the path a, b, []."""
    for name in reversed(path):
        value = [value] if name == "[]" else {name: value}
    return value


def secrets():
    """No secret can get into a ConfigMap, and those of secretConfig are in one Secret alone."""
    schema = json.loads(program("config", "schema").stdout)
    paths = [path for path in set(marked(schema)) if path[-1] not in PUBLIC]
    expect(len(paths) >= 8, f"only {paths}")
    values = [nested(path, CANARY) for path in sorted(paths)]
    values += [
        {"kafka": {"librdkafka": {"ssl.key.password": CANARY}}},
        {"kafka": {"librdkafka": {"ssl.keystore.password": CANARY}}},
        {"redis": {"url": f"redis://user:{CANARY}@h:6379"}},
        {"redis": {"url": f"redis://:{CANARY}@h"}},
        {"redis": {"url": f"unix:///run/redis?password={CANARY}"}},
        {"redis": {"nodes": [{"url": f"rediss://:{CANARY}@h"}]}},
        {"deletion": {"token": CANARY}},
    ]
    for value in values:
        said = refusal(HTTP, values={"config": value})
        expect(
            "is stored in a ConfigMap" in said and CANARY not in said,
            f"{value}: {said or 'accepted'}",
        )
        holding = [
            item["kind"]
            for item in objects(HTTP, values={"secretConfig": value})
            if CANARY in json.dumps(item)
        ]
        expect(holding == ["Secret"], f"{value} is in {holding}")
    for value in (
        {
            "redis": {
                "url": "redis://user@h:6379/0",
                "tls": {"ca_pem": "-----BEGIN CERTIFICATE-----"},
            }
        },
        {"redis": {"password": "", "password_command": ["vault", "kv", "get", "-field=password"]}},
        {
            "kafka": {
                "sasl": {"token_url": "https://login.example/token"},
                "librdkafka": {"client.rack": "a"},
            }
        },
    ):
        expect(
            not refusal(HTTP, values={"config": value}),
            f"{value} is refused: {refusal(HTTP, values={'config': value})}",
        )


def certificates(directory):
    """An authority's certificate; one that it gave to 127.0.0.1, and its key: files, PEM."""
    ca, ca_key, cert, key, csr, names = (
        directory / name for name in ("ca.crt", "ca.key", "tls.crt", "tls.key", "tls.csr", "names")
    )
    names.write_text("subjectAltName=IP:127.0.0.1")
    new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split()
    for command in (
        ["req", "-x509", *new, "-subj", "/CN=authority", "-days", 1, "-keyout", ca_key, "-out", ca],
        ["req", "-new", *new, "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", csr],
        ["x509", "-req", "-in", csr, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", 1]
        + ["-extfile", names, "-out", cert],
    ):
        made = run("openssl", *command)
        expect(made.returncode == 0, made.stderr)
    return ca, cert, key


class Pod:
    """What a pod of the rendered objects would see: its files below a directory, and variables."""

    def __init__(self, items, directory, secret="a-secret"):
        self.items, self.directory = items, pathlib.Path(directory)
        self.secret = secret
        self.contents = {file.name: file.read_text() for file in certificates(self.directory)}
        # It may not be one of the write keys.
        self.contents["token"] = "a-token\n"
        settings = find(items, "ConfigMap", "rel-traitsink")["data"]["traitsink.yaml"]
        self.write("etc/traitsink/config/traitsink.yaml", settings)
        for one in items:
            if one["kind"] == "Secret":
                self.write(
                    "etc/traitsink/secret-config/traitsink.yaml",
                    one["stringData"]["traitsink.yaml"],
                )
        for volume in worker(items)["spec"]["template"]["spec"]["volumes"]:
            for source in volume.get("projected", {}).get("sources", []):
                for item in next(iter(source.values()))["items"]:
                    self.write(
                        f"etc/traitsink/secrets/{item['path']}",
                        self.contents.get(item["key"], self.secret + "\n"),
                    )

    def write(self, path, text):
        path = self.directory / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.here(text))

    def here(self, text):
        """A text with the pod's paths below the directory."""
        for path in ("/etc/traitsink", "/var/lib/traitsink", "/profile"):
            text = text.replace(path, str(self.directory) + path)
        return text

    def variables(self, one):
        """The variables of a container."""
        found = {}
        for variable in one.get("env", []):
            source = variable.get("valueFrom", {})
            reference = source.get("secretKeyRef")
            if reference:
                made = [
                    item
                    for item in self.items
                    if item["kind"] == "Secret" and item["metadata"]["name"] == reference["name"]
                ]
                found[variable["name"]] = (
                    made[0]["stringData"][reference["key"]] if made else self.secret
                )
            else:
                found[variable["name"]] = "pod-0" if source else self.here(variable["value"])
        return found


def accepted():
    """`traitsink check` accepts what is rendered, with the pod's arguments, files and variables."""
    for file in [*EXAMPLES, EVERYTHING]:
        items = objects(file)
        with tempfile.TemporaryDirectory() as directory:
            pod = Pod(items, directory)
            one = container(items)
            arguments = [pod.here(argument) for argument in one["args"]]
            expect(arguments[-1] == "run", arguments)
            done = program(*arguments[:-1], "check", env=pod.variables(one))
            expect(done.returncode == 0, f"{file.name}: {done.stdout}{done.stderr}")
            expect("warn" not in done.stderr.lower(), f"{file.name}: {done.stderr}")
            shown = program(*arguments[:-1], "config", "show", env=pod.variables(one))
            kafka = "[kafka]" in shown.stdout
            static = 'group_instance_id = "pod-0"' in shown.stdout
            stateful = worker(items)["kind"] == "StatefulSet"
            expect(static == (kafka and stateful), f"{file.name}: static membership: {static}")
            # A key that was misspelled would be refused; a section that was lost would not.
            for text in ("0.0.0.0:9000", "[::]:8081") if file == EVERYTHING else ("0.0.0.0:9464",):
                expect(text in shown.stdout, f"{file.name}: {text} is lost: {shown.stdout}")


def checksums():
    """A new configuration restarts the pods; nothing else of the values does."""

    def template(values):
        return worker(objects(HTTP, values=values))["spec"]["template"]

    first = template({})
    for values in (
        {"config": {"log": {"level": "debug"}}},
        {"secretConfig": {"redis": {"username": "other"}}},
        {"secrets": {"redis.tls.ca_file": {"secretName": "redis-tls", "key": "ca.crt"}}},
    ):
        changed = template(values)["metadata"]["annotations"]
        expect(changed != first["metadata"]["annotations"], f"{values} restart nothing")
    for values in (
        {"replicaCount": 5},
        {"service": {"type": "NodePort"}, "networkPolicy": {"enabled": True}},
        {"serviceMonitor": {"enabled": True}, "podDisruptionBudget": {"enabled": False}},
    ):
        expect(template(values) == first, f"{values} restart the pods")
