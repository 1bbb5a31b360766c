"""An opening's verdict at level `opening`: spec/receipt.md section 5.4, and the checks of section 4."""

import base64
import binascii

import numpy as np

from . import allowed, digests, receipt, receipt_check, receipt_form, sampling, strict
from .digests import sha256
from .receipt_check import REFUTED, UNVERIFIABLE
from .receipt_form import Unsupported
from .strict import BadForm

BYTES_MAX = 2**23


def _logits(text):
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error, AttributeError) as e:
        raise BadForm("not base64") from e
    if base64.b64encode(raw).decode() != text or len(raw) % 4 or not 1 <= len(raw) // 4 <= 2**20:
        raise BadForm("not the base64 of whole logits")
    logits = np.frombuffer(raw, "<f4")
    if not np.isfinite(logits).all():
        raise BadForm("a logit that is not finite")
    return logits


class Opening:
    """The members, read."""

    def __init__(self, raw):
        if len(raw) > BYTES_MAX:
            raise BadForm("too long")
        o = strict.parse(raw)
        fmt = o.get("format") if isinstance(o, dict) else None
        if not isinstance(fmt, str) or not fmt.startswith("verbatim.opening/"):
            raise BadForm("not an opening")
        if fmt != "verbatim.opening/1":
            raise Unsupported("the format")
        _, of, choice, position, token, logits, path, logit, rank, weight, total = strict.members(
            o, "format", "receipt", "choice", "position", "token", "logits", "path", "logit", "rank", "weight", "total")
        self.receipt = strict.hexadecimal(of, 32)
        self.choice = strict.integer(choice, 0, 127)
        self.position = strict.integer(position, 0, 2**22 - 1)
        self.logits = _logits(logits)
        self.token = strict.integer(token, 0, len(self.logits) - 1)
        self.path = [strict.hexadecimal(node, 32) for node in strict.array(path, 0, 64)]
        self.logit = strict.real(logit, -strict.EXACT_MAX, strict.EXACT_MAX)
        self.rank = strict.integer(rank, 1, len(self.logits))
        self.weight, self.total = strict.decimal(weight), strict.decimal(total)


def _node(left, right):
    return sha256(b"\1" + left + right)


def root_of(leaf, index, size, path):
    """RFC 9162 section 2.1.3.2; None when the path is not of this length."""
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            r = _node(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = _node(r, p)
        fn, sn = fn >> 1, sn >> 1
    return r if sn == 0 else None


# A check returns None when it passed, or a verdict and a reason.


def _receipt(s, o, _):
    return None if o.receipt == receipt_check.verification_hash(s.receipt) else (REFUTED, "signature")


def _token(s, o, _):
    outputs = s.receipt["outputs"]
    tokens = outputs[o.choice]["tokens"] if o.choice < len(outputs) else []
    good = o.position < len(tokens) and tokens[o.position] == o.token
    return None if good else (REFUTED, "token")


def _path(s, o, _):
    output = s.receipt["outputs"][o.choice]
    leaf = digests.trace_leaf(o.position, o.token, o.logits)
    root = root_of(leaf, o.position, len(output["tokens"]), o.path)
    good = root is not None and root.hex() == output["trace_root"]
    return None if good else (REFUTED, "trace")


def _draw(s, o, vocabulary):
    request, output = s.request, s.receipt["outputs"][o.choice]
    params = receipt.params(request["sampling"])
    before = output["tokens"][: o.position]
    prompt = s.receipt["prompt"]["tokens"]
    if params.repetition == 1:
        prompt = ()
    elif prompt is None:
        return UNVERIFIABLE, "missing-prompt"
    among = None
    if request["constraint"] is not None:
        if vocabulary is None:
            return UNVERIFIABLE, "missing-model"
        if len(vocabulary.texts) > len(o.logits):
            return REFUTED, "parameters"
        try:
            held = receipt.Held(request, vocabulary)
        except allowed.Unsatisfiable:
            return REFUTED, "parameters"
        for token in before:
            if token not in held.allowed():
                return REFUTED, "token"
            held.accept(token)
        among = held.allowed()
    u = digests.draw_number(bytes.fromhex(output["seed"]), o.position)
    try:
        drawn = sampling.draw(o.logits, params, u, prompt, before, among)
    except sampling.NonFiniteLogit:
        return REFUTED, "parameters"
    return None if drawn.token == o.token else (REFUTED, "token")


def _numbers(_, o, __):
    mine = o.logits[o.token]
    before = np.flatnonzero((o.logits > mine) | ((o.logits == mine) & (np.arange(len(o.logits)) < o.token)))
    weights = sampling.weights(o.logits, np.float32(1))
    found = float(mine), 1 + len(before), weights[o.token], sum(weights)
    return None if found == (o.logit, o.rank, o.weight, o.total) else (REFUTED, "parameters")


def check(raw, receipt_raw, trust, vocabulary=None):
    """(verdict, reason); vocabulary: that of the receipt's model, if it is at hand."""
    try:
        s = receipt_check.Subject(receipt_form.read(receipt_raw), trust)
    except (Unsupported, BadForm) as e:
        return receipt_check.not_read(e)
    found = receipt_check.findings(s)
    try:
        o = Opening(raw)
    except (Unsupported, BadForm) as e:
        return receipt_check.conclude([*found, receipt_check.not_read(e)])
    found += [_receipt(s, o, vocabulary), _token(s, o, vocabulary)]
    if found[-1] is None:  # else there is nothing that it opens
        found += [f(s, o, vocabulary) for f in (_path, _draw, _numbers)]
    return receipt_check.conclude(found)
