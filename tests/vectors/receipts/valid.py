"""Receipts as honest servers make them, and the far ends of every range that section 3 allows."""

from receipts import (
    OTHER_SEED,
    T,
    case,
    changed,
    draft,
    output,
    private,
    prompt_chat,
    prompt_template,
    prompt_text,
    seal,
    sealed,
)

GOOD = "VERIFIED"


def _with_outputs(r, *outputs):
    total = sum(len(o["tokens"]) for o in outputs)
    return changed(
        r, (["outputs"], list(outputs)), (["request", "choices"], len(outputs)), (["usage", "completion_tokens"], total)
    )


def _prompts():
    r = draft()
    for name, prompt in (
        ("text", prompt_text()),
        ("text, empty", prompt_text("")),
        ("text with U+0000", prompt_text("a\0")),
        ("chat", prompt_chat()),
        ("chat with a date", prompt_chat("2025-11-22")),
        ("template", prompt_template()),
        ("template with a date", prompt_template("2025-11-22")),
        # What the text says is a question for level `full`.
        ("template, of an empty text", prompt_template(text="")),
        ("template, of a text that is no object", prompt_template(text="[]")),
        ("template, of text with U+0000", prompt_template(text='{"messages":\0}')),
    ):
        yield case(f"prompt: {name}", seal(changed(r, (["prompt"], prompt))), GOOD)
        if "," in name or "U+" in name:
            continue
        yield case(
            f"private prompt: {name}", seal(changed(r, (["prompt"], private(prompt)))), "UNVERIFIABLE", "missing-prompt"
        )


def _short_names(world):
    chat = changed(prompt_chat(), (["messages", 0, "role"], "r"))
    yield case("a role of one byte", seal(changed(draft(), (["prompt"], chat))), GOOD)
    yield case("a fallback of one byte", sealed("local", world.local, fallback="f"), GOOD)


def _outputs():
    r = draft()
    two = _with_outputs(r, output([10, 11, 12], "One"), output([10, 2], "Two", "stop"))
    yield case("two choices", seal(two), GOOD)
    many = _with_outputs(r, *[output([i, i + 1, i + 2], str(i)) for i in range(100, 228)])
    yield case("128 choices", seal(many), GOOD)
    yield case("ended by a stop token at once", seal(_with_outputs(r, output([9], "", "stop"))), GOOD)
    yield case("ended by stop with all tokens used", seal(_with_outputs(r, output([10, 11, 2], "", "stop"))), GOOD)
    yield case(
        "ended by a stop string: no stop token at the end", seal(_with_outputs(r, output([10], "", "stop"))), GOOD
    )
    full = changed(_with_outputs(r, output([10, 11])), (["request", "ctx_tokens"], 6), (["request", "max_tokens"], 3))
    yield case("length by the end of the context", seal(full), GOOD)
    yield case(
        "text of every kind of character",
        seal(
            _with_outputs(r, output([10, 11, 12], '\0\x1f\x7f\u0080"\\/\u20ac\ud7ff\ue000\uffff\U00010000\U0010ffff'))
        ),
        GOOD,
    )


# Values at the ends of their ranges: none of them has a consequence for another check.
_ENDS = [
    (["id"], "i"),
    (["id"], "i" * 128),
    (["id"], "\u20ac" * 42),
    (["id"], "\u0080"),
    (["model", "name"], ""),
    (["model", "name"], "n" * 256),
    (["model", "architecture"], "a" * 256),
    (["model", "architecture"], "a"),
    (["model", "file_type"], "f"),
    (["engine", "version"], "v"),
    (["engine", "tier"], "t"),
    (["model", "parameters"], "0"),
    (["model", "parameters"], "18446744073709551615"),
    (["engine", "tier"], "t" * 256),
    (["request", "max_tokens"], 3),
    (["request", "ctx_tokens"], 7),
    (["request", "ctx_tokens"], 2**22),
    (["request", "nonce"], ""),
    (["request", "nonce"], "x" * 256),
    (["request", "nonce"], "\u20ac" * 85),
    (["request", "seed"], "0"),
    (["request", "seed"], "9223372036854775808"),
    (["request", "issued_at_ms"], "0"),
    (["request", "issued_at_ms"], "253402300799999"),
    (["request", "sequence"], "1"),
    (["request", "sequence"], "18446744073709551615"),
    (["request", "stop", "strings"], []),
    (["request", "stop", "strings"], ["s" * 1024] * 16),
    (["request", "stop", "strings"], ["\0"]),
    (["request", "stop", "tokens"], []),
    (["request", "stop", "tokens"], [0, 1048575]),
    (["request", "stop", "tokens"], list(range(100, 164))),
    (["request", "sampling", "logit_bias"], []),
    (["request", "sampling", "logit_bias"], [[0, -100], [1048575, 100]]),
    (["request", "sampling", "top_k"], 0),
    (["request", "sampling", "top_k"], 2**32 - 1),
    (["request", "sampling", "top_p_q32"], 1),
    (["request", "sampling", "top_p_q32"], 2**32),
    (["request", "sampling", "min_p_q32"], 2**32),
    (["request", "sampling", "temperature"], 0),
    (["request", "sampling", "temperature"], 100),
    (["request", "sampling", "temperature"], 2.0**-149),
    (["request", "sampling", "presence_penalty"], 2),
    (["request", "sampling", "presence_penalty"], -2),
    (["request", "sampling", "frequency_penalty"], 2),
    (["request", "sampling", "frequency_penalty"], -2),
    (["request", "sampling", "frequency_penalty"], 1.0000000116860974e-7),
    (["request", "sampling", "repetition_penalty"], 2.0**-149),
    (["request", "sampling", "repetition_penalty"], 2.0**-126),
    (["request", "sampling", "repetition_penalty"], 2**53),
    (["request", "sampling", "repetition_penalty"], 2.0**70),
    (["request", "sampling", "repetition_penalty"], 2.0**128 - 2.0**104),
]


