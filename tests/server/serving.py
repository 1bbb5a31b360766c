"""What the server's tests share: a server of the demo model that never outlives its test, a client
over plain sockets, and the audit of what the server leaves behind. Standard library only."""
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "e2e"), os.path.join(HERE, "..", "support")]
from support import DEMO, VERBATIM, Checks, Home  # noqa: E402,F401

MODEL = "demo"
ANSWER_S = 120


def start(home, *args, model=DEMO, env=None, stderr=subprocess.DEVNULL):
    """The process alone: it may not have come to listen yet. model: a file, or a list of what -m takes."""
    models = [a for m in ([model] if isinstance(model, str) else model) for a in ("-m", m)]
    return subprocess.Popen([VERBATIM, "serve", *models, "--port", "0", "--exit-with-stdin", *map(str, args)],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=env or home.env)


class Server:
    """verbatim serve on a free port; ends with its standard input, as this process does. data: its folder,
    inside home unless the path is absolute."""

    def __init__(self, home, *args, data="serve", env=None, tls=None, model=DEMO):
        self.home, self.data = home, home.file(data)
        os.makedirs(self.data, exist_ok=True)
        self.tls = tls
        self.log = open(home.file(os.path.basename(data) + ".log"), "ab")
        name = ["--model-name", MODEL] if isinstance(model, str) else []
        self.process = start(home, *name, "--data-dir", self.data, *args, model=model, env=env, stderr=self.log)
        line = self.process.stdout.readline().decode()
        found = re.fullmatch(r"listening on https?://127\.0\.0\.1:(\d+)\n", line)
        if not found:
            raise RuntimeError(f"the server did not start: {line!r} {self.said()[-2000:]}")
        self.port = int(found.group(1))

    def said(self):
        with open(self.log.name, encoding="utf-8") as f:
            return f.read()

    def lines(self):
        return [json.loads(line) for line in self.said().splitlines()]

    def connection(self):
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=ANSWER_S,
                                               context=ssl.create_default_context(cafile=self.tls))
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)

    def ask(self, method, path, body=None, headers=None):
        """(status, headers, bytes); body: None, bytes, or what JSON says."""
        c = self.connection()
        try:
            if body is not None and not isinstance(body, bytes):
                body = json.dumps(body).encode()
            c.request(method, path, body, headers or {})
            answer = c.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            c.close()

    def get(self, path, **headers):
        status, _, body = self.ask("GET", path, headers=headers)
        return status, body

    def post(self, path, body, **headers):
        """(status, JSON)"""
        status, _, answer = self.ask("POST", path, body, headers)
        return status, json.loads(answer)

    def chat(self, text, **more):
        return self.post("/v1/chat/completions", chat_body(text, **more))

    def stream(self, path, body):
        """(status, list of events as JSON; "[DONE]" as it is)"""
        status, headers, answer = self.ask("POST", path, {**body, "stream": True})
        if status != 200:
            return status, json.loads(answer)
        assert headers["Content-Type"].startswith("text/event-stream"), headers["Content-Type"]
        return status, events_of(answer)

    def metric(self, name):
        """Of all models together, unless name has a label."""
        form = "^" + re.escape(name) + r'(?:\{model="[^"]*"\})? ([0-9.e+]+)$'
        return sum(map(float, re.findall(form, self.get("/metrics")[1].decode(), re.M)))

    def socket(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_S)

    def close(self):
        """Ends it in order; its exit status."""
        self.process.stdin.close()
        try:
            return self.process.wait(timeout=ANSWER_S)
        finally:
            self.kill()

    def kill(self):
        """Ends it as a power cut does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.stdout.close()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    @property
    def store(self):
        return os.path.join(self.data, "receipts.db")


def chat_body(text, **more):
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 24, **more}


def events_of(answer):
    text = answer.decode()
    assert text.endswith("\n\n"), text[-80:]
    events = []
    for block in text[:-2].split("\n\n"):
        assert block.startswith("data: ") and "\n" not in block, block
        data = block[len("data: "):]
        events.append(data if data == "[DONE]" else json.loads(data))
    return events


def joined(events, index=0, member="content"):
    """The text of one choice of a stream."""
    return "".join(c["delta"].get(member) or "" if "delta" in c else c["text"]
                   for e in events if e != "[DONE]" for c in e.get("choices", []) if c["index"] == index)


def parallel(tasks, n_threads):
    """Runs functions on threads; their results in order, an exception as the result."""
    results = [None] * len(tasks)
    todo = iter(range(len(tasks)))
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                i = next(todo, None)
            if i is None:
                return
            try:
                results[i] = tasks[i]()
            except Exception as error:  # a test looks at what it is
                results[i] = error

    threads = [threading.Thread(target=work) for _ in range(n_threads)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results


def audit(checks, home, server, what, *verify_options):
    """Exports the records and verifies all of them in a process of its own: no gap, none false. The
    reports of `verbatim verify --json`: one a record, and the summary."""
    folder = home.file("export-" + re.sub(r"\W+", "-", what))
    exported = home.verbatim("receipts", "export", "--store", server.store, "--to", folder)
    checks.equal(exported.returncode, 0, f"{what}: export", exported)
    done = home.verbatim("verify", folder, "-m", DEMO, "--level", "full", "--json", "-q", *verify_options)
    checks.equal(done.returncode, 0, f"{what}: audit", done)
    *records, summary = [json.loads(line) for line in done.stdout.splitlines()]
    return records, summary
