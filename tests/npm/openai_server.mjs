// OpenAI's own client against a running server: what it asks for it gets, in its own classes, and for
// each answer a receipt. Run by openai_server.test: openai_server.mjs CONFIG (JSON: origin, model, sha256,
// page, keys, form, call_token, parts, seen); what was seen of records is written to the file `seen`.
import assert from "node:assert/strict";
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import {
    OpenAI, SETTLED_MS, STREAMED, ask, askEachWay, chats, checkChunks, checkCommitment, client, collect, config,
    connect, joined, keep, keepAbort, metric, model, record, require, said, seen, story, tokensOf, user,
} from "./openai_client.mjs";

const { ChatCompletionStream } = require("openai/lib/ChatCompletionStream");
const { makeParseableResponseFormat, makeParseableTool } = require("openai/lib/parser");

async function models() {
    const ids = [];
    for await (const each of client.models.list()) {
        ids.push(each.id);
        assert.equal(each.object, "model");
        assert.equal(each.verbatim.model_sha256, config.sha256);
    }
    assert.deepEqual(ids, [model]);
    const one = await client.models.retrieve(model.toUpperCase());
    assert.deepEqual([one.id, typeof one.max_model_len, one.owned_by], [model, "number", "verbatim"]);
    await assert.rejects(client.models.retrieve("gpt 4/o"), (e) => {
        assert.ok(e instanceof OpenAI.NotFoundError);
        assert.deepEqual([e.status, e.code, e.param, e.type], [404, "model_not_found", "model", "invalid_request_error"]);
        return true;
    });
}

async function answers() {
    const first = await ask(story);
    assert.equal(first.choices[0].finish_reason, "length");
    assert.equal(first.usage.completion_tokens, 24);
    assert.deepEqual(said(await ask(story)), said(first), "the same seed");
    assert.notDeepEqual(said(await ask({ ...story, seed: 6 })).choices, said(first).choices, "another seed");
    const { max_tokens, ...rest } = story;
    assert.deepEqual(said(await ask({ ...rest, max_completion_tokens: max_tokens })), said(first));
    const ignored = {
        user: "u-1", safety_identifier: "s", prompt_cache_key: "k", service_tier: "auto", store: false,
        metadata: { a: "b" }, prediction: { type: "content", content: "Once" }, modalities: ["text"],
        response_format: { type: "text" }, temperature: null, tools: null, stop: null, audio: null,
        reasoning_effort: null,
    };
    assert.deepEqual(said(await ask({ ...story, ...ignored })), said(first), "what changes nothing");
    const own = { organization: "o", project: "p", defaultQuery: { "api-version": "1" }, defaultHeaders: { "X-A": "b" } };
    const configured = connect("alice", own);
    const other = await configured.chat.completions.create(story);
    await keep(other);
    assert.deepEqual(said(other), said(first), "headers and queries of a client's own");

    const named = (role, content) => ask({ ...story, messages: [{ role, content }, ...user("Who are you?")] });
    assert.deepEqual(said(await named("developer", "Be brief.")), said(await named("system", "Be brief.")));
    const texts = ["Tell me", "a story."].map((text) => ({ type: "text", text }));
    const inParts = await ask({ ...story, messages: user(texts) });
    assert.deepEqual(said(inParts), said(await ask({ ...story, messages: user("Tell me\na story.") })));

    const three = await askEachWay({ ...story, n: 3, temperature: 1.2, top_p: 0.9 });
    assert.equal(new Set(three.choices.map((choice) => choice.message.content)).size, 3, "three choices of one seed");
    const one = await ask({ ...story, temperature: 1.2, top_p: 0.9 });
    assert.equal(one.choices[0].message.content, three.choices[0].message.content);

    const greedy = { ...story, seed: undefined, temperature: 0 };
    const [a, b] = [await ask(greedy), await ask(greedy)];
    assert.deepEqual(said(a), said(b), "the likeliest tokens need no seed");
    const receipt = JSON.parse(seen.receipts[a.verbatim.receipt_id]);
    const banned = await ask({ ...greedy, logit_bias: { [receipt.outputs[0].tokens[0]]: -100 } });
    assert.notEqual(banned.choices[0].message.content[0], a.choices[0].message.content[0], "logit_bias");
    await stops();
}

async function stops() {
    const free = await ask({ ...story, max_tokens: 40, logprobs: true });
    const text = free.choices[0].message.content;
    const pieces = free.choices[0].logprobs.content.map((entry) => entry.token);
    const middle = pieces.slice(0, 12).join("").length;
    const across = text.slice(middle - 2, middle + 2);
    assert.ok(pieces.slice(0, 12).join("").endsWith(across.slice(0, 2)) && !pieces.includes(across));
    for (const stop of [across, ["no such text", across], [text.slice(middle), across]]) {
        const stopped = await askEachWay({ ...story, max_tokens: 40, stop });
        const { message, finish_reason } = stopped.choices[0];
        assert.deepEqual([message.content, finish_reason], [text.slice(0, text.indexOf(across)), "stop"]);
    }
    assert.equal((await ask({ ...story, max_tokens: 40, stop: [text[0]] })).choices[0].message.content, "");
}

