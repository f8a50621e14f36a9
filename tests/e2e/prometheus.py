"""A real Prometheus with the deployed configuration, beside a cluster."""

import json
import pathlib
import re
import shutil
import ssl
import subprocess
import urllib.parse
import urllib.request

import yaml
from processes import listening_port
from programs import die_with_parent, eventually

DEPLOYED = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
DASHBOARDS = sorted((DEPLOYED.parent / "grafana" / "dashboards").glob("*.json"))


def panel_queries():
    """(where, expression) of every panel, its variables filled in as `All`."""
    for file in DASHBOARDS:
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                expression = re.sub(r'"\$\w+"', '".*"', target["expr"])
                yield f"{file.stem}: {panel['title']}", expression


def without_zero(expression):
    """Leaves out what answers where there are no series, so that their lack is seen."""
    return expression.strip().removesuffix("or vector(0)")


def get(address, path="/metrics", token="", ca=None):
    """Over TLS from whom `ca` signed, where one is given."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    scheme = "https" if ca else "http"
    request = urllib.request.Request(f"{scheme}://{address}{path}", headers=headers)
    trusted = ssl.create_default_context(cafile=ca) if ca else None
    with urllib.request.urlopen(request, timeout=10, context=trusted) as answer:
        return answer.read().decode()


class Prometheus:
    """Scrapes the programs of a cluster and evaluates the rules every second, on a free port.

    With `token` where the coordinator asks for one, over TLS from whom `ca` signed.
    """

    def __init__(self, cluster, folder, token="", ca=None):
        self.folder = folder
        shutil.copytree(DEPLOYED, folder, dirs_exist_ok=True)
        config = yaml.safe_load((folder / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        for scraped in config["scrape_configs"]:
            if token and scraped["job_name"] == "prefixmem-coordinator":
                scraped["authorization"] = {"credentials": token}
            if ca:
                scraped |= {"scheme": "https", "tls_config": {"ca_file": str(ca)}}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.targets = {
            "coordinator": [cluster.coordinator.ready["http"]],
            "workers": [worker.ready["metrics"] for worker in cluster.workers],
        }
        for name, addresses in self.targets.items():
            file = folder / "targets" / f"{name}.yml"
            file.write_text(yaml.safe_dump([{"targets": addresses}]))

    def __enter__(self):
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self.folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self.folder / 'data'}",
                    "--web.listen-address=127.0.0.1:0",
                ],
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )
        try:
            port = eventually(
                lambda: listening_port(self.process.pid), 30, "Prometheus listens on a port"
            )
            self.address = f"127.0.0.1:{port}"
            eventually(self.is_ready, 30, "Prometheus is ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def is_ready(self):
        try:
            return "Ready" in get(self.address, "/-/ready")
        except OSError:
            return False

    def ask(self, path, **arguments):
        """The data of an answer of the API; a query that is wrong raises."""
        query = f"?{urllib.parse.urlencode(arguments)}" if arguments else ""
        return json.loads(get(self.address, f"/api/v1/{path}{query}"))["data"]

    def query(self, expression):
        return self.ask("query", query=expression)["result"]

    def alerts(self, name):
        """[(pending or firing, labels)]"""
        alerts = self.ask("alerts")["alerts"]
        return [(a["state"], a["labels"]) for a in alerts if a["labels"]["alertname"] == name]
