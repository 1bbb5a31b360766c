// RFC 6962 section 2.1 by its own definition: the reference that the contracts are held against.
import { createHash } from "node:crypto";

const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts.map((p) => Buffer.from(p)))).digest();
export const leafHash = (entry) => sha256([0], entry);
const node = (a, b) => sha256([1], a, b);
const hex = (b) => "0x" + b.toString("hex");

function split(n) {
    let k = 1;
    while (2 * k < n) {
        k *= 2;
    }
    return k;
}

function mth(leaves) {
    if (leaves.length === 0) {
        return sha256([]);
    }
    if (leaves.length === 1) {
        return leaves[0];
    }
    const k = split(leaves.length);
    return node(mth(leaves.slice(0, k)), mth(leaves.slice(k)));
}

function path(m, leaves) {
    if (leaves.length <= 1) {
        return [];
    }
    const k = split(leaves.length);
    return m < k ? [...path(m, leaves.slice(0, k)), mth(leaves.slice(k))]
        : [...path(m - k, leaves.slice(k)), mth(leaves.slice(0, k))];
}

function subproof(m, leaves, whole) {
    if (m === leaves.length) {
        return whole ? [] : [mth(leaves)];
    }
    const k = split(leaves.length);
    return m <= k ? [...subproof(m, leaves.slice(0, k), whole), mth(leaves.slice(k))]
        : [...subproof(m - k, leaves.slice(k), false), mth(leaves.slice(0, k))];
}

export const root = (leaves) => hex(mth(leaves));
export const audit = (m, leaves) => path(m, leaves).map(hex);
export const consistency = (m, leaves) => subproof(m, leaves, true).map(hex);
export const textDigest = (text) => hex(sha256(Buffer.from("verbatim.text.v1\n"), Buffer.from(text)));