async function streams() {
    const whole = await ask(story);
    const bare = await collect(await chats.create({ ...story, stream: true }));
    checkChunks(bare, 1, false, "chat.completion.chunk");
    assert.equal(joined(bare, 1).choices[0].message.content, whole.choices[0].message.content);
    await keep({ ...joined(bare, 1), usage: whole.usage });
    assert.ok(bare.filter((chunk) => chunk.choices[0].delta.content).length > 3, "in pieces");

    const events = {};
    const runner = chats.stream({ ...story, stream_options: { include_usage: true }, logprobs: true });
    const once = ["connect", "content.done", "logprobs.content.done", "message", "chatCompletion", "finalContent",
                  "finalMessage", "finalChatCompletion", "totalUsage", "end"];
    for (const name of [...once, "content", "content.delta", "logprobs.content.delta", "error"]) {
        runner.on(name, (...args) => (events[name] ??= []).push(structuredClone(args)));
    }
    const final = await runner.finalChatCompletion();
    await keep(final);
    const text = whole.choices[0].message.content;
    assert.equal(await runner.finalContent(), text);
    assert.equal((await runner.finalMessage()).role, "assistant");
    assert.equal((await runner.totalUsage()).total_tokens, whole.usage.total_tokens);
    assert.equal(events.error, undefined);
    assert.equal(events["content.delta"].map(([e]) => e.delta).join(""), text);
    assert.equal(events.content.at(-1)[1], text);
    assert.deepEqual(events["content.done"].map(([e]) => e.content), [text]);
    assert.equal(events["logprobs.content.delta"].flatMap(([e]) => e.content).length, 24);
    assert.deepEqual(events["logprobs.content.done"][0][0].content, final.choices[0].logprobs.content);
    assert.deepEqual(once.map((name) => events[name].length), once.map(() => 1));

    const passed = ChatCompletionStream.fromReadableStream(
        chats.stream({ ...story, ...STREAMED }).toReadableStream());
    const received = await passed.finalChatCompletion();
    await keep(received);
    assert.equal(received.choices[0].message.content, text, "through a stream of one's own");
    const [left, right] = (await chats.create({ ...story, stream: true })).tee();
    const [l, r] = await Promise.all([collect(left), collect(right)]);
    assert.deepEqual(l, r);
    await keep({ ...joined(l, 1), usage: whole.usage });
    const many = await Promise.all(Array.from({ length: 8 }, async (_, i) => {
        const chunks = await collect(await chats.create({ ...story, seed: 20 + i, ...STREAMED }));
        checkChunks(chunks, 1, true, "chat.completion.chunk");
        const answer = joined(chunks, 1);
        await keep(answer);
        return said(answer);
    }));
    for (const [i, answer] of many.entries()) {
        assert.deepEqual(answer, said(await ask({ ...story, seed: 20 + i })), "eight at once, and one alone");
    }
}

async function completions() {
    const prompt = "Once upon a time";
    const body = { model, prompt, max_tokens: 12, seed: 3 };
    const complete = async (params) => {
        const answer = await client.completions.create(params);
        assert.equal(answer.object, "text_completion");
        assert.match(answer.id, /^cmpl-[0-9a-f]{24}$/);
        const receipt = await keep(answer);
        const texts = answer.choices.map((choice) => choice.text.slice(params.echo ? prompt.length : 0));
        assert.deepEqual(texts, receipt.outputs.map((output) => output.text));
        return answer;
    };
    const textOf = async (params) => (await complete({ ...body, ...params })).choices[0].text;
    const text = await textOf({});
    assert.equal(await textOf({ suffix: "", best_of: 1, echo: true, user: "u" }), prompt + text);
    assert.equal(await textOf({ prompt: [prompt] }), text);
    assert.equal(await textOf({ prompt: await tokensOf(prompt) }), text, "a prompt of tokens");
    assert.equal((await complete({ ...body, max_tokens: undefined })).usage.completion_tokens, 16, "OpenAI's default");
    const stop = text.slice(5, 9);
    assert.equal(await textOf({ stop: [stop] }), text.slice(0, text.indexOf(stop)));
    const two = await complete({ ...body, n: 2, best_of: 2, logprobs: 3 });
    assert.equal(two.choices[0].text, text);
    for (const { text: whole, logprobs } of two.choices) {
        assert.equal(logprobs.tokens.join(""), whole);
        const offsets = logprobs.tokens.map((_, i) => logprobs.tokens.slice(0, i).join("").length);
        assert.deepEqual(logprobs.text_offset, offsets);
        for (const [i, top] of logprobs.top_logprobs.entries()) {
            const values = Object.values(top); // with the drawn token, as OpenAI has it
            assert.ok([3, 4].includes(values.length) && values.every((value) => value <= 0));
            assert.equal(top[logprobs.tokens[i]], logprobs.token_logprobs[i]);
        }
    }
    const chunks = await collect(await client.completions.create({ ...body, n: 2, logprobs: 3, ...STREAMED }));
    checkChunks(chunks, 2, true, "text_completion");
    const choices = two.choices.map(({ index }) => {
        const mine = chunks.flatMap((chunk) => chunk.choices).filter((choice) => choice.index === index);
        assert.deepEqual(mine.flatMap((choice) => choice.logprobs?.tokens ?? []), two.choices[index].logprobs.tokens);
        return { text: mine.map((choice) => choice.text).join(""), finish_reason: mine.at(-1).finish_reason };
    });
    assert.deepEqual(choices.map((choice) => choice.text), two.choices.map((choice) => choice.text));
    await keep({ ...chunks.at(-1), choices });
}

