"""Check `format`: sections 1 and 3 of spec/receipt.md, member by member."""

import re

from . import strict
from .strict import BadForm, decimal, hexadecimal, integer, members, name, real, text

ID_MAX = 2**20 - 1
TOKENS_MAX = 2**22
CONSTRAINT_BYTES_MAX = 2**18
KIND_MAX = 15  # bytes of a mode or a kind of prompt that another version may define
F32_MIN = 2.0**-149
F32_MAX = 2.0**128 - 2.0**104


class Unsupported(Exception):
    """A format, mode or kind of prompt that this version does not know."""


def _ids(value, low=1, high=strict.VALUES_MAX):
    for i in strict.array(value, low, high):
        integer(i, 0, ID_MAX)
    return value


def _model(value):
    title, architecture, file_type, parameters = members(value, "name", "architecture", "file_type", "parameters")
    name(title)
    name(architecture, 1)
    name(file_type, 1)
    decimal(parameters)


def _sampling(value):
    temperature, presence, frequency, repetition, top_k, top_p, min_p, bias = members(
        value, "temperature", "presence_penalty", "frequency_penalty", "repetition_penalty", "top_k", "top_p_q32",
        "min_p_q32", "logit_bias")
    real(temperature, 0, 100)
    real(presence, -2, 2)
    real(frequency, -2, 2)
    real(repetition, F32_MIN, F32_MAX)
    integer(top_k, 0, 2**32 - 1)
    integer(top_p, 1, 2**32)
    integer(min_p, 0, 2**32)
    for pair in strict.array(bias, 0, 1024):
        token, shift = strict.array(pair, 2, 2)
        integer(token, 0, ID_MAX)
        real(shift, -100, 100)
    strict.ascending([token for token, _ in bias])


def _stop(value):
    strings, tokens = members(value, "strings", "tokens")
    for s in strict.array(strings, 0, 16):
        text(s, 1, 1024)
    strict.ascending(_ids(tokens, 0, 64))


def _request_beacon(value, seed):
    beacon_id, mode, asked, fallback = members(value, "id", "mode", "round", "fallback_from")
    if name(mode, 1, KIND_MAX) not in ("next", "latest", "fixed", "local"):
        raise Unsupported("the mode")
    if beacon_id is not None:
        name(beacon_id, 1)
    if asked is not None:
        decimal(asked)
    if fallback is not None:
        name(fallback, 1)
    given = tuple(v is not None for v in (beacon_id, asked, seed))
    if mode == "fixed" and given == (False, False, True) and fallback is None:
        return
    if given != (True, mode == "fixed", False):
        raise BadForm("the table of modes has no such combination")


def _constraint(value):
    """Any object: what it means is not for who reads it."""
    if not isinstance(value, dict) or len(strict.canonical(value)) > CONSTRAINT_BYTES_MAX:
        raise BadForm("neither null nor an object of at most 2^18 bytes")


def _request(value):
    (arithmetic, model, prompt, prompt_tokens, sampling, max_tokens, ctx_tokens, choices, stop, constraint, nonce,
     beacon, seed, issued, sequence, key) = members(
        value, "arithmetic", "model_sha256", "prompt_sha256", "prompt_tokens", "sampling", "max_tokens", "ctx_tokens",
        "choices", "stop", "constraint", "nonce", "beacon", "seed", "issued_at_ms", "sequence", "server_key")
    name(arithmetic, 1)
    if constraint is not None:
        _constraint(constraint)
    for digest in (model, prompt, key):
        hexadecimal(digest, 32)
    for count in (prompt_tokens, max_tokens, ctx_tokens):
        integer(count, 1, TOKENS_MAX)
    integer(choices, 1, 128)
    _sampling(sampling)
    _stop(stop)
    name(nonce)
    if seed is not None:
        decimal(seed)
    decimal(issued, 0, 253402300799999)
    decimal(sequence, 1)
    _request_beacon(beacon, seed)


def _message(value):
    content, role = members(value, "content", "role")
    text(content)
    name(role, 1)


# Which of text, messages and the template's digest a kind of prompt has.
_KINDS = {"tokens": (), "text": ("text",), "chat": ("messages", "template"), "template": ("text", "template")}


