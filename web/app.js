// The page: a conversation with the server, whose every answer shows its tokens and its receipt.
import { Refused, aboutServer, chat, setKey } from "./api.js";
import { byId, element } from "./dom.js";
import { receiptView } from "./receipt.js";
import { Tokens } from "./tokens.js";

const NEAR_END_PX = 80;

const state = {
    model: null,
    messages: [],
    logprobs: true, // until the server says that it has none
    running: null, // the AbortController of the answer that is being made
};

// The server.

const short = (hex) => (hex.length > 20 ? `${hex.slice(0, 12)}…` : hex);

function describeBeacon({ id, mode, fallback }) {
    const name = id ?? "the server's own chain";
    return `${name}, mode ${mode}` + (fallback ? `, else ${fallback}` : "");
}

// The name of the one model, or a choice among several.
function showModels(models) {
    state.model = models[0].id;
    byId("model").textContent = models[0].id;
    byId("model").title = `SHA-256 ${models[0].sha256}`;
    if (models.length > 1) {
        const choice = element("select", { id: "model", "aria-label": "Model" }, ...models.map((m) => element("option", {}, m.id)));
        choice.addEventListener("change", () => {
            state.model = choice.value;
        });
        byId("model").replaceWith(choice);
    }
}

async function showServer() {
    try {
        const about = await aboutServer();
        showModels(about.models);
        byId("beacon").textContent = `beacon: ${short(about.beacon.id ?? "local chain")}`;
        byId("beacon").title = describeBeacon(about.beacon);
        const rows = [...about.models.map((m) => ["Model", `${m.id}, SHA-256 ${m.sha256}`]),
            ["Beacon", describeBeacon(about.beacon)], ["Server's key", about.public_key], ["Arithmetic", about.arithmetic]];
        byId("server").replaceChildren(...rows.flatMap(([name, value]) =>
            [element("dt", {}, name), element("dd", {}, value)]));
    } catch (error) {
        byId("model").textContent = "no server";
        byId("problem").textContent = `The server can not be asked what it is: ${error.message}`;
    }
}

// Parameters.

// What was entered; null, and the field is focused, when something is no value of its kind.
function parameters() {
    const out = {};
    byId("problem").textContent = "";
    for (const name of ["temperature", "top_p", "max_tokens", "seed"]) {
        const input = byId(name);
        if (!input.checkValidity()) {
            byId("parameters").open = true;
            byId("problem").textContent = `${input.parentElement.firstChild.textContent.trim()}: ${input.validationMessage}`;
            input.focus();
            return null;
        }
        if (input.value !== "" && name !== "seed") {
            out[name] = input.valueAsNumber;
        }
    }
    // JSON has no number that begins with zeros.
    return { numbers: out, seed: byId("seed").value === "" ? null : String(BigInt(byId("seed").value)), isPrivate: byId("private").checked };
}

// The key.

// Resolves to whether a key was given.
function askForKey() {
    const dialog = byId("key-dialog"), input = byId("key");
    input.value = "";
    dialog.returnValue = "";
    dialog.showModal();
    input.focus();
    return new Promise((resolve) => dialog.addEventListener("close", () => {
        setKey(input.value || "");
        input.value = "";
        resolve(dialog.returnValue === "use");
    }, { once: true }));
}

// An answer.

// Follows the end of the page while the reader is there, and stays where they have scrolled to.
function keepAtEnd(change) {
    const page = document.scrollingElement;
    const near = page.scrollHeight - page.scrollTop - page.clientHeight < NEAR_END_PX;
    change();
    if (near) {
        page.scrollTop = page.scrollHeight;
    }
}

class Answer {
    constructor(asked, isPrivate) {
        this.asked = asked; // the messages
        this.isPrivate = isPrivate;
        this.text = element("div", { class: "text" });
        this.thoughts = element("div", { class: "text" });
        this.reasoningBox = element("details", { class: "reasoning" }, element("summary", {}, "Reasoning"), this.thoughts);
        this.reasoningBox.hidden = true;
        this.status = element("p", { class: "status note" }, "Waits for its turn…");
        this.box = element("article", { class: "answer", "aria-label": "Answer", "aria-busy": "true" },
            this.reasoningBox, this.text, this.status);
        this.tokens = new Tokens(this.text);
        this.thoughtTokens = new Tokens(this.thoughts);
        this.content = this.reasoning = "";
        this.commitment = this.id = this.prompt = this.finish = this.usage = null;
        this.began = performance.now();
    }

    take(chunk) {
        if (chunk.verbatim) {
            this.takeProof(chunk.verbatim);
        }
        this.usage = chunk.usage ?? this.usage;
        const choice = chunk.choices?.[0];
        if (!choice) {
            return;
        }
        const { content, reasoning_content } = choice.delta ?? {};
        const entries = choice.logprobs?.content ?? [];
        if (reasoning_content) {
            this.reasoning += reasoning_content;
            this.reasoningBox.hidden = false;
            this.thoughtTokens.add(reasoning_content, entries);
        }
        if (content) {
            this.content += content;
            this.tokens.add(content, entries);
        }
        if (entries.length) {
            byId("token-keys").hidden = false;
        }
        if (content || reasoning_content) {
            this.status.textContent = "Answers…";
        }
        this.finish = choice.finish_reason ?? this.finish;
    }

