"""The pod of `helm test`, played on this machine: its steps as they are rendered, a real worker and
real Redis servers. BusyBox takes the place of the image's tools."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

from config import Pod
from helm import CHART, PROGRAM, container, expect, find, objects, program, run


def free():
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Processes:
    """Child processes that end with the check."""

    def __init__(self):
        self.started = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # A replica that has just begun does not end when it is asked to.
        for child in reversed(self.started):
            child.kill()
            child.wait()

    def start(self, *command, **options):
        self.started.append(
            subprocess.Popen(
                list(map(str, command)),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                **options,
            )
        )

    def redis(self, directory, *options):
        """Starts a Redis that keeps nothing; returns its port without TLS."""
        port = free()
        common = ("--port", port, "--bind", "127.0.0.1", "--dir", directory, "--save", "")
        self.start("redis-server", *common, *options)
        return port


def eventually(done, what):
    for _ in range(300):
        if done():
            return
        time.sleep(0.1)
    expect(False, f"{what} does not happen")


def ready(port):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=2).status == 200
    except OSError:
        return False


def play(pod, url):
    """Runs the containers of the test's pod one after the other; returns what they print."""
    tools = pod.directory / "tools"
    tools.mkdir()
    for name in "sh wget head od tr cat cut base64 sed sleep printf".split():
        (tools / name).symlink_to(shutil.which("busybox"))
    (tools / "redis-cli").symlink_to(shutil.which("redis-cli"))
    (pod.directory / "profile").mkdir()
    spec = find(pod.items, "Pod")["spec"]
    printed = ""
    for one in [*spec["initContainers"], *spec["containers"]]:
        variables = pod.variables(one)
        arguments = [pod.here(argument) for argument in one["args"]]
        if one["name"] == "replay":
            done = program(*arguments, env=variables)
        else:
            variables = {
                name: value.replace("http://rel-traitsink.there:80", url)
                for name, value in variables.items()
            }
            done = run(*one["command"], *arguments, env={"PATH": str(tools), **variables})
        expect(done.returncode == 0, f"{one['name']}: {done.stdout}{done.stderr}")
        printed += done.stdout + done.stderr
    return printed


def worker(pod, processes, admin):
    """Starts the worker as its container would, and waits until it is ready."""
    one = container(pod.items)
    arguments = map(pod.here, one["args"])
    processes.start(PROGRAM, *arguments, env={"HOME": "/nonexistent", **pod.variables(one)})
    eventually(lambda: ready(admin), "ready")


def http():
    """The event goes through the HTTP source, with the write key of a mounted file, and is read
    with the worker's password and database."""
    with tempfile.TemporaryDirectory() as directory, Processes() as processes:
        redis = processes.redis(directory, "--requirepass", "a-secret")
        listen, admin, deletion = free(), free(), free()
        items = objects(
            CHART / "ci/http-values.yaml",
            values={
                "config": {
                    "http": {"listen": f"0.0.0.0:{listen}"},
                    "admin": {"listen": f"0.0.0.0:{admin}"},
                    "deletion": {"listen": f"0.0.0.0:{deletion}"},
                    "redis": {"host": "127.0.0.1", "port": redis, "prefix": "shop"},
                }
            },
        )
        pod = Pod(items, directory)
        worker(pod, processes, admin)
        printed = play(pod, f"http://127.0.0.1:{listen}")
        expect(f"shop:user:helm-test-rel is in Redis at 127.0.0.1:{redis}" in printed, printed)
        left = run(
            "redis-cli", "-p", redis, "-a", "a-secret", "--no-auth-warning", "-n", "1", "DBSIZE"
        )
        expect(left.stdout.strip() == "0", f"left behind: {left.stdout}")


