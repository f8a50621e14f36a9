"""deploy/kubernetes: objects that Kubernetes takes, that fit each other, and what they start."""

import json
import os
import re
import shutil
import ssl
import subprocess
import urllib.request

import pytest
from commands import BIN, REPO, check_flags
from programs import Program, eventually

FOLDER = REPO / "deploy" / "kubernetes"
DECODER = REPO / ".deps" / "bin" / "decode-manifests"
CERTIFICATES = REPO / "tests" / "certificates.sh"
GUIDE = REPO / "docs" / "deploy.md"
NAME = "app.kubernetes.io/name"
KINDS = ("startup", "readiness", "liveness")  # of probes


def decode(*folders):
    return subprocess.run([DECODER, *folders], capture_output=True, text=True, check=False)


def objects_of(folder):
    done = decode(folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)[str(folder)]


BASE, EXAMPLE = objects_of(FOLDER / "base"), objects_of(FOLDER / "example")
EVERY = pytest.mark.parametrize("objects", [BASE, EXAMPLE], ids=["base", "example"])


def find(objects, kind, name):
    (found,) = (o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name))
    return found


def named(objects, kind):
    return [o for o in objects if o["kind"] == kind]


def pod_of(stateful_set):
    return stateful_set["spec"]["template"]["spec"]


def container_of(stateful_set):
    (container,) = pod_of(stateful_set)["containers"]
    return container


def secrets_of(objects):
    """{(name, key)} of every Secret that pods and monitors are given."""
    used = set()
    for pod in map(pod_of, named(objects, "StatefulSet")):
        for volume in pod["volumes"]:
            for source in volume.get("projected", {}).get("sources", []):
                secret = source["secret"]
                used |= {(secret["name"], item["key"]) for item in secret["items"]}
    for monitor in named(objects, "ServiceMonitor"):
        (endpoint,) = monitor["spec"]["endpoints"]
        given = [endpoint["tlsConfig"]["ca"]["secret"]]
        given += [a["credentials"] for a in [endpoint.get("authorization")] if a]
        used |= {(secret["name"], secret["key"]) for secret in given}
    return used


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ("replicas: 1", "replica: 1", 'unknown field "spec.replica"'),
        ("replicas: 1", "replicas: one", "cannot unmarshal string"),
        ("kind: StatefulSet", "kind: StatefulSets", 'no kind "StatefulSets"'),
        ("enableServiceLinks:", "enableServiceLink:", 'unknown field "spec.template.spec.enable'),
        ("timeoutSeconds: 5", "timeoutSecond: 5", "timeoutSecond"),
        ("serviceName: pmt", "serviceName: pmt\n  serviceName: pmt", "serviceName"),
    ],
)
def test_what_kubernetes_would_not_know_is_refused(tmp_path, right, wrong, sentence):
    shutil.copytree(FOLDER / "base", tmp_path / "base")
    file = tmp_path / "base" / "coordinator.yaml"
    text = file.read_text(encoding="utf-8")
    assert right in text
    file.write_text(text.replace(right, wrong))
    done = decode(tmp_path / "base")
    assert done.returncode == 1
    assert sentence in done.stderr


@pytest.mark.parametrize("file", ["coordinator.yaml", "workers.yaml", "network.yaml"])
def test_a_base_without_one_of_its_files_is_refused(tmp_path, file):
    shutil.copytree(FOLDER / "base", tmp_path / "base")
    (tmp_path / "base" / file).unlink()
    done = decode(tmp_path / "base")
    assert done.returncode == 1
    assert file in done.stderr


def test_the_example_is_the_base_and_both_components():
    kinds = sorted((o["kind"], o["metadata"]["name"]) for o in EXAMPLE)
    base = sorted((o["kind"], o["metadata"]["name"]) for o in BASE)
    monitors = [("ServiceMonitor", "pmt-coordinator"), ("ServiceMonitor", "pmt-worker")]
    assert kinds == sorted(base + monitors)
    assert {o["metadata"]["namespace"] for o in EXAMPLE} == {"prefixmem"}
    workers = [find(objects, "StatefulSet", "pmt-worker") for objects in (BASE, EXAMPLE)]
    gpu, cpu = map(container_of, workers)
    assert "--device=cuda" in gpu["args"] and "nvidia.com/gpu" in gpu["resources"]["limits"]
    assert "--device=cpu" in cpu["args"] and "nvidia.com/gpu" not in cpu["resources"]["limits"]
    (slots,) = (a.split("=")[1] for a in cpu["args"] if a.startswith("--slots="))
    assert cpu["resources"]["requests"]["cpu"] == slots, "a core for each rank"
    assert workers[1]["spec"]["replicas"] == 6
    assert cpu["image"].startswith("registry.example/")


