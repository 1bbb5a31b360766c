// The server's API. The key, if one is needed, is in this module's memory and nowhere else.

// No event of an answer comes near this: what is longer, and has no end yet, is not one.
const EVENT_CHARACTERS_MAX = 16 << 20;

let key = "";

export function setKey(value) {
    key = value;
}

// What the server refused: status, and the error that its body names.
export class Refused extends Error {
    constructor(status, error) {
        super(typeof error?.message === "string" ? error.message : `The server answered ${status}.`);
        this.status = status;
        this.param = error?.param ?? null;
    }
}

async function request(path, options = {}) {
    const headers = { ...options.headers };
    if (key) {
        headers.Authorization = `Bearer ${key}`;
    }
    const answer = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit", redirect: "error" })
        .catch((error) => {
            throw error instanceof TypeError ? new Error("The server can not be reached.") : error; // not: a stop
        });
    if (!answer.ok) {
        const body = await answer.json().catch(() => null);
        throw new Refused(answer.status, body?.error);
    }
    return answer;
}

export async function aboutServer() {
    return (await request(".well-known/verbatim")).json();
}

// The receipt as the server wrote it: its hash is over these bytes, so they are passed on untouched.
export async function receiptOf(id) {
    return new Uint8Array(await (await request(`v1/receipts/${encodeURIComponent(id)}`)).arrayBuffer());
}

// receipt: its bytes; prompt: the record that belongs to a private one, or null.
export async function verify(receipt, prompt, level) {
    const body = prompt ? `{"receipt":${new TextDecoder().decode(receipt)},"prompt":${JSON.stringify(prompt)}}` : receipt;
    return (await request(`v1/verify?level=${level}`, { method: "POST", body })).json();
}

// The events of a stream: each `data:` up to an empty line, until [DONE]. A stream that ends before that
// is an error, as the answer may be incomplete.
async function* eventsOf(body) {
    const reader = body.getReader();
    const decoder = new TextDecoder("utf-8", { fatal: true });
    let text = "";
    for (;;) {
        const { done, value } = await reader.read();
        text += done ? decoder.decode() : decoder.decode(value, { stream: true });
        for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
            const data = text.slice(0, end).replace(/^data: ?/, "");
            text = text.slice(end + 2);
            if (data === "[DONE]") {
                return;
            }
            yield JSON.parse(data);
        }
        if (done || text.length > EVENT_CHARACTERS_MAX) {
            await reader.cancel();
            throw new Error("The answer broke off before its end.");
        }
    }
}

// Asks, and yields the chunks of the answer. seed: decimal digits, which may be more than a number of
// JavaScript can hold; null: none.
export async function* chat(parameters, seed, signal) {
    const all = { ...parameters, stream: true, stream_options: { include_usage: true } };
    const text = JSON.stringify(all);
    const answer = await request("v1/chat/completions", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: seed === null ? text : `${text.slice(0, -1)},"seed":${seed}}`,
        signal,
    });
    for await (const chunk of eventsOf(answer.body)) {
        if (chunk.error) {
            throw new Refused(answer.status, chunk.error);
        }
        yield chunk;
    }
}
