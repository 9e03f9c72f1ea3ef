// What can be done without a mouse. Every key has a link or a button that does the same.

import { h } from "./dom.js";

const KEYS = [
  ["/", "Search"],
  ["j, k", "Next or previous conversation, or turn"],
  ["Enter", "Open it"],
  ["n, p", "Next or previous place that was found"],
  ["Space", "Play or pause the recording"],
  ["Esc", "Back to the list"],
  ["?", "These keys"],
];

export function listen(main, search) {
  const help = document.getElementById("help");
  help.querySelector("dl").append(...KEYS.map(([key, does]) => h("div", null, h("dt", null, h("kbd", null, key)), h("dd", null, does))));
  document.getElementById("keys").addEventListener("click", () => help.showModal());
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || help.open) return;
    if (event.target.closest("input, textarea, select, audio")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === " " && event.target.closest("button, summary, a")) return;
    if (act(event.key, main, search, help)) event.preventDefault();
  });
}

function act(key, main, search, help) {
  switch (key) {
    case "/":
      search.elements.q.select();
      return true;
    case "?":
      help.showModal();
      return true;
    case "j":
    case "k":
      return step(main.querySelectorAll("[data-step]"), key === "j" ? 1 : -1);
    case "n":
    case "p":
      return step(main.querySelectorAll("[data-found]"), key === "n" ? 1 : -1);
    case " ": {
      const audio = main.querySelector("audio");
      if (!audio) return false;
      audio.paused ? audio.play() : audio.pause();
      return true;
    }
    case "Escape":
      if (!location.hash.startsWith("#/c/")) return false;
      history.length > 1 ? history.back() : (location.hash = "#/");
      return true;
    default:
      return false;
  }
}

/** Move the focus to the next one; without a focus among them, to the first one on the screen. */
function step(found, by) {
  const all = [...found];
  if (!all.length) return false;
  const at = all.findIndex((one) => one === document.activeElement || one.contains(document.activeElement));
  const onScreen = all.findIndex((one) => one.getBoundingClientRect().bottom > 0);
  const next = at < 0 ? Math.max(onScreen, 0) : Math.min(Math.max(at + by, 0), all.length - 1);
  const target = all[next].matches("a, [tabindex]") ? all[next] : all[next].querySelector("a, [tabindex]");
  target.focus({ preventScroll: true });
  all[next].scrollIntoView({ block: "nearest" });
  return true;
}
