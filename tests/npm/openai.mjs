// Gives the golden responses to OpenAI's client, through a fetch that no network stands behind, and
// compares what the client makes of them; then has TypeScript check each body and chunk against the
// client's types. Run: openai.mjs FOLDER_OF_GOLDEN_FILES
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const folder = process.argv[2];
const modules = process.env.VB_NPM_DIR + "/node_modules/";
const require = createRequire(modules);
const OpenAI = require("openai").default;
const ts = require("typescript");

const read = (name) => fs.readFileSync(path.join(folder, name));

// A client whose every request is answered with these bytes, given in pieces of one size.
function client(bytes, { status = 200, type = "application/json", piece = bytes.length } = {}) {
    const fetch = async () => {
        const body = new ReadableStream({
            start(controller) {
                for (let at = 0; at < bytes.length; at += piece) {
                    controller.enqueue(new Uint8Array(bytes.subarray(at, at + piece)));
                }
                controller.close();
            },
        });
        return new Response(body, { status, headers: { "content-type": type } });
    };
    return new OpenAI({ apiKey: "none", baseURL: "http://127.0.0.1:9/v1", fetch, maxRetries: 0 });
}

const chat = { model: "tiny-qwen2", messages: [{ role: "user", content: "hi" }] };
const prompt = { model: "tiny-qwen2", prompt: "hi" };
const sse = { type: "text/event-stream" };

async function wholeAnswers() {
    const a = await client(read("golden_chat.json")).chat.completions.create(chat);
    assert.equal(a.choices[0].message.content, 'Hi€ "\\\n\t\u0001\u007f</script>');
    assert.equal(a.choices[0].message.reasoning_content, "hm");
    assert.equal(a.choices[0].logprobs.content.length, 3);
    const bytes = a.choices[0].logprobs.content.flatMap((token) => token.bytes);
    assert.equal(Buffer.from(bytes).toString(), "Hi€");
    assert.equal(a.choices[1].message.content, null);
    assert.equal(JSON.parse(a.choices[1].message.tool_calls[0].function.arguments).city, "Köln");
    assert.equal(a.choices[2].finish_reason, "length");
    assert.equal(a.usage.total_tokens, 46);
    assert.equal(a.verbatim.receipt.format, "verbatim.receipt/1");
    assert.match(a.verbatim.verification_hash, /^[0-9a-f]{64}$/);
    const b = await client(read("golden_completion.json")).completions.create(prompt);
    assert.deepEqual(b.choices.map((choice) => choice.text), ["Hi€", " 😀"]);
    assert.deepEqual(b.choices[0].logprobs.text_offset, [0, 2, 2]);
    const list = await client(read("golden_models.json")).models.list();
    assert.deepEqual(list.data.map((model) => model.id), ["tiny-qwen2", 'a "b"']);
}

// The client's own assembly of a stream, for every size of the pieces that a network may make.
async function streams() {
    const bytes = read("golden_chat.sse");
    for (const piece of [1, 2, 3, 7, 64, 1000, bytes.length]) {
        const runner = client(bytes, { ...sse, piece }).chat.completions.stream({
            ...chat,
            stream_options: { include_usage: true },
        });
        const chunks = [];
        for await (const chunk of runner) {
            chunks.push(chunk);
        }
        const answer = await runner.finalChatCompletion();
        assert.equal(answer.choices.length, 1);
        const { message, finish_reason } = answer.choices[0];
        assert.equal(message.role, "assistant");
        assert.equal(message.content, "Hi€\n");
        assert.equal(finish_reason, "tool_calls");
        assert.deepEqual(message.tool_calls.map((call) => call.id), ["call_0", "call_1"]);
        assert.equal(message.tool_calls[0].function.arguments, '{"city": "Köln"}');
        assert.equal(answer.usage.total_tokens, 46);
        assert.equal(chunks.length, 9);
        const ours = chunks.filter((chunk) => chunk.verbatim);
        assert.equal(ours.length, 2);
        assert.ok(ours[0] === chunks[0] && !("verification_hash" in ours[0].verbatim));
        assert.ok(ours[1] === chunks.at(-1) && ours[1].verbatim.receipt);
        assert.equal(ours[0].verbatim.commitment.value, ours[1].verbatim.receipt.commitment.value);
        const thoughts = chunks.map((chunk) => chunk.choices[0]?.delta.reasoning_content ?? "");
        assert.equal(thoughts.join(""), "hm");
    }
    const texts = ["", ""];
    const stream = await client(read("golden_completion.sse"), sse).completions.create({
        ...prompt,
        stream: true,
    });
    for await (const chunk of stream) {
        texts[chunk.choices[0].index] += chunk.choices[0].text;
    }
    assert.deepEqual(texts, ["Hi€", "yes"]);
}

