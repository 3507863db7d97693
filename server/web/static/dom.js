// The few things the pages do to their document. Text goes in as text, never as markup.

/** An element with a class, attributes and children; strings become text. */
export function make(tag, { className, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Show these children and nothing else; those that are null are left out. */
export function put(element, ...children) {
  element.replaceChildren(...children.filter((child) => child != null));
}

/** Set an element's text, and touch the page only when it differs. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Chinese with English after it, as two spans that a style can place. */
export function both([chinese, english]) {
  return [
    make("span", { className: "zh" }, chinese),
    " ",
    make("span", { className: "en", lang: "en" }, english),
  ];
}

/**
 * Make a list show the items in order, keeping the element of each key, so that what did not
 * change neither flickers nor starts its animation again. `fill(element, item, isNew)` shows one.
 */
export function showList(list, items, keyOf, create, fill) {
  const before = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const shown = items.map((item) => {
    const key = keyOf(item);
    const known = before.get(key);
    const element = known ?? create(item);
    element.dataset.key = key;
    fill(element, item, known === undefined);
    return element;
  });
  const kept = new Set(shown);
  for (const child of before.values()) if (!kept.has(child)) child.remove();
  shown.forEach((element, at) => {
    if (list.children[at] !== element) list.insertBefore(element, list.children[at] ?? null);
  });
}
