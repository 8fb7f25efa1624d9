"""Names in the rendered objects: each leads to another object, a port or a volume."""

from helm import expect, find, worker
from objects import renderings

# Containers of everything.yaml, which are not the chart's.
FOREIGN = ("before", "beside")
VOLUMES = (
    ("ConfigMap", "configMap", "name"),
    ("Secret", "secret", "secretName"),
    ("PersistentVolumeClaim", "persistentVolumeClaim", "claimName"),
)


# The label by which Kubernetes tells the pods of a StatefulSet apart.
POD_NAME = "statefulset.kubernetes.io/pod-name"


def matches(selector, labels):
    return bool(selector) and selector.items() <= labels.items()


class Pods:
    """One kind of pods: a pod, or the template of a workload."""

    def __init__(self, item):
        template = item if item["kind"] == "Pod" else item["spec"]["template"]
        self.item, self.spec = item, template["spec"]
        self.labels = template["metadata"]["labels"]
        self.claims = item["spec"].get("volumeClaimTemplates", [])
        self.containers = [*self.spec.get("initContainers", []), *self.spec["containers"]]
        self.ports = {port["name"] for one in self.containers for port in one.get("ports", [])}

    def volumes(self, made):
        """Yields volumes that nobody mounts or makes."""
        volumes = {one["name"] for one in self.spec.get("volumes", [])}
        volumes |= {one["metadata"]["name"] for one in self.claims}
        mounted = {
            mount["name"] for one in self.containers for mount in one.get("volumeMounts", [])
        }
        if volumes != mounted:
            yield f"volumes {sorted(volumes)}, mounts {sorted(mounted)}"
        for volume in self.spec.get("volumes", []):
            for kind, key, name in VOLUMES:
                target = volume.get(key, {}).get(name)
                # Others are those of the user.
                if target and target.startswith("rel-") and (kind, target) not in made:
                    yield f"there is no {kind} {target}"

    def security(self):
        """Yields what a pod or container may do beyond the least."""
        pod = self.spec["securityContext"]
        if self.spec["automountServiceAccountToken"] or not pod["runAsNonRoot"]:
            yield "the pod may do too much"
        if pod["seccompProfile"] != {"type": "RuntimeDefault"}:
            yield "the pod may call too much of the kernel"
        for one in self.containers:
            if one["name"] not in FOREIGN:
                may = one["securityContext"]
                least = may["capabilities"] == {"drop": ["ALL"]} and may["readOnlyRootFilesystem"]
                if not least or may["allowPrivilegeEscalation"]:
                    yield f"{one['name']} may do too much"

    def probes(self):
        """Yields probes of ports that no container has."""
        for one in self.containers:
            for name in ("startupProbe", "readinessProbe", "livenessProbe"):
                probe = one.get(name, {})
                port = probe.get("httpGet", probe.get("tcpSocket", {})).get("port")
                if port and port not in self.ports:
                    yield f"{name} asks port {port}"

    def workload(self, made, pods):
        """Yields what is wrong with the workload of a template."""
        account = self.spec["serviceAccountName"]
        if account != "default" and ("ServiceAccount", account) not in made:
            yield f"there is no ServiceAccount {account}"
        if self.item["kind"] != "Pod":
            selector = self.item["spec"]["selector"]["matchLabels"]
            if [one for one in pods if matches(selector, one.labels)] != [self]:
                yield "its selector does not match its own pods alone"
            service = self.item["spec"].get("serviceName")
            if service and ("Service", service) not in made:
                yield f"there is no Service {service}"


def selects(item, pods):
    """Yields what is wrong with an object that selects pods."""
    spec = item["spec"]
    if item["kind"] == "Service":
        selector, ports = dict(spec["selector"]), [port["targetPort"] for port in spec["ports"]]
        pod = selector.pop(POD_NAME, None)
        sets = [one.item for one in pods if one.item["kind"] == "StatefulSet"]
        if pod and pod not in [f"{one['metadata']['name']}-0" for one in sets]:
            yield f"there is no pod {pod}"
    elif item["kind"] == "NetworkPolicy":
        selector = spec["podSelector"]["matchLabels"]
        ports = [port["port"] for rule in spec["ingress"] for port in rule["ports"]]
    else:
        selector, ports = spec["selector"]["matchLabels"], []
    chosen = [one for one in pods if matches(selector, one.labels)]
    if not chosen or any(one.item["kind"] == "Pod" for one in chosen):
        yield f"selects {len(chosen)} kinds of pods"
    for port in ports:
        if isinstance(port, str) and not all(port in one.ports for one in chosen):
            yield f"not every pod has a port {port}"


def points(item, items, made):
    """Yields what is wrong with an object that names other objects."""
    spec = item["spec"]
    if item["kind"] == "ServiceMonitor":
        chosen = spec["selector"]["matchLabels"]
        services = [one for one in items if one["kind"] == "Service"]
        services = [one for one in services if matches(chosen, one["metadata"]["labels"])]
        ports = [port["name"] for one in services for port in one["spec"]["ports"]]
        if ports != [end["port"] for end in spec["endpoints"]]:
            yield f"selects {len(services)} services with ports {ports}"
    elif item["kind"] == "Ingress":
        for rule in spec["rules"]:
            target = rule["http"]["paths"][0]["backend"]["service"]
            ports = find(items, "Service", target["name"])["spec"]["ports"]
            if target["port"]["name"] not in [port["name"] for port in ports]:
                yield "its service has no such port"
    else:
        target = spec["scaleTargetRef"]
        if (target["kind"], target["name"]) not in made:
            yield f"there is no {target['kind']} {target['name']}"
        if "replicas" in worker(items)["spec"]:
            yield "the worker has a number of replicas of its own"


def wrong(items):
    """Yields everything that is wrong in one rendering."""
    made = {(item["kind"], item["metadata"]["name"]) for item in items}
    if len(made) != len(items):
        yield "two objects have one name"
    pods = [Pods(item) for item in items if item["kind"] in ("Pod", "StatefulSet", "Deployment")]
    for one in pods:
        checks = (one.volumes(made), one.security(), one.probes(), one.workload(made, pods))
        for check in checks:
            for found in check:
                yield f"{one.item['kind']} {one.item['metadata']['name']}: {found}"
    for item in items:
        if item["kind"] in ("Service", "NetworkPolicy", "PodDisruptionBudget"):
            found = selects(item, pods)
        elif item["kind"] in (
            "ServiceMonitor",
            "Ingress",
            "HorizontalPodAutoscaler",
            "ScaledObject",
        ):
            found = points(item, items, made)
        else:
            continue
        for one in found:
            yield f"{item['kind']} {item['metadata']['name']}: {one}"


def names():
    """Every name leads somewhere; no pod may do too much."""
    for name, items in renderings():
        found = list(wrong(items))
        expect(not found, f"{name}: {found}")