function checkLogprobs(entries, n) {
    for (const entry of entries) {
        const values = entry.top_logprobs.map((top) => top.logprob);
        assert.equal(values.length, n);
        assert.deepEqual(values, values.toSorted((a, b) => b - a));
        assert.ok(entry.logprob <= 0 && values.every((value) => value <= 0) && (n === 0 || entry.logprob <= values[0]));
        assert.ok(values.reduce((sum, value) => sum + Math.exp(value), 0) <= 1.000001);
        for (const top of entry.top_logprobs) {
            const same = Buffer.from(top.bytes).equals(Buffer.from(entry.bytes));
            assert.ok(!same || top.logprob === entry.logprob, "the drawn token among the likeliest");
        }
        const bytes = Buffer.from(entry.bytes), text = bytes.toString();
        const escaped = "bytes:" + entry.bytes.map((byte) => "\\x" + byte.toString(16)).join("");
        assert.equal(entry.token, Buffer.from(text).equals(bytes) ? text : escaped);
    }
    return Buffer.concat(entries.map((entry) => Buffer.from(entry.bytes))).toString();
}

async function logprobs() {
    for (const top_logprobs of [undefined, 0, 5, 20]) {
        const answer = await askEachWay({ ...story, n: 2, logprobs: true, top_logprobs });
        for (const { message, logprobs } of answer.choices) {
            assert.equal(checkLogprobs(logprobs.content, top_logprobs ?? 0), message.content);
        }
    }
    const without = await ask({ ...story, n: 2 });
    assert.deepEqual(without.choices.map((choice) => choice.logprobs), [null, null]);
    // Characters of several tokens: the answer can only be this text.
    const euros = "€ and 😀 é";
    const schema = { const: euros };
    const held = await askEachWay({ ...story, max_tokens: 60, logprobs: true, top_logprobs: 2,
        response_format: { type: "json_schema", json_schema: { name: "euros", strict: true, schema } } });
    assert.equal(JSON.parse(held.choices[0].message.content), euros);
    const { content } = held.choices[0].logprobs;
    assert.ok(content.some((entry) => entry.token.startsWith("bytes:")), "halves of characters");
    assert.equal(checkLogprobs(content, 2), held.choices[0].message.content);
}

// As zodResponseFormat writes a schema: definitions, nullable members, a dialect.
const SCHEMA = {
    type: "object",
    properties: {
        verdict: { type: "string", enum: ["yes", "no"], description: "Whether it is good." },
        points: { type: "array", items: { $ref: "#/definitions/reply_point" }, minItems: 1, maxItems: 2 },
        comment: { anyOf: [{ type: "string", maxLength: 8 }, { type: "null" }] },
        note: { type: ["integer", "null"] },
    },
    required: ["verdict", "points", "comment", "note"],
    additionalProperties: false,
    definitions: {
        reply_point: {
            type: "object", properties: { good: { type: "boolean" } }, required: ["good"], additionalProperties: false,
        },
    },
    $schema: "http://json-schema.org/draft-07/schema#",
};

function checkReply(reply) {
    assert.deepEqual(Object.keys(reply).sort(), ["comment", "note", "points", "verdict"]);
    assert.ok(["yes", "no"].includes(reply.verdict) && [1, 2].includes(reply.points.length));
    assert.ok(reply.points.every((point) => typeof point.good === "boolean" && Object.keys(point).length === 1));
    assert.ok(reply.comment === null || reply.comment.length <= 8);
    assert.ok(reply.note === null || Number.isInteger(reply.note));
    return reply;
}

// The demo model likes long white space, which JSON allows.
async function terse() {
    const ids = [(await tokensOf("\n"))[0], (await tokensOf(" "))[0]];
    return { ...story, max_tokens: 200, logit_bias: Object.fromEntries(ids.map((id) => [id, -100])) };
}

