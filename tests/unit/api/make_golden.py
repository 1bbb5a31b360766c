"""Writes the golden files of this folder from OpenAI's documented shapes, without looking at the C
code: what test_api_response.c builds must be these bytes. Run: make_golden.py"""
import hashlib
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(HERE, "../receipt/golden_local.json"), encoding="utf-8") as h:
    RECEIPT_TEXT = h.read().rstrip("\n")
RECEIPT = json.loads(RECEIPT_TEXT)
# A receipt is canonical bytes, which Python would not write again: it is put in as it stands.
RAW = "@receipt@"
UNSIGNED = RECEIPT_TEXT.replace(f',"signature":"{RECEIPT["signature"]}"', "")
HASH = hashlib.sha256(b"verbatim.receipt.v1\n" + UNSIGNED.encode()).hexdigest()

USAGE = {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46,
         "prompt_tokens_details": {"cached_tokens": 8},
         "completion_tokens_details": {"reasoning_tokens": 20}}
FINGERPRINT = {"system_fingerprint": "fp_verbatim"}
COMMITTED = {"receipt_id": RECEIPT["id"],
             "commitment": {"value": RECEIPT["commitment"]["value"],
                            "signature": RECEIPT["commitment"]["signature"],
                            "server_key": RECEIPT["request"]["server_key"],
                            "sequence": RECEIPT["request"]["sequence"],
                            "issued_at_ms": RECEIPT["request"]["issued_at_ms"],
                            "mode": RECEIPT["request"]["beacon"]["mode"],
                            "beacon": RECEIPT["request"]["beacon"]["id"],
                            "fallback_from": None},
             "log": {"origin": "log.example/demo", "key": "log.example/demo+00000000+AQ==",
                     "publish_within_s": 60, "url_path": "/log/"}}
FINISHED = {"verbatim": {**COMMITTED, "verification_hash": HASH, "receipt": RAW},
            "theta_verified": {"seed": 2825676771}}


def head(kind, chat=True):
    return {"id": "chatcmpl-0001" if chat else "cmpl-0001", "object": kind, "created": 1763848800,
            "model": "tiny-qwen2"}


def token(text, logprob, data):
    return {"token": text, "logprob": logprob, "bytes": list(data)}


HI = token("Hi", -0.10000000149011612, b"Hi")
TAIL = token(r"bytes:\x82\xac", -0.25, b"\x82\xac")
CHAT_LOGPROBS = {"content": [
    {**HI, "top_logprobs": [TAIL]},
    {**token(r"bytes:\xe2", -9999, b"\xe2"), "top_logprobs": []},
    {**TAIL, "top_logprobs": [TAIL, token(r"bytes:\x82\xad", -1.5, b"\x82\xad"),
                              token("", -3, b""), token("", -4, b"")]}], "refusal": None}
TEXT_LOGPROBS = {
    "tokens": ["Hi", r"bytes:\xe2", r"bytes:\x82\xac"],
    "token_logprobs": [-0.10000000149011612, -9999, -0.25],
    "top_logprobs": [{r"bytes:\x82\xac": -0.25, "Hi": -0.10000000149011612}, {r"bytes:\xe2": -9999},
                     {r"bytes:\x82\xac": -0.25, r"bytes:\x82\xad": -1.5, "": -3}],
    "text_offset": [0, 2, 2]}
CALLS = [{"id": "call_0", "type": "function",
          "function": {"name": "get_weather", "arguments": '{"city": "Köln"}'}},
         {"id": "call_1", "type": "function", "function": {"name": "now", "arguments": "{}"}}]


def message(content, **more):
    return {"role": "assistant", "content": content, **more, "refusal": None}


def choice(index, said, logprobs, finish):
    return {"index": index, "message": said, "logprobs": logprobs, "finish_reason": finish}


def text_choice(index, text, logprobs, finish):
    return {"text": text, "index": index, "logprobs": logprobs, "finish_reason": finish}


def chat_chunk(delta, finish=None, logprobs=None, **more):
    return {**head("chat.completion.chunk"), **FINGERPRINT,
            "choices": [{"index": 0, "delta": delta, "logprobs": logprobs,
                         "finish_reason": finish}], **more}


def text_chunk(one, **more):
    return {**head("text_completion", False), "choices": [one], **more}


def dump(value):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace(f'"{RAW}"', RECEIPT_TEXT)


def write(name, content):
    with open(os.path.join(HERE, name), "w", encoding="utf-8", newline="") as out:
        out.write(content)


def stream(*chunks, done=True):
    return "".join(f"data: {dump(c)}\n\n" for c in chunks) + ("data: [DONE]\n\n" if done else "")


write("golden_chat.json", dump(
    {**head("chat.completion"), "choices": [
        choice(0, message('Hi€ "\\\n\t\x01\x7f</script>', reasoning_content="hm"), CHAT_LOGPROBS,
               "stop"),
        choice(1, message(None, tool_calls=CALLS), None, "tool_calls"),
        choice(2, message(""), None, "length")], "usage": USAGE, **FINGERPRINT, **FINISHED}) + "\n")
write("golden_completion.json", dump(
    {**head("text_completion", False), "choices": [
        text_choice(0, "Hi€", TEXT_LOGPROBS, "length"), text_choice(1, " 😀", None, "stop")],
     "usage": USAGE}) + "\n")
ROLE = {"role": "assistant", "content": "", "refusal": None}
write("golden_chat.sse", stream(
    chat_chunk(ROLE, usage=None, verbatim=COMMITTED),
    chat_chunk({"reasoning_content": "h"}, usage=None),
    chat_chunk({"reasoning_content": "m"}, usage=None),
    chat_chunk({"content": "Hi"}, usage=None,
               logprobs={"content": [{**HI, "top_logprobs": [TAIL]}], "refusal": None}),
    chat_chunk({"content": "€\n"}, usage=None),
    *[chat_chunk({"tool_calls": [{"index": i, **c}]}, usage=None) for i, c in enumerate(CALLS)],
    chat_chunk({}, "tool_calls", usage=None),
    {**head("chat.completion.chunk"), **FINGERPRINT, "choices": [], "usage": USAGE, **FINISHED}))
write("golden_completion.sse", stream(
    text_chunk(text_choice(0, "", None, None), verbatim=COMMITTED),
    text_chunk(text_choice(0, "Hi€", TEXT_LOGPROBS, None)),
    text_chunk(text_choice(1, "yes", None, None)),
    text_chunk(text_choice(1, "", None, "stop")),
    text_chunk(text_choice(0, "", None, "length"), **FINISHED)))
write("golden_failure.sse", stream(
    chat_chunk(ROLE), {"error": {"message": "The beacon did not answer.", "type": "server_error",
                                 "param": None, "code": "unavailable"}}, done=False))
DIGEST = "abcd" + 60 * "0"
write("golden_models.json", dump({"object": "list", "data": [
    {"id": "tiny-qwen2", "object": "model", "created": 1763848800, "owned_by": "verbatim",
     "max_model_len": 32768, "verbatim": {"model_sha256": DIGEST}},
    {"id": 'a "b"', "object": "model", "created": 0, "owned_by": "me", "max_model_len": 1,
     "verbatim": {"model_sha256": DIGEST}}]}) + "\n")
