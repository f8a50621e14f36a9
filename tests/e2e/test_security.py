"""Real processes that ask who calls: TLS, certificates of workers, tokens of users, audit log."""

import json
import os
import pathlib
import pwd
import re
import socket
import ssl
import subprocess

import pytest
from browser import PHONE, Tab, chromium
from conftest import COORDINATOR, REPO
from jobs import submit, succeeded
from playwright.sync_api import expect
from programs import StartError, eventually
from prometheus import Prometheus, get

CERTIFICATES = REPO / "tests" / "certificates.sh"
UNIT = REPO / "deploy" / "systemd" / "pmt-worker.service"


class Authority:
    """An authority of the test's own, and the files that it has signed."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.run("ca", folder / "ca")

    @staticmethod
    def run(*words):
        subprocess.run([CERTIFICATES, *words], check=True)

    @property
    def ca(self):
        return self.folder / "ca.crt"

    def issue(self, name):
        """Flags of a new certificate for loopback, written over one that is there."""
        self.run("issue", self.folder / "ca", self.folder / name, name)
        return {"tls_cert": self.folder / f"{name}.crt", "tls_key": self.folder / f"{name}.key"}


def served_certificate(address):
    """What a new connection is shown, in PEM."""
    host, port = address.rsplit(":", 1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    plain = socket.create_connection((host, int(port)), 10)
    with plain, context.wrap_socket(plain) as tls:
        return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True))


def expiry(certificate):
    """Unix time"""
    told = subprocess.run(
        ["openssl", "x509", "-noout", "-enddate", "-in", certificate],
        capture_output=True,
        text=True,
        check=True,
    )
    return ssl.cert_time_to_seconds(told.stdout.strip().removeprefix("notAfter="))


def exported_expiries(address, token=""):
    """{option: Unix time} on a /metrics page."""
    family = r"^prefixmem_certificate_expiry_timestamp_seconds\{.*option=\"(.*?)\".*\} (.*)$"
    return {
        option: float(time) for option, time in re.findall(family, get(address, token=token), re.M)
    }


class Secured:
    """A coordinator that asks everybody; `ports` signed its certificate, `hosts` sign workers'."""

    def __init__(self, cluster, folder):
        self.cluster = cluster
        self.ports, self.hosts = Authority(folder / "ports"), Authority(folder / "hosts")
        data = cluster.folder / "coordinator" / "data"
        made = subprocess.run(
            [cluster.bin / "pmt-coordinator", "token", "--data-dir", data, "--name", "root"],
            capture_output=True,
            text=True,
            check=True,
        )
        self.root = made.stdout.strip()
        self.data = data
        cluster.start_coordinator(
            **COORDINATOR, **self.ports.issue("server"), tls_client_ca=self.hosts.ca, auth="tokens"
        )
        self.use(self.root)

    def use(self, token):
        """What `pmt` shows from now on."""
        self.cluster.variables = {"PREFIXMEM_TLS_CA": str(self.ports.ca), "PREFIXMEM_TOKEN": token}

    def token(self, name, role):
        """(id, secret) of a new one, made as root."""
        self.use(self.root)
        done = self.cluster.pmt("admin", "tokens", "create", name, "--role", role, "-o", "json")
        assert done.code == 0, done
        return done.json["token"]["id"], done.json["secret"]

    def audit(self):
        lines = (self.data / "audit.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture
def secured(cluster, tmp_path):
    return Secured(cluster, tmp_path)


def test_a_job_is_trained_by_a_worker_with_a_certificate(secured, lab):
    cluster = secured.cluster
    cluster.start_worker(tls_ca=secured.ports.ca, **secured.hosts.issue("worker-1"))
    identity, secret = secured.token("alice", "submitter")
    secured.use(secret)
    job = submit(cluster, lab.spec("secured", train__max_steps=3))
    succeeded(cluster, job)
    done = cluster.pmt("download", job, "--out", cluster.folder / "out")
    assert done.code == 0, done
    assert (cluster.folder / "out" / "result.json").is_file()
    by_method = {line["method"].split("/")[1]: line for line in secured.audit()}
    assert by_method["SubmitJob"]["who"]["token"] == identity
    assert by_method["SubmitJob"]["what"]["job"] == job
    assert by_method["Connect"]["who"]["worker"] == "worker-1"
    assert by_method["UploadArtifact"]["what"]["job"] == job
    assert secret not in (secured.data / "audit.jsonl").read_text()


def test_a_worker_without_a_certificate_is_refused(secured):
    cluster = secured.cluster
    bare = cluster.start_worker(tls_ca=secured.ports.ca)
    eventually(lambda: "is for workers, which show a certificate" in bare.tail(), 30, "a refusal")
    foreign = cluster.start_worker(tls_ca=secured.ports.ca, **secured.ports.issue("worker-2"))
    eventually(lambda: "UNAVAILABLE" in foreign.tail(), 30, "a broken connection")
    done = cluster.pmt("workers", "-o", "json")
    assert done.code == 0 and done.json["workers"] == [], done


def test_users_do_what_their_tokens_allow(secured, lab):
    cluster = secured.cluster
    spec = lab.spec("refused")
    secured.use("")
    refused = cluster.pmt("list")
    assert refused.code == 13 and "needs a token" in refused.err, refused
    identity, viewer = secured.token("bob", "viewer")
    secured.use(viewer)
    assert cluster.pmt("list").code == 0
    refused = cluster.pmt("submit", spec, "--no-upload")
    assert refused.code == 13 and "(bob) has the role viewer" in refused.err, refused
    secured.use(secured.root)
    assert cluster.pmt("admin", "tokens", "revoke", identity).code == 0
    assert "revoked" in cluster.pmt("admin", "tokens", "list").out
    secured.use(viewer)
    refused = cluster.pmt("list")
    assert refused.code == 13 and "was revoked at" in refused.err, refused
    denied = [line for line in secured.audit() if line["code"] == "PERMISSION_DENIED"]
    assert [line["who"]["name"] for line in denied] == ["bob"]


def test_a_token_may_lie_in_a_file_and_goes_over_tls_alone(secured, tmp_path):
    cluster = secured.cluster
    file = tmp_path / "token"
    file.write_text(secured.root + "\n")
    secured.use("")
    assert cluster.pmt("list", "--token-file", file).code == 0
    cluster.variables = {"PREFIXMEM_TOKEN": secured.root}
    refused = cluster.pmt("list")
    assert refused.code == 11 and "a token is given without --tls-ca" in refused.err, refused


def test_certificates_rotate_without_a_restart(secured):
    cluster = secured.cluster
    before = served_certificate(cluster.server)
    assert before == (secured.ports.folder / "server.crt").read_text()
    secured.ports.issue("server")
    after = (secured.ports.folder / "server.crt").read_text()
    eventually(lambda: served_certificate(cluster.server) == after, 30, "the new certificate")
    assert cluster.pmt("list").code == 0


def test_the_pages_ask_for_the_same_tokens(secured, lab):
    cluster = secured.cluster
    secured.use(secured.token("alice", "submitter")[1])
    job = submit(cluster, lab.spec("on-the-page"))
    token = cluster.variables["PREFIXMEM_TOKEN"]
    with chromium() as browser:
        tab = Tab(browser, f"{cluster.page}/jobs/{job}", viewport=PHONE)
        expect(tab.locator("h1")).to_have_text("Sign in")
        assert not tab.wider_than_its_window()
        tab.locator("#token").fill("pmt_wrong")
        tab.keyboard.press("Enter")
        expect(tab.locator("#problem")).to_contain_text("That is no token")
        tab.locator("#token").fill(token)
        tab.keyboard.press("Enter")
        expect(tab.locator("#user")).to_have_text("alice (submitter)")
        assert tab.url == f"{cluster.page}/jobs/{job}", "it comes back to where it wanted to go"
        tab.locator("#cancel").click()
        tab.locator("#yes").click()
        expect(tab.locator("#state")).to_have_text("cancelled")
        tab.locator("#sign-out").click()
        expect(tab.locator("h1")).to_have_text("Sign in")
        assert tab.errors == []
        tab.close()
    (line,) = [one for one in secured.audit() if one["what"].get("path", "").endswith("/cancel")]
    assert line["who"]["name"] == "alice" and line["code"] == "OK"


def test_no_token_is_asked_for_before_the_script_can_take_it(secured):
    """The browser would send the form by itself, which the pages forbid: it hung."""
    with chromium() as browser:
        page, held = browser.new_page(), []
        page.route("**/assets/login.js", lambda route: held.append(route))
        page.goto(f"{secured.cluster.page}/login", wait_until="commit")
        expect(page.locator("h1")).to_have_text("Sign in")
        expect(page.locator("#form")).to_be_hidden()
        (script,) = held
        script.continue_()
        expect(page.locator("#token")).to_be_focused()
        page.keyboard.type("pmt_wrong")
        page.keyboard.press("Enter")
        expect(page.locator("#problem")).to_contain_text("That is no token")


def test_metrics_say_when_certificates_expire(secured, tmp_path):
    worker = secured.cluster.start_worker(
        tls_ca=secured.ports.ca, **secured.hosts.issue("worker-1")
    )
    assert exported_expiries(secured.cluster.coordinator.ready["http"], secured.root) == {
        "--tls-cert": expiry(secured.ports.folder / "server.crt"),
        "--tls-client-ca": expiry(secured.hosts.ca),
    }
    assert exported_expiries(worker.ready["metrics"]) == {
        "--tls-cert": expiry(secured.hosts.folder / "worker-1.crt"),
        "--tls-ca": expiry(secured.ports.ca),
    }
    with Prometheus(secured.cluster, tmp_path / "prometheus", secured.root) as prometheus:
        expiring = lambda: prometheus.alerts("PrefixmemCertificateExpires")  # noqa: E731
        eventually(lambda: len(expiring()) == 4, 30, "an alert for each: a day is left")
        assert {(one["instance"], one["option"]) for _, one in expiring()} == {
            (secured.cluster.coordinator.ready["http"], "--tls-cert"),
            (secured.cluster.coordinator.ready["http"], "--tls-client-ca"),
            (worker.ready["metrics"], "--tls-cert"),
            (worker.ready["metrics"], "--tls-ca"),
        }
    (secured.ports.folder / "server.crt").write_text("no certificate")
    told = exported_expiries(secured.cluster.coordinator.ready["http"], secured.root)
    assert told["--tls-cert"] == 0


def test_page_and_metrics_speak_tls(cluster, tmp_path):
    ports = Authority(tmp_path / "ports")
    cluster.start_coordinator(**COORDINATOR, **ports.issue("server"), http_tls=True)
    worker = cluster.start_worker(tls_ca=ports.ca, **ports.issue("worker-1"), metrics_tls=True)
    addresses = [cluster.coordinator.ready["http"], worker.ready["metrics"]]
    for address, family in zip(addresses, ["prefixmem_queue_depth", "prefixmem_agent_slots"]):
        assert family in get(address, ca=ports.ca)
        with pytest.raises(OSError):
            get(address)
    with Prometheus(cluster, tmp_path / "prometheus", ca=ports.ca) as prometheus:
        eventually(lambda: len(prometheus.query("up == 1")) == 2, 30, "Prometheus reads both")
    ports.issue("worker-1")
    replaced = (ports.folder / "worker-1.crt").read_text()
    assert ssl.get_server_certificate(addresses[1].rsplit(":", 1)) == replaced
    with pytest.raises(StartError) as refused:
        cluster.start_worker(metrics_tls=True)
    assert "--metrics-tls is given without --tls-cert and --tls-key" in str(refused.value)


# Says who it is in its result. Rank 0 speaks.
STAND_IN = """#!/usr/bin/python3
import getpass, json, os, pathlib, socket, sys
rank = int(os.environ["OMPI_COMM_WORLD_RANK"])
agent = socket.socket(socket.AF_UNIX)
agent.connect(sys.argv[sys.argv.index("--events") + 1])
agent.sendall(json.dumps({"hello": {"rank": rank, "pid": os.getpid()}}).encode() + b"\\n")
if rank == 0:
    out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
    pathlib.Path(sys.argv[sys.argv.index("--cache") + 1], "rows").touch()
    who = {"user": getpass.getuser(), "groups": os.getgroups(), "home": os.environ["HOME"]}
    (out / "result.json").write_text(json.dumps({"steps": 0} | who))
    agent.sendall(json.dumps({"result": {"steps": 0}}).encode() + b"\\n")
"""


def confinement(unit):
    """A command line that takes from root what a systemd unit takes."""
    told = dict(
        re.findall(r"^(NoNewPrivileges|CapabilityBoundingSet)=(.*)$", unit.read_text(), re.M)
    )
    assert told["NoNewPrivileges"] == "yes"
    kept = [name.removeprefix("CAP_").lower() for name in told["CapabilityBoundingSet"].split()]
    sets = ",".join(["-all", *(f"+{name}" for name in kept)])
    return ["setpriv", "--no-new-privs", f"--bounding-set={sets}", "--inh-caps=-all"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
@pytest.mark.parametrize("left", [None, UNIT], ids=["root", "what_the_unit_leaves_of_root"])
def test_jobs_run_as_another_account(cluster, lab, left):
    cluster.folder.chmod(0o755)  # it is on the way to the work folder
    if left:
        cluster.before_worker = confinement(left)
    trainer = cluster.folder / "stand-in"
    trainer.write_text(STAND_IN)
    trainer.chmod(0o755)
    cluster.start_coordinator(**COORDINATOR)
    cluster.start_worker(job_user="nobody", trainer=trainer)
    job = submit(cluster, lab.spec("unprivileged", resources__ranks=2))
    succeeded(cluster, job)
    done = cluster.pmt("download", job, "--out", cluster.folder / "out")
    assert done.code == 0, done
    nobody = pwd.getpwnam("nobody")
    assert json.loads((cluster.folder / "out" / "result.json").read_text()) == {
        "steps": 0,
        "user": "nobody",
        "groups": [],
        "home": nobody.pw_dir,
    }
    with pytest.raises(StartError) as refused:
        cluster.start_worker(job_user="no-such-account")
    assert "--job-user is no-such-account; allowed: an account" in str(refused.value)


def test_serving_others_without_asking_them_is_refused(cluster):
    with pytest.raises(StartError, match=r"--listen is 0\.0\.0\.0:0, where whoever reaches it"):
        cluster.start_coordinator(listen="0.0.0.0:0")
    with pytest.raises(StartError, match=r"--http is 0\.0\.0\.0:0"):
        cluster.start_coordinator(http="0.0.0.0:0")
    cluster.start_coordinator(listen="0.0.0.0:0", insecure="true")
    assert "--insecure: --listen is 0.0.0.0:0" in cluster.coordinator.tail()


def test_a_coordinator_that_asks_nobody_says_so(cluster):
    cluster.start_coordinator()
    assert "--auth is none: every user of this host" in cluster.coordinator.tail()


def test_a_bad_file_is_named(cluster, tmp_path):
    flags = Authority(tmp_path / "ports").issue("server")
    flags["tls_key"] = pathlib.Path("/nowhere/server.key")
    with pytest.raises(StartError, match=r"--tls-key: opening /nowhere/server\.key: No such file"):
        cluster.start_coordinator(**flags)
