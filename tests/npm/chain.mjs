// Asks the program chain_oracle (tests/programs/chain) for signed transactions, addresses, EIP-712
// digests and calls of the registry, and compares with ethers. Run: chain.mjs CHAIN_ORACLE
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";

const require = createRequire(process.env.VB_NPM_DIR + "/node_modules/");
const { AbiCoder, Interface, SigningKey, Transaction, TypedDataEncoder, computeAddress, getCreateAddress, keccak256, toBeHex } = require("ethers");

// The same cases in every run.
let state = 20261123n;
function random64() {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let z = state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
}
const below = (n) => Number(random64() % BigInt(n));
const pick = (list) => list[below(list.length)];
const hex = (n) => Buffer.from(Uint8Array.from({ length: n }, () => below(256))).toString("hex");
const sized = () => BigInt.asUintN(below(65), random64());
const cases = []; // [question, answer]

function transactions() {
    for (let i = 0; i < 600; i++) {
        const legacy = i % 2 === 0;
        const key = new SigningKey("0x" + hex(32));
        const chainId = pick([1n, 361n, 365n, 366n, 31337n, 1n + (sized() >> 12n)]);
        const fee = sized();
        const priority = legacy ? 0n : fee - (fee ? random64() % fee : 0n);
        const to = below(4) ? "0x" + hex(20) : null;
        const value = pick([0n, sized(), 10n ** 18n, BigInt("0x" + hex(32)), 2n ** 255n, 255n, 256n]);
        const data = hex(pick([0, 1, 4, 36, 55, 56, 200, 300, 70000]));
        const t = { type: legacy ? 0 : 2, chainId, nonce: below(2) ? below(300) : below(2 ** 31), gasLimit: sized(), to, value, data: "0x" + data };
        Object.assign(t, legacy ? { gasPrice: fee } : { maxFeePerGas: fee, maxPriorityFeePerGas: priority, accessList: [] });
        const tx = Transaction.from(t);
        tx.signature = key.sign(tx.unsignedHash);
        cases.push([
            ["tx", key.privateKey.slice(2), legacy ? "legacy" : "1559", chainId, t.nonce, fee, priority, t.gasLimit, to ? to.slice(2) : "-",
                toBeHex(value, 32).slice(2), data || "-"].join(" "),
            [tx.serialized, tx.hash, computeAddress(key).toLowerCase()].map((s) => s.slice(2)).join(" ")]);
        const from = "0x" + hex(20);
        cases.push([`created ${from.slice(2)} ${t.nonce}`, getCreateAddress({ from, nonce: t.nonce }).slice(2).toLowerCase()]);
    }
    cases.push(["tx " + "01".repeat(32) + " legacy 0 0 1 0 21000 - " + "00".repeat(32) + " -", "refused"]);
    cases.push(["tx " + "01".repeat(32) + " legacy 18446744073709551615 0 1 0 21000 - " + "00".repeat(32) + " -", "refused"]);
}

const claim = "tuple(bytes32 record,bytes32 commitment,bytes32 model,bytes32 answer,uint64 drawnAt) claim";
const registry = new Interface([
    `function attest(tuple(${claim},uint8 outcome,uint8 level,uint64 judgedAt) v, bytes signature)`,
    "function publishCheckpoint(string origin, uint64 size, bytes32 root, bytes32[] path)",
    "function commit(bytes32[] values)",
    "function registerOperator(bytes32 serverKey, string origin, string url)",
    "function describeModel(bytes32 sha256Digest, string name, string uri, uint64 size)",
    "function createPanel(address[] members)",
]);
const types = { Verdict: ["bytes32 record", "bytes32 commitment", "bytes32 model", "bytes32 answer", "uint64 drawnAt", "uint8 outcome", "uint8 level", "uint64 judgedAt"]
    .map((s) => ({ type: s.split(" ")[0], name: s.split(" ")[1] })) };

function calls() {
    for (let i = 0; i < 300; i++) {
        const c = { record: "0x" + hex(32), commitment: "0x" + hex(32), model: "0x" + hex(32), answer: "0x" + hex(32), drawnAt: sized() };
        const v = { claim: c, outcome: 1 + below(3), level: 1 + below(3), judgedAt: sized() };
        const domain = { name: "Verbatim", version: "1", chainId: sized(), verifyingContract: "0x" + hex(20) };
        const key = new SigningKey("0x" + hex(32));
        const digest = TypedDataEncoder.hash(domain, types, { ...c, ...v });
        cases.push([
            ["verdict", domain.chainId, domain.verifyingContract.slice(2), ...["record", "commitment", "model", "answer"].map((n) => c[n].slice(2)),
                c.drawnAt, v.outcome, v.level, v.judgedAt, key.privateKey.slice(2)].join(" "),
            `${digest.slice(2)} ${registry.encodeFunctionData("attest", [v, key.sign(digest).serialized]).slice(2)}`]);
        const origin = "verbatim.example/" + "o".repeat(below(70));
        const path = Array.from({ length: below(40) }, () => "0x" + hex(32));
        const size = 1n + (sized() >> 1n);
        const root = "0x" + hex(32);
        cases.push([["checkpoint", Buffer.from(origin).toString("hex"), size, root.slice(2), ...path.map((p) => p.slice(2))].join(" "),
            registry.encodeFunctionData("publishCheckpoint", [origin, size, root, path]).slice(2)]);
    }
}

// What publish and confirm send.
function operations() {
    const utf8 = (text) => Buffer.from(text).toString("hex") || "-";
    const call = (name, ...args) => registry.encodeFunctionData(name, args).slice(2);
    for (let i = 0; i < 100; i++) {
        const values = Array.from({ length: 1 + below(40) }, () => hex(32));
        cases.push([["commit", ...values].join(" "), call("commit", values.map((v) => "0x" + v))]);
        const key = hex(32), name = "n\u00e4me".repeat(1 + below(30)), uri = "u".repeat(below(100)), size = sized();
        cases.push([`operator ${key} ${utf8(name)} ${utf8(uri)}`, call("registerOperator", "0x" + key, name, uri)]);
        cases.push([`model ${key} ${utf8(name)} ${utf8(uri)} ${size}`, call("describeModel", "0x" + key, name, uri, size)]);
        const members = Array.from({ length: 1 + below(64) }, () => hex(20));
        const sorted = members.toSorted().map((m) => "0x" + m);
        cases.push([["panel", ...members].join(" "),
            `${keccak256(AbiCoder.defaultAbiCoder().encode(["address[]"], [sorted])).slice(2)} ${call("createPanel", sorted)}`]);
    }
}

transactions();
calls();
operations();
const run = spawnSync(process.argv[2], { input: cases.map(([q]) => q + "\n").join(""), maxBuffer: 1 << 28, encoding: "utf8" });
if (run.status !== 0) {
    console.log(`${process.argv[2]} ended with ${run.status ?? run.error}: ${run.stderr}`);
    process.exit(1);
}
const answers = run.stdout.split("\n").slice(0, -1);
let wrong = answers.length === cases.length ? 0 : 1;
cases.forEach(([question, expected], i) => {
    if (answers[i] !== expected && ++wrong <= 10) {
        console.log(`WRONG ${question.slice(0, 300)}\n  expected ${expected.slice(0, 600)}\n  answer   ${String(answers[i]).slice(0, 600)}`);
    }
});
console.log(`${answers.length} answers to ${cases.length} questions, ${wrong} wrong`);
process.exit(wrong ? 1 : 0);