    // The first chunk has the commitment. A later one replaces it only where the beacon failed before
    // anything was drawn, and a fallback stands in; what comes with the text, or after it, is none.
    takeProof(proof) {
        if (!proof.verification_hash && this.content + this.reasoning === "") {
            this.commitment = proof.commitment;
        }
        this.id = proof.receipt_id;
        this.prompt = proof.prompt ?? null; // of a private receipt, which leaves it out
        if (proof.commitment?.mode && !proof.verification_hash) {
            const from = proof.commitment.mode === "fixed" ? "" : `; randomness from ${short(String(proof.commitment.beacon))}`;
            this.status.textContent = `Committed to as number ${proof.commitment.sequence}${from}…`;
        }
    }

    finished() {
        const seconds = ((performance.now() - this.began) / 1000).toFixed(1);
        const n = this.usage?.completion_tokens;
        const cut = this.finish === "length" ? ", cut off at the limit" : "";
        this.status.textContent = (n === undefined ? "" : `${n} tokens in `) + `${seconds} s${cut}`;
        this.box.append(receiptView(this));
        this.box.setAttribute("aria-busy", "false");
    }

    failed(error, stopped) {
        this.box.setAttribute("aria-busy", "false");
        const record = this.commitment ? ` Its commitment, number ${this.commitment.sequence}, ends in an abort record.` : "";
        this.status.textContent = (stopped ? "Stopped: there is no receipt." : error.message) + record;
        this.status.classList.toggle("problem", !stopped);
    }
}

// The chunks of an answer; a server that gives no probabilities is asked without them, one that wants a
// key is asked again with it.
async function* ask(entered, signal) {
    for (;;) {
        try {
            const extra = state.logprobs ? { logprobs: true, top_logprobs: 4 } : {};
            const wanted = entered.isPrivate ? { verbatim: { private: true } } : {};
            yield* chat({ model: state.model, messages: state.messages, ...entered.numbers, ...extra, ...wanted }, entered.seed, signal);
            return;
        } catch (error) {
            const refused = error instanceof Refused ? error : {};
            if (refused.status === 400 && refused.param === "logprobs" && state.logprobs) {
                state.logprobs = false;
            } else if (refused.status !== 401 || !(await askForKey())) {
                throw error;
            }
        }
    }
}

function setRunning(controller) {
    state.running = controller;
    byId("stop").hidden = !controller;
    byId("send").hidden = Boolean(controller);
}

async function send(text, entered) {
    const controller = new AbortController(), messages = state.messages;
    messages.push({ role: "user", content: text });
    const answer = new Answer([...messages], entered.isPrivate);
    byId("intro").hidden = true;
    setRunning(controller);
    keepAtEnd(() => byId("talk").append(element("article", { class: "question", "aria-label": "Question" }, text), answer.box));
    document.scrollingElement.scrollTop = document.scrollingElement.scrollHeight;
    try {
        for await (const chunk of ask(entered, controller.signal)) {
            keepAtEnd(() => answer.take(chunk));
        }
        keepAtEnd(() => answer.finished());
    } catch (error) {
        answer.failed(error, controller.signal.aborted);
    }
    if (answer.content) {
        messages.push({ role: "assistant", content: answer.content });
    } else {
        messages.pop(); // nothing was said to it
        byId("message").value ||= messages === state.messages ? text : "";
    }
    if (state.running === controller) {
        const hadFocus = document.activeElement === byId("stop") || document.activeElement === document.body;
        setRunning(null);
        if (hadFocus) {
            byId("message").focus();
        }
    }
}

function onSubmit(event) {
    event?.preventDefault();
    const message = byId("message"), entered = parameters();
    if (!state.running && entered && message.value.trim() !== "") {
        const text = message.value;
        message.value = "";
        send(text, entered);
    }
}

function startAgain() {
    state.running?.abort();
    setRunning(null);
    state.messages = [];
    byId("talk").replaceChildren();
    byId("intro").hidden = false;
    byId("problem").textContent = "";
    byId("message").focus();
}

// Light and dark: what the system prefers, until the button says otherwise.

function setTheme(dark, chosen) {
    byId("theme").setAttribute("aria-pressed", String(dark));
    if (chosen) {
        document.documentElement.dataset.theme = dark ? "dark" : "light";
    }
}

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
setTheme(prefersDark.matches, false);
prefersDark.addEventListener("change", () =>
    setTheme(document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : prefersDark.matches, false));
byId("theme").addEventListener("click", () => setTheme(byId("theme").getAttribute("aria-pressed") !== "true", true));

byId("ask").addEventListener("submit", onSubmit);
byId("message").addEventListener("keydown", (e) => {
    if (e.key === "Enter" && !e.shiftKey && !e.isComposing) {
        onSubmit(e);
    }
});
byId("stop").addEventListener("click", () => state.running?.abort());
byId("new").addEventListener("click", startAgain);
byId("key-form").addEventListener("submit", (e) => {
    e.preventDefault();
    byId("key-dialog").close("use");
});
byId("key-cancel").addEventListener("click", () => byId("key-dialog").close(""));
byId("message").focus();
showServer();