def cluster():
    """The same with a write key in a variable, and a cluster that wants TLS, a client certificate
    and a user name."""
    with tempfile.TemporaryDirectory() as directory, Processes() as processes:
        listen, admin, redis = free(), free(), free()
        listens = {
            "http": {"listen": f"0.0.0.0:{listen}"},
            "admin": {"listen": f"0.0.0.0:{admin}"},
            "redis": {"nodes": [f"127.0.0.1:{redis}"]},
        }
        pod = Pod(objects(CHART / "ci/cluster-values.yaml", values={"config": listens}), directory)
        files = [pod.directory / name for name in ("ca.crt", "tls.crt", "tls.key")]
        processes.redis(
            directory, "--cluster-enabled", "yes", "--cluster-port", free(), "--tls-cluster", "yes",
            "--tls-port", redis, "--tls-ca-cert-file", files[0], "--tls-cert-file", files[1],
            "--tls-key-file", files[2], "--user", "default", "off",
            "--user", "traitsink", "on", ">a-secret", "~shop:*", "+@all",
        )  # fmt: skip
        cli = ["redis-cli", "-p", redis, "--tls", "--cacert", files[0], "--cert", files[1]]
        cli += ["--key", files[2], "--user", "traitsink", "-a", "a-secret", "--no-auth-warning"]
        given = ("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        eventually(lambda: "OK" in run(*cli, *given).stdout, "the slots are given")
        eventually(lambda: "state:ok" in run(*cli, "CLUSTER", "INFO").stdout, "the cluster is up")
        worker(pod, processes, admin)
        printed = play(pod, f"http://127.0.0.1:{listen}")
        expect(f"shop:user:helm-test-rel is in Redis at 127.0.0.1:{redis}" in printed, printed)


def replay():
    """Without a write key the event goes through `replay`, here to the master of a sentinel."""
    with tempfile.TemporaryDirectory() as directory, Processes() as processes:
        redis = processes.redis(directory, "--requirepass", "a-secret")
        settings = pathlib.Path(directory) / "sentinel.conf"
        settings.write_text(
            f"sentinel monitor mymaster 127.0.0.1 {redis} 1\nsentinel auth-pass mymaster a-secret\n"
        )
        port = free()
        processes.start(
            "redis-server",
            settings,
            "--sentinel",
            "--port",
            port,
            "--bind",
            "127.0.0.1",
            cwd=directory,
        )
        asked = ("redis-cli", "-p", port, "SENTINEL", "get-master-addr-by-name", "mymaster")
        eventually(lambda: str(redis) in run(*asked).stdout, "the sentinel knows the master")
        items = objects(
            CHART / "ci/kafka-values.yaml",
            values={"config": {"redis": {"sentinel": {"nodes": [f"127.0.0.1:{port}"]}}}},
        )
        printed = play(Pod(items, directory), "")
        expect(f"user:helm-test-rel is in Redis at 127.0.0.1:{redis}" in printed, printed)


def redis():
    """The chart's own Redis starts with its rendered arguments, a replica follows it, every write
    is on disk, and its probe fails without the password."""
    values = {"redis": {"replicaCount": 1, "persistence": {"enabled": True}}}
    items = objects(CHART / "ci/redis-values.yaml", values=values)
    settings = find(items, "ConfigMap", "rel-traitsink")["data"]["traitsink.yaml"]
    expect("- rel-traitsink-redis-replica-0.rel-traitsink-redis-replica:6379" in settings, settings)
    with tempfile.TemporaryDirectory() as directory, Processes() as processes:
        ports = []
        for name in ("rel-traitsink-redis", "rel-traitsink-redis-replica"):
            workload = find(items, "StatefulSet", name)
            one = workload["spec"]["template"]["spec"]["containers"][0]
            here = {
                "$(REDISCLI_AUTH)": "a-secret",
                "/data": f"{directory}/{name}",
                "rel-traitsink-redis": "127.0.0.1",
                "6379": str(ports[0] if ports else 6379),
            }
            pathlib.Path(here["/data"]).mkdir()
            ports.append(free())
            arguments = [here.get(argument, argument) for argument in one["args"]]
            processes.start(*one["command"], *arguments, "--port", ports[-1])
        probe = one["readinessProbe"]["exec"]["command"]

        def ping(port, **env):
            return run(*probe[:1], "-p", port, *probe[1:], env={"PATH": os.environ["PATH"], **env})

        def ask(port, *command):
            return run(
                "redis-cli", "-p", port, "-a", "a-secret", "--no-auth-warning", *command
            ).stdout

        for port in ports:
            eventually(lambda: ping(port, REDISCLI_AUTH="a-secret").returncode == 0, "an answer")
            expect(ping(port).returncode != 0, "the probe passes without the password")
        eventually(lambda: "master_link_status:up" in ask(ports[1], "INFO"), "the replica follows")
        expect(ask(ports[0], "SET", "a", "b").strip() == "OK", "the master takes no writes")
        for key, value in (("appendfsync", "always"), ("maxmemory-policy", "noeviction")):
            expect(value in ask(ports[0], "CONFIG", "GET", key), f"{key} is not {value}")