def _ends():
    for path, value in _ENDS:
        shown = repr(value) if len(repr(value)) < 40 else f"{len(value)} of them"
        yield case(f"end of a range: {'.'.join(path)} {shown}", seal(changed(draft(), (path, value))), GOOD)
    bias = [[i, 1] for i in range(1024)]
    yield case("1024 biases", seal(changed(draft(), (["request", "sampling", "logit_bias"], bias))), GOOD)
    yield case(
        "max_tokens 4194304 and a stop",
        seal(changed(_with_outputs(draft(), output([10, 2], "", "stop")), (["request", "max_tokens"], 2**22))),
        GOOD,
    )


def _modes(world):
    drand, theta, ethereum = world.drand["bls-unchained-g1-rfc9380"], world.theta, world.ethereum
    yield case("fixed: the caller's seed", sealed(), GOOD)
    yield case(
        "fixed: another server's key",
        seal(changed(draft(), (["request", "server_key"], world.other_key)), OTHER_SEED),
        GOOD,
    )
    yield case("local", sealed("local", world.local), GOOD)
    yield case("local, a fallback", sealed("local", world.local, fallback=drand.id), GOOD)
    yield case("local: the first round", sealed("local", world.local_round(1)), GOOD)
    yield case("local: the last round", sealed("local", world.local_round(65536)), GOOD)
    yield case("fixed: a round of local replayed", sealed("fixed", world.local, t=0), GOOD)
    for scheme, b in world.drand.items():
        yield case(f"next: drand, {scheme}", sealed("next", b, t=b.next[1] - 1), GOOD, trust=b.trust_file())
    chained = world.drand_first
    yield case("next: round 1 of a chained drand", sealed("next", chained, t=0), GOOD, trust=chained.trust_file())
    for b in (drand, theta, ethereum, world.nist, world.mix):
        kind = b.id.split(":")[0]
        for mode, window in (("next", b.next), ("latest", b.latest)):
            for name, t in (("first", window[0]), ("last", window[1] - 1)):
                yield case(f"{mode}: {kind}, {name} millisecond", sealed(mode, b, t=t), GOOD, trust=b.trust_file())
        if kind != "mix":
            yield case(
                f"fixed: a round of {kind} replayed, after a fallback",
                sealed("fixed", b, t=T, fallback="drand:none"),
                GOOD,
                trust=b.trust_file(),
            )
    yield case(
        "ethereum: the pinned block is N itself",
        sealed("next", world.ethereum_at_n, t=world.ethereum_at_n.next[0]),
        GOOD,
        trust=world.ethereum_at_n.trust_file(),
    )


def _trust(world):
    b = world.drand["bls-unchained-g1-rfc9380"]
    r, root = sealed("next", b, t=b.next[0]), b.trust_file()
    keys = [{"key": world.other_key, "name": "other"}, {"key": world.key, "name": ""}]
    yield case("trust: the server's key is among those", r, GOOD, trust={**root, "server_keys": keys})
    yield case("trust: the beacon by its id", r, GOOD, trust={**root, "beacons": ["local:*", b.id]})
    yield case("trust: the beacon by its kind", r, GOOD, trust={**root, "beacons": ["drand:*"]})
    yield case("trust: the mode is among those", r, GOOD, trust={**root, "modes": ["latest", "next"]})
    yield case(
        "trust: a caller's seed has no beacon to accept",
        sealed(),
        GOOD,
        trust={"format": "verbatim.trust/1", "beacons": ["drand:*"]},
    )
    yield case("trust: a file that adds nothing", sealed(), GOOD, trust={"format": "verbatim.trust/1"})


def cases(world):
    for part in (_modes(world), _trust(world), _prompts(), _short_names(world), _outputs(), _ends()):
        yield from part
