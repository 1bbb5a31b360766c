// Compiles contracts/ with solc of npm for the oldest machine that has to run it (istanbul: no
// PUSH0, BASEFEE or PREVRANDAO). Used by the tests and by contracts/build.
//   node contracts/compile.mjs [OUT_DIR]     writes OUT_DIR/NAME.json with abi and bytecode
import { createRequire } from "node:module";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));
const folders = ["src", "examples"];

export function sources() {
    const out = {};
    for (const folder of folders) {
        for (const name of readdirSync(join(root, folder))) {
            if (name.endsWith(".sol")) {
                out[`${folder}/${name}`] = { content: readFileSync(join(root, folder, name), "utf8") };
            }
        }
    }
    return out;
}

// modules: the folder that has node_modules. Returns solc's output, of which an error is thrown.
export function compile(modules, { evmVersion = "istanbul", from = sources(), details = undefined } = {}) {
    const solc = createRequire(pathToFileURL(join(modules, "package.json")))("solc");
    const input = {
        language: "Solidity",
        sources: from,
        settings: {
            evmVersion,
            optimizer: { enabled: true, runs: 1000, details },
            metadata: { bytecodeHash: "none", appendCBOR: false },
            outputSelection: {
                "*": {
                    "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode", "evm.methodIdentifiers"],
                    "": ["ast"],
                },
            },
        },
    };
    const output = JSON.parse(solc.compile(JSON.stringify(input)));
    const bad = (output.errors ?? []).filter((e) => e.type !== "Info");
    if (bad.length) {
        throw new Error(bad.map((e) => e.formattedMessage).join("\n"));
    }
    return output;
}

export function artifacts(output) {
    const out = {};
    for (const contracts of Object.values(output.contracts)) {
        for (const [name, c] of Object.entries(contracts)) {
            if (c.evm.bytecode.object) {
                out[name] = { abi: c.abi, bytecode: "0x" + c.evm.bytecode.object };
            }
        }
    }
    return out;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
    const modules = process.env.VB_NPM_DIR ?? join(root, "..", "build", "npm");
    const to = process.argv[2] ?? join(root, "..", "build", "contracts");
    mkdirSync(to, { recursive: true });
    for (const [name, a] of Object.entries(artifacts(compile(modules)))) {
        writeFileSync(join(to, `${name}.json`), JSON.stringify(a, null, 1) + "\n");
        console.log(`${name}: ${(a.bytecode.length - 2) / 2} bytes`);
    }
}
