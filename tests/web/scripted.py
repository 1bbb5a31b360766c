"""A server that lies and dawdles, behind the real page: its files and headers are the real server's, its
answers are written here. The text of a question says which one it gets."""
import http.server
import json
import threading

HOSTILE = ('<script>window.hurt = 1</script><img src="http://198.51.100.7/x.png" onerror="window.hurt = 2">'
           '<a href="javascript:window.hurt=3">a</a> &amp; </div>')
RECEIPT_ID = "vr-1; touch hurt"


def entry(token, logprob, others=()):
    def one(t, l):
        return {"token": t, "logprob": l, "bytes": list(t.encode())}
    return {**one(token, logprob), "top_logprobs": [one(token, logprob), *[one(t, l) for t, l in others]]}


def halves(character):
    """A character's bytes in two tokens."""
    b = list(character.encode())
    return [{"token": "bytes:\\x" + bytes(part).hex(), "logprob": -0.1, "bytes": part, "top_logprobs": []}
            for part in (b[:1], b[1:])]


def chunk(delta, entries=None, finish=None, **more):
    return {"choices": [{"index": 0, "delta": delta, "logprobs": entries and {"content": entries, "refusal": None},
                         "finish_reason": finish}], **more}


def chunks_for(question):
    commitment = {"value": "$(hurt)" if question == "commitment" else "a" * 64,
                  "server_key": "b" * 63 + "`" if question == "key" else "b" * 64,
                  "sequence": "7", "mode": "local", "beacon": "local:x"}
    first = {} if question in ("late", "nothing") else {"verbatim": {"receipt_id": RECEIPT_ID, "commitment": commitment}}
    yield chunk({"role": "assistant", "content": ""}, **first)
    if question == "tokens":
        yield chunk({"content": "Sure"}, [entry("Sure", -0.001, [("<b>No</b>", -9.0)])])
        yield chunk({"content": " per"}, [entry(" per", -1.0)])
        yield chunk({"content": "haps"}, [entry("haps", -3.0)])
        yield chunk({"content": " ü"}, [entry(" ", -0.3), *halves("ü")])
        yield chunk({"content": "."}, [entry("!", -0.2)])  # what does not fit is shown without a number
    elif question == "think":
        yield chunk({"reasoning_content": "Let me see <i>"},
                    [entry("<think>", -0.01), entry("\n", -0.01), entry("Let me", -2.0), entry(" see <i>", -0.5)])
        yield chunk({"content": "Seen."}, [entry("</think>", -0.01), entry("\n\n", -0.01), entry("Seen.", -0.05), entry("", -0.1)])
    elif question == "break":
        yield chunk({"content": "Half an ans"})
        return
    elif question != "nothing":
        yield chunk({"content": HOSTILE})
    yield chunk({}, None, "stop", verbatim={"receipt_id": RECEIPT_ID, "commitment": commitment, "verification_hash": "c" * 64})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, body, headers=(("Content-Type", "application/json"),), status=200):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path.startswith("/v1/receipts/"):
            messages = self.server.asked[-1]["messages"]
            question = messages[-1]["content"]
            receipt = {"id": RECEIPT_ID if question == "id" else "vr-" + "1" * 24,
                       "commitment": {"value": "a" * 63 + ("a" if question in ("late", "nothing") else "b")}, "request": {"model_sha256": HOSTILE},
                       "prompt": {"tokens": [1], "messages": messages[:-1] if question == "prompt" else messages},
                       "outputs": [{"text": "something else"}]}
            self.reply(json.dumps(receipt).encode())
            return
        status, headers, body = self.server.real.ask("GET", self.path)
        kept = [(k, v) for k, v in headers.items() if k not in ("Content-Length", "Date", "Connection", "ETag")]
        self.reply(body, kept, status)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/v1/verify"):
            check = {"name": "<b>format</b>", "status": "pass", "detail": HOSTILE, "grade": HOSTILE}
            self.reply(json.dumps({"verdict": "VERIFIED", "note": HOSTILE, "replayed": False, "checks": [check]}).encode())
            return
        self.server.asked.append(json.loads(body))
        question = self.server.asked[-1]["messages"][-1]["content"]
        if question == "plain" and "logprobs" in self.server.asked[-1]:
            refusal = {"message": "no logprobs here", "type": "invalid_request_error", "param": "logprobs", "code": None}
            self.reply(json.dumps({"error": refusal}).encode(), status=400)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for i, one in enumerate(chunks_for(question)):
            self.wfile.write(b"data: " + json.dumps(one).encode() + b"\n\n")
            self.wfile.flush()
            if i == 1 and question == "slow":
                self.server.gone.set() if self.rfile.read(1) == b"" else None  # until the client hangs up
                return
        if question != "break":
            self.wfile.write(b"data: [DONE]\n\n")


class Scripted:
    def __init__(self, real):
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.real, self.http.asked, self.http.gone = real, [], threading.Event()
        self.port = self.http.server_address[1]
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()
