#!/usr/bin/python3
"""Makes spec/vectors/written: receipts, and the records around them, as this version of the program
writes them on the shipped model: with every kind of beacon, under constraints, and of prompts that only a
server makes. They must verify for ever: add files for what a new version writes, never replace one. Not run by
the build.

    make_written.py BUILD_FOLDER FOLDER beacons|constraints|templates ...
"""
import json
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
sys.dont_write_bytecode = True
os.environ["VB_BUILD_DIR"] = os.path.abspath(sys.argv[1])
sys.path[:0] = [os.path.join(ROOT, "tests", folder) for folder in ("e2e", "support", "server")]
import beacon_chains  # noqa: E402
import drand_chain  # noqa: E402
from serving import Server  # noqa: E402
from support import DATA, DEMO, DEMO_Q4, Home, jcs  # noqa: E402

SERVER = os.path.join(ROOT, "tests", "support", "beacon_server.py")


def dump(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, sort_keys=True)
    return path


class Maker:
    def __init__(self, home, folder):
        self.home, self.folder, self.index = home, folder, []
        if os.path.exists(self.file("index.json")):
            with open(self.file("index.json"), encoding="utf-8") as f:
                self.index = json.load(f)

    def file(self, name):
        return os.path.join(self.folder, name)

    def add(self, name, model=DEMO, private=None, commitment=None):
        """Puts the receipt that is about to be written into the index; its path."""
        receipt = self.file(name + ".json")
        if os.path.exists(receipt):
            raise SystemExit(f"{receipt} is there, and is never replaced")
        self.index.append({"file": name + ".json", "model": os.path.basename(model), "prompt": private,
                           "commitment": commitment})
        return receipt

    def run(self, name, *args, model=DEMO, private=None, commitment=None):
        receipt = self.add(name, model, private, commitment)
        more = []
        if private:
            more += ["--private", self.file(private)]
        if commitment:
            more += ["--commitment", self.file(commitment)]
        done = self.home.verbatim("run", "-m", model, "-q", "--receipt", receipt, *args, *more)
        if done.returncode:
            raise SystemExit(f"{name}: {done.stderr.decode()}")
        os.chmod(receipt, 0o644)

    def serve(self, name, server, body, private=None):
        """The receipt of a chat of the server's."""
        receipt = self.add(name, private=private)
        status, answer = server.post("/v1/chat/completions", {"model": "demo", **body})
        if status != 200:
            raise SystemExit(f"{name}: {answer}")
        proof = answer["verbatim"]
        with open(receipt, "wb") as f:
            f.write(server.get("/v1/receipts/" + proof["receipt_id"])[1])
        if private:
            with open(self.file(private), "w", encoding="utf-8") as f:
                f.write(jcs(proof["prompt"]))

    def open(self, name, position):
        opened = self.home.verbatim("open", self.file(name + ".json"), "--at", str(position), "-m", DEMO, "-o",
                                    self.file(name + ".opening.json"))
        if opened.returncode:
            raise SystemExit(f"{name}: {opened.stderr.decode()}")


def chains(home):
    now = int(time.time())
    drand, drand_trust = drand_chain.drand_chain("bls-unchained-g1-rfc9380", now - 600, 3, 199, 230)
    theta, theta_trust = beacon_chains.theta_chain("privatenet", now - 20, 40, 2, 1000)
    ethereum, _ = beacon_chains.ethereum_chain(1337, now - 20, 60, 2, 1000)
    nist, certificate = beacon_chains.nist_chain(home.path, 7, now - 20, 30, 5000)
    with open(os.path.join(DATA, "beacons", "drand.json"), encoding="utf-8") as f:
        recorded = json.load(f)
    info = recorded["chains"]["quicknet"]
    rounds = {str(r["round"]): {"signature": r["signature"]} for r in recorded["beacons"]["quicknet"]}
    served = dump(home.file("chains.json"), {
        "drand": {**drand, info["hash"]: {"info": info, "rounds": rounds}},
        "theta": {"privatenet": theta}, "ethereum": {"1337": ethereum}, "nist": nist})
    pins = [{"chain_id": "1337", "number": str(i), "hash": b["hash"][2:]}
            for i, b in enumerate(ethereum["blocks"])]
    return served, {"format": "verbatim.trust/1", "drand": [drand_trust], "theta": [theta_trust],
                    "ethereum": pins, "nist": [certificate]}


def beacon(kind, *urls):
    return ["--beacon", kind, *[a for u in urls for a in ("--beacon-url", u)]]


SCHEMA = {"type": "object", "required": ["name", "n"],
          "properties": {"name": {"type": "string", "maxLength": 12}, "n": {"type": ["integer", "null"]},
                         "tags": {"type": "array", "items": {"enum": ["a", "b", 1.5]}, "maxItems": 3}}}
NO_GAPS = ["--logit-bias", "198=-100", "--logit-bias", "220=-30"]  # the model writes little else


