// Elements, made of text nodes only: nothing that came over the network is ever parsed as HTML.

export const byId = (id) => document.getElementById(id);

// element("p", { class: "note" }, "text", anotherElement)
export function element(name, attributes = {}, ...children) {
    const e = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
        e.setAttribute(key, value);
    }
    e.append(...children);
    return e;
}

export function button(label, onClick) {
    const b = element("button", { type: "button" }, label);
    b.addEventListener("click", onClick);
    return b;
}
