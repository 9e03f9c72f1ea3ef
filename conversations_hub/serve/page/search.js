// What was found: the words where they were said.

import { linkTo, read } from "./api.js";
import { h } from "./dom.js";
import { SPEAKERS, clock, count, day, whole, word } from "./words.js";

const SHOWN = 50;
const [BEGIN, END] = ["\u0002", "\u0003"]; // around each found word

export async function show(query, signal) {
  const words = query.get("q") ?? "";
  const asked = new URLSearchParams(query);
  asked.set("limit", SHOWN);
  const found = await read("/v1/search", { query: asked, signal });
  const groups = Map.groupBy(found.hits, (hit) => hit.ref);
  const later = new URLSearchParams(query);
  later.set("cursor", found.cursor);
  const said = found.hits.length ? `Where somebody said “${words}”` : `Nobody said “${words}”.`;
  return {
    title: words,
    said: `${said}: ${count(found.hits.length, "turn")}`,
    content: [
      h(
        "section",
        { class: "found" },
        h("h1", { class: "quiet" }, said),
        found.hits.length ? null : h("p", { class: "note" }, "Try fewer words, or the start of one with a star: refund*"),
        [...groups.values()].map((hits) => of(hits, words)),
        h("p", { class: "pages" }, found.cursor && h("a", { href: `#/search?${later}`, rel: "next" }, "Older")),
      ),
    ],
  };
}

function of(hits, words) {
  const [{ ref, title, created_at: at }] = hits;
  const [target, id] = ref.split(/:(.*)/);
  return h(
    "article",
    { "data-step": true },
    h("h2", null, h("a", { href: linkTo(ref) }, title ?? `Conversation ${id.slice(-8)}`)),
    h("p", { class: "quiet" }, word(target), at ? [" · ", h("time", { datetime: at, title: whole(at) }, day(at))] : null),
    h("ol", null, hits.map((hit) => line(hit, words))),
  );
}

function line(hit, words) {
  const address = `${linkTo(hit.ref, hit.position)}&${new URLSearchParams({ q: words })}`;
  return h(
    "li",
    { class: `turn ${hit.role}` },
    h("span", { class: "who" }, SPEAKERS[hit.role], hit.start === null ? null : h("span", { class: "at" }, ` ${clock(hit.start)}`)),
    h("a", { href: address, "data-found": true }, marked(hit.snippet)),
  );
}

/** Return a text in which what stands between the two marks is marked. */
export function marked(text) {
  return text.split(BEGIN).flatMap((part, place) => {
    if (!place) return [part];
    const [found, rest = ""] = part.split(END);
    return [h("mark", null, found), rest];
  });
}
