"""python3 -m verbatim_ref logits|sample|replay|check|beacon|vectors ..."""

import argparse
import hashlib
import json
import sys

from . import beacons, digests, gguf, model, receipt, receipt_check, sampling, strict, trust, vocabulary


def _ids(text):
    return [int(t) for t in text.split(",")]


def _logits(args):
    session = model.Session(model.Model(gguf.load(args.model)))
    raw = digests.f32_bytes(session.forward(args.tokens))
    if args.output:
        with open(args.output, "wb") as f:
            f.write(raw)
    print(hashlib.sha256(raw).hexdigest())


def _sample(args):
    """Prints one line a token: index, id, weight, total, kept; then the trace root."""
    session = model.Session(model.Model(gguf.load(args.model)))
    params = sampling.Params(
        args.temp, args.top_k, sampling.fixed_point(args.top_p), sampling.fixed_point(args.min_p),
        args.presence_penalty, args.frequency_penalty, args.repetition_penalty)
    seed = digests.seed_fixed(args.seed, 0)
    output, leaves, pending = [], [], args.tokens
    for t in range(args.n):
        logits = session.forward(pending)[-1]
        u = digests.draw_number(seed, t)
        c = sampling.draw(logits, params, u, args.tokens, output)
        print(t, c.token, c.weight, c.total, c.kept)
        leaves.append(digests.trace_leaf(t, c.token, logits))
        output.append(c.token)
        pending = [c.token]
    print("trace", digests.trace_root(leaves).hex())


def _vectors(args):
    from . import vectors

    if args.action == "generate":
        vectors.generate(args.dir, args.models)
        return
    failed = vectors.check(args.dir, args.models)
    if failed:
        sys.exit(1)


def _replay(args):
    with open(args.model, "rb") as f:
        data = f.read()
    g = gguf.GGUF(data, args.model)
    m = model.Model(g)
    with open(args.receipt, "rb") as f:
        raw = f.read()
    try:
        h = receipt.replay(raw, hashlib.sha256(data).hexdigest(), lambda: model.Session(m),
                           vocabulary.Vocabulary(g))
    except receipt.Refuted as e:
        print(f"REFUTED {e}")
        sys.exit(1)
    print(f"every check passed; verification hash {h.hex()}")


def _read(path):
    with open(path, "rb") as f:
        return f.read()


def _verdict(verdict, reason):
    print(json.dumps({"verdict": verdict, "reason": reason}))
    sys.exit(receipt_check.EXIT[verdict])


def _trust(args):
    try:
        return trust.Trust(strict.loads(_read(args.trust)) if args.trust else None)
    except strict.BadForm as e:
        sys.exit(f"{args.trust}: {e}")


def _check(args):
    _verdict(*receipt_check.check(_read(args.receipt), _trust(args)))


def _beacon(args):
    roots = _trust(args)
    try:
        b = beacons.read_file(_read(args.round))
    except strict.BadForm:
        _verdict(receipt_check.UNVERIFIABLE, "unreadable")
    _verdict(*receipt_check.beacon_verdict(b, beacons.check(b, roots), roots))


def main():
    parser = argparse.ArgumentParser(prog="verbatim_ref", description=__doc__)
    sub = parser.add_subparsers(required=True)
    p = sub.add_parser("logits", help="logits after each token; prints their SHA-256")
    p.add_argument("model")
    p.add_argument("--tokens", type=_ids, required=True)
    p.add_argument("-o", "--output", help="raw f32le [tokens][vocabulary]")
    p.set_defaults(run=_logits)
    p = sub.add_parser("sample", help="draw tokens with a fixed seed")
    p.add_argument("model")
    p.add_argument("--tokens", type=_ids, required=True)
    p.add_argument("-n", type=int, default=16)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--temp", type=float, default=0.0)
    p.add_argument("--top-k", type=int, default=0)
    p.add_argument("--top-p", type=float, default=1.0)
    p.add_argument("--min-p", type=float, default=0.0)
    p.add_argument("--presence-penalty", type=float, default=0.0)
    p.add_argument("--frequency-penalty", type=float, default=0.0)
    p.add_argument("--repetition-penalty", type=float, default=1.0)
    p.set_defaults(run=_sample)
    p = sub.add_parser("replay", help="check a receipt of mode fixed, token by token")
    p.add_argument("receipt")
    p.add_argument("model")
    p.set_defaults(run=_replay)
    p = sub.add_parser("check", help="a receipt's verdict at level receipt: no model, no tokens replayed")
    p.add_argument("receipt")
    p.add_argument("--trust", help="trust file (spec/beacons.md section 9)")
    p.set_defaults(run=_check)
    p = sub.add_parser("beacon", help="whether a round of a beacon is genuine")
    p.add_argument("round", help="a file of format verbatim.round/1")
    p.add_argument("--trust", help="trust file")
    p.set_defaults(run=_beacon)
    p = sub.add_parser("vectors", help="generate or check the vectors of a folder")
    p.add_argument("action", choices=["generate", "check"])
    p.add_argument("dir")
    p.add_argument("--models", action="append", default=[], help="folder with model files")
    p.set_defaults(run=_vectors)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
