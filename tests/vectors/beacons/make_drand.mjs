// Makes spec/vectors/beacons/drand.json and mix.json with noble-curves, from fixed secret keys: the
// same bytes in every run. Not run by the build. Run: VB_NPM_DIR=<folder of node_modules>
// node make_drand.mjs FOLDER_FOR_THE_TWO_FILES
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(process.env.VB_NPM_DIR + "/node_modules/");
const { bls12_381: bls } = require("@noble/curves/bls12-381");

const sha256 = (...parts) => parts.reduce((h, p) => h.update(p), createHash("sha256")).digest();
const hexOf = (bytes) => Buffer.from(bytes).toString("hex");
const bytesOf = (hex) => Buffer.from(hex, "hex");
function be(n, value) {
    const bytes = Buffer.alloc(n);
    bytes.writeBigUInt64BE(BigInt(value), n - 8);
    return bytes;
}
const u32 = (v) => be(8, v).subarray(4);
const u64 = (v) => be(8, v);

const G1 = "bls-unchained-g1-rfc9380";
const CHAINED = "pedersen-bls-chained";
const UNCHAINED = "pedersen-bls-unchained";
const DST = { g1: "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_", g2: "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_" };

const groupOf = (scheme) => (scheme === G1 ? bls.shortSignatures : bls.longSignatures);
const dstOf = (scheme) => (scheme === G1 ? DST.g1 : DST.g2);

// A chain with its secret key. `info` is what a trust file says of it.
function chain(name, scheme, period, genesis, secret) {
    const key = sha256("verbatim test chain ", secret);
    key[0] &= 0x3f; // below the group's order
    const group = groupOf(scheme);
    const publicKey = group.getPublicKey(key).toBytes(true);
    const groupHash = sha256("group ", secret);
    const hash = sha256(u32(period), u64(genesis), publicKey, groupHash, name === "default" ? "" : name);
    const info = {
        beacon_id: name,
        genesis_time: Number(genesis),
        group_hash: hexOf(groupHash),
        hash: hexOf(hash),
        period,
        public_key: hexOf(publicKey),
        scheme,
    };
    return { info, key, groupHash, id: "drand:" + hexOf(hash) };
}

function sign(c, message, dst = dstOf(c.info.scheme)) {
    const group = groupOf(c.info.scheme);
    return Buffer.from(group.sign(group.hash(message, dst), c.key).toBytes(true));
}

// A chained round r follows a previous signature; that it is itself a signature is not looked at.
const previousOf = (c, r) =>
    c.info.scheme !== CHAINED ? null : r === 1n ? c.groupHash : Buffer.concat([sha256("p0"), sha256("p1"), sha256("p2")]);

const messageOf = (r, previous) => sha256(previous ?? "", u64(r));

function asRound(c, r, signature, previous) {
    return {
        id: c.id,
        proof: { previous_signature: previous && hexOf(previous), signature: hexOf(signature) },
        randomness: hexOf(sha256(signature)),
        round: String(r),
    };
}

function round(c, r) {
    const n = BigInt(r);
    const previous = previousOf(c, n);
    return asRound(c, n, sign(c, messageOf(n, previous)), previous);
}

const trustOf = (...chains) => ({ drand: chains.map((c) => c.info), format: "verbatim.trust/1" });

function windowsOf(c, r) {
    const t = (n) => (n < 1n ? 0n : 1000n * (BigInt(c.genesis_time) + (n - 1n) * BigInt(c.period)));
    const n = BigInt(r);
    return { next: [t(n - 1n), t(n)], latest: [t(n), t(n + 1n)] };
}

const text = (w) => w && w.map(String);
const make = (cases) => (name, r, trust, result, windows = { next: null, latest: null }) =>
    cases.push({ name, round: r, trust, result, next: text(windows.next), latest: text(windows.latest) });

const g1 = chain("test-g1", G1, 3, 1700000000n, "one");
const chained = chain("default", CHAINED, 30, 1600000000n, "two");
const unchained = chain("test-unchained", UNCHAINED, 25, 1650000000n, "three");
const unnamed = chain("", G1, 1, 0n, "four");
const slow = chain("test-slow", G1, 4294967295, 2n ** 53n, "five");
const chains = { g1, chained, unchained };

