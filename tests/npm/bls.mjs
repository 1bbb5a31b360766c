// Asks the program bls_oracle (tests/programs/crypto) for hashes to both curves, for points, and
// about signatures, and compares with noble-curves. Run: bls.mjs BLS_ORACLE
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";

const require = createRequire(process.env.VB_NPM_DIR + "/node_modules/");
const { bls12_381: bls } = require("@noble/curves/bls12-381");

const { Fp, Fp2, Fr } = bls.fields;
const P = Fp.ORDER;
const R = Fr.ORDER;
// The groups of signatures: 1 is G1 with keys in G2 (drand's quicknet), 2 the other way round.
const VARIANTS = {
    1: { Point: bls.G1.Point, Other: bls.G2.Point, scheme: bls.shortSignatures, bytes: 48, otherBytes: 96, field: Fp },
    2: { Point: bls.G2.Point, Other: bls.G1.Point, scheme: bls.longSignatures, bytes: 96, otherBytes: 48, field: Fp2 },
};
// Small prime factors of the cofactors: orders of points that are not in the subgroup.
const SMALL_ORDERS = { 1: [3n, 11n, 10177n], 2: [13n, 23n, 2713n] };
const COFACTORS = {
    1: 0x396c8c005555e1568c00aaab0000aaabn,
    2: 0x5d543a95414e7f1091d50792876a202cd91de4547085abaa68a205b2e5a7ddfa628f1cb4d9e82ef21537e293a6691ae1616ec6e786f0c70cf1c38e31c7238e5n,
};
const DSTS = { 1: "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_", 2: "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_" };

// splitmix64: the same cases in every run.
let state = 20260701n;
function random64() {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let z = state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
}
const below = (n) => Number(random64() % BigInt(n));
const pick = (list) => list[below(list.length)];
const randomBytes = (n) => Uint8Array.from({ length: n }, () => below(256));
const randomNumber = (modulus) => BigInt("0x" + hexOf(randomBytes(64))) % modulus;
const hexOf = (bytes) => (bytes.length ? Buffer.from(bytes).toString("hex") : "-");
const flipped = (bytes, bit) => bytes.map((b, i) => (i === bit >> 3 ? b ^ (1 << (bit & 7)) : b));
const numberOf = (bytes) => BigInt("0x" + hexOf(bytes));

const cases = []; // { what, question, expected }
const ask = (what, question, expected) => cases.push({ what, question, expected });

// A tag may be any bytes but 0, which ends the oracle's.
const randomDst = () => Uint8Array.from({ length: pick([1, 255, 256, 1 + below(60), 1 + below(300)]) }, () => 1 + below(255));

function hashCases(group, n) {
    for (let i = 0; i < n; i++) {
        const message = randomBytes(i <= 300 ? i : below(301));
        const dst = i % 3 ? randomDst() : Uint8Array.from(Buffer.from(DSTS[group]));
        const point = VARIANTS[group].scheme.hash(message, dst);
        ask(`hash to G${group}`, `hash_g${group} ${hexOf(message)} ${hexOf(dst)}`, hexOf(point.toBytes(true)));
    }
}

// What the strict decoder must say of any bytes. noble-curves also reads coordinates above p,
// uncompressed points and the identity, which are refused here first.
function isPoint(group, bytes) {
    const coordinates = [bytes.slice(0, 48), bytes.slice(48)].slice(0, group);
    coordinates[0][0] &= 0x1f;
    if (bytes[0] >> 6 !== 2 || coordinates.some((c) => numberOf(c) >= P)) {
        return false;
    }
    try {
        const point = VARIANTS[group].Point.fromBytes(bytes);
        point.assertValidity();
        return point.isTorsionFree();
    } catch {
        return false;
    }
}

function askPoint(what, group, bytes) {
    ask(`${what} of G${group}`, `decode_g${group} ${hexOf(bytes)}`, isPoint(group, bytes) ? hexOf(bytes) : "format");
}

const times = (point, n) => {
    let sum = point.constructor.ZERO;
    for (const bit of n.toString(2)) {
        sum = sum.double();
        sum = bit === "1" ? sum.add(point) : sum;
    }
    return sum;
};

