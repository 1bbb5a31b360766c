// VerbatimRegistry: every function, every error, and models of it held against random use.
import assert from "node:assert/strict";
import { accounts, ethers, keys, reverts, sign } from "./evm.mjs";
import * as merkle from "./merkle.mjs";

const [A, B, C] = accounts;
const word = (n) => ethers.zeroPadValue(ethers.toBeHex(n), 32);
const ZERO = word(0);
const ORIGIN = "verbatim.example/log";
const leaves = (n) => [...Array(n)].map((_, i) => merkle.leafHash(Buffer.from(`entry ${i}`)));
const SECP256K1_N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

export const claim = (record, more = {}) =>
    ({ record: word(record), commitment: word(2), model: word(3), answer: word(4), drawnAt: 50, ...more });
export const verdict = (c, more = {}) => ({ claim: c, outcome: 1, level: 3, judgedAt: 60, ...more });

const TYPES = {
    Verdict: [
        ["bytes32", "record"], ["bytes32", "commitment"], ["bytes32", "model"], ["bytes32", "answer"],
        ["uint64", "drawnAt"], ["uint8", "outcome"], ["uint8", "level"], ["uint64", "judgedAt"],
    ].map(([type, name]) => ({ type, name })),
};

// By ethers' own EIP-712, not by the contract's.
export function digest(registry, v, { chainId = registry.machine.chainId, address = registry.address } = {}) {
    const domain = { name: "Verbatim", version: "1", chainId, verifyingContract: address };
    return ethers.TypedDataEncoder.hash(domain, TYPES, { ...v.claim, ...v });
}

export const signed = (registry, v, k, where) => sign(digest(registry, v, where), keys[k]);
export const attest = (registry, v, k) => registry.send(accounts[7], "attest", v, signed(registry, v, k));
export const panelOf = (members) => [...members].sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1));

export async function directory(deploy) {
    const r = await deploy();
    const [said] = await r.send(A, "registerOperator", word(9), ORIGIN, "https://a.example");
    assert.deepEqual([said.name, ...said.args], ["OperatorRegistered", A, word(9), ORIGIN, "https://a.example"]);
    await r.send(A, "registerOperator", word(10), ORIGIN, "");
    assert.deepEqual([...await r.read("operators", A)], [word(10), ORIGIN, ""]);
    assert.deepEqual([...await r.read("operators", B)], [ZERO, "", ""]);
    await reverts(r.send(A, "registerOperator", ZERO, ORIGIN, ""), "EmptyKey");
    await reverts(r.send(A, "registerOperator", word(1), "", ""), "EmptyName");

    const [witness] = await r.send(B, "registerWitness", word(8), "w1", "");
    assert.deepEqual([witness.name, ...witness.args], ["WitnessRegistered", B, word(8), "w1", ""]);
    assert.deepEqual([...await r.read("witnesses", B)], [word(8), "w1", ""]);
    await reverts(r.send(A, "registerWitness", ZERO, "w", ""), "EmptyKey");
    await reverts(r.send(A, "registerWitness", word(1), "", ""), "EmptyName");

    const [model] = await r.send(B, "describeModel", word(7), "m", "u", 5);
    assert.deepEqual([model.name, ...model.args], ["ModelDescribed", word(7), B, "m", "u", 5n]);
    assert.deepEqual([...await r.read("models", word(7), B)], ["m", "u", 5n]);
    await reverts(r.send(A, "describeModel", ZERO, "m", "", 0), "EmptyKey");
    await reverts(r.send(A, "describeModel", word(1), "", "", 0), "EmptyName");
}

