// The contracts in an EVM of level istanbul, once as they are released and once with marks for
// branch coverage, which has to be complete. Prints the gas of each operation.
//   node contracts.mjs ROOT
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Watcher, instrument } from "./coverage.mjs";
import { Machine } from "./evm.mjs";
import * as consumers from "./consumers.mjs";
import * as registry from "./registry.mjs";

const root = process.argv[2];
const { artifacts, compile, sources } = await import(pathToFileURL(join(root, "contracts/compile.mjs")));
const modules = process.env.VB_NPM_DIR;
const extra = { "test/Identity.sol": { content: "// SPDX-License-Identifier: Apache-2.0\npragma solidity ^0.8.20;\n" + consumers.IDENTITY } };
const plain = sources();
let passed = 0;
let failed = 0;

function check(name, problem) {
    if (problem) {
        failed++;
        console.log(`FAIL ${name}: ${problem.stack ?? problem}`);
    } else {
        passed++;
        console.log(`ok   ${name}`);
    }
}

// Opcodes of a code; what a PUSH pushes is none.
function* opcodes(bytecode) {
    const code = Buffer.from(bytecode.slice(2), "hex");
    for (let pc = 0; pc < code.length; pc++) {
        yield code[pc];
        pc += code[pc] >= 0x60 && code[pc] <= 0x7f ? code[pc] - 0x5f : 0;
    }
}

function young(made) {
    const forbidden = new Map([[0x40, "BLOCKHASH"], [0x44, "PREVRANDAO"], [0x48, "BASEFEE"], [0x49, "BLOBHASH"],
        [0x4a, "BLOBBASEFEE"], [0x5c, "TLOAD"], [0x5d, "TSTORE"], [0x5e, "MCOPY"], [0x5f, "PUSH0"]]);
    for (const [name, a] of Object.entries(made)) {
        for (const op of opcodes(a.bytecode)) {
            if (forbidden.has(op)) {
                throw new Error(`${name} has ${forbidden.get(op)}`);
            }
        }
        if (a.bytecode.length / 2 > 24576) {
            throw new Error(`${name} is larger than a contract may be`);
        }
    }
}

async function suite(label, made, onStep) {
    const gas = {};
    const all = [...Object.entries(registry).filter(([n]) => /^(directory|checkpoints|trees|entries|commitments|signatures|contradictions|panels|inferences)$/.test(n))
        .map(([n, f]) => [n, f, "VerbatimRegistry"]),
        ...["validation", "treasury", "consumer"].map((n) => [n, consumers[n], null])];
    for (const [name, test, only] of all) {
        const machine = await Machine.start({ onStep });
        machine.gas = gas;
        const deploy = (contract = only, ...rest) => machine.deploy(made[contract], ...rest);
        check(`${label}: ${name}`, await test(deploy).then(() => null, (e) => e));
    }
    return gas;
}

const output = compile(modules, { from: { ...plain, ...extra } });
const made = artifacts(output);
check("opcodes of istanbul only, and no BLOCKHASH", await Promise.resolve().then(() => young(made)).then(() => null, (e) => e));
const gas = await suite("released", made, null);

const { marks, marked } = instrument(output, plain);
const watcher = new Watcher(marks);
const covered = artifacts(compile(modules, {
    from: { ...marked, ...extra },
    // Nothing that would take marks for the same writes twice.
    details: { cse: false, deduplicate: false, inliner: false, constantOptimizer: false, yul: false },
}));
await suite("marked", covered, (step) => watcher.see(step));
check(`branches: ${watcher.total - watcher.left.size} of ${watcher.total}`, watcher.left.size ? [...watcher.left.values()].join("\n") : null);

console.log("gas, least and most, with the transaction's own 21000 and data:");
for (const [name, values] of Object.entries(gas).sort()) {
    console.log(`  ${name.padEnd(20)} ${Math.min(...values)} - ${Math.max(...values)}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