// A point of the curve, which is in the subgroup with a chance of one in the cofactor.
function curvePoint(group) {
    const { field, Point } = VARIANTS[group];
    const b = group === 1 ? 4n : { c0: 4n, c1: 4n };
    for (;;) {
        const x = group === 1 ? randomNumber(P) : { c0: randomNumber(P), c1: randomNumber(P) };
        try {
            const y = field.sqrt(field.add(field.mul(field.sqr(x), x), b));
            return Point.fromAffine({ x, y });
        } catch {
            // This x has no y.
        }
    }
}

function numberBytes(x) {
    return Uint8Array.from(Buffer.from(x.toString(16).padStart(96, "0"), "hex"));
}

// noble-curves refuses to encode points outside the subgroup.
function compressed(group, point) {
    const { x, y } = point.toAffine();
    const [coordinates, sign] = group === 1 ? [[x], y] : [[x.c1, x.c0], y.c1 || y.c0];
    const bytes = Uint8Array.from(coordinates.flatMap((c) => [...numberBytes(c)]));
    bytes[0] |= 2n * sign > P ? 0xa0 : 0x80;
    return bytes;
}

// order is prime; the points of its powers' orders may need several generators.
function pointOfOrder(group, order) {
    let rest = R * COFACTORS[group];
    while (rest % order === 0n) {
        rest /= order;
    }
    for (;;) {
        let point = times(curvePoint(group), rest);
        while (!times(point, order).is0()) {
            point = times(point, order);
        }
        if (!point.is0()) {
            return point;
        }
    }
}

function pointCases(group, n) {
    const { Point, scheme, bytes } = VARIANTS[group];
    for (let i = 0; i < n; i++) {
        const good = scheme.hash(randomBytes(8)).toBytes(true);
        askPoint("point", group, good);
        askPoint("other sign", group, flipped(good, 5));
        askPoint("point with other flags", group, good.map((b, k) => (k ? b : (b & 0x1f) | (below(8) << 5))));
        askPoint("changed bit", group, flipped(good, below(8 * bytes)));
        askPoint("noise", group, randomBytes(bytes));
        askPoint("noise with flags", group, randomBytes(bytes).map((b, k) => (k ? b : (b & 0x1f) | 0x80)));
        askPoint("point outside the subgroup", group, compressed(group, curvePoint(group)));
        // x + p where that fits: another encoding of the same point.
        const x = numberOf(good.slice(bytes - 48).map((b, k) => (k || bytes === 96 ? b : b & 0x1f))) + P;
        if (x < 1n << (bytes === 96 ? 384n : 381n)) {
            const above = Uint8Array.from([...good.slice(0, bytes - 48), ...numberBytes(x)]);
            above[0] |= good[0] & 0xe0;
            askPoint("x above p", group, above);
        }
    }
    for (const order of SMALL_ORDERS[group]) {
        const small = pointOfOrder(group, order);
        for (let k = 1n; k <= 4n && k < order; k++) {
            const torsion = times(small, k);
            askPoint("point of small order", group, compressed(group, torsion));
            askPoint("point shifted by one of small order", group, compressed(group, Point.BASE.multiply(randomNumber(R)).add(torsion)));
        }
    }
    // By the definition, where the rest relies on noble-curves' own quick test.
    for (let i = 0; i < 20; i++) {
        const [inside, outside] = [scheme.hash(randomBytes(8)), curvePoint(group)];
        const belongs = [inside, outside].map((point) => times(point, R).is0());
        if (!belongs[0] || belongs[1]) {
            throw new Error("noble-curves disagrees with the definition of the subgroup");
        }
        ask(`definition, G${group}`, `decode_g${group} ${hexOf(inside.toBytes(true))}`, hexOf(inside.toBytes(true)));
        ask(`definition, G${group}`, `decode_g${group} ${hexOf(compressed(group, outside))}`, "format");
    }
    const zeros = new Uint8Array(bytes); // the identity is one of these
    for (let first = 0; first < 256; first++) {
        askPoint("zeros with any first byte", group, zeros.map((b, k) => (k ? b : first)));
    }
}