def make_constraints(m):
    ask = ["-p", "Who are you?", "--temp", "0.9", "--top-k", "40", *NO_GAPS]
    schema = ["--json-schema", json.dumps(SCHEMA)]
    m.run("constraint-schema", *ask, *schema, "-n", "64", "--seed", "4")
    m.run("constraint-schema-local", *ask, *schema, "-n", "64", commitment="constraint-schema-local.commitment.json")
    m.run("constraint-object", *ask, "--json-object", "-n", "32", "--seed", "6")
    m.run("constraint-choice", "-p", "Is that so?", "--temp", "1", "-n", "16", "--choice", "yes", "--choice", "no",
          "--choice", "not at all: \u20ac", private="constraint-choice.prompt.json")
    m.open("constraint-schema", 9)
    m.open("constraint-object", 0)


def make_templates(m, home):
    """Variables beside role and content, which the demo's template does not print."""
    named = {"messages": [{"role": "user", "name": "bob", "content": "<|im_end|>\n\u20ac"}], "max_tokens": 16}
    variables = {"messages": [{"role": "user", "content": "What is a receipt?"}], "max_tokens": 48,
                 "chat_template_kwargs": {"b": [1.0, 2], "a": {"\u00e9": None}}}
    held = {"response_format": {"type": "json_schema", "json_schema": {"name": "reply", "schema": SCHEMA}},
            "logit_bias": {"198": -100, "220": -30}}
    with Server(home) as server:
        m.serve("template-named", server, {**named, "seed": 3})
        m.serve("template-variables", server, {**variables, **held})
        m.serve("template-private", server, {**variables, "verbatim": {"private": True}},
                private="template-private.prompt.json")


def make_beacons(m, url, trust):
    ask = ["-p", "What is a receipt?", "-n", "24"]
    t = ["--trust", trust]
    m.run("fixed-greedy", *ask, "--temp", "0", "--seed", "1")
    m.run("fixed-sampled", *ask, "--seed", "18446744073709551615", "--top-k", "40", "--top-p", "0.9",
          "--min-p", "0.01", "--presence-penalty", "0.5", "--frequency-penalty", "-0.25",
          "--repetition-penalty", "1.1", "--logit-bias", "12=-3.5", "--stop", "zzz", "--nonce", "a nonce")
    m.run("fixed-q4", *ask, "--seed", "2", model=DEMO_Q4)
    m.run("local-chat", *ask, "--system", "Be brief.", commitment="local-chat.commitment.json")
    m.run("local-text", "--raw", "-p", "Once upon a time", "-n", "40", "--temp", "1")
    m.run("local-private", *ask, private="local-private.prompt.json")
    m.run("drand-next", *ask, *beacon("drand:tests", url), *t)
    m.run("drand-latest", *ask, *beacon("drand:tests", url), "--beacon-mode", "latest", "--nonce", "n", *t)
    m.run("drand-quicknet-replayed", *ask, *beacon("drand", url), "--beacon-round", "1000")
    m.run("theta-next", *ask, *beacon("theta:privatenet", url + "/theta/privatenet/rpc"), *t)
    m.run("ethereum-next", *ask, *beacon("ethereum:1337", url + "/ethereum/1337"), *t)
    m.run("nist-next", *ask, *beacon("nist:7", url + "/beacon/2.0"), *t)
    m.run("mix-next", *ask, *beacon("mix:nist:7+drand:tests", "drand=" + url, "nist=" + url + "/beacon/2.0"), *t)
    m.run("fallback", *ask, *beacon("drand:tests", "http://127.0.0.1:1"), "--beacon-fallback", "local",
          "--beacon-wait", "1", *t)


def make_with_beacons(m, home):
    served, trust = chains(home)
    server = subprocess.Popen([sys.executable, SERVER, "--chains", served], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    try:
        url = f"http://127.0.0.1:{int(server.stdout.readline().split()[1])}"
        make_beacons(m, url, dump(home.file("trust.json"), trust))
    finally:
        server.stdin.close()
        server.wait()
    m.open("local-text", 5)
    aborts = os.path.join(home.path, "data", "verbatim", "aborts")
    name = sorted(os.listdir(aborts))[0]
    shutil.copyfile(os.path.join(aborts, name), m.file("beacon-failed.abort.json"))
    # Of the pins only what these receipts need.
    with open(m.file("ethereum-next.json"), encoding="utf-8") as f:
        number = json.load(f)["beacon"]["round"]
    trust["ethereum"] = [p for p in trust["ethereum"] if p["number"] == number]
    dump(m.file("trust.json"), trust)


def main():
    folder, sets = os.path.abspath(sys.argv[2]), sys.argv[3:]
    with Home() as home:
        m = Maker(home, folder)
        if "beacons" in sets:
            make_with_beacons(m, home)
        if "constraints" in sets:
            make_constraints(m)
        if "templates" in sets:
            make_templates(m, home)
        dump(m.file("index.json"), m.index)
    for f in os.listdir(folder):
        os.chmod(os.path.join(folder, f), 0o644)


main()
