"""The page as a person uses it: what its tests share. VB_SHOTS names a folder for pictures of it."""
import base64
import os
from urllib.parse import urlsplit

LAST = "[...document.querySelectorAll('.answer')].at(-1)"

# The least contrast of any text that is seen, and whose it is (WCAG 2.1, 1.4.3).
CONTRAST = """(() => {
    const numbers = (c) => c.match(/[\\d.]+/g).map(Number);
    const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, w, i) => {
        const v = c[i] / 255;
        return sum + w * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); }, 0);
    const ground = (e) => { for (; e; e = e.parentElement) {
        const c = numbers(getComputedStyle(e).backgroundColor);
        if (c.length === 3 || c[3] === 1) return c; } return [255, 255, 255]; };
    let least = [99, "nothing"];
    for (const e of document.querySelectorAll("body *")) {
        const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || e.matches("textarea, input");
        if (!own || !e.checkVisibility() || e.matches(":disabled, script, noscript")) continue;
        const a = light(numbers(getComputedStyle(e).color)), b = light(ground(e));
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < least[0]) least = [ratio, e.outerHTML.slice(0, 120)];
    }
    return least;
})()"""


def shoot(browser, name):
    folder = os.environ.get("VB_SHOTS")
    if folder:
        browser.value(f"{LAST}?.previousSibling.scrollIntoView({{ block: 'start' }})")
        with open(os.path.join(folder, name + ".png"), "wb") as f:
            f.write(base64.b64decode(browser.call("Page.captureScreenshot")["data"]))


def ask(browser, question):
    """By keyboard, from wherever the focus is."""
    before = browser.value("document.querySelectorAll('.answer').length")
    browser.tab_to("at.id === 'message'", "the message")
    browser.type(question)
    browser.press("Enter")
    browser.wait(f"document.querySelectorAll('.answer').length > {before}", "an answer begins")


def finish(browser):
    browser.wait(f"{LAST}.getAttribute('aria-busy') === 'false'", "the answer ends")


def open_receipt(browser):
    browser.wait(f"{LAST}.querySelector('.receipt.passed, .receipt.failed')", "the receipt is checked")
    browser.value("document.getElementById('message').focus()")
    browser.tab_to("at.matches('.receipt > summary') && at.closest('.answer') === " + LAST, "the receipt", shift=True)
    browser.press("Enter")
    browser.wait(f"{LAST}.querySelector('.receipt').open", "the receipt opens")


def complaints_are(checks, browser, expected, what):
    """Exactly the expected ones: each has a text that must be in one complaint."""
    found = list(browser.complaints)
    for text in expected:
        match = next((c for c in found if text in c), None)
        if checks.that(match, f"{what}: the browser should have said {text}: {found}"):
            found.remove(match)
    checks.equal(found, [], f"{what}: console and policy")
    browser.complaints.clear()


def only_host(checks, browser, port, what):
    hosts = {urlsplit(u).netloc for u in browser.urls if u.startswith(("http", "ws"))}
    others = [u for u in browser.urls if not u.startswith(("http://", "blob:", "data:", "about:"))]
    checks.equal((hosts, others), ({f"127.0.0.1:{port}"}, []), f"{what}: nobody else is asked")
    browser.urls.clear()