function signatureCases(group, n) {
    const { Other, scheme, bytes, otherBytes } = VARIANTS[group];
    const identity = (n) => Uint8Array.from([0xc0, ...new Uint8Array(n - 1)]);
    const askFor = (what, key, message, dst, signature, expected) =>
        ask(`${what}, G${group}`, `verify_g${group} ${[key, message, dst, signature].map(hexOf).join(" ")}`, expected);
    for (let i = 0; i < n; i++) {
        const dst = i % 4 ? Uint8Array.from(Buffer.from(DSTS[group])) : randomDst();
        const message = randomBytes(below(301));
        const secret = Fr.toBytes(1n + randomNumber(R - 1n)).reverse(); // big-endian
        const key = scheme.getPublicKey(secret).toBytes(true);
        const hash = scheme.hash(message, dst);
        const good = scheme.sign(hash, secret);
        const signature = good.toBytes(true);
        if (i % 10 === 0 && !scheme.verify(signature, hash, key)) {
            throw new Error("noble-curves refuses its own signature");
        }
        askFor("good signature", key, message, dst, signature, "ok");
        askFor("negated signature", key, message, dst, flipped(signature, 5), "mismatch");
        askFor("negated key", flipped(key, 5), message, dst, signature, "mismatch");
        askFor("both negated", flipped(key, 5), message, dst, flipped(signature, 5), "ok");
        askFor("doubled signature", key, message, dst, good.double().toBytes(true), "mismatch");
        askFor("longer message", key, Uint8Array.from([...message, 0]), dst, signature, "mismatch");
        askFor("other tag", key, message, flipped(dst, 8 * (dst.length - 1) + (dst[dst.length - 1] === 1 ? 1 : 0)), signature, "mismatch");
        askFor("another's key", Other.BASE.multiply(2n + BigInt(i)).toBytes(true), message, dst, signature, "mismatch");
        if (message.length) {
            askFor("other message", key, flipped(message, below(8 * message.length)), dst, signature, "mismatch");
        }
        const bad = flipped(signature, below(8 * bytes));
        askFor("changed signature", key, message, dst, bad, isPoint(group, bad) ? "mismatch" : "format");
        const badKey = flipped(key, below(8 * otherBytes));
        askFor("changed key", badKey, message, dst, signature, isPoint(3 - group, badKey) ? "mismatch" : "format");
        askFor("identity as signature", key, message, dst, identity(bytes), "format");
        askFor("identity as key", identity(otherBytes), message, dst, signature, "format");
        askFor("identity as both", identity(otherBytes), message, dst, identity(bytes), "format");
    }
}

for (const group of [1, 2]) {
    hashCases(group, group === 1 ? 700 : 400);
    pointCases(group, group === 1 ? 250 : 100);
    signatureCases(group, 80);
}
const run = spawnSync(process.argv[2], {
    input: cases.map((c) => c.question + "\n").join(""),
    maxBuffer: 1 << 28,
    encoding: "utf8",
});
if (run.status !== 0) {
    console.log(`${process.argv[2]} ended with ${run.status ?? run.error}: ${run.stderr}`);
    process.exit(1);
}
const answers = run.stdout.split("\n").slice(0, -1);
const counts = {}; // of each kind of case: how many, how many of them refused for their form
let wrong = answers.length === cases.length ? 0 : 1;
cases.forEach(({ what, question, expected }, i) => {
    if (answers[i] !== expected) {
        wrong++;
        console.log(`WRONG ${what}: ${question.slice(0, 900)}\n  answer ${answers[i]}, expected ${expected}`);
    }
    counts[what] ??= [0, 0];
    counts[what][0]++;
    counts[what][1] += answers[i] === "format";
});
for (const [what, [all, refused]] of Object.entries(counts)) {
    console.log(`${what}: ${all} cases, ${refused} of them refused for their form`);
}
console.log(`${answers.length} answers to ${cases.length} questions, ${wrong} wrong`);
process.exit(wrong ? 1 : 0);
