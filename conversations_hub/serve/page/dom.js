// Elements are made of elements and text only, never of markup, so what somebody said stays a text.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element. Attributes that are null or false are left out; `on…` attributes are listeners. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an element of a drawing. */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Put a text where a screen reader reads it out. */
export function say(text) {
  document.getElementById("status").textContent = text;
}