export async function checkpoints(deploy) {
    const r = await deploy();
    const log = await r.read("logOf", A, ORIGIN);
    const all = leaves(40);
    const publish = (n, path, root = merkle.root(all.slice(0, n)), from = A) =>
        r.send(from, "publishCheckpoint", ORIGIN, n, root, path);
    await reverts(r.send(A, "publishCheckpoint", "", 1, word(1), []), "EmptyOrigin");
    await reverts(publish(0, []), "EmptyTree");
    await reverts(publish(5, [word(1)]), "PathNotEmpty");
    await reverts(r.read("included", log, 5, 0, word(1), []), "UnknownCheckpoint");
    const [said] = await publish(5, []);
    assert.deepEqual([said.name, ...said.args], ["Checkpoint", log, A, ORIGIN, 5n, merkle.root(all.slice(0, 5))]);
    for (const n of [4, 5]) {
        const e = await reverts(publish(n, []), "NotLarger");
        assert.deepEqual([...e.args_], [5n, BigInt(n)]);
    }
    const good = merkle.consistency(5, all.slice(0, 23));
    for (let i = 0; i < good.length; i++) {
        const bad = [...good];
        bad[i] = word(1);
        await reverts(publish(23, bad), "Inconsistent");
    }
    await reverts(publish(23, good.slice(1)), "Inconsistent");
    await reverts(publish(23, good.slice(0, -1)), "Inconsistent");
    await reverts(publish(23, [...good, word(1)]), "Inconsistent");
    await reverts(publish(23, []), "Inconsistent");
    await reverts(publish(23, good, word(5)), "Inconsistent");
    await publish(23, good);
    // A rewritten log: another entry 3.
    const forged = [...all];
    forged[3] = merkle.leafHash(Buffer.from("forged"));
    await reverts(publish(40, merkle.consistency(23, forged), merkle.root(forged)), "Inconsistent");
    // Another account's log of the same origin is another log.
    await publish(3, [], merkle.root(forged.slice(0, 3)), B);
    assert.deepEqual([...await r.read("heads", log)].slice(0, 1), [23n]);
    for (const size of [5, 23]) {
        const tree = all.slice(0, size);
        for (let i = 0; i < size; i++) {
            const path = merkle.audit(i, tree);
            const leaf = "0x" + all[i].toString("hex");
            assert.equal(await r.read("included", log, size, i, leaf, path), true);
            assert.equal(await r.read("included", log, size, i, word(1), path), false);
            assert.equal(await r.read("included", log, size, (i + 1) % size, leaf, path), false);
            assert.equal(await r.read("included", log, size, size + i, leaf, path), false);
            assert.equal(await r.read("included", log, size, i, leaf, path.slice(1)), false);
            assert.equal(await r.read("included", log, size, i, leaf, [...path, word(1)]), false);
        }
    }
}

// All pairs of sizes: what the contract takes is what RFC 6962 defines.
export async function trees(deploy) {
    for (let n = 2; n <= 20; n++) {
        for (let m = 1; m < n; m++) {
            const all = leaves(n);
            const r = await deploy();
            await r.send(A, "publishCheckpoint", ORIGIN, m, merkle.root(all.slice(0, m)), []);
            await r.send(A, "publishCheckpoint", ORIGIN, n, merkle.root(all), merkle.consistency(m, all));
        }
    }
    // Every root of one log, by and by, and every leaf under the last.
    const all = leaves(70);
    const r = await deploy();
    const log = await r.read("logOf", A, ORIGIN);
    for (let n = 1; n <= 70; n++) {
        await r.send(A, "publishCheckpoint", ORIGIN, n, merkle.root(all.slice(0, n)),
            n === 1 ? [] : merkle.consistency(n - 1, all.slice(0, n)));
    }
    for (let i = 0; i < 70; i++) {
        assert.equal(await r.read("included", log, 70, i, "0x" + all[i].toString("hex"), merkle.audit(i, all)), true);
    }
}

export async function entries(deploy) {
    const r = await deploy();
    for (const sequence of [0n, 1n, 9n, 10n, 1234567890123n, 2n ** 64n - 1n]) {
        const entry = JSON.stringify({
            commitment: "ab".repeat(32), format: "verbatim.entry/1", kind: "receipt", record_sha256: "0f".repeat(32),
            sequence: String(sequence), signature: "12".repeat(32) + "f0".repeat(32),
        });
        assert.equal(await r.read("receiptLeaf", "0x" + "ab".repeat(32), "0x" + "0f".repeat(32), sequence,
            "0x" + "12".repeat(32), "0x" + "f0".repeat(32)), "0x" + merkle.leafHash(Buffer.from(entry)).toString("hex"));
    }
}

export async function commitments(deploy) {
    const r = await deploy();
    await reverts(r.send(A, "commit", []), "NothingGiven");
    await reverts(r.send(A, "commit", [word(1), ZERO]), "EmptyCommitment");
    assert.equal(await r.read("committedAt", word(1)), 0n);
    const said = await r.send(A, "commit", [word(1), word(2), word(1)]);
    assert.deepEqual(said.map((e) => [e.name, ...e.args]),
        [["Committed", word(1), A, r.machine.time], ["Committed", word(2), A, r.machine.time]]);
    const first = r.machine.time;
    r.machine.time += 100n;
    assert.deepEqual(await r.send(B, "commit", [word(1)]), []); // the first time stands
    assert.equal(await r.read("committedAt", word(1)), first);
}