@EVERY
def test_names_lead_to_what_they_mean(objects):
    pods = {s["metadata"]["name"]: s["spec"]["template"] for s in named(objects, "StatefulSet")}
    labels = {name: pod["metadata"]["labels"] for name, pod in pods.items()}
    ports = {
        name: {p["name"]: p["containerPort"] for p in pod["spec"]["containers"][0]["ports"]}
        for name, pod in pods.items()
    }

    def selected(selector):
        """The one kind of pod that it selects."""
        (name,) = (n for n, have in labels.items() if selector.items() <= have.items())
        return name

    for stateful_set in named(objects, "StatefulSet"):
        assert (
            selected(stateful_set["spec"]["selector"]["matchLabels"])
            == (stateful_set["metadata"]["name"])
        )
        find(objects, "Service", stateful_set["spec"]["serviceName"])
    for service in named(objects, "Service"):
        name = selected(service["spec"]["selector"])
        for port in service["spec"]["ports"]:
            assert ports[name][port["targetPort"]] == port["port"]
    for policy in named(objects, "NetworkPolicy"):
        name = selected(policy["spec"]["podSelector"]["matchLabels"])
        used = [p["port"] for rule in policy["spec"]["ingress"] for p in rule.get("ports", [])]
        assert used and set(used) <= set(ports[name])
        for rule in policy["spec"].get("egress", []):
            for peer in rule.get("to", []):
                other = selected(peer["podSelector"]["matchLabels"])
                for port in rule.get("ports", []):
                    assert port["port"] in ports[other].values()
    for monitor in named(objects, "ServiceMonitor"):
        chosen = monitor["spec"]["selector"]["matchLabels"][NAME]
        service = find(objects, "Service", chosen)
        assert service["metadata"]["labels"][NAME] == chosen
        assert {e["port"] for e in monitor["spec"]["endpoints"]} <= {
            p["name"] for p in service["spec"]["ports"]
        }


@EVERY
def test_a_network_policy_confines_each_pod(objects):
    policies = {p["metadata"]["name"]: p["spec"] for p in named(objects, "NetworkPolicy")}
    for stateful_set in named(objects, "StatefulSet"):
        policy = policies[stateful_set["metadata"]["name"]]
        labels = stateful_set["spec"]["template"]["metadata"]["labels"]
        assert policy["podSelector"]["matchLabels"].items() <= labels.items()
        assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    assert "egress" not in policies["pmt-coordinator"], "it dials nobody"


@EVERY
def test_workers_are_on_hosts_of_their_own_where_there_are_enough(objects):
    template = find(objects, "StatefulSet", "pmt-worker")["spec"]["template"]
    rules = template["spec"]["affinity"]["podAntiAffinity"]
    (preferred,) = rules["preferredDuringSchedulingIgnoredDuringExecution"]
    term = preferred["podAffinityTerm"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    chosen, labels = term["labelSelector"]["matchLabels"], template["metadata"]["labels"]
    assert chosen and chosen.items() <= labels.items()


@EVERY
def test_pods_mount_what_they_have_and_need_no_privilege(objects):
    for stateful_set in named(objects, "StatefulSet"):
        pod = pod_of(stateful_set)
        claims = {c["metadata"]["name"] for c in stateful_set["spec"]["volumeClaimTemplates"]}
        volumes = claims | {v["name"] for v in pod["volumes"]}
        assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
        mounted = set()
        for container in pod["containers"] + pod.get("initContainers", []):
            mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
            mounted |= set(mounts)
            locked = container["securityContext"]
            assert locked["readOnlyRootFilesystem"] and not locked["allowPrivilegeEscalation"]
            assert locked["capabilities"] == {"drop": ["ALL"]}
            for word in container.get("args", []):
                path = word.split("=")[-1]
                assert not path.startswith("/") or any(
                    path == at or path.startswith(at + "/") for at in mounts.values()
                ), word
        assert mounted == volumes


def test_ranks_of_a_pod_have_shared_memory():
    pod = pod_of(find(BASE, "StatefulSet", "pmt-worker"))
    (mount,) = (m for m in pod["containers"][0]["volumeMounts"] if m["mountPath"] == "/dev/shm")
    (volume,) = (v for v in pod["volumes"] if v["name"] == mount["name"])
    assert volume["emptyDir"]["medium"] == "Memory"


def test_the_alerts_find_what_the_monitors_scrape():
    rules = (REPO / "deploy/prometheus/rules/alerts.yml").read_text(encoding="utf-8")
    assert 'job=~"prefixmem-(coordinator|worker)"' in rules
    jobs = set()
    for monitor in named(EXAMPLE, "ServiceMonitor"):
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["honorLabels"]
        (rule,) = endpoint["relabelings"]
        assert rule["targetLabel"] == "job"
        jobs.add(rule["replacement"])
    assert jobs == {"prefixmem-coordinator", "prefixmem-worker"}


def test_the_guide_names_every_secret_and_folder():
    guide = GUIDE.read_text(encoding="utf-8")
    for name, key in secrets_of(EXAMPLE):
        assert f"`{name}`" in guide and f"`{key}`" in guide, (name, key)
    for folder in FOLDER.iterdir():
        assert not folder.is_dir() or f"`deploy/kubernetes/{folder.name}`" in guide, folder


class Cluster:
    """Runs containers of the example as processes of this host, each path of theirs in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.grpc_port = None
        for name in ("coordinator", "worker"):
            secret = folder / "secrets" / f"pmt-{name}-tls"
            secret.mkdir(parents=True)
            subprocess.run([CERTIFICATES, "ca", secret / "ca"], check=True)
            subprocess.run(
                [CERTIFICATES, "issue", secret / "ca", secret / "tls", f"pmt-{name}"], check=True
            )

    def mount(self, stateful_set):
        """{path in the container: folder here}, certificates where the manifest has them."""
        pod, places = pod_of(stateful_set), {}
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        for mount in container_of(stateful_set)["volumeMounts"]:
            place = self.folder / stateful_set["metadata"]["name"] / mount["name"]
            place.mkdir(parents=True)
            places[mount["mountPath"]] = place
            projected = volumes.get(mount["name"], {}).get("projected", {})
            for secret in (source["secret"] for source in projected.get("sources", [])):
                for item in secret["items"]:
                    file = self.folder / "secrets" / secret["name"] / item["key"]
                    shutil.copy(file, place / item["path"])
        return places

    def here(self, text, places):
        """A word or script of a container, for this host."""
        paths = "|".join(places)
        text = re.sub(rf"(?<![\w.])({paths})\b", lambda found: str(places[found[0]]), text)
        text = re.sub(r"0\.0\.0\.0:\d+", "127.0.0.1:0", text)
        return re.sub(r"(localhost|pmt-coordinator):7070", f"localhost:{self.grpc_port}", text)

    def program(self, stateful_set, places):
        container = container_of(stateful_set)
        (name,) = container["command"]
        words = [self.here(word, places).partition("=") for word in container["args"]]
        flags = {flag.removeprefix("--"): value or "true" for flag, _, value in words}
        return Program(BIN / name, self.folder / name, **flags)

    def run(self, words, places):
        return subprocess.run(
            [self.here(word, places) for word in words],
            env=os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )


def fetch(address, probe, token=None):
    """The body of a port's page, the certificate unchecked as the kubelet does."""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    url = f"{probe['scheme'].lower()}://{address}{probe['path']}"
    request = urllib.request.Request(url)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=10, context=trusting) as answer:
        return answer.read().decode()


