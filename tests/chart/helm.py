"""Helm, the program itself, and what they print."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/traitsink"
EXAMPLES = sorted((CHART / "ci").glob("*-values.yaml"))
# Values that use every option that the examples leave alone.
EVERYTHING = pathlib.Path(__file__).with_name("everything.yaml")
CACHE = (
    pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "traitsink"
)


def directory(variable, default, what):
    """The directory that holds a tool; ends the checks when it is not there."""
    path = pathlib.Path(os.environ.get(variable) or CACHE / default)
    if not path.is_dir():
        sys.exit(f"{what} is missing: there is no {path}; tests/run makes it, or set {variable}")
    return path


HELM = directory("TRAITSINK_HELM", "helm-3.19.5", "Helm")
SCHEMAS = directory(
    "TRAITSINK_CHART_SCHEMAS", "chart-schemas-1", "what reads the schemas of Kubernetes"
)
sys.path.insert(0, str(SCHEMAS / "python"))
import yaml  # noqa: E402

PROGRAM = pathlib.Path(os.environ.get("TRAITSINK") or ROOT / "target/debug/traitsink")
if not PROGRAM.exists():
    sys.exit(f"there is no {PROGRAM}: build it with cargo, or set TRAITSINK")


class Wrong(Exception):
    """Something that a check found."""


def expect(holds, message):
    if not holds:
        raise Wrong(message)


def run(*command, **options):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)


def helm(*arguments):
    """Exit code, standard output and standard error of Helm."""
    # A home of its own: nothing that a user set up for Helm plays a part.
    with tempfile.TemporaryDirectory() as home:
        done = run(HELM / "helm", *arguments, env={"PATH": os.environ["PATH"], "HOME": home})
    return done.returncode, done.stdout, done.stderr


def template(*files, values=None, version="1.34.0", chart=CHART):
    """The texts of `helm template` with these files of values, and `values` over them."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as more:
        json.dump(values or {}, more)
        more.flush()
        options = [option for file in [*files, more.name] for option in ("--values", file)]
        return helm(
            "template", "rel", chart, "--namespace", "there", "--kube-version", version, *options
        )


def objects(*files, **options):
    """The objects that the chart renders."""
    code, out, err = template(*files, **options)
    expect(code == 0, f"{[str(file) for file in files]}: {err}")
    return [item for item in yaml.safe_load_all(out) if item]


def refusal(*files, **options):
    """Why the chart refuses the values; empty when it does not."""
    code, _, err = template(*files, **options)
    return err if code else ""


def find(items, kind, name=None):
    """The only object of its kind, or the one of that name."""
    found = [
        one for one in items if one["kind"] == kind and name in (None, one["metadata"]["name"])
    ]
    expect(len(found) == 1, f"{len(found)} objects of kind {kind}, name {name}")
    return found[0]


def worker(items):
    """The StatefulSet or Deployment of the worker."""
    found = [
        one
        for one in items
        if one["kind"] in ("StatefulSet", "Deployment")
        and one["metadata"]["name"] == "rel-traitsink"
    ]
    expect(len(found) == 1, f"{len(found)} workers")
    return found[0]


def container(items):
    """The worker's container."""
    return worker(items)["spec"]["template"]["spec"]["containers"][0]


def program(*arguments, env=None):
    """The program, with no variables but `env`."""
    return run(PROGRAM, *arguments, env={"HOME": "/nonexistent", **(env or {})})