export async function signatures(deploy) {
    const r = await deploy();
    const v = verdict(claim(1));
    assert.equal(await r.read("verdictDigest", v), digest(r, v));
    const good = signed(r, v, 1);
    const relay = (s, w = v) => r.send(A, "attest", w, s);
    for (const bad of ["0x", good.slice(0, -2), good + "00"]) {
        await reverts(relay(bad), "SignatureLength");
    }
    const s = BigInt("0x" + good.slice(66, 130));
    const otherV = good.slice(130) === "1b" ? "1c" : "1b";
    await reverts(relay(good.slice(0, 66) + (SECP256K1_N - s).toString(16).padStart(64, "0") + otherV), "SignatureMalleable");
    for (const bytes of ["00", "01", "1d", "ff"]) {
        await reverts(relay(good.slice(0, 130) + bytes), "SignatureInvalid");
    }
    await reverts(relay("0x" + "00".repeat(64) + "1b"), "SignatureInvalid");
    // Half of the order itself is allowed; a signature that recovers to somebody is somebody's verdict, not B's.
    await relay("0x" + good.slice(2, 66) + "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0" + "1b").catch(
        (e) => assert.equal(e.reason, "SignatureInvalid"));
    await reverts(relay("0x" + good.slice(2, 66) + "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1" + "1b"), "SignatureMalleable");
    const outcome = async (k, c = v.claim) => (await r.read("judgements", accounts[k], c.record)).outcome;
    // Of another chain, or for another contract: it is not the witness's.
    for (const where of [{ chainId: 1 }, { address: A }]) {
        await relay(signed(r, v, 1, where));
        assert.equal(await outcome(1), 0n);
    }
    await relay(good);
    assert.equal(await outcome(1), 1n);
    // Signed for one verdict, sent with another.
    for (const other of [{ outcome: 2 }, { level: 1 }, { judgedAt: 61 }, { claim: claim(1, { answer: word(5) }) },
        { claim: claim(1, { drawnAt: 51 }) }, { claim: claim(1, { model: word(5) }) }, { claim: claim(1, { commitment: word(5) }) }]) {
        const before = await r.read("judgements", accounts[1], word(1));
        await relay(good, { ...v, ...other });
        assert.deepEqual([...await r.read("judgements", accounts[1], word(1))], [...before]);
    }
    await reverts(relay(good, verdict(claim(0))), "EmptyRecord");
    await reverts(relay(good, { ...v, outcome: 0 }), "UnknownOutcome");
    await reverts(relay(good, { ...v, outcome: 4 }), "UnknownOutcome");
    await reverts(relay(good, { ...v, level: 0 }), "UnknownLevel");
    await reverts(relay(good, { ...v, level: 4 }), "UnknownLevel");
    await reverts(r.send(A, "attestMany", [v], []), "LengthsDiffer");
    const many = [1, 2, 3].map((n) => verdict(claim(100 + n)));
    await r.send(A, "attestMany", many, many.map((w) => signed(r, w, 2)));
    for (const w of many) {
        assert.equal(await outcome(2, w.claim), 1n);
    }
    await reverts(r.send(A, "attestMany", many, many.map(() => "0x")), "SignatureLength");
}

// What one witness may say after what, against the rule written once more.
function next(have, v) {
    if (!have) {
        return { ...v, said: "Attested" };
    }
    const same = JSON.stringify(have.claim) === JSON.stringify(v.claim);
    if (have.contradicted || v.outcome === 3) {
        return { ...have, said: null };
    }
    if (have.outcome === 3) {
        return { ...v, said: "Attested" };
    }
    if (!same || have.outcome !== v.outcome) {
        return { ...have, contradicted: true, said: "Contradicted" };
    }
    return v.outcome === 1 && v.level > have.level ? { ...v, said: "Attested" } : { ...have, said: null };
}

export async function contradictions(deploy) {
    let seed = 7;
    const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
    const r = await deploy();
    for (let record = 1; record <= 60; record++) {
        let have = null;
        for (let i = 0; i < 6; i++) {
            const v = verdict(claim(record, { answer: word(4 + (random(4) === 0 ? 1 : 0)) }),
                { outcome: random(5) < 3 ? 1 : 1 + random(3), level: 1 + random(3), judgedAt: 60 + i });
            const events = await attest(r, v, 1);
            have = next(have, v);
            assert.deepEqual(events.map((e) => e.name), have.said ? [have.said] : []);
            const kept = await r.read("judgements", accounts[1], word(record));
            assert.deepEqual([kept.claim, kept.outcome, kept.level, kept.contradicted],
                [await r.read("claimHash", have.claim), BigInt(have.outcome), BigInt(have.level), !!have.contradicted]);
        }
    }
}

