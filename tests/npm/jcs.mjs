// Asks the program jcs_oracle (tests/programs/json) for numbers and documents in canonical form and
// compares with ECMAScript's own JSON.stringify and order of strings, which RFC 8785 is defined by.
// Run: jcs.mjs JCS_ORACLE
import { spawnSync } from "node:child_process";

const NUMBERS = 1000000;
const DOCUMENTS = 20000;

// splitmix64: the same cases in every run.
let state = 8785n;
function random64() {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let z = state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
}
const below = (n) => Number(random64() % BigInt(n));
const pick = (list) => list[below(list.length)];

const cell = new DataView(new ArrayBuffer(8));
function ofBits(bits) {
    cell.setBigUint64(0, bits);
    return cell.getFloat64(0);
}
function bitsOf(x) {
    cell.setFloat64(0, x);
    return cell.getBigUint64(0);
}

// What random bits alone seldom give: short decimals and their neighbours, powers, ends of ranges,
// values of 32 bits, subnormal ones, integers around 2^53 and 10^21.
const kinds = [
    () => ofBits(random64()),
    () => Number(`${below(10 ** pick([1, 2, 5, 9, 15]))}e${below(640) - 330}`),
    () => ofBits(bitsOf(Number(`${1 + below(999)}e${below(600) - 300}`)) + BigInt(below(5) - 2)),
    () => ofBits(random64() & 0xfff0000000000000n),
    () => ofBits(bitsOf(2 ** (below(2090) - 1074)) + BigInt(below(5) - 2)),
    () => Math.fround(ofBits(random64())),
    () => Math.fround(below(2 ** 24) * 2 ** (below(40) - 30)),
    () => ofBits(random64() & 0x800fffffffffffffn),
    () => Number(random64() >> BigInt(below(64))) * pick([1, -1, 1000, 1e-3, 1e4]),
    () => pick([1e21, 1e-6, 1e-7, 2 ** 53, 1e22, 1e23]) * (1 + (below(9) - 4) * 2 ** -52),
];

const question = (x) => `number ${bitsOf(x).toString(16).padStart(16, "0")}`;
const cases = []; // { question, expected }
while (cases.length < NUMBERS) {
    const x = kinds[cases.length % kinds.length]();
    if (Number.isFinite(x)) {
        cases.push({ question: question(x), expected: JSON.stringify(x) });
    }
}

const characters = [..."ab1 \"\\/\b\t\n\f\r\u000b\u001f\u007f\u0080\u00f6\u20ac\u2028\ud7ff\ue000\ufb33\uffff", "\u{1f600}", "\u{10000}", "\u{10ffff}"];
const text = () => Array.from({ length: below(5) }, () => pick(characters)).join("");

function value(depth) {
    switch (below(depth > 0 ? 7 : 5)) {
        case 0:
            return text() + pick(["", "\0"]);
        case 1:
            return pick([null, true, false]);
        case 2: // an integer beyond 2^53 is no number of receipts
            return below(2 ** 53) * pick([1, -1]);
        case 3:
            return below(2 ** 53) / 2 ** 20 + 0.5;
        case 4:
            return text();
        case 5:
            return Array.from({ length: below(4) }, () => value(depth - 1));
        default:
            return document(depth - 1);
    }
}

function document(depth) {
    return Object.fromEntries(Array.from({ length: below(7) }, () => [text(), value(depth)]));
}

// RFC 8785 in ECMAScript: the appendix's own method.
function canonical(v) {
    if (v === null || typeof v !== "object") {
        return JSON.stringify(v);
    }
    if (Array.isArray(v)) {
        return `[${v.map(canonical).join(",")}]`;
    }
    const members = Object.keys(v).sort().map((k) => `${JSON.stringify(k)}:${canonical(v[k])}`);
    return `{${members.join(",")}}`;
}

for (let i = 0; i < DOCUMENTS; i++) {
    const d = document(5);
    // Written once as it is, once with every character above ASCII escaped.
    const written = JSON.stringify(d);
    const escaped = written.replace(/[\u007f-\uffff]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
    cases.push({ question: `canonical ${i % 2 ? written : escaped}`, expected: canonical(d) });
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
let wrong = answers.length === cases.length ? 0 : 1;
cases.forEach((c, i) => {
    if (answers[i] !== c.expected && ++wrong <= 10) {
        console.log(`WRONG ${c.question.slice(0, 300)}\n  answer   ${answers[i]}\n  expected ${c.expected}`);
    }
});
console.log(`${answers.length} answers to ${NUMBERS} numbers and ${DOCUMENTS} documents, ${wrong} wrong`);
process.exit(wrong ? 1 : 0);