async function formats() {
    const base = await terse();
    const object = await askEachWay({ ...base, seed: 1, response_format: { type: "json_object" } });
    const { finish_reason, message } = object.choices[0];
    assert.ok(finish_reason === "length" || typeof JSON.parse(message.content) === "object");
    const json_schema = { name: "reply", description: "A verdict.", strict: true, schema: SCHEMA };
    const response_format = { type: "json_schema", json_schema };
    const held = await askEachWay({ ...base, n: 3, response_format });
    for (const choice of held.choices) {
        checkReply(JSON.parse(choice.message.content));
        assert.equal(choice.finish_reason, "stop");
    }

    const parseable = makeParseableResponseFormat(response_format, (text) => checkReply(JSON.parse(text)));
    const parsed = await chats.parse({ ...base, response_format: parseable });
    await keep(parsed);
    assert.deepEqual(parsed.choices[0].message.parsed, JSON.parse(held.choices[0].message.content));
    const runner = chats.stream({ ...base, response_format: parseable, ...STREAMED });
    const partial = [], done = [];
    runner.on("content.delta", (e) => partial.push(e.parsed)).on("content.done", (e) => done.push(e.parsed));
    const final = await runner.finalChatCompletion();
    await keep(final);
    assert.deepEqual(final.choices[0].message.parsed, parsed.choices[0].message.parsed);
    assert.deepEqual(done, [final.choices[0].message.parsed]);
    assert.ok(partial.some((value) => value && Object.keys(value).length < 4), "parts of the object as they come");
    const next = [...base.messages, parsed.choices[0].message, { role: "user", content: "Again?" }];
    await ask({ ...base, messages: next, response_format });

    let id;
    const cut = chats.stream({ ...base, max_tokens: 4, response_format: parseable, ...STREAMED });
    cut.once("chunk", (chunk) => (id = chunk.verbatim.receipt_id));
    await assert.rejects(cut.finalChatCompletion(), OpenAI.LengthFinishReasonError ?? /length limit/);
    await keepEither(id);
}

// The client has turned away when the answer was about to end: whichever came first has its record.
async function keepEither(id) {
    for (const until = Date.now() + SETTLED_MS; Date.now() < until; await sleep(20)) {
        const { state, text } = await record(id);
        if (state !== "open") {
            seen[state === "abort" ? "aborts" : "receipts"][id] = text;
            return;
        }
    }
    assert.fail("the commitment stays open");
}

async function proofs() {
    const params = { ...story, verbatim: { receipt: true, nonce: "n-1" } };
    const { data, response, request_id } = await chats.create(params).withResponse();
    const receipt = await keep(data);
    assert.equal(request_id, response.headers.get("x-request-id"));
    assert.equal(data._request_id, request_id);
    assert.equal(response.headers.get("verbatim-receipt"), data.verbatim.receipt_id);
    assert.equal(response.headers.get("verbatim-commitment"), data.verbatim.commitment.value);
    assert.deepEqual(data.verbatim.receipt, receipt);
    assert.equal(receipt.request.nonce, "n-1");
    assert.deepEqual([data.verbatim.commitment.mode, data.verbatim.commitment.beacon], ["fixed", null]);

    const raw = await chats.create(params).asResponse();
    const text = await raw.text();
    const { verbatim: proof, ...rest } = JSON.parse(text);
    await keep({ ...rest, verbatim: proof });
    assert.ok(text.includes(seen.receipts[proof.receipt_id]), "the receipt's bytes are in the body as they are");

    const asked = chats.create({ ...params, seed: undefined, ...STREAMED });
    const { data: stream, response: head } = await asked.withResponse();
    assert.match(head.headers.get("content-type"), /^text\/event-stream/);
    const chunks = await collect(stream);
    checkChunks(chunks, 1, true, "chat.completion.chunk");
    checkCommitment(chunks[0].verbatim.commitment);
    assert.equal(chunks[0].verbatim.commitment.mode, "local");
    assert.deepEqual(chunks.at(-1).verbatim.receipt, await keep(joined(chunks, 1)));

    await assert.rejects(record(data.verbatim.receipt_id, connect("bob")), OpenAI.NotFoundError, "another client's");
    await assert.rejects(record("vr-" + "0".repeat(24)), OpenAI.NotFoundError);
    assert.equal((await record(data.verbatim.receipt_id)).type, "application/vnd.verbatim.receipt+json");
}

async function refused(asked, type, expected, what) {
    await assert.rejects(asked, (e) => {
        assert.ok(e instanceof type && e instanceof OpenAI.APIError, `${what}: ${e}`);
        for (const [name, value] of Object.entries(expected)) {
            assert.equal(e[name], value, `${what}: ${name}: ${e}`);
        }
        assert.match(e.requestID, /^req-/);
        assert.ok(e.message.length > 12, e.message);
        return true;
    });
}

