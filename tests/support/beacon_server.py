#!/usr/bin/python3
"""A beacon's endpoint for tests: drand (API versions 1 and 2), Theta's and an EVM's JSON-RPC and
NIST's beacon, version 2, over HTTP, from chains in a JSON file; and every fault that an endpoint may
have. Standard library only.

    beacon_server.py [--chains FILE]... [--cert FILE --key FILE [--tls-max 1.1]]

Binds to 127.0.0.1 on a port that the kernel picks, prints "port N", and ends when its standard input
does. A chains file (beacon_chains.py makes them) is an object with any of

    drand     {hash: {info, rounds: {number: {signature[, previous_signature]}}}}
    theta     {name: {blocks: [as the wire has them], final_after_ms}}
    ethereum  {chain id: {blocks: [as the wire has them], final_after_ms}}
    nist      {pulses: [as the wire has them], certificates: {id: PEM}}

What has a time in the future is not there yet; a block is final final_after_ms after its time.

Paths: /v2/chains/HASH/rounds/N and /HASH/public/N (drand); POST /theta/NAME/rpc; POST /ethereum/ID;
/beacon/2.0/... (NIST); /echo (what was sent, as JSON), /bytes/N (N bytes), /requests (how many
requests there were). Before any of them /fault/NAME/ makes the answer faulty: see FAULTS."""
import argparse
import copy
import datetime
import http.server
import json
import socket
import ssl
import sys
import threading
import time
import urllib.parse
import warnings

GIGABYTES = 4 << 30
stopping = threading.Event()


def now_ms():
    return int(time.time() * 1000)


def pulse_ms(pulse):
    stamp = datetime.datetime.strptime(pulse["timeStamp"], "%Y-%m-%dT%H:%M:%S.%fZ")
    epoch = datetime.datetime(1970, 1, 1)
    return (stamp - epoch) // datetime.timedelta(milliseconds=1)


class NotThere(Exception):
    """HTTP 404."""


class Chains:
    def __init__(self, files):
        self.drand, self.theta, self.ethereum = {}, {}, {}
        self.pulses, self.certificates = [], {}
        for name in files:
            with open(name, encoding="utf-8") as f:
                chains = json.load(f)
            self.drand.update(chains.get("drand", {}))
            self.theta.update(chains.get("theta", {}))
            self.ethereum.update(chains.get("ethereum", {}))
            self.pulses += chains.get("nist", {}).get("pulses", [])
            self.certificates.update(chains.get("nist", {}).get("certificates", {}))

    # drand

    def drand_round(self, chain, number, version):
        chain = self.drand[chain]
        info = chain["info"]
        there = {int(n): r for n, r in chain["rounds"].items()
                 if (info["genesis_time"] + (int(n) - 1) * info["period"]) * 1000 <= now_ms()}
        n = max(there) if number == "latest" else int(number)
        if n not in there:
            raise NotThere
        answer = {"round": n, **there[n]}
        if version == 2:
            answer.pop("randomness", None)
        return answer

    def drand_path(self, parts):
        if parts[0] == "v2":
            if parts[1] != "chains" or parts[3] not in ("rounds", "info"):
                raise NotThere
            chain = parts[2]
            return self.drand[chain]["info"] if parts[3] == "info" else \
                self.drand_round(chain, parts[4], 2)
        if parts[1] == "info":
            return self.drand[parts[0]]["info"]
        if parts[1] != "public":
            raise NotThere
        return self.drand_round(parts[0], parts[2], 1)

    # Theta

    def theta_blocks(self, name):
        """(block, is it final?) of those that are there. The last is not: nothing is built on it."""
        chain = self.theta[name]
        there = [b for b in chain["blocks"] if int(b["timestamp"]) * 1000 <= now_ms()]
        for block in there:
            final_ms = int(block["timestamp"]) * 1000 + chain["final_after_ms"]
            yield block, block is not there[-1] and final_ms <= now_ms()

    def theta_call(self, name, method, params):
        if method == "theta.GetStatus":
            final = [b for b, is_final in self.theta_blocks(name) if is_final][-1]
            return {"chain_id": name, "latest_finalized_block_hash": final["hash"],
                    "latest_finalized_block_height": final["height"],
                    "latest_finalized_block_time": final["timestamp"],
                    "latest_finalized_block_epoch": final["epoch"], "syncing": False}
        if method != "theta.GetBlockByHeight":
            raise KeyError(method)
        for block, is_final in self.theta_blocks(name):
            if block["height"] == params[0]["height"]:
                if is_final:
                    return block
                if params[0].get("include_unfinalized_blocks"):
                    return {**block, "status": 3}
        return ""

    # Ethereum

    def ethereum_call(self, chain_id, method, params):
        if method == "eth_chainId":
            return hex(int(chain_id))
        if method != "eth_getBlockByNumber":
            raise KeyError(method)
        chain = self.ethereum[chain_id]
        there = [b for b in chain["blocks"] if int(b["timestamp"], 16) * 1000 <= now_ms()]
        if params[0] == "finalized":
            there = [b for b in there
                     if int(b["timestamp"], 16) * 1000 + chain["final_after_ms"] <= now_ms()]
            return there[-1] if there else None
        found = [b for b in there if b["number"] == params[0]]
        return found[0] if found else None

    def call(self, parts, request):
        method, params = request["method"], request["params"]
        if parts[0] == "theta":
            return self.theta_call(parts[1], method, params)
        return self.ethereum_call(parts[1], method, params)

    # NIST

    def nist_path(self, parts):
        if parts[0] == "certificate":
            return self.certificates[parts[1]]
        there = sorted((p for p in self.pulses if pulse_ms(p) <= now_ms()), key=pulse_ms)
        if parts[:2] == ["pulse", "last"]:
            found = there[-1:]
        elif parts[:3] == ["pulse", "time", "next"]:
            found = [p for p in there if pulse_ms(p) > int(parts[3])][:1]
        elif parts[:2] == ["pulse", "time"]:
            found = [p for p in there if pulse_ms(p) <= int(parts[2])][-1:]
        elif parts[0] == "chain" and parts[2] == "pulse":
            found = [p for p in there if p["chainIndex"] == int(parts[1])
                     and p["pulseIndex"] == int(parts[3])]
        else:
            raise NotThere
        if not found:
            raise NotThere
        return {"pulse": found[0]}


