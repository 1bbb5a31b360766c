#!/usr/bin/python3
"""Writes the seeds of fuzz_answers: what beacon_server.py answered while rounds were fetched from
it. Run: make_seeds.py BUILD_FOLDER DATA_FOLDER"""
import os
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
import beacon_chains  # noqa: E402
import beacon_server  # noqa: E402

START_S = 1700000000
T_MS = START_S * 1000 + 26000
answers = []


class Recorder(beacon_server.Handler):
    def send(self, status, body, *args, **options):
        if status == 200:
            answers.append(body)
        super().send(status, body, *args, **options)


def main():
    build, data = sys.argv[1:]
    corpus = os.path.join(HERE, "corpus", "answers")
    os.makedirs(corpus, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        beacon_chains.make(folder, data, START_S, 8)
        server = beacon_server.Server(beacon_server.Chains([os.path.join(folder, "chains.json")]), None)
        server.RequestHandlerClass = Recorder
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        rpc, evm, nist = url + "/theta/privatenet/rpc", url + "/ethereum/1337", url + "/beacon/2.0"
        for name, beacon, mode, at, urls in (
                ("drand", "drand", "next", 1692803367000 + 999 * 3000 - 1, [url]),
                ("drand-default", "drand:default", "fixed", 72785, [url]),
                ("theta-next", "theta:privatenet", "next", T_MS, [rpc]),
                ("theta-latest", "theta:privatenet", "latest", T_MS, [rpc]),
                ("ethereum-next", "ethereum:1337", "next", T_MS + 20000, [evm]),
                ("ethereum-fixed", "ethereum:1337", "fixed", 6, [evm]),
                ("nist-next", "nist:7", "next", T_MS, [nist]),
                ("nist-fixed", "nist:7", "fixed", 3, [nist]),
                ("mix", "mix:nist:7+theta:privatenet", "next", T_MS, ["nist=" + nist, "theta=" + rpc])):
            answers.clear()
            subprocess.run([os.path.join(build, "fetch_round"), beacon, mode, str(at),
                            *[a for u in urls for a in ("--url", u)]], check=True,
                           stdout=subprocess.DEVNULL)
            with open(os.path.join(corpus, name), "wb") as f:
                f.write(f"{beacon} {mode} {at}\n".encode() + b"\x1e".join(answers))
    with open(os.path.join(corpus, "rpc-error"), "wb") as f:
        f.write(b'theta:x next 5\n{"error":{"code":-32000,"message":"no"}}\x1e{"result":null}\x1e{"result":'
                b'{"chain_id":"x","latest_finalized_block_height":"9","latest_finalized_block_time":"9"}}')


main()