// The League of Entropy's chains, which are built in, and rounds that they published.
const quicknet = { genesis_time: 1692803367, period: 3, id: "drand:52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971" };
const league = { genesis_time: 1595431050, period: 30, id: "drand:8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce" };
const published = [
    [quicknet, 1, "b55e7cb2d5c613ee0b2e28d6750aabbb78c39dcc96bd9d38c2c2e12198df95571de8e8e402a0cc48871c7089a2b3af4b", null],
    [quicknet, 1000, "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39", null],
    [league, 1,
        "8d61d9100567de44682506aea1a7a6fa6e5491cd27a0a0ed349ef6910ac5ac20ff7bc3e09d7c046566c9f7f3c6f3b10104990e7cb424998203d8f7de586fb7fa5f60045417a432684f85093b06ca91c769f0e7ca19268375e659c2a2352b4655",
        "176f93498eac9ca337150b46d21dd58673ea4e3581185f869672e59fa4cb390a"],
    [league, 72785,
        "82f5d3d2de4db19d40a6980e8aa37842a0e55d1df06bd68bddc8d60002e8e959eb9cfa368b3c1b77d18f02a54fe047b80f0989315f83b12a74fd8679c4f12aae86eaf6ab5690b34f1fddd50ee3cc6f6cdf59e95526d5a5d82aaa84fa6f181e42",
        "a609e19a03c2fcc559e8dae14900aaefe517cb55c840f6e69bc8e4f66c8d18e8a609685d9917efbfb0c37f058c2de88f13d297c7e19e0ab24813079efe57a182554ff054c7638153f9b26a60e7111f71a0ff63d9571704905d3ca6df0b031747"],
];

// A point of the curve over Fp that is not in the subgroup, compressed.
function outsideSubgroup() {
    const { Fp } = bls.fields;
    for (let x = 1n; ; x++) {
        const right = Fp.add(Fp.mul(Fp.mul(x, x), x), 4n);
        let y;
        try {
            y = Fp.sqrt(right);
        } catch {
            continue;
        }
        const p = bls.G1.Point.fromAffine({ x, y });
        if (!p.isTorsionFree()) {
            const bytes = Buffer.alloc(48);
            bytes.writeBigUInt64BE(x, 40);
            bytes[0] |= 0x80 | (y > Fp.ORDER / 2n ? 0x20 : 0);
            return bytes;
        }
    }
}

function ownCases(add, c, label) {
    const trust = trustOf(c);
    for (const r of [1n, 2n, 1000n, 4294967296n]) {
        add(`${label}, round ${r}`, round(c, r), trust, "ok", windowsOf(c.info, r));
    }
    const r = 7n;
    const good = round(c, r);
    const previous = previousOf(c, r);
    const message = messageOf(r, previous);
    const signed = sign(c, message);
    const damaged = Buffer.from(signed);
    damaged[signed.length - 1] ^= 1;
    const negated = Buffer.from(signed);
    negated[0] ^= 0x20;
    const identity = Buffer.alloc(signed.length);
    identity[0] = 0xc0;
    const plain = Buffer.from(signed);
    plain[0] &= 0x7f;
    const bad = (what, round) => add(`${label}: ${what}`, round, trust, "false");
    bad("another round's number", { ...good, round: "8" });
    bad("round 0", { ...good, round: "0" });
    bad("randomness of another round", { ...good, randomness: round(c, 8).randomness });
    bad("signature damaged, hash made anew", asRound(c, r, damaged, previous));
    bad("signature negated", asRound(c, r, negated, previous));
    bad("signature the identity", asRound(c, r, identity, previous));
    bad("signature without the flag of compression", asRound(c, r, plain, previous));
    bad("signature too short", asRound(c, r, signed.subarray(1), previous));
    bad("signature by another key", asRound(c, r, sign({ ...c, key: sha256("x").fill(1, 0, 1) }, message), previous));
    bad("signature of the number alone, not hashed", asRound(c, r, sign(c, u64(r)), previous));
    bad("signature over a little-endian number", asRound(c, r, sign(c, sha256(previous ?? "", u64(r).reverse())), previous));
    bad("another domain separation tag", asRound(c, r, sign(c, message, DST[c.info.scheme === G1 ? "g2" : "g1"]), previous));
    bad("randomness of 64 bytes", { ...good, randomness: good.randomness + good.randomness });
    bad("another member in the proof", { ...good, proof: { ...good.proof, round: "7" } });
    bad("no previous_signature", { ...good, proof: { signature: good.proof.signature } });
    bad("no proof", { ...good, proof: null });
    bad("the chain in capitals", { ...good, id: good.id.slice(0, 6) + good.id.slice(6).toUpperCase() });
    bad("2^63 - 1, beyond all time", round(c, 2n ** 63n - 1n));
    bad("2^64 - 1, beyond all time", round(c, 2n ** 64n - 1n));
    add(`${label}: no trust root`, good, null, "untrusted");
    add(`${label}: no trust root, and false`, { ...good, randomness: round(c, 8).randomness }, null, "false");
}

