// Which view is shown: the address says, and nothing else.

import { Problem, keepToken, takeToken } from "./api.js";
import { show as showConversation } from "./conversation.js";
import { h, say } from "./dom.js";
import { listen } from "./keys.js";
import { show as showList } from "./list.js";
import { show as showNumbers } from "./numbers.js";
import { show as showFound } from "./search.js";

const main = document.getElementById("main");
const search = document.querySelector("form[role=search]");
let running = new AbortController();

/** Read the address: the path after the number sign, and its query. */
function address() {
  const [path, query] = location.hash.replace(/^#/, "").split("?");
  return { path: path || "/", query: new URLSearchParams(query) };
}

function viewOf({ path, query }) {
  if (path === "/") return [showList, query];
  if (path === "/search") return [showFound, query];
  if (path === "/stats") return [showNumbers, query];
  if (path.startsWith("/c/")) return [showConversation, query, decodeURIComponent(path.slice("/c/".length))];
  return null;
}

async function show() {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const here = address();
  search.elements.q.value = here.path === "/search" ? (here.query.get("q") ?? "") : "";
  for (const link of document.querySelectorAll("nav a")) {
    const isHere = link.hash === `#${here.path}`;
    isHere ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  }
  say("Loading …");
  main.setAttribute("aria-busy", "true");
  try {
    const view = viewOf(here);
    if (!view) throw new Problem(404, "No such page", "This address leads nowhere. Go back to all conversations.");
    const [make, ...words] = view;
    const { title, content, said, shown } = await make(...words, signal);
    if (signal.aborted) return;
    document.title = title ? `${title} · Conversations` : "Conversations";
    main.replaceChildren(...content);
    main.focus({ preventScroll: true });
    if (!shown) scrollTo(0, 0);
    say(said ?? "");
    shown?.();
  } catch (error) {
    if (error.name !== "AbortError" && !signal.aborted) fail(error);
  } finally {
    if (!signal.aborted) main.removeAttribute("aria-busy");
  }
}

function fail(error) {
  if (!(error instanceof Problem)) throw error;
  const title = error.status === 401 ? "Who are you?" : error.title;
  document.title = `${title} · Conversations`;
  main.replaceChildren(
    h("section", { class: "note" }, h("h1", null, title), error.status === 401 ? tokenForm() : h("p", null, error.message.endsWith(title) ? "" : error.message)),
  );
  main.focus({ preventScroll: true });
  say(error.message);
}

function tokenForm() {
  const field = h("input", { id: "token", name: "token", autocomplete: "off", spellcheck: "false", required: true });
  const submit = (event) => {
    event.preventDefault();
    keepToken(field.value.trim());
    show();
  };
  return h(
    "form",
    { class: "token", onsubmit: submit },
    h("p", null, "The server printed an address with a token when it started. Open that address, or paste the token here."),
    h("label", { for: "token" }, "Token"),
    field,
    h("button", null, "Go on"),
  );
}

search.addEventListener("submit", (event) => {
  event.preventDefault();
  const words = search.elements.q.value.trim();
  if (words) location.hash = `#/search?${new URLSearchParams({ q: words })}`;
});

takeToken();
listen(main, search);
addEventListener("hashchange", () => {
  takeToken();
  show();
});
show();
