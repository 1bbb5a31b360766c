// The tokens of an answer as elements, each with its probability: on hover, on focus, by arrow keys.
import { byId, element } from "./dom.js";

const BANDS = [0.9, 0.6, 0.3, 0.1]; // from p0, as good as certain, to p4
const TIP_GAP_PX = 6;

const percent = (p) => (p >= 0.9995 ? ">99.9" : p < 0.0005 ? "<0.1" : (100 * p).toFixed(1)) + " %";
const band = (p) => BANDS.findIndex((least) => p >= least);

// Visible, as a space or a line feed alone is not.
const shown = (text) => text.replace(/\n/g, "⏎").replace(/\t/g, "⇥").replace(/ /g, "␣") || "(nothing)";

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
    // tokens' bytes are exactly the text: where a tag was taken out, say, the text stands without.
    add(text, entries) {
        this.waiting.push(...entries);
        const groups = wholeCharacters(this.waiting);
        let n = 0, joined = "";
        while (n < groups.length && joined.length < text.length) {
            joined += groups[n++].text;
        }
        if (n === 0 || joined !== text) {
            this.waiting = [];
            this.box.append(text);
            return;
        }
        this.waiting = groups.slice(n).flatMap((g) => g.entries);
        groups.slice(0, n).forEach((g) => this.addToken(g));
    }

    addToken({ text, entries }) {
        const logprob = entries.reduce((sum, e) => sum + e.logprob, 0);
        const at = band(Math.exp(logprob));
        const token = element("span", { class: `token p${at < 0 ? BANDS.length : at}` }, text);
        token.tabIndex = this.box.querySelector(".token") ? -1 : 0; // one stop of the Tab key for all
        token.setAttribute("aria-describedby", "tip");
        this.details.set(token, { text, logprob, others: entries.length === 1 ? entries[0].top_logprobs ?? [] : [] });
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

// Entries in groups of which each is whole characters: a token may be half of one.
function wholeCharacters(entries) {
    const groups = [];
    let pending = [];
    for (const entry of entries) {
        pending.push(entry);
        const bytes = Uint8Array.from(pending.flatMap((e) => e.bytes ?? [...new TextEncoder().encode(e.token)]));
        try {
            groups.push({ text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes), entries: pending });
            pending = [];
        } catch {
            continue; // the next token has the rest of the character
        }
    }
    return groups;
}

function showTip(token, { text, logprob, others }) {
    const tip = byId("tip");
    tip.replaceChildren(element("p", {}, element("code", {}, shown(text)), ` ${percent(Math.exp(logprob))}`));
    const rest = others.filter((o) => o.token !== text);
    if (rest.length) {
        tip.append(element("p", { class: "note" }, "It might have been:"),
            element("ul", {}, ...rest.map((o) =>
                element("li", {}, element("code", {}, shown(o.token)), ` ${percent(Math.exp(o.logprob))}`))));
    }
    tip.hidden = false;
    const from = token.getClientRects()[0] ?? token.getBoundingClientRect();
    const left = Math.min(from.left, document.documentElement.clientWidth - tip.offsetWidth - TIP_GAP_PX);
    const above = from.top - tip.offsetHeight - TIP_GAP_PX;
    tip.style.left = `${Math.max(TIP_GAP_PX, left)}px`;
    tip.style.top = `${above >= 0 ? above : from.bottom + TIP_GAP_PX}px`;
}

function hideTip() {
    byId("tip").hidden = true;
}
