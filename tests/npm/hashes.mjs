// Asks the program hash_oracle (tests/programs/crypto) for keccak digests, RLP both ways and the
// signers of signatures, and compares with ethers and noble-curves. Run: hashes.mjs HASH_ORACLE
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";

const require = createRequire(process.env.VB_NPM_DIR + "/node_modules/");
const { SigningKey, computeAddress, decodeRlp, encodeRlp, keccak256 } = require("ethers");
const { secp256k1 } = require("@noble/curves/secp256k1");

// splitmix64: the same cases in every run.
let state = 20260601n;
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
const hexOf = (bytes) => Buffer.from(bytes).toString("hex");
const bytesOf = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));

const cases = []; // { what, question, expected: the answer, or a function of it that says if it is right }
const ask = (what, question, expected) => cases.push({ what, question, expected });

function keccakCases() {
    const lengths = [...Array(700).keys(), ...Array.from({ length: 300 }, () => below(5000)), 65536, 1000000];
    for (const n of lengths) {
        const bytes = randomBytes(n);
        ask("keccak", `keccak ${hexOf(bytes)}`, keccak256(bytes).slice(2));
    }
}

// RLP. A tree is a string of hexadecimal or an array of trees; ethers writes "0x" before strings.
const withPrefix = (tree) => (Array.isArray(tree) ? tree.map(withPrefix) : "0x" + tree);
const withoutPrefix = (tree) => (Array.isArray(tree) ? tree.map(withoutPrefix) : tree.slice(2));
const ethersEncodes = (tree) => encodeRlp(withPrefix(tree)).slice(2);

function randomTree(depth) {
    if (depth === 0 || below(3) === 0) {
        const n = pick([0, 1, 1, 2, 8, 20, 32, 54, 55, 56, 57, below(300), below(40), below(8)]);
        return hexOf(n === 1 ? [pick([0, 1, 127, 128, 255])] : randomBytes(n));
    }
    return Array.from({ length: pick([0, 1, 2, 3, 5, below(20)]) }, () => randomTree(depth - 1));
}

function rlpCases() {
    const trees = Array.from({ length: 2000 }, () => randomTree(below(7)));
    for (const n of [255, 256, 65535, 65536, 65537]) {
        trees.push(hexOf(randomBytes(n)), [hexOf(randomBytes(n))], Array(Math.min(n, 1000)).fill("01"));
    }
    for (const tree of trees) {
        const encoded = ethersEncodes(tree);
        ask("RLP encoded", `encode ${JSON.stringify(tree)}`, encoded);
        ask("RLP decoded", `decode ${encoded}`, JSON.stringify(tree));
    }
    for (const tree of trees.filter((t) => JSON.stringify(t).length < 4000)) {
        const damaged = damage(bytesOf(ethersEncodes(tree)));
        ask("RLP damaged", `decode ${hexOf(damaged)}`, (answer) => isRightAbout(damaged, answer));
    }
}

function damage(bytes) {
    const at = below(bytes.length);
    switch (below(4)) {
        case 0:
            return bytes.slice(0, at);
        case 1:
            return Uint8Array.from([...bytes, below(256)]);
        case 2:
            return Uint8Array.from([...bytes.slice(0, at), pick([0x81, 0xb8, 0xf8, 0xc1, 0]), ...bytes.slice(at)]);
        default:
            return bytes.map((b, i) => (i === at ? b ^ (1 << below(8)) : b));
    }
}

// ethers reads more than the one encoding of a tree: bytes are right when they are what it writes.
function isRightAbout(bytes, answer) {
    let tree;
    try {
        tree = withoutPrefix(decodeRlp(bytes));
    } catch {
        return answer === "refused";
    }
    return answer === (ethersEncodes(tree) === hexOf(bytes) ? JSON.stringify(tree) : "refused");
}

// The signer as noble-curves finds it, for any 65 bytes; ethers would refuse a high s.
function signer(hash, signature) {
    const [r, s] = [signature.slice(0, 32), signature.slice(32, 64)].map((b) => BigInt("0x" + hexOf(b)));
    if (signature[64] > 1) {
        return "refused";
    }
    try {
        const key = new secp256k1.Signature(r, s).addRecoveryBit(signature[64]).recoverPublicKey(hash);
        return computeAddress("0x" + key.toHex(false)).slice(2).toLowerCase();
    } catch {
        return "refused";
    }
}

function recoverCases() {
    const askFor = (what, hash, signature, expected) =>
        ask(what, `recover ${hexOf(hash)} ${hexOf(signature)}`, expected);
    for (let i = 0; i < 500; i++) {
        const key = new SigningKey("0x" + hexOf(randomBytes(32)));
        const hash = randomBytes(32);
        const { r, s, yParity } = key.sign(hash);
        const signature = Uint8Array.from([...bytesOf(r.slice(2)), ...bytesOf(s.slice(2)), yParity]);
        askFor("signer", hash, signature, computeAddress(key).slice(2).toLowerCase());
        const other = signature.map((b, k) => (k === 64 ? b ^ 1 : b));
        askFor("signer, other v", hash, other, signer(hash, other));
        const at = below(65);
        const changed = signature.map((b, k) => (k === at ? b ^ (1 << below(8)) : b));
        askFor("signer, a changed bit", hash, changed, signer(hash, changed));
        const noise = Uint8Array.from([...randomBytes(64), below(3)]);
        askFor("signer of noise", hash, noise, signer(hash, noise));
    }
    const n = secp256k1.CURVE.n;
    const edges = [0n, 1n, 2n, 5n, n - 1n, n, n + 1n, 2n ** 256n - 1n];
    for (const r of edges) {
        for (const s of edges) {
            for (const v of [0, 1, 2, 3, 27, 28]) {
                const digits = [r, s].map((x) => x.toString(16).padStart(64, "0")).join("");
                const signature = Uint8Array.from([...bytesOf(digits), v]);
                const hash = randomBytes(32);
                askFor("signer at an edge", hash, signature, signer(hash, signature));
            }
        }
    }
}

keccakCases();
rlpCases();
recoverCases();
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
const counts = {}; // of each kind of case: how many, how many of them refused
let wrong = answers.length === cases.length ? 0 : 1;
cases.forEach(({ what, question, expected }, i) => {
    const answer = answers[i];
    if (!(typeof expected === "function" ? expected(answer) : answer === expected)) {
        if (++wrong <= 10) {
            console.log(`WRONG ${what}: ${question.slice(0, 300)}\n  answer ${String(answer).slice(0, 300)}`);
        }
    }
    counts[what] ??= [0, 0];
    counts[what][0]++;
    counts[what][1] += answer === "refused";
});
for (const [what, [all, refused]] of Object.entries(counts)) {
    console.log(`${what}: ${all} cases, ${refused} of them refused`);
}
console.log(`${answers.length} answers to ${cases.length} questions, ${wrong} wrong`);
process.exit(wrong ? 1 : 0);