@EVERY
def test_programs_have_the_flags_that_they_are_given(objects):
    for stateful_set in named(objects, "StatefulSet"):
        container = container_of(stateful_set)
        check_flags(container["command"][0], container["args"])


def test_coordinator_and_worker_run_as_the_manifests_say(tmp_path):
    cluster = Cluster(tmp_path)
    stateful_set = find(EXAMPLE, "StatefulSet", "pmt-coordinator")
    container, places = container_of(stateful_set), cluster.mount(stateful_set)
    (first_token,) = pod_of(stateful_set)["initContainers"]
    token, seen = places["/data"] / "root.token", []
    for _ in range(2):  # the second time nothing is left to do
        done = cluster.run(first_token["command"], places)
        assert done.returncode == 0, done.stderr
        seen.append(token.read_text())
        assert seen[-1] not in done.stdout + done.stderr, "a log is no place for it"
    assert seen[0] == seen[1]
    assert token.stat().st_mode & 0o077 == 0
    coordinator = cluster.program(stateful_set, places).start()
    try:
        cluster.grpc_port = coordinator.ready["grpc"].rsplit(":", 1)[1]
        probes = [
            container[f"{kind}Probe"]["exec"] for kind in ("startup", "readiness", "liveness")
        ]
        for probe in probes:
            done = cluster.run(probe["command"], places)
            assert done.returncode == 0, done.stderr
        page = {"scheme": "HTTPS", "path": "/metrics"}
        assert "prefixmem_" in fetch(coordinator.ready["http"], page, seen[0].strip())
        check_worker(cluster, ["--token-file", token, f"--tls-ca={places['/tls']}/ca.crt"])
        stop(coordinator, stateful_set)
        assert cluster.run(probes[0]["command"], places).returncode == 16
    finally:
        coordinator.stop()


def check_worker(cluster, credentials):
    """Starts one, which the coordinator lists, and stops it."""
    stateful_set = find(EXAMPLE, "StatefulSet", "pmt-worker")
    container, places = container_of(stateful_set), cluster.mount(stateful_set)
    worker = cluster.program(stateful_set, places).start()
    try:
        for kind in KINDS:
            probe = container[f"{kind}Probe"]["httpGet"]
            assert "prefixmem_agent_heartbeats_total" in fetch(worker.ready["metrics"], probe)
        pmt = [BIN / "pmt", f"--server=localhost:{cluster.grpc_port}", *credentials]

        def registered():
            told = subprocess.run(
                [*pmt, "workers", "-o", "json"], capture_output=True, text=True, check=True
            )
            return json.loads(told.stdout)["workers"]

        (known,) = eventually(registered, 20, "the worker has registered")
        assert (known["slots"], known["device"]) == (4, "cpu")
        stop(worker, stateful_set)
    finally:
        worker.stop()


def stop(program, stateful_set):
    """With SIGTERM, as the kubelet does, well within the time that the pod is given."""
    program.process.terminate()
    limit = pod_of(stateful_set)["terminationGracePeriodSeconds"] / 2
    assert program.process.wait(limit) == 0, program.tail()