async function failures() {
    const stream = await client(read("golden_failure.sse"), sse).chat.completions.create({
        ...chat,
        stream: true,
    });
    let chunks = 0;
    await assert.rejects(async () => {
        for await (const chunk of stream) {
            chunks += chunk.choices.length;
        }
    }, /did not answer/);
    assert.equal(chunks, 1);
    const body = { message: "no", type: "invalid_request_error", param: "model", code: "model_not_found" };
    const bytes = Buffer.from(JSON.stringify({ error: body }));
    await assert.rejects(client(bytes, { status: 404 }).chat.completions.create(chat), (e) => {
        assert.ok(e instanceof OpenAI.NotFoundError);
        assert.equal(e.code, "model_not_found");
        assert.equal(e.param, "model");
        return true;
    });
}

// A body as the argument of a function that takes the client's type: literals stay literals, and
// members that the type does not have, ours, are allowed.
function types() {
    const events = (name) =>
        read(name).toString().split("\n\n").filter((e) => e.startsWith("data: {")).map((e) => e.slice(6));
    const checks = [
        ["ChatCompletion", [read("golden_chat.json").toString()]],
        ["Completion", [read("golden_completion.json").toString(), ...events("golden_completion.sse")]],
        ["ChatCompletionChunk", events("golden_chat.sse")],
        ["Model", JSON.parse(read("golden_models.json")).data.map((m) => JSON.stringify(m))],
    ];
    const diagnose = (source) => {
        const file = path.join(modules, "golden.ts");
        const options = { strict: true, noEmit: true, skipLibCheck: true, types: [],
            target: ts.ScriptTarget.ES2022, lib: ["lib.es2022.d.ts", "lib.dom.d.ts"],
            module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler };
        const host = ts.createCompilerHost(options);
        const { getSourceFile, fileExists } = host;
        host.fileExists = (name) => name === file || fileExists(name);
        host.getSourceFile = (name, ...rest) =>
            name === file ? ts.createSourceFile(name, source, options.target) : getSourceFile(name, ...rest);
        const program = ts.createProgram([file], options, host);
        return [...program.getSyntacticDiagnostics(), ...program.getSemanticDiagnostics()].map((d) =>
            ts.flattenDiagnosticMessageText(d.messageText, "\n"));
    };
    const imports =
        'import type { ChatCompletion, ChatCompletionChunk } from "openai/resources/chat/completions";\n' +
        'import type { Completion } from "openai/resources/completions";\n' +
        'import type { Model } from "openai/resources/models";\n';
    let source = imports, n = 0;
    for (const [type, bodies] of checks) {
        source += `declare function is${type}<T extends ${type}>(body: T): void;\n`;
        for (const body of bodies) {
            // Not in the types: a completion's finish_reason that is null until the end, as the API
            // has it, and reasoning, which OpenAI does not show but other servers do.
            const shaped = JSON.stringify(JSON.parse(body, (name, value) => {
                if (name === "finish_reason" && value === null && type === "Completion") {
                    return "stop";
                }
                return name === "reasoning_content" ? undefined : value;
            }));
            source += `is${type}(${shaped});\n`;
            n++;
        }
    }
    assert.deepEqual(diagnose(source), []);
    // The check can fail.
    const wrong = imports + "declare function is<T extends Model>(body: T): void;\nis({ id: 7 });\n";
    assert.notEqual(diagnose(wrong).length, 0);
    return n;
}

await wholeAnswers();
await streams();
await failures();
const n = types();
console.log(`OpenAI's client reads all golden answers; ${n} bodies and chunks have its types`);
