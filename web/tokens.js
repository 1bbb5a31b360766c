// The tokens of an answer as elements, each with its probability: on hover, on focus, by arrow keys.
import { byId, element } from "./dom.js";

const BANDS = [0.9, 0.6, 0.3, 0.1]; // from p0, as good as certain, to p4
const TIP_GAP_PX = 6;

const percent = (p) => (p >= 0.9995 ? ">99.9" : p < 0.0005 ? "<0.1" : (100 * p).toFixed(1)) + " %";
const band = (p) => BANDS.findIndex((least) => p >= least);

// Visible, as a space or a line feed alone is not.
const shown = (text) => text.replace(/\n/g, "⏎").replace(/\t/g, "⇥").replace(/ /g, "␣") || "(no text)";

// A view of one answer's tokens in `box`.
export class Tokens {
    constructor(box) {
        this.box = box;
        this.waiting = []; // entries of which the text has not come yet
        this.details = new WeakMap();
        box.addEventListener("keydown", (e) => this.onKey(e));
        for (const [show, hide] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
            box.addEventListener(show, (e) => this.details.has(e.target) && showTip(e.target, this.details.get(e.target)));
            box.addEventListener(hide, hideTip);
        }
    }

    // A piece of text, and the logprobs that came with it. A token's probability is shown only where the
    // tokens' bytes are the text, white space at its ends apart: else the text stands without.
    add(text, entries) {
        this.waiting.push(...entries);
        const groups = wholeCharacters(this.waiting);
        const { begin, end } = placeOf(text, groups);
        if (begin === end) {
            this.waiting = [];
            this.addPlain(text);
            return;
        }
        this.waiting = groups.slice(end).flatMap((g) => g.entries);
        this.addTokens(text, groups.slice(begin, end));
    }

    // White space that the server held back comes apart from its token, or not at all.
    addTokens(text, groups) {
        let rest = text.startsWith(groups[0].text) ? text : text.trimStart();
        this.addPlain(text.slice(0, text.length - rest.length));
        for (const group of groups) {
            const t = group.text;
            const seen = [t, t.trimStart(), t.trimEnd(), t.trim()].find((part) => rest.startsWith(part));
            if (seen !== "") {
                this.addToken(seen, group);
                rest = rest.slice(seen.length);
            }
        }
        this.addPlain(rest);
    }

    addPlain(text) {
        if (text !== "") {
            this.box.append(text);
        }
    }

    addToken(seen, { text, entries }) {
        const logprob = entries.reduce((sum, e) => sum + e.logprob, 0);
        const at = band(Math.exp(logprob));
        const token = element("span", { class: `token p${at < 0 ? BANDS.length : at}` }, seen);
        token.tabIndex = this.box.querySelector(".token") ? -1 : 0; // one stop of the Tab key for all
        token.setAttribute("aria-describedby", "tip");
        this.details.set(token, { text, logprob, others: entries.length === 1 ? othersOf(entries[0]) : [] });
        this.box.append(token);
    }

    onKey(e) {
        const tokens = [...this.box.querySelectorAll(".token")], at = tokens.indexOf(e.target);
        const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tokens.length - 1 }[e.key];
        if (e.key === "Escape") {
            hideTip();
        } else if (at >= 0 && tokens[to]) {
            e.preventDefault();
            tokens[at].tabIndex = -1;
            tokens[to].tabIndex = 0;
            tokens[to].focus();
        }
    }
}

const othersOf = (entry) => (entry.top_logprobs ?? []).filter((o) => o.token !== entry.token);

const decode = (bytes, options) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes), options);

// Entries in groups of which each is whole characters, as a token may be half of one; of the last group an
// end may be missing. Bytes that are no character become U+FFFD in the same places as in the server's text.
function wholeCharacters(entries) {
    const groups = [];
    let pending = [], bytes = [], text = "";
    for (const entry of entries) {
        pending.push(entry);
        bytes = bytes.concat(entry.bytes ?? [...new TextEncoder().encode(entry.token)]);
        text = decode(bytes);
        if (text === decode(bytes, { stream: true })) { // nothing waits for further bytes
            groups.push({ text, entries: pending });
            pending = [];
            bytes = [];
        }
    }
    if (pending.length) {
        groups.push({ text, entries: pending });
    }
    return groups;
}

// The first groups in a row that are the text, from begin up to end; none: begin is end. Before and after
// them may stand what the server took out of the text: the tags of reasoning, say.
function placeOf(text, groups) {
    const core = text.trim();
    for (const same of [(joined) => joined === text, (joined) => joined.trim() === core]) {
        for (let begin = 0; begin < groups.length; begin++) {
            for (let end = begin, joined = ""; end < groups.length && joined.trim().length <= core.length;) {
                joined += groups[end++].text;
                if (same(joined)) {
                    return { begin, end };
                }
            }
        }
    }
    return { begin: 0, end: 0 };
}

let shownToken = null; // whose tip is seen

function showTip(token, { text, logprob, others }) {
    const tip = byId("tip");
    const line = (name, token, p) => element(name, {}, element("code", {}, shown(token)), ` ${percent(Math.exp(p))}`);
    tip.replaceChildren(line("p", text, logprob));
    if (others.length) {
        tip.append(element("p", { class: "note" }, "It might have been:"),
            element("ul", {}, ...others.map((o) => line("li", o.token, o.logprob))));
    }
    tip.hidden = false;
    shownToken = token;
    placeTip();
}

function placeTip() {
    const tip = byId("tip");
    const from = shownToken.getClientRects()[0] ?? shownToken.getBoundingClientRect();
    const left = Math.min(from.left, document.documentElement.clientWidth - tip.offsetWidth - TIP_GAP_PX);
    const above = from.top - tip.offsetHeight - TIP_GAP_PX;
    tip.style.left = `${Math.max(TIP_GAP_PX, left)}px`;
    tip.style.top = `${above >= 0 ? above : from.bottom + TIP_GAP_PX}px`;
}

function hideTip() {
    byId("tip").hidden = true;
    shownToken = null;
}

addEventListener("scroll", () => shownToken && placeTip(), { passive: true });
