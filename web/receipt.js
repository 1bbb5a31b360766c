// The receipt of an answer: what was checked and by whom, the file, and the command that checks it elsewhere.
import { receiptOf, verify } from "./api.js";
import { button, element } from "./dom.js";

const MARKS = { pass: "✓", fail: "✗", skip: "–" };
const WORDS = { pass: "passed", fail: "failed", skip: "not checked" };
const HEX_64 = /^[0-9a-f]{64}$/;
const RECEIPT_ID = /^vr-[0-9a-f]{1,64}$/;

const sameMessages = (a, b) => a.length === b?.length &&
    a.every((m, i) => m.role === b[i].role && m.content === b[i].content);

// What only who asked and read the stream can know: what came first, what was asked, and what was shown.
function checksHere(receipt, answer) {
    const text = receipt.outputs?.[0]?.text ?? "";
    const same = answer.reasoning
        ? text.includes(answer.reasoning.trim()) && text.trimEnd().endsWith(answer.content.trimEnd())
        : text === answer.content;
    const first = answer.commitment?.value;
    const prompt = receipt.prompt?.tokens ? receipt.prompt : answer.prompt?.prompt; // a private one has none
    const check = (name, good, yes, no) => ({ name, status: good ? "pass" : "fail", detail: good ? yes : no });
    const checks = [
        check("commitment-first", first && first === receipt.commitment?.value,
            "the receipt's commitment came before the answer", "the commitment that came before the answer is another"),
        check("prompt-asked", sameMessages(answer.asked, prompt?.messages),
            "the prompt is this conversation", "the prompt is not this conversation"),
        check("text-shown", same, "the receipt's text is the one on this page", "the receipt has another text than this page"),
    ];
    if (answer.isPrivate) {
        checks.push(check("prompt-left-out", receipt.prompt && [receipt.prompt.tokens, receipt.prompt.messages, receipt.prompt.text]
            .every((part) => part === null), "the receipt is private, as asked", "the receipt has the prompt, which was to be left out"));
    }
    return checks;
}

function listOf(title, checks) {
    return element("section", {}, element("h4", {}, title), element("ul", { class: "checks" }, ...checks.map((c) => {
        const status = WORDS[c.status] ? c.status : "fail";
        const line = element("li", { class: status },
            element("span", { class: "mark", "aria-hidden": "true" }, MARKS[status]),
            element("span", { class: "name" }, String(c.name)),
            element("span", { class: "hidden" }, ` ${WORDS[status]}: `),
            element("span", { class: "detail" }, String(c.reason || c.detail || WORDS[status])));
        if (c.grade) {
            line.append(element("span", { class: "grade" }, String(c.grade)));
        }
        return line;
    })));
}

const fileOf = (id) => `${RECEIPT_ID.test(id) ? id : "receipt"}.json`;
const promptFileOf = (id) => fileOf(id).replace(/json$/, "prompt.json");

// With the key and the commitment that came before the answer, whatever the receipt says. The names go into
// a command that people paste into a shell: they are what they must be, or there is none.
function commandOf(id, { commitment, prompt }) {
    if (!RECEIPT_ID.test(id) || !HEX_64.test(commitment?.value) || !HEX_64.test(commitment.server_key)) {
        return null;
    }
    return `verbatim verify ${fileOf(id)} --model MODEL.gguf --key ${commitment.server_key} --commitment ${commitment.value}` +
        (prompt ? ` --prompt ${promptFileOf(id)}` : "");
}

function commandBox(receipt, answer) {
    const command = commandOf(receipt.id, answer);
    if (!command) {
        return element("p", { class: "problem" }, "The names of this receipt are not of the form that receipts have: there is no command to check it.");
    }
    const copy = button("Copy the command", async () => {
        try {
            await navigator.clipboard.writeText(command);
            copy.textContent = "Copied";
        } catch { // pages over plain HTTP from another machine have no clipboard
            getSelection().selectAllChildren(code);
            copy.textContent = "Selected: copy it with Ctrl+C";
        }
    });
    const code = element("code", { tabindex: "0" }, command);
    return element("div", { class: "command" },
        element("p", {}, "The server checked its own receipt. To trust nobody, check it yourself:"),
        element("pre", {}, code),
        element("p", { class: "note" }, "MODEL.gguf is the model's file, with the SHA-256 ",
            element("code", {}, String(receipt.request.model_sha256)), "."),
        copy);
}