const REFUSED = [
    [{ temperature: 200 }, "temperature", "decimal_above_max_value"],
    [{ temperature: "1" }, "temperature", "invalid_type"],
    [{ n: 0 }, "n", "integer_below_min_value"],
    [{ n: 129 }, "n", "integer_above_max_value"],
    [{ max_tokens: 1.5 }, "max_tokens", "invalid_type"],
    [{ max_completion_tokens: 5 }, "max_tokens", "invalid_value"],
    [{ seed: -1 }, "seed", "integer_below_min_value"],
    [{ temprature: 1 }, "temprature", "unknown_parameter"],
    [{ functions: [{ name: "f" }] }, "functions", "unsupported_parameter"],
    [{ reasoning_effort: "low" }, "reasoning_effort", "unsupported_parameter"],
    [{ web_search_options: {} }, "web_search_options", "unsupported_parameter"],
    [{ modalities: ["text", "audio"] }, "modalities", "unsupported_value"],
    [{ logit_bias: { x: 1 } }, "logit_bias.x", "invalid_value"],
    [{ logit_bias: { 999999: 1 } }, "logit_bias.999999", "invalid_value"],
    [{ top_logprobs: 2 }, "top_logprobs", "invalid_value"],
    [{ stream_options: { include_usage: true } }, "stream_options", "invalid_value"],
    [{ tool_choice: "required" }, "tool_choice", "invalid_value"],
    [{ stop: [""] }, "stop", "invalid_value"],
    [{ messages: [] }, "messages", "array_below_min_length"],
    [{ messages: user([{ type: "image_url", image_url: { url: "data:" } }]) },
     "messages[0].content[0].type", "unsupported_value"],
    [{ messages: [{ role: "tool", content: "x" }] }, "messages[0].tool_call_id", "missing_required_parameter"],
    [{ messages: [{ role: "narrator", content: "x" }] }, "messages[0].role", "invalid_value"],
    [{ messages: user("word ".repeat(3000)) }, "messages", "context_length_exceeded"],
    [{ response_format: { type: "grammar" } }, "response_format.type", "unsupported_value"],
    [{ response_format: { type: "json_schema", json_schema: { name: "a", schema: { type: "string", pattern: "x" } } } },
     "response_format.json_schema.schema.pattern", "unsupported_value"],
    [{ verbatim: { mode: "never" } }, "verbatim.mode", "invalid_value"],
    [{ verbatim: { mode: "next" } }, "verbatim.mode", "invalid_value"],
];

async function errors() {
    const before = await metric("verbatim_commitments_total");
    const { AuthenticationError, BadRequestError, NotFoundError, APIError } = OpenAI;
    const denied = { status: 401, code: "invalid_api_key" };
    await refused(connect("wrong").chat.completions.create(story), AuthenticationError, denied, "a wrong key");
    await refused(connect("wrong").models.list(), AuthenticationError, denied, "a wrong key");
    const absent = { status: 404, code: "model_not_found", param: "model" };
    await refused(chats.create({ ...story, model: "gpt-4o" }), NotFoundError, absent, "a model");
    for (const [params, param, code] of REFUSED) {
        for (const stream of [false, true]) {
            const expected = { status: 400, type: "invalid_request_error", param, code };
            if (!(stream && "stream_options" in params)) {
                const what = JSON.stringify(params).slice(0, 120);
                await refused(chats.create({ ...story, ...params, stream }), BadRequestError, expected, what);
            }
        }
    }
    await assert.rejects(chats.stream({ ...story, n: 0 }).finalChatCompletion(), BadRequestError);
    const prompts = client.completions.create({ model, prompt: ["a", "b"] });
    const several = { status: 400, param: "prompt", code: "unsupported_value" };
    await refused(prompts, BadRequestError, several, "several prompts");
    if (!config.form) {
        const asked = chats.create({ ...story, tools: [NOW] });
        const without = { status: 400, param: "tools", code: "unsupported_parameter" };
        await refused(asked, BadRequestError, without, "a model without tools");
    }
    // Answered before the body has come: the client must not take it for a broken connection.
    const vast = { ...story, messages: user("word ".repeat(1 << 20)) };
    for (let i = 0; i < 3; i++) {
        await refused(chats.create(vast), APIError, { status: 413, code: "body_too_large" }, "a body of 5 MiB");
        await refused(connect("wrong").chat.completions.create(vast), APIError, { status: 413 }, "and a wrong key");
    }
    const large = { ...story, messages: user("word ".repeat(1 << 19)) };
    await refused(connect("wrong").chat.completions.create(large), AuthenticationError, denied, "a body of 2.5 MiB");
    const unknown = { status: 404, code: "unknown_url" };
    await refused(client.embeddings.create({ model, input: "x" }), NotFoundError, unknown, "embeddings");
    await refused(client.responses.create({ model, input: "x" }), NotFoundError, unknown, "responses");
    await refused(chats.list(), APIError, { status: 405, code: "method_not_allowed" }, "stored chats");
    assert.equal(await metric("verbatim_commitments_total"), before, "what is refused is not committed to");
}

// A client that notes what it asks of the network.
function counting(name, options) {
    const statuses = [], headers = new Set();
    const counted = async (url, init) => {
        new Headers(init.headers).forEach((value, header) => headers.add(header));
        const response = await fetch(url, init);
        statuses.push(response.status);
        return response;
    };
    return { client: connect(name, { ...options, fetch: counted }), statuses, headers };
}

