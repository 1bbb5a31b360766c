// What the parts of openai_server.mjs share: the client, the records that it keeps of all that it is told,
// and the ways of asking: whole, as a stream, by the client's helper.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

export const require = createRequire(process.env.VB_NPM_DIR + "/node_modules/");
export const OpenAI = require("openai").default;

export const config = JSON.parse(process.argv[2]);
export const { model } = config;
export const seen = { receipts: {}, aborts: {}, unseen: 0 };
export const SETTLED_MS = 20000;

export function connect(name, options = {}) {
    const apiKey = config.keys[name] ?? name;
    return new OpenAI({ apiKey, baseURL: config.origin + "/v1", maxRetries: 0, logLevel: "off", ...options });
}

export const client = connect("alice");
export const chats = client.chat.completions;
export const user = (content) => [{ role: "user", content }];
export const STREAMED = { stream: true, stream_options: { include_usage: true } };
export const story = { model, messages: user("Tell me a story."), max_tokens: 24, seed: 5 };

export async function metric(name) {
    const text = await (await fetch(config.origin + "/metrics")).text();
    const rows = text.split("\n").filter((line) => line.startsWith(name + " ") || line.startsWith(name + "{"));
    assert.ok(rows.length, name);
    return rows.reduce((sum, row) => sum + Number(row.split(" ").at(-1)), 0);
}

export async function tokensOf(prompt) {
    const headers = { Authorization: "Bearer " + config.keys.alice };
    const body = JSON.stringify({ prompt });
    const answer = await fetch(config.origin + "/tokenize", { method: "POST", headers, body });
    return (await answer.json()).tokens;
}

// Records.

export function checkCommitment(c) {
    const x = Buffer.from(c.server_key, "hex").toString("base64url");
    const key = crypto.createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    const signed = Buffer.concat([Buffer.from("verbatim.commitment.v1\n"), Buffer.from(c.value, "hex")]);
    assert.ok(crypto.verify(null, signed, key, Buffer.from(c.signature, "hex")), "the commitment's signature");
}

export async function record(id, from = client) {
    const response = await from.get("/receipts/" + id).asResponse();
    const { headers } = response;
    return { state: headers.get("verbatim-state"), type: headers.get("content-type"), text: await response.text() };
}

// The receipt of an answer that has ended, which must say what the answer says.
export async function keep(answer) {
    const proof = answer.verbatim;
    checkCommitment(proof.commitment);
    const { state, text } = await record(proof.receipt_id);
    assert.equal(state, "receipt");
    assert.equal((await record(proof.verification_hash)).text, text);
    const receipt = JSON.parse(text);
    assert.equal(receipt.commitment.value, proof.commitment.value);
    assert.equal(receipt.usage.completion_tokens, answer.usage.completion_tokens);
    assert.equal(receipt.usage.prompt_tokens, answer.usage.prompt_tokens);
    assert.deepEqual(
        answer.choices.map((choice) => (choice.finish_reason === "tool_calls" ? "stop" : choice.finish_reason)),
        receipt.outputs.map((output) => output.finish_reason),
    );
    seen.receipts[proof.receipt_id] = text;
    return receipt;
}

// The abort record of a commitment that gets no answer.
export async function keepAbort(id, from = client) {
    for (const until = Date.now() + SETTLED_MS; ; await sleep(20)) {
        const { state, text } = await record(id, from);
        if (state !== "open" || Date.now() > until) {
            assert.equal(state, "abort");
            assert.equal(JSON.parse(text).reason, "cancelled");
            seen.aborts[id] = text;
            return;
        }
    }
}

export async function ask(params, options) {
    const answer = await chats.create(params, options);
    assert.equal(answer.object, "chat.completion");
    assert.match(answer.id, /^chatcmpl-[0-9a-f]{24}$/);
    assert.equal(answer.model, model);
    assert.match(answer._request_id, /^req-[0-9a-f]{24}$/);
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
    for (const [i, choice] of answer.choices.entries()) {
        assert.equal(choice.index, i);
        assert.equal(choice.message.role, "assistant");
        assert.equal(choice.message.refusal, null);
    }
    await keep(answer);
    return answer;
}

