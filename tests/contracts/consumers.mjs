// What stands on the registry: ERC-8004's validation registry, and the examples.
import assert from "node:assert/strict";
import { accounts, ethers, reverts } from "./evm.mjs";
import * as merkle from "./merkle.mjs";
import { attest, claim, panelOf, verdict } from "./registry.mjs";

const [A, B, C] = accounts;
const word = (n) => ethers.zeroPadValue(ethers.toBeHex(n), 32);

// Agent 1 is A's, approved for B; C may act for A in all.
export const IDENTITY = `
contract Identity {
    address immutable a; address immutable b; address immutable c;
    constructor(address a_, address b_, address c_) { a = a_; b = b_; c = c_; }
    function ownerOf(uint256) external view returns (address) { return a; }
    function getApproved(uint256) external view returns (address) { return b; }
    function isApprovedForAll(address, address by) external view returns (bool) { return by == c; }
}
contract Refuser { receive() external payable { revert("no"); } }
`;

async function panelIn(registry) {
    const members = panelOf([accounts[1], accounts[2], accounts[3]]);
    await registry.send(A, "createPanel", members);
    return ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(["address[]"], [members]));
}

export async function validation(deploy) {
    const registry = await deploy("VerbatimRegistry");
    const panel = await panelIn(registry);
    const identity = await deploy("Identity", [A, B, C]);
    const make = (...args) => deploy("VerbatimValidation", args);
    await reverts(make(accounts[6], registry.address, panel, 2), "NoContract");
    await reverts(make(identity.address, accounts[6], panel, 2), "NoContract");
    await reverts(make(identity.address, registry.address, panel, 0), "EmptyQuorum");
    await make(identity.address, registry.address, word(1), 2).then(() => assert.fail(), (e) => assert.match(e.reason ?? e.message, /^0x|UnknownPanel/));
    const v = await make(identity.address, registry.address, panel, 2);
    assert.equal(await v.read("getIdentityRegistry"), ethers.getAddress(identity.address));
    const me = ethers.getAddress(v.address);
    const ask = (from, validator, hash) => v.send(from, "validationRequest", validator, 1, "uri", hash);
    await reverts(ask(A, ethers.ZeroAddress, word(1)), "EmptyValidator");
    await reverts(ask(A, me, word(0)), "EmptyRequest");
    await reverts(ask(accounts[4], me, word(1)), "NotTheAgents");
    const [asked] = await ask(A, me, word(1));
    assert.deepEqual([asked.name, ...asked.args], ["ValidationRequest", me, 1n, "uri", word(1)]);
    await reverts(ask(A, me, word(1)), "RequestExists");
    await ask(B, me, word(2));
    await ask(C, accounts[5], word(3));
    await reverts(v.read("getValidationStatus", word(9)), "UnknownRequest");
    assert.deepEqual([...await v.read("getAgentValidations", 1)], [word(1), word(2), word(3)]);
    assert.deepEqual([...await v.read("getValidatorRequests", me)], [word(1), word(2)]);

    const answer = (from, hash, response) => v.send(from, "validationResponse", hash, response, "", word(0), "t");
    await reverts(answer(A, word(3), 50), "NotTheValidator");
    await reverts(answer(accounts[5], word(9), 50), "UnknownRequest");
    await reverts(answer(accounts[5], word(3), 101), "ResponseRange");
    await answer(accounts[5], word(3), 50);

    const c = claim(1);
    await reverts(v.send(A, "settle", claim(9)), "UnknownRequest");
    await reverts(v.send(A, "settle", claim(3)), "NotTheValidator");
    await attest(registry, verdict(c), 1);
    await reverts(v.send(A, "settle", c), "NotJudgedYet");
    await attest(registry, verdict(c), 2);
    const [said] = await v.send(accounts[6], "settle", c);
    assert.deepEqual([said.name, ...said.args], ["ValidationResponse", me, 1n, word(1), 100n, "", await registry.read("claimHash", c), "verbatim"]);
    await attest(registry, verdict(claim(2), { outcome: 2 }), 2);
    await reverts(v.send(A, "settle", claim(2)), "NotJudgedYet");
    await attest(registry, verdict(claim(2), { outcome: 2 }), 3);
    await v.send(A, "settle", claim(2));
    const status = await v.read("getValidationStatus", word(2));
    assert.deepEqual([status.validatorAddress, status.agentId, status.response, status.tag], [me, 1n, 0n, "verbatim"]);
    const summary = async (...args) => [...await v.read("getSummary", ...args)].map(Number);
    assert.deepEqual(await summary(1, [], ""), [3, 50]);
    assert.deepEqual(await summary(1, [me], ""), [2, 50]);
    assert.deepEqual(await summary(1, [], "t"), [1, 50]);
    assert.deepEqual(await summary(1, [accounts[6], accounts[5]], "t"), [1, 50]);
    assert.deepEqual(await summary(1, [accounts[6]], ""), [0, 0]);
    assert.deepEqual(await summary(2, [], ""), [0, 0]);
    await ask(A, me, word(4)); // not answered: not counted
    assert.deepEqual(await summary(1, [me], ""), [2, 50]);
}