// In a page the browser asks first whether the client may send what it sends.
async function pages() {
    const { client: page, headers } = counting("alice", { organization: "o", project: "p" });
    await keep(await page.chat.completions.create(story));
    await keep(await page.chat.completions.stream({ ...story, ...STREAMED }).finalChatCompletion());
    headers.delete("user-agent"); // a browser's own
    const names = [...headers].filter((name) => name !== "accept");
    assert.ok(names.length >= 10 && names.includes("x-stainless-helper-method"), String(names));
    const ask = (origin) => fetch(config.origin + "/v1/chat/completions", { method: "OPTIONS", headers: {
        Origin: origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": names.join() } });
    const allowed = (await ask(config.page)).headers;
    assert.equal(allowed.get("access-control-allow-origin"), config.page);
    const listed = allowed.get("access-control-allow-headers").toLowerCase().split(", ");
    assert.deepEqual(names.filter((name) => !listed.includes(name)), []);
    assert.equal((await ask("https://other.example")).headers.get("access-control-allow-origin"), null);
    const { response } = await connect("alice", { defaultHeaders: { Origin: config.page } }).models.list().withResponse();
    assert.match(response.headers.get("access-control-expose-headers"), /X-Request-Id, .*Verbatim-Receipt, Retry-After, X-Should-Retry/);
}

async function limits() {
    const hasty = counting("hasty", { maxRetries: 0 });
    let error;
    for (let i = 0; i < 600 && !error; i++) {
        await hasty.client.models.list().catch((e) => (error = e));
    }
    assert.ok(error instanceof OpenAI.RateLimitError, String(error));
    assert.deepEqual([error.status, error.code, error.headers.get("retry-after")], [429, "rate_limit_exceeded", "1"]);
    const patient = counting("hasty", { maxRetries: 3 });
    await patient.client.models.list();
    await patient.client.models.list();
    assert.ok(patient.statuses.includes(429), String(patient.statuses));
    assert.equal(patient.statuses.filter((status) => status === 200).length, 2);

    const single = connect("single");
    const long = await single.chat.completions.create({ ...LONG, stream: true });
    const first = await long[Symbol.asyncIterator]().next();
    const busy = { status: 429, code: "concurrency_limit_exceeded" };
    await refused(single.chat.completions.create(story), OpenAI.RateLimitError, busy, "two at once");
    const retrying = counting("single", { maxRetries: 5 });
    const waiting = retrying.client.models.list();
    while (!retrying.statuses.includes(429)) {
        await sleep(5);
    }
    long.controller.abort();
    assert.equal((await waiting).data.length, 1);
    await keepAbort(first.value.verbatim.receipt_id, single);
}

// Answers that do not come to an end by themselves.
const LONG = { ...story, seed: undefined, n: 8, max_tokens: 900, response_format: { type: "json_schema", json_schema: {
    name: "long", schema: { type: "array", items: { type: "string", minLength: 60000 } } } } };

async function aborts() {
    const began = await chats.create({ ...LONG, stream: true });
    for await (const chunk of began) {
        began.controller.abort();
        await keepAbort(chunk.verbatim.receipt_id);
        break;
    }
    let id;
    for await (const chunk of await chats.create({ ...LONG, stream: true })) {
        id ??= chunk.verbatim.receipt_id;
        if (chunk.choices[0].delta.content) {
            break; // which the client takes for an abort
        }
    }
    await keepAbort(id);
    const controller = new AbortController();
    const ids = [];
    const signalled = await chats.create({ ...LONG, stream: true }, { signal: controller.signal });
    for await (const chunk of signalled) {
        ids.push(chunk.verbatim?.receipt_id);
        if (ids.length === 20) {
            controller.abort();
        }
    }
    await keepAbort(ids[0]);
    const runner = chats.stream(LONG);
    runner.once("content", () => runner.abort());
    runner.once("chunk", (chunk) => (id = chunk.verbatim.receipt_id));
    await assert.rejects(runner.done(), OpenAI.APIUserAbortError);
    assert.ok(runner.aborted);
    await keepAbort(id);

    // Whole answers: given up when the commitment is made, and by the client's own clock.
    let before = await metric("verbatim_commitments_total");
    const given = new AbortController();
    const asked = chats.create(LONG, { signal: given.signal });
    asked.catch(() => {});
    while ((await metric("verbatim_commitments_total")) === before) {
        await sleep(5);
    }
    given.abort();
    await assert.rejects(asked, OpenAI.APIUserAbortError);
    before = await metric("verbatim_commitments_total");
    const hurried = counting("alice", { timeout: 150, maxRetries: 1 });
    await assert.rejects(hurried.client.chat.completions.create(LONG), OpenAI.APIConnectionTimeoutError);
    seen.unseen += 1 + (await metric("verbatim_commitments_total")) - before;
    await expire();
    for (const until = Date.now() + SETTLED_MS; await metric("verbatim_answers_under_way"); await sleep(20)) {
        assert.ok(Date.now() < until, "answers that nobody waits for come to an end");
    }
}

// A deadline of the request's own: an error inside a stream, a status otherwise.
async function expire() {
    const late = { ...LONG, verbatim: { deadline_ms: 100 } };
    const stream = await chats.create({ ...late, stream: true });
    const chunks = [];
    await assert.rejects(async () => {
        for await (const chunk of stream) {
            chunks.push(chunk);
        }
    }, (e) => {
        assert.ok(e instanceof OpenAI.APIError);
        assert.deepEqual([e.code, e.status], ["cancelled", undefined]);
        return true;
    });
    await keepAbort(chunks[0].verbatim.receipt_id);
    let id;
    const retrying = counting("alice", { maxRetries: 2 });
    await assert.rejects(retrying.client.chat.completions.create(late), (e) => {
        assert.ok(e instanceof OpenAI.InternalServerError, String(e));
        assert.deepEqual([e.status, e.code, e.type], [503, "cancelled", "server_error"]);
        id = e.headers.get("verbatim-receipt");
        return true;
    });
    assert.deepEqual(retrying.statuses, [503], "past its deadline a request is not made again");
    await keepAbort(id);
}

// Tools.

const object = (properties) => ({
    type: "object", properties, required: Object.keys(properties), additionalProperties: false,
});
const NOW = { type: "function", function: {
    name: "now", description: "The time.", strict: true,
    parameters: object({ zone: { type: "string", enum: ["UTC", "CET"] } }) } };
const ADD = { type: "function", function: {
    name: "add", parameters: object({ a: { type: "integer" }, b: { type: "integer" } }) } };
const named = (name) => ({ type: "function", function: { name } });

// The token that prints a call comes first, then others; a space ends the answer.
const forced = {
    ...story, seed: undefined, temperature: 0, repetition_penalty: 100, max_tokens: 120, stop: [" ", "\n", "."],
    messages: user("What time is it?"), logit_bias: { [config.call_token]: 100 },
};

function checkCall(call, name) {
    assert.deepEqual([call.type, call.function.name], ["function", name ?? call.function.name]);
    assert.match(call.id, /^call_[0-9a-f]+$/);
    const values = JSON.parse(call.function.arguments);
    if (call.function.name === "now") {
        assert.ok(Object.keys(values).length === 1 && ["UTC", "CET"].includes(values.zone));
    } else {
        assert.deepEqual([call.function.name, Object.keys(values).sort()], ["add", ["a", "b"]]);
        assert.ok(Number.isInteger(values.a) && Number.isInteger(values.b));
    }
}

async function tools() {
    const base = { ...(await terse()), messages: user("What time is it?"), tools: [NOW, ADD] };
    const auto = await askEachWay({ ...forced, tools: [NOW, ADD] });
    const { message, finish_reason } = auto.choices[0];
    assert.deepEqual([message.content, finish_reason, message.tool_calls.length], [null, "tool_calls", 1]);
    checkCall(message.tool_calls[0], "now");
    const spelt = { tools: [NOW, ADD], tool_choice: "auto", parallel_tool_calls: true };
    assert.deepEqual(said(await ask({ ...forced, ...spelt })), said(auto), "the defaults");
    const none = await askEachWay({ ...forced, tools: [NOW], tool_choice: "none" });
    assert.equal(none.choices[0].message.tool_calls, undefined);
    assert.ok(none.choices[0].message.content.includes('"UTC"'), "text is text");
    const required = await askEachWay({ ...base, n: 3, temperature: 3, tool_choice: "required" });
    for (const choice of required.choices) {
        assert.equal(choice.finish_reason, "tool_calls");
        checkCall(choice.message.tool_calls[0]);
    }
    const add = await askEachWay({ ...base, tool_choice: named("add") });
    checkCall(add.choices[0].message.tool_calls[0], "add");
    const cut = await askEachWay({ ...base, tools: [ADD], tool_choice: named("add"), max_tokens: 2 });
    assert.deepEqual([cut.choices[0].finish_reason, cut.choices[0].message.tool_calls], ["length", undefined]);

    // The message goes back as it came, with what the tool said.
    const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: "Noon." };
    const back = await ask({ ...story, messages: [...forced.messages, message, result], tools: [NOW, ADD] });
    const prompt = JSON.parse(JSON.parse(seen.receipts[back.verbatim.receipt_id]).prompt.text);
    assert.deepEqual(prompt.messages[1].tool_calls[0].function.arguments, { zone: "UTC" });
    assert.deepEqual(prompt.messages[2], result);
    const bad = (params, param) =>
        refused(chats.create({ ...base, ...params }), OpenAI.BadRequestError, { status: 400, param }, param);
    await bad({ tool_choice: named("other") }, "tool_choice.function.name");
    await bad({ tool_choice: "sometimes" }, "tool_choice");
    const allowed = { type: "allowed_tools", allowed_tools: { mode: "auto", tools: [named("now")] } };
    await bad({ tool_choice: allowed }, "tool_choice.type");
    await bad({ tools: [NOW, NOW] }, "tools[1].function.name");
    await bad({ tools: [{ type: "custom", custom: { name: "c" } }] }, "tools[0].type");
    await bad({ response_format: { type: "json_object" } }, "response_format");
    const half = { ...message.tool_calls[0], function: { name: "now", arguments: "{" } };
    const messages = [...forced.messages, { ...message, tool_calls: [half] }, result];
    await bad({ messages }, "messages[1].tool_calls[0].function.arguments");
}

// Several calls of one answer: the bias is worn off by their number.
async function parallel() {
    const params = {
        ...forced, repetition_penalty: 1, frequency_penalty: 2, logit_bias: { [config.call_token]: 24 }, tools: [NOW],
    };
    const several = await askEachWay(params);
    const { message, finish_reason } = several.choices[0];
    assert.equal(finish_reason, "tool_calls");
    assert.ok(message.tool_calls.length >= 2, String(message.tool_calls.length));
    assert.equal(new Set(message.tool_calls.map((call) => call.id)).size, message.tool_calls.length);
    message.tool_calls.forEach((call) => checkCall(call, "now"));
    const content = [{ type: "text", text: "Noon." }];
    const results = message.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content }));
    await ask({ ...story, messages: [...params.messages, message, ...results], tools: [NOW] });
    const one = await ask({ ...params, parallel_tool_calls: false });
    assert.equal(one.choices[0].message.tool_calls.length, 1);
}