export async function panels(deploy) {
    const r = await deploy();
    await reverts(r.send(A, "createPanel", []), "PanelSize");
    await reverts(r.send(A, "createPanel", [...Array(65)].map((_, i) => ethers.zeroPadValue(ethers.toBeHex(i + 1), 20))), "PanelSize");
    await reverts(r.send(A, "createPanel", [ethers.ZeroAddress]), "PanelOrder");
    const members = panelOf([accounts[1], accounts[2], accounts[3]]);
    await reverts(r.send(A, "createPanel", [members[0], members[0]]), "PanelOrder");
    await reverts(r.send(A, "createPanel", [members[1], members[0]]), "PanelOrder");
    const [said] = await r.send(A, "createPanel", members);
    const panel = said.args[0];
    assert.equal(panel, ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(["address[]"], [members])));
    assert.deepEqual([...said.args[1]], members);
    assert.deepEqual(await r.send(B, "createPanel", members), []); // it exists, and stays
    await r.send(A, "createPanel", [...Array(64)].map((_, i) => ethers.zeroPadValue(ethers.toBeHex(i + 1), 20)));
    assert.deepEqual([...await r.read("panelMembers", panel)], members);

    const c = claim(1);
    await reverts(r.read("confirmed", panel, c, 0), "EmptyQuorum");
    await reverts(r.read("confirmed", word(1), c, 1), "UnknownPanel");
    await reverts(r.read("tally", word(1), c.record), "UnknownPanel");
    const confirmed = (k, of = c) => r.read("confirmed", panel, of, k);
    const tally = async () => [...await r.read("tally", panel, c.record)].map(Number);
    assert.deepEqual(await tally(), [0, 0, 0, 0]);
    await attest(r, verdict(c), 4); // not of the panel
    assert.equal(await confirmed(1), false);
    await attest(r, verdict(c), 1);
    await attest(r, verdict(c, { judgedAt: 99 }), 1); // twice is once
    assert.deepEqual([await confirmed(1), await confirmed(2)], [true, false]);
    await attest(r, verdict(c, { level: 2 }), 2); // not in full
    assert.equal(await confirmed(2), false);
    assert.deepEqual(await tally(), [1, 0, 0, 0]);
    await attest(r, verdict(c), 2);
    assert.deepEqual([await confirmed(2), await confirmed(3), await confirmed(4), await confirmed(2n ** 256n - 1n)], [true, false, false, false]);
    await attest(r, verdict(c, { outcome: 3 }), 3);
    assert.deepEqual(await tally(), [2, 0, 1, 0]);
    await attest(r, verdict(c, { outcome: 2 }), 3);
    assert.deepEqual(await tally(), [2, 1, 0, 0]);
    for (const other of [{ answer: word(9) }, { model: word(9) }, { commitment: word(9) }, { drawnAt: 51 }, { record: word(9) }]) {
        assert.equal(await confirmed(1, claim(1, other)), false);
    }
    await attest(r, verdict(c, { outcome: 2 }), 2); // says both: says nothing
    assert.deepEqual([await confirmed(1), await confirmed(2)], [true, false]);
    assert.deepEqual(await tally(), [1, 1, 0, 1]);
    await attest(r, verdict(c), 2);
    assert.equal(await confirmed(2), false);
}

export async function inferences(deploy) {
    const r = await deploy();
    const all = { record: word(1), model: word(2), prompt: word(3), traceRoot: word(4), seed: word(5),
        answer: merkle.textDigest("Yes."), promptText: "Pay?", result: "Yes.", uri: "" };
    const [said] = await r.send(A, "publishInference", all);
    assert.deepEqual([said.name, said.args[0], said.args[1], said.args[2], said.args[3].result], ["InferencePublished", A, word(1), word(2), "Yes."]);
    assert.notEqual(await r.read("inferences", A, word(1)), ZERO);
    assert.equal(await r.read("inferences", B, word(1)), ZERO);
    await reverts(r.send(A, "publishInference", { ...all, record: ZERO }), "RecordMissing");
    await reverts(r.send(A, "publishInference", { ...all, result: "Yes" }), "ResultMismatch");
    await r.send(C, "publishInference", { ...all, result: "" });
}
