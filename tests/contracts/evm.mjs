// An EVM in this process, as old as the contracts allow (istanbul), with a clock that the test sets.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const modules = process.env.VB_NPM_DIR;
const require = createRequire(pathToFileURL(join(modules, "package.json")));
export const ethers = require("ethers");
const { Chain, Common, Hardfork } = require("@ethereumjs/common");
const { EVM } = require("@ethereumjs/evm");
const { Account, Address, hexToBytes, bytesToHex } = require("@ethereumjs/util");
const { Block } = require("@ethereumjs/block");

export const keys = [...Array(8)].map((_, i) => new ethers.SigningKey(ethers.toBeHex(i + 1, 32)));
export const accounts = keys.map((k) => ethers.computeAddress(k.publicKey));

export class Reverted extends Error {}

export class Machine {
    static async start({ chainId = 361, hardfork = Hardfork.Istanbul, onStep = null } = {}) {
        const m = new Machine();
        const common = Common.custom({ chainId }, { baseChain: Chain.Mainnet, hardfork });
        m.common = common;
        m.evm = await EVM.create({ common });
        m.chainId = chainId;
        m.time = 1_700_000_000n;
        m.gas = {};
        if (onStep) {
            m.evm.events.on("step", (step, resolve) => { onStep(step); resolve?.(); });
        }
        for (const a of accounts) {
            await m.evm.stateManager.putAccount(Address.fromString(a), new Account(0n, 10n ** 24n));
        }
        return m;
    }

    block() {
        return Block.fromBlockData({ header: { number: 1n, timestamp: this.time, gasLimit: 30_000_000n } },
            { common: this.common, skipConsensusFormatValidation: true });
    }

    async run({ from, to, data, value = 0n, isStatic = false }) {
        const result = await this.evm.runCall({
            caller: Address.fromString(from), to: to && Address.fromString(to),
            data: hexToBytes(data), value, gasLimit: 30_000_000n, block: this.block(), isStatic,
        });
        const r = result.execResult;
        if (r.exceptionError) {
            const error = new Reverted(r.exceptionError.error);
            error.data = bytesToHex(r.returnValue);
            throw error;
        }
        return { ...result, gas: r.executionGasUsed, logs: r.logs ?? [], value: bytesToHex(r.returnValue) };
    }

    async deploy(artifact, args = [], { from = accounts[0], value = 0n } = {}) {
        const face = new ethers.Interface(artifact.abi);
        const data = artifact.bytecode + face.encodeDeploy(args).slice(2);
        const r = await this.run({ from, data, value }).catch((e) => { throw named(face, e); });
        return new Contract(this, face, r.createdAddress.toString());
    }

    async balance(address) {
        return (await this.evm.stateManager.getAccount(Address.fromString(address)))?.balance ?? 0n;
    }
}

function named(face, error) {
    if (error instanceof Reverted && error.data && error.data !== "0x") {
        const e = face.parseError(error.data);
        error.reason = e ? e.name : error.data;
        error.args_ = e ? e.args : [];
    }
    return error;
}

export class Contract {
    constructor(machine, face, address) {
        Object.assign(this, { machine, face, address });
    }

    // A call that reads: the result, unpacked when there is one.
    async read(name, ...args) {
        const data = this.face.encodeFunctionData(name, args);
        const r = await this.machine.run({ from: accounts[0], to: this.address, data, isStatic: true })
            .catch((e) => { throw named(this.face, e); });
        const out = this.face.decodeFunctionResult(name, r.value);
        return out.length === 1 ? out[0] : out;
    }

    // A transaction: its events, each { name, args }.
    async send(from, name, ...args) {
        return this.sendValue(from, 0n, name, ...args);
    }

    async sendValue(from, value, name, ...args) {
        const data = this.face.encodeFunctionData(name, args);
        const r = await this.machine.run({ from, to: this.address, data, value })
            .catch((e) => { throw named(this.face, e); });
        const zero = [...data.slice(2).matchAll(/../g)].filter((b) => b[0] === "00").length;
        // What a transaction pays on top: 21000, and 4 or 16 for each byte of its data.
        const gas = Number(r.gas) + 21000 + 4 * zero + 16 * (data.length / 2 - 1 - zero);
        const label = `${name}`;
        (this.machine.gas[label] ??= []).push(gas);
        return r.logs.filter((l) => bytesToHex(l[0]) === this.address.toLowerCase()).map((l) => {
            const e = this.face.parseLog({ topics: l[1].map((t) => bytesToHex(t)), data: bytesToHex(l[2]) });
            return { name: e.name, args: e.args };
        });
    }
}

// The call reverts with this error of the contract.
export async function reverts(promise, reason) {
    let error = null;
    try {
        await promise;
    } catch (e) {
        error = e;
    }
    if (!(error instanceof Reverted)) {
        throw error ?? new Error(`did not revert; expected ${reason}`);
    }
    if ((error.reason ?? error.message) !== reason) {
        throw new Error(`reverted with ${error.reason ?? error.message}; expected ${reason}`);
    }
    return error;
}

export function sign(digest, key) {
    return key.sign(digest).serialized;
}