function drandCases() {
    const cases = [];
    const add = make(cases);
    for (const [label, c] of Object.entries(chains)) {
        ownCases(add, c, label);
    }
    for (const [c, r, signature, previous] of published) {
        add(`${c.id.slice(0, 14)}.., round ${r}`, asRound(c, r, bytesOf(signature), previous && bytesOf(previous)), null, "ok", windowsOf(c, r));
    }
    const good = round(chained, 7n);
    const trust = trustOf(chained);
    const withPrevious = (r, p) => asRound(chained, r, sign(chained, messageOf(r, p)), p);
    add("chained: null for the previous signature", withPrevious(7n, null), trust, "false");
    add("chained: 32 bytes before round 7", withPrevious(7n, chained.groupHash), trust, "false");
    add("chained: 96 bytes before round 1", withPrevious(1n, previousOf(chained, 7n)), trust, "false");
    add("chained: round 1 after another group", withPrevious(1n, unchained.groupHash), trust, "false");
    add("chained: another previous signature", { ...good, proof: { ...good.proof, previous_signature: "00".repeat(96) } }, trust, "false");
    add("unchained: a previous signature", { ...round(unchained, 7n), proof: { ...round(unchained, 7n).proof, previous_signature: "00".repeat(96) } }, trustOf(unchained), "false");
    add("g1: a previous signature", { ...round(g1, 7n), proof: { ...round(g1, 7n).proof, previous_signature: "00".repeat(96) } }, null, "false");
    add("g1: a signature of 96 bytes", asRound(g1, 7n, sign(chained, messageOf(7n, null)), null), trustOf(g1), "false");
    const longer = Buffer.concat([sign(g1, messageOf(7n, null)), Buffer.alloc(48)]);
    add("g1: a good signature and 48 bytes more", asRound(g1, 7n, longer, null), trustOf(g1), "false");
    add("unchained: a signature of 48 bytes", asRound(unchained, 7n, sign(g1, messageOf(7n, null)), null), trustOf(unchained), "false");
    add("chained, which the trust root calls unchained", good, { ...trust, drand: [{ ...chained.info, scheme: UNCHAINED }] }, "false");
    add("g1: a point outside the subgroup", asRound(g1, 7n, outsideSubgroup(), null), trustOf(g1), "false");
    add("unnamed chain from time 0, round 1", round(unnamed, 1n), trustOf(unnamed), "ok", windowsOf(unnamed.info, 1n));
    add("trust roots of others", round(g1, 7n), trustOf(chained, unchained), "untrusted");
    add("several trust roots", round(g1, 7n), trustOf(chained, unchained, g1), "ok", windowsOf(g1.info, 7n));
    const last = (2n ** 63n - 1n) / 1000n;
    const r = (last - 2n ** 53n) / 4294967295n + 1n;
    add("the last round before 2^63", round(slow, r), trustOf(slow), "ok", windowsOf(slow.info, r));
    add("the first round beyond 2^63", round(slow, r + 1n), trustOf(slow), "false");
    add("a chain that is not hex", { ...good, id: "drand:" + "g".repeat(64) }, trust, "false");
    add("a kind that nobody knows", { ...good, id: "dran:" + "0".repeat(64) }, trust, "unsupported");
    return cases;
}

function mixOf(parts, id = "mix:" + parts.map((p) => p.id).join("+")) {
    const bytes = parts.flatMap((p) => [p.id, Buffer.alloc(1), u64(p.round), u32(p.randomness.length / 2), bytesOf(p.randomness)]);
    return {
        id,
        proof: { parts: parts.map(({ proof, randomness, round }) => ({ proof, randomness, round })) },
        randomness: hexOf(sha256("verbatim.beacon.mix.v1\n", ...bytes)),
        round: parts[0].round,
    };
}

const inOrder = (parts) => parts.sort((a, b) => (a.id < b.id ? -1 : 1));

function intersection(windows) {
    const max = (list) => list.reduce((a, b) => (a > b ? a : b));
    const min = (list) => list.reduce((a, b) => (a < b ? a : b));
    const one = (which) => {
        const from = max(windows.map((w) => w[which][0]));
        const to = min(windows.map((w) => w[which][1]));
        return [from, to < from ? from : to];
    };
    return { next: one("next"), latest: one("latest") };
}