def flip(text):
    """The same hex digits, but for one in the middle."""
    at = len(text) // 2
    return text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1:]


def flip_answer(answer):
    """One digit of what vouches for the randomness is another."""
    if "pulse" in answer:
        answer["pulse"]["signatureValue"] = flip(answer["pulse"]["signatureValue"])
    elif "signature" in answer:
        answer["signature"] = flip(answer["signature"])
    elif "hcc" in answer:
        for vote in answer["hcc"]["Votes"]:
            vote["Signature"] = flip(vote["Signature"])
    elif "mixHash" in answer:
        answer["mixHash"] = flip(answer["mixHash"])
    return answer


def unfinal_answer(answer):
    """Nothing is final, whatever was asked for."""
    if "hcc" in answer:
        answer["status"] = 1
    elif "mixHash" in answer:
        return None
    return answer


def foreign_answer(answer):
    """Of another chain, by its own words."""
    if "pulse" in answer:
        answer["pulse"]["chainIndex"] += 1
    elif "chain_id" in answer:
        answer["chain_id"] = "elsewhere"
    return answer


def nested_answer(_):
    return json.loads("[" * 200 + "]" * 200)


def many_answer(_):
    return [[] for _ in range(200000)]


# Faults of the content: the good answer in, a false one out.
ANSWERS = {"flipped": flip_answer, "unfinal": unfinal_answer, "foreign": foreign_answer,
           "nested": nested_answer, "many": many_answer, "null": lambda _: None,
           "number": lambda _: 7, "empty-object": lambda _: {}}
# Faults of the connection and of HTTP: see Handler.broken.
BROKEN = {"closes", "slow", "drip", "redirect", "gigabytes", "declared", "headers", "header-line",
          "continues", "not-json", "truncated", "cut-json", "empty", "http09"}