async function runners() {
    const strict = { ...forced, tools: [NOW] };
    const parsed = await chats.parse(strict);
    await keep(parsed);
    assert.deepEqual(parsed.choices[0].message.tool_calls[0].function.parsed_arguments, { zone: "UTC" });
    const done = [];
    const streamed = chats.stream({ ...strict, ...STREAMED });
    streamed.on("tool_calls.function.arguments.done", (e) => done.push(e));
    await keep(await streamed.finalChatCompletion());
    const events = done.map((e) => [e.name, e.index, e.arguments, e.parsed_arguments]);
    assert.deepEqual(events, [["now", 0, '{"zone":"UTC"}', { zone: "UTC" }]]);

    for (const stream of [false, true]) {
        const zones = [];
        const callback = ({ zone }) => (zones.push(zone), { time: "noon" });
        const now = makeParseableTool(NOW, { parser: JSON.parse, callback });
        const more = stream ? STREAMED : {};
        // The model calls each time that it may: two rounds, of which the second has the first's result.
        const runner = chats.runTools({ ...forced, ...more, tools: [now] }, { maxChatCompletions: 2 });
        const told = [];
        runner.on("functionToolCall", (call) => told.push(call.name));
        runner.on("functionToolCallResult", (text) => told.push(text));
        await runner.done();
        assert.deepEqual(zones, ["UTC", "UTC"]);
        assert.deepEqual(told, ["now", '{"time":"noon"}', "now", '{"time":"noon"}']);
        const roles = runner.messages.map((message) => message.role);
        assert.deepEqual(roles, ["user", "assistant", "tool", "assistant", "tool"]);
        assert.equal((await runner.finalFunctionToolCall()).name, "now");
        for (const each of runner.allChatCompletions()) {
            await keep(each);
        }
        const plain = { type: "function", function: { function: () => 7, parse: JSON.parse, ...ADD.function } };
        const once = chats.runTools({ ...(await terse()), ...more, tools: [plain], tool_choice: named("add") });
        assert.equal(await once.finalFunctionToolCallResult(), "7");
        await keep(await once.finalChatCompletion());
    }
}