def _prompt(value):
    kind, tokens, words, messages, template, date = members(
        value, "kind", "tokens", "text", "messages", "template_sha256", "date")
    if name(kind, 1, KIND_MAX) not in _KINDS:
        raise Unsupported("the kind of prompt")
    if tokens is not None:
        _ids(tokens)
    for source, found in (("text", words), ("messages", messages)):
        if (found is not None) != (source in _KINDS[kind] and tokens is not None):
            raise BadForm("text or messages where there are none, or none where there are some")
    if words is not None:
        text(words)
    for m in strict.array(messages, 1, 65536) if messages is not None else []:
        _message(m)
    if "template" in _KINDS[kind]:
        hexadecimal(template, 32)
    elif template is not None or date is not None:
        raise BadForm("a template that the prompt does not go through")
    if date is not None and not (isinstance(date, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", date)):
        raise BadForm("not a date")


def _beacon(value, asked_id):
    if (value is None) != (asked_id is None):
        raise BadForm("a round without a beacon, or a beacon without a round")
    if value is None:
        return
    number, randomness, proof = members(value, "round", "randomness", "proof")
    decimal(number)
    if len(hexadecimal(randomness, 32, 64)) not in (32, 64):
        raise BadForm("randomness has 32 or 64 bytes")
    if proof is not None and not isinstance(proof, dict):
        raise BadForm("a proof is an object")
    if len(strict.canonical(proof)) > 2**22:
        raise BadForm("the proof is too long")


def _output(value):
    tokens, words, digest, finish, seed, root = members(
        value, "tokens", "text", "text_sha256", "finish_reason", "seed", "trace_root")
    _ids(tokens)
    text(words)
    for d in (digest, seed, root):
        hexadecimal(d, 32)
    if finish not in ("stop", "length"):
        raise BadForm("not a reason to finish")


def _integers_elsewhere(r):
    """Only the reals of request.sampling and the numbers of a constraint may be no integers."""
    outside = {k: v for k, v in r.items() if k != "request"}
    strict.only_integers([outside, {k: v for k, v in r["request"].items() if k not in ("sampling", "constraint")}])
    strict.binary64(r["request"]["constraint"])


def _open(raw, family):
    """A canonical object whose format is of this family, in the version that is known here."""
    r = strict.parse(raw)
    if not isinstance(r, dict):
        raise BadForm("not an object")
    fmt = r.get("format")
    if not isinstance(fmt, str) or not fmt.startswith(f"verbatim.{family}/"):
        raise BadForm(f"not of format verbatim.{family}")
    if fmt != f"verbatim.{family}/1":
        raise Unsupported("the format")
    return r


def _committed(r):
    """`request` and `commitment`, and the numbers of the whole."""
    _request(r["request"])
    _integers_elsewhere(r)
    value, signed = members(r["commitment"], "value", "signature")
    hexadecimal(value, 32)
    hexadecimal(signed, 64)


def read_commitment(raw):
    """A commitment record, or BadForm, or Unsupported."""
    r = _open(raw, "commitment")
    members(r, "format", "request", "commitment")
    _committed(r)
    return r


def read_abort(raw):
    """An abort record, or BadForm, or Unsupported."""
    r = _open(raw, "abort")
    members(r, "format", "request", "commitment", "aborted_at_ms", "reason", "signature")
    _committed(r)
    decimal(r["aborted_at_ms"], int(r["request"]["issued_at_ms"]), 253402300799999)
    if r["reason"] not in ("cancelled", "beacon", "failed", "lost"):
        raise BadForm("not a reason of an abort")
    hexadecimal(r["signature"], 64)
    return r


def read(raw):
    """The receipt, or BadForm, or Unsupported."""
    r = _open(raw, "receipt")
    _, answer, model, _, prompt, _, beacon, outputs, usage, engine, signature = members(
        r, "format", "id", "model", "request", "prompt", "commitment", "beacon", "outputs", "usage", "engine",
        "signature")
    name(answer, 1, 128)
    _model(model)
    _committed(r)
    _prompt(prompt)
    _beacon(beacon, r["request"]["beacon"]["id"])
    for o in strict.array(outputs, 1, 128):
        _output(o)
    for count in members(usage, "prompt_tokens", "completion_tokens"):
        integer(count, 0, strict.EXACT_MAX)
    for word in members(engine, "version", "tier"):
        name(word, 1)
    hexadecimal(signature, 64)
    return r