function mixCases() {
    const cases = [];
    const add = make(cases);
    // The rounds of each chain around one moment, 2023-11-14 22:13:20 UTC and later.
    const at = (c, seconds) => (BigInt(seconds) - BigInt(c.info.genesis_time)) / BigInt(c.info.period) + 2n;
    const moment = 1700000100;
    const near = (c) => round(c, at(c, moment));
    const windowsNear = (...list) => intersection(list.map((c) => windowsOf(c.info, at(c, moment))));
    const trust = trustOf(g1, chained, unchained, unnamed);
    const two = inOrder([near(g1), near(chained)]);
    const three = inOrder([near(g1), near(chained), near(unchained)]);
    add("two parts", mixOf(two), trust, "ok", windowsNear(g1, chained));
    add("three parts", mixOf(three), trust, "ok", windowsNear(g1, chained, unchained));
    const apart = inOrder([near(g1), round(unchained, at(unchained, moment) + 9n)]);
    add("windows that do not meet", mixOf(apart), trust, "ok",
        intersection([windowsOf(g1.info, at(g1, moment)), windowsOf(unchained.info, at(unchained, moment) + 9n)]));
    const touching = inOrder([round(g1, 7n), round(unnamed, 1700000016n)]);
    add("windows that touch", mixOf(touching), trust, "ok", intersection([windowsOf(g1.info, 7n), windowsOf(unnamed.info, 1700000016n)]));
    const [q1, , l1] = published.map(([c, r, s, p]) => asRound(c, r, bytesOf(s), p && bytesOf(p)));
    add("the built-in chains", mixOf([q1, l1]), null, "ok", intersection([windowsOf(quicknet, 1), windowsOf(league, 1)]));

    const good = mixOf(two);
    const bad = (what, r) => add(what, r, trust, "false");
    bad("parts in another order", mixOf([two[1], two[0]]));
    bad("a part twice", mixOf([two[0], two[0]]));
    bad("one part", mixOf([two[0]]));
    bad("five parts", mixOf(inOrder([...three, { ...two[0], id: "nist:1" }, { ...two[0], id: "theta:x" }])));
    bad("no parts", { ...good, id: "mix:" });
    bad("an empty part", { ...good, id: good.id + "+" });
    bad("a part of kind local", mixOf([two[0], { id: "local:" + "0".repeat(64), proof: null, randomness: "00".repeat(32), round: "1" }]));
    bad("a mix in a mix", mixOf([two[0], mixOf(two)]));
    bad("the first part's round is another", { ...good, round: two[1].round });
    bad("randomness damaged", { ...good, randomness: "00" + good.randomness.slice(2) });
    bad("randomness of 64 bytes", { ...good, randomness: good.randomness + good.randomness });
    bad("a part missing in the proof", { ...good, proof: { parts: good.proof.parts.slice(1) } });
    bad("a part more in the proof", { ...good, proof: { parts: [...good.proof.parts, good.proof.parts[1]] } });
    bad("parts swapped in the proof", { ...good, proof: { parts: [good.proof.parts[1], good.proof.parts[0]] } });
    bad("a part with another member", { ...good, proof: { parts: good.proof.parts.map((p) => ({ ...p, id: "x" })) } });
    bad("a proof with another member", { ...good, proof: { ...good.proof, id: "x" } });
    bad("no proof", { ...good, proof: null });
    const later = (p) => ({ ...p, round: String(BigInt(p.round) + 1n) });
    bad("the first part's proof is false, the mix is its hash", mixOf([later(two[0]), two[1]]));
    bad("the second part's proof is false, the mix is its hash", mixOf([two[0], later(two[1])]));
    bad("a part without its form", mixOf([two[0], { ...two[1], proof: { signature: "" } }]));
    const unknown = { id: "moon:1", proof: null, randomness: "11".repeat(32), round: "5" };
    add("a part without a trust root", mixOf(two), trustOf(g1), "untrusted");
    add("no part has a trust root", mixOf(three), null, "untrusted");
    const first = trustOf(two[0].id === g1.id ? g1 : chained);
    add("one part false, the other without a trust root", mixOf([later(two[0]), two[1]]), first, "false");
    add("a part that no trust root shows to be false", mixOf([later(two[0]), two[1]]), null, "untrusted");
    add("one part false by its form, the other without a trust root", mixOf([{ ...two[0], randomness: "22".repeat(32) }, two[1]]), null, "false");
    add("a part of a kind that nobody knows", mixOf([two[0], unknown]), trust, "unsupported");
    add("a part of an unknown kind, the other without a trust root", mixOf([two[0], unknown]), null, "unsupported");
    add("a part of an unknown kind, the other false", mixOf([later(two[0]), unknown]), trust, "false");
    return cases;
}

const folder = process.argv[2];
for (const [name, cases] of [["drand", drandCases()], ["mix", mixCases()]]) {
    writeFileSync(join(folder, name + ".json"), `{"cases":[\n${cases.map((c) => JSON.stringify(c)).join(",\n")}\n]}\n`);
}