// Saves bytes as a file, as they are.
function download(bytes, name) {
    const url = URL.createObjectURL(new Blob([bytes], { type: "application/json" }));
    const link = element("a", { href: url, download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
}

function summarise(report, here) {
    const checks = [...here, ...report.checks];
    const count = (status) => checks.filter((c) => c.status === status).length;
    const failed = count("fail") > 0 || report.verdict !== "VERIFIED";
    const refutedHere = here.some((c) => c.status === "fail");
    const verdict = refutedHere ? "REFUTED" : String(report.verdict);
    return {
        failed,
        verdict,
        reason: refutedHere ? `the receipt is not of what this page saw, whatever the server says of it (${report.verdict})`
            : String(report.reason ?? report.note),
        text: failed ? `Receipt: ${verdict}`
            : `Receipt: ${count("pass")} checks passed` + (report.replayed ? ", replayed with the model" : ""),
    };
}

// Files, and what else can be done with the receipt.
function toolsOf({ receipt, bytes, report, answer }, replay) {
    const tools = element("div", { class: "actions" },
        button("Download the receipt", () => download(bytes, fileOf(receipt.id))));
    if (answer.prompt) {
        const record = new TextEncoder().encode(JSON.stringify(answer.prompt));
        tools.append(button("Download the prompt", () => download(record, promptFileOf(receipt.id))));
    }
    if (!report.replayed) {
        tools.append(replay);
    }
    return tools;
}

function show(box, summary, state) {
    const { receipt, bytes, report, answer } = state;
    const here = checksHere(receipt, answer);
    const { failed, verdict, reason, text } = summarise(report, here);
    summary.textContent = text;
    box.classList.toggle("failed", failed);
    box.classList.toggle("passed", !failed);
    const open = report.checks.filter((c) => c.status === "skip" && !c.detail).length;
    const replay = button("Replay with the model", async () => {
        replay.disabled = true;
        replay.textContent = "Replaying…";
        try {
            state.report = await verify(bytes, answer.prompt, "full");
            show(box, summary, state);
            summary.focus();
        } catch (error) {
            replay.disabled = false;
            replay.textContent = `Replay again (${error.message})`;
        }
    });
    const body = element("div", { class: "receipt-body" },
        element("p", {}, element("strong", {}, verdict), ` — ${reason}`),
        listOf("Checked on this page", here),
        listOf("Checked by the server", report.checks.filter((c) => c.status !== "skip" || c.detail)));
    if (open) {
        body.append(element("p", { class: "note" }, `${open} further checks were not asked for: they need the model, an opening, or what you expected.`));
    }
    if (answer.prompt) {
        body.append(element("p", { class: "note" },
            "The receipt is private: it leaves the prompt out, and only this page has it. Who is to replay the answer needs both files."));
    }
    body.append(toolsOf(state, replay), commandBox(receipt, answer));
    box.replaceChildren(summary, body);
}

// The receipt of an answer, as an element that is there at once and filled when it is checked.
// answer: { id, asked, isPrivate, commitment, prompt, content, reasoning }
export function receiptView(answer) {
    const summary = element("summary", {}, "Receipt: being checked…");
    const box = element("details", { class: "receipt" }, summary);
    (async () => {
        try {
            const bytes = await receiptOf(answer.id);
            const receipt = JSON.parse(new TextDecoder().decode(bytes));
            show(box, summary, { answer, bytes, receipt, report: await verify(bytes, answer.prompt, "receipt") });
        } catch (error) {
            summary.textContent = "Receipt: could not be checked";
            box.classList.add("failed");
            box.append(element("p", { class: "problem" }, error.message));
        }
    })();
    return box;
}