// A prompt that ends in <think>: the client passes on members that it does not know.
async function reasoning() {
    const thinking = { ...story, chat_template_kwargs: { thinks: true } };
    const whole = await ask(thinking);
    const { message } = whole.choices[0];
    assert.ok(message.reasoning_content.length > 20 && message.content === "");
    assert.ok(whole.usage.completion_tokens_details.reasoning_tokens > 0);
    const chunks = await collect(await chats.create({ ...thinking, ...STREAMED }));
    await keep(joined(chunks, 1));
    const thoughts = chunks.map((chunk) => chunk.choices[0]?.delta.reasoning_content ?? "");
    assert.equal(thoughts.join(""), message.reasoning_content);
    const back = await ask({ ...story, messages: [...story.messages, message, ...user("And then?")] });
    const prompt = JSON.parse(JSON.parse(seen.receipts[back.verbatim.receipt_id]).prompt.text);
    assert.equal(prompt.messages[1].reasoning_content, message.reasoning_content);
}

// Over HTTPS, in a process that was not told to trust the server.
async function untrusted() {
    await assert.rejects(client.models.list(), (e) => {
        assert.ok(e instanceof OpenAI.APIConnectionError);
        assert.match(String(e.cause?.cause?.code), /SELF_SIGNED/);
        return true;
    });
}

const parts = {
    models, answers, streams, completions, logprobs, formats, proofs, errors, limits, pages, aborts, tools, parallel,
    runners, reasoning, untrusted,
};
let failed = 0;
for (const name of config.parts) {
    const started = Date.now();
    try {
        await parts[name]();
        console.log(`  ${name}: ${Date.now() - started} ms`);
    } catch (e) {
        failed++;
        console.log(`FAIL ${name}:`, e);
    }
}
fs.writeFileSync(config.seen, JSON.stringify(seen));
process.exit(failed ? 1 : 0);