// What is the same when the same is asked twice.
export const said = (answer) => ({
    choices: answer.choices.map(({ index, message, finish_reason, logprobs }) => ({
        index, content: message.content, finish_reason, logprobs,
        calls: message.tool_calls?.map((call) => [call.type, call.function.name, call.function.arguments]),
    })),
    tokens: [answer.usage.prompt_tokens, answer.usage.completion_tokens],
    system_fingerprint: answer.system_fingerprint,
});

// Streams.

export async function collect(stream) {
    const chunks = [];
    for await (const chunk of stream) {
        chunks.push(chunk);
    }
    return chunks;
}

export function checkChunks(chunks, n, withUsage, object) {
    const [first, last] = [chunks[0], chunks.at(-1)];
    for (const chunk of chunks) {
        assert.deepEqual([chunk.id, chunk.object, chunk.created, chunk.model, chunk.system_fingerprint],
                         [first.id, object, first.created, model, first.system_fingerprint]);
        assert.equal("verbatim" in chunk, chunk === first || chunk === last);
        assert.equal(chunk.choices.length, withUsage && chunk === last ? 0 : 1);
        assert.ok(withUsage ? (chunk.usage !== null) === (chunk === last) : chunk.usage === undefined);
        assert.ok(!chunk.choices.some((choice) => (choice.delta?.content ?? choice.text ?? "").includes("\ufffd")));
    }
    assert.ok(!("verification_hash" in first.verbatim) && !("receipt" in first.verbatim));
    assert.deepEqual(first.verbatim.commitment, last.verbatim.commitment);
    assert.match(last.verbatim.verification_hash, /^[0-9a-f]{64}$/);
    for (let i = 0; i < n; i++) {
        const mine = chunks.flatMap((chunk) => chunk.choices).filter((choice) => choice.index === i);
        assert.equal(mine.findIndex((choice) => choice.finish_reason), mine.length - 1);
        if (object === "chat.completion.chunk") {
            assert.equal(mine.findLastIndex((choice) => choice.delta.role), 0);
            assert.equal(mine[0].delta.role, "assistant");
            assert.equal(mine[0].delta.content, "");
        }
    }
}

// The chunks of a chat as one answer.
export function joined(chunks, n) {
    const choices = [];
    for (let index = 0; index < n; index++) {
        const mine = chunks.flatMap((chunk) => chunk.choices).filter((choice) => choice.index === index);
        const calls = mine.flatMap((choice) => choice.delta.tool_calls ?? []);
        assert.deepEqual(calls.map((call) => call.index), calls.map((_, i) => i));
        const entries = mine.flatMap((choice) => choice.logprobs?.content ?? []);
        const text = mine.map((choice) => choice.delta.content ?? "").join("");
        choices.push({
            index,
            message: { content: text || (calls.length ? null : ""), tool_calls: calls.length ? calls : undefined },
            finish_reason: mine.at(-1).finish_reason,
            logprobs: entries.length ? { content: entries, refusal: null } : null,
        });
    }
    const { usage, verbatim, system_fingerprint } = chunks.at(-1);
    return { choices, usage, verbatim, system_fingerprint };
}

// Asks for the same whole, as a stream, and with the client's helper; all say the same.
export async function askEachWay(params) {
    const n = params.n ?? 1;
    const whole = await ask(params);
    const chunks = await collect(await chats.create({ ...params, ...STREAMED }));
    checkChunks(chunks, n, true, "chat.completion.chunk");
    const answer = joined(chunks, n);
    await keep(answer);
    assert.deepEqual(said(answer), said(whole));
    const helped = await chats.stream({ ...params, ...STREAMED }).finalChatCompletion();
    await keep(helped);
    assert.deepEqual(said(helped), said(whole));
    return whole;
}