# Others: "status-N"; "v1" and "v2" (that version of drand's API only); "late-N" (HTTP 404, or null,
# for the first N requests); "relabelled" (another round's content under the number that was asked
# for); "other-round" (another round, as such); "other-chain" (of the other drand chain; another
# eth_chainId); "drift" (a block's time is another whenever it is asked for);
# "earlier" and "later" (the pulse beside the one of a time); "rpc-error"; "good"
# (none).
FAULTS = set(ANSWERS) | BROKEN


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    late = {}
    n_requests = 0

    def log_message(self, *_):
        pass

    def send(self, status, body, content_type="application/json", headers=()):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def begin_raw(self, head):
        self.close_connection = True
        self.wfile.write(head)
        self.wfile.flush()

    def pour(self, piece, n_bytes):
        sent = 0
        while sent < n_bytes and not stopping.is_set():
            self.wfile.write(piece)
            sent += len(piece)

    def broken(self, fault, good):
        """Ends a request in the way that the fault names; good is the body that was due."""
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        if fault == "closes":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault == "slow":
            self.close_connection = True
            stopping.wait(60)
        elif fault == "drip":
            self.begin_raw(head + b"Content-Length: %d\r\n\r\n" % len(good))
            for byte in good:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if stopping.wait(1):
                    break
        elif fault == "redirect":
            self.send(302, b"{}", headers=[("Location", self.path.replace("/fault/redirect", "", 1))])
        elif fault == "gigabytes":
            self.begin_raw(head + b"Connection: close\r\n\r\n" + good)
            self.pour(b" " * 65536, GIGABYTES)
        elif fault == "declared":
            self.begin_raw(head + b"Content-Length: %d\r\n\r\n" % GIGABYTES)
            self.pour(b" " * 65536, GIGABYTES)
        elif fault == "headers":
            self.begin_raw(head)
            self.pour(b"".join(b"X-Header-%d: %s\r\n" % (i, b"v" * 100) for i in range(500)), GIGABYTES)
        elif fault == "header-line":
            self.begin_raw(head + b"X-Long: ")
            self.pour(b"v" * 65536, GIGABYTES)
        elif fault == "continues":
            self.begin_raw(b"")
            self.pour(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, GIGABYTES)
        elif fault == "not-json":
            self.send(200, b"<html><body>Good evening</body></html>", "text/html")
        elif fault == "truncated":
            self.begin_raw(head + b"Content-Length: %d\r\n\r\n" % (len(good) + 100) + good)
        elif fault == "cut-json":
            self.send(200, good[:len(good) // 2])
        elif fault == "empty":
            self.send(200, b"")
        elif fault == "http09":
            self.begin_raw(good)

    def other_answer(self, fault, parts, request, answer):
        """The answers of "relabelled", "other-round" and "other-chain"."""
        chains = self.server.chains
        if fault == "other-chain" and request:
            return "0x7a69" if request["method"] == "eth_chainId" else answer
        if "signature" in answer:
            here = [p for p in parts if p in chains.drand][0]
            source = here
            if fault == "other-chain":
                source = [c for c in chains.drand if c != here][0]
            n, other = [(int(n), r) for n, r in chains.drand[source]["rounds"].items()
                        if int(n) != answer["round"]][0]
            return {**other, "round": n if fault == "other-round" else answer["round"]}
        if "pulse" in answer:
            pulse = [p for p in chains.pulses if p["pulseIndex"] != answer["pulse"]["pulseIndex"]][0]
            index = pulse if fault == "other-round" else answer["pulse"]
            return {"pulse": {**pulse, "pulseIndex": index["pulseIndex"]}}
        for kind, key in (("theta", "height"), ("ethereum", "number")):
            if kind == parts[0] and key in answer:
                blocks = chains.theta[parts[1]]["blocks"] if kind == "theta" else \
                    chains.ethereum[parts[1]]["blocks"]
                block = [b for b in blocks if b[key] != answer[key]][0]
                return {**block, key: (block if fault == "other-round" else answer)[key]}
        return answer

    def good(self, parts, request):
        """The answer: what JSON has, or text."""
        if request is not None:
            return self.server.chains.call(parts, request)
        if parts[:2] == ["beacon", "2.0"]:
            return self.server.chains.nist_path(parts[2:])
        return self.server.chains.drand_path(parts)

    def answer(self, fault, parts, request):
        """Body and type of a good answer, or of one whose content is false."""
        answer = copy.deepcopy(self.good(parts, request))
        if isinstance(answer, str) and request is None:
            return answer.encode(), "text/plain"
        if isinstance(answer, dict) and fault in ANSWERS:
            answer = ANSWERS[fault](answer)
        elif fault in ("earlier", "later") and "time" in parts:
            index = answer["pulse"]["pulseIndex"] + (1 if fault == "later" else -1)
            answer = {"pulse": next(p for p in self.server.chains.pulses if p["pulseIndex"] == index)}
        elif fault == "drift" and isinstance(answer, dict) and "hcc" in answer:
            # Earlier with each question, so that a parent is before its child.
            seconds = int(answer["timestamp"]) + 10**6 - 100 * (Handler.n_requests % 10**4)
            answer["timestamp"] = str(seconds)
        elif fault in ("relabelled", "other-round", "other-chain"):
            answer = self.other_answer(fault, parts, request, answer)
        if request is not None:
            answer = {"jsonrpc": "2.0", "id": request["id"], "result": answer}
            if fault == "rpc-error":
                del answer["result"]
                answer["error"] = {"code": -32005, "message": "rate limit\x1b[31m exceeded"}
        return json.dumps(answer).encode(), "application/json"

    def is_late(self, fault):
        left = Handler.late.setdefault(fault, int(fault[5:].split("-")[0]))
        Handler.late[fault] = left - 1
        return left > 0

    def special(self, parts, body):
        if parts[0] == "echo":
            self.send(200, json.dumps({"method": self.command, "headers": dict(self.headers),
                                       "body": body.decode()}).encode())
        elif parts[0] == "bytes":
            self.send(200, b" " * int(parts[1]))
        elif parts[0] == "requests":
            self.send(200, json.dumps(Handler.n_requests - 1).encode())
        else:
            return False
        return True

    def respond(self):
        Handler.n_requests += 1
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("http:"):  # asked as a proxy
            self.send(200, json.dumps({"proxied": self.path}).encode())
            return
        parts = urllib.parse.urlsplit(self.path).path.strip("/").split("/")
        fault = "good"
        if parts[0] == "fault":
            fault, parts = parts[1], parts[2:]
        if fault.startswith("status-"):
            status = int(fault[7:])
            self.send(status, b"" if status in (204, 304) else b'{"error": "no"}')
        elif fault.startswith("late-") and self.is_late(fault):
            self.send(404, b"{}")
        elif (fault == "v1" and parts[0] == "v2") or (fault == "v2" and parts[0] != "v2"):
            self.send(404, b"{}")
        elif fault in BROKEN:
            self.broken(fault, self.broken_body(parts, body))
        elif not self.special(parts, body):
            self.send(200, *self.answer(fault, parts, json.loads(body) if body else None))

    def broken_body(self, parts, body):
        try:
            return self.answer("good", parts, json.loads(body) if body else None)[0]
        except (NotThere, KeyError, IndexError, ValueError):
            return b'{"good": "evening"}'

    def handle_one(self):
        try:
            self.respond()
        except (ConnectionError, ssl.SSLError, TimeoutError):
            self.close_connection = True
        except (NotThere, KeyError, IndexError, ValueError):
            self.send(404, b'{"error": "not found"}')

    do_GET = do_POST = handle_one


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, chains, context):
        super().__init__(("127.0.0.1", 0), Handler)
        self.chains = chains
        self.context = context

    def get_request(self):
        connection, address = super().get_request()
        if self.context:  # the handshake comes with the first read, in the connection's own thread
            connection = self.context.wrap_socket(connection, server_side=True,
                                                  do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, *_):
        pass  # a client that hangs up, or does not trust us


def tls_context(o):
    if not o.cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(o.cert, o.key)
    if o.tls_max:
        warnings.simplefilter("ignore", DeprecationWarning)  # what is old is wanted here
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def main():
    p = argparse.ArgumentParser(description="A beacon's endpoint for tests.")
    p.add_argument("--chains", action="append", default=[])
    p.add_argument("--cert")
    p.add_argument("--key")
    p.add_argument("--tls-max", choices=["1.1"])
    o = p.parse_args()
    server = Server(Chains(o.chains), tls_context(o))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    print(f"port {server.server_address[1]}", flush=True)
    sys.stdin.buffer.read()
    stopping.set()


if __name__ == "__main__":
    main()