export async function treasury(deploy) {
    const registry = await deploy("VerbatimRegistry");
    const panel = await panelIn(registry);
    const machine = registry.machine;
    const model = word(3);
    const yes = merkle.textDigest("APPROVE");
    const t = await deploy("Treasury", [registry.address, panel, 2, model, "APPROVE"], { value: 1000n });
    assert.equal(await t.read("approval"), yes);
    const to = ethers.getAddress("0x00000000000000000000000000000000000000ff");
    await reverts(t.send(B, "propose", to, 1, word(2)), "NotTheProposer");
    await t.send(A, "propose", to, 600, word(2));
    const now = Number(machine.time);
    const good = claim(1, { model, answer: yes, drawnAt: now + 10 });
    const release = (c, id = 0) => t.send(B, "release", id, c);
    await reverts(release(good, 1), "UnknownProposal");
    await reverts(release({ ...good, commitment: word(9) }), "OtherCommitment");
    await reverts(release({ ...good, model: word(9) }), "OtherModel");
    await reverts(release({ ...good, answer: merkle.textDigest("REJECT") }), "OtherAnswer");
    await reverts(release({ ...good, drawnAt: now }), "CommittedTooLate");
    await reverts(release(good), "NotConfirmed");
    await attest(registry, verdict(good), 1);
    await reverts(release(good), "NotConfirmed");
    await attest(registry, verdict(good), 2);
    const [said] = await release(good);
    assert.deepEqual([said.name, ...said.args], ["Paid", 0n, to, 600n, good.record]);
    assert.equal(await machine.balance(to), 600n);
    await reverts(release(good), "AlreadyPaid");
    assert.equal(await machine.balance(to), 600n);
    // A payment that fails stays open, and is not lost.
    await t.send(A, "propose", to, 401, word(5));
    const second = claim(7, { commitment: word(5), model, answer: yes, drawnAt: now + 20 });
    await attest(registry, verdict(second), 1);
    await attest(registry, verdict(second), 3);
    await reverts(release(second, 1), "PaymentFailed");
    await machine.run({ from: A, to: t.address, data: "0x", value: 1n });
    await release(second, 1);
    assert.equal(await machine.balance(to), 1001n);
    const refuser = await deploy("Refuser");
    await t.send(A, "propose", refuser.address, 0, word(6));
    const third = claim(8, { commitment: word(6), model, answer: yes, drawnAt: now + 20 });
    await attest(registry, verdict(third), 1);
    await attest(registry, verdict(third), 3);
    await reverts(release(third, 2), "PaymentFailed");
}

export async function consumer(deploy) {
    const registry = await deploy("VerbatimRegistry");
    const c = await deploy("Consumer", [registry.address, await panelIn(registry), 2]);
    const about = claim(1);
    await reverts(c.send(A, "accept", about), "NotConfirmed");
    await attest(registry, verdict(about), 1);
    await attest(registry, verdict(about), 2);
    const [said] = await c.send(A, "accept", about);
    assert.deepEqual([said.name, ...said.args], ["Accepted", about.commitment, about.answer]);
    assert.equal(await c.read("answers", about.commitment), about.answer);
    await reverts(c.send(A, "accept", about), "AlreadyAccepted");
}
