// All conversations, newest first, and what they can be narrowed by.

import { linkTo, read } from "./api.js";
import { h } from "./dom.js";
import { count, day, length, number, time, titleOf, when, whole, word } from "./words.js";

const SHOWN = 50;
const FACETS = [
  ["provider", "Provider"],
  ["status", "Status"],
  ["channel", "Channel"],
  ["agent", "Agent"],
  ["end_reason", "Ended by"],
  ["transcript", "Transcript"],
];
const MOST_OF_A_FACET = 12;
const SPANS = [
  ["Any time", null],
  ["Today", 1],
  ["7 days", 7],
  ["30 days", 30],
  ["90 days", 90],
];

export async function show(query, signal) {
  const asked = new URLSearchParams(query);
  asked.set("limit", SHOWN);
  const narrowed = new URLSearchParams(query);
  narrowed.delete("cursor");
  const facets = h("aside", { class: "facets", "aria-label": "Narrow the list" });
  read("/v1/facets", { query: narrowed, signal }).then(
    (found) => facets.replaceChildren(...drawn(found, narrowed)),
    () => facets.replaceChildren(), // the list is no less useful without
  );
  const { conversations, cursor } = await read("/v1/conversations", { query: asked, signal });
  const later = new URLSearchParams(narrowed);
  later.set("cursor", cursor);
  return {
    title: "",
    said: count(conversations.length, "conversation"),
    content: [
      h(
        "div",
        { class: "with-facets" },
        facets,
        h(
          "section",
          { class: "list" },
          h("h1", { class: "quiet" }, headline(narrowed)),
          conversations.length ? table(conversations) : nothing(narrowed),
          h(
            "p",
            { class: "pages" },
            query.has("cursor") && h("a", { href: `#/?${narrowed}` }, "Newest"),
            cursor && h("a", { href: `#/?${later}`, rel: "next" }, "Older"),
          ),
        ),
      ),
    ],
  };
}

function headline(query) {
  const chosen = [...query].map(([name, value]) => (name === "since" ? `since ${day(value)}` : word(value)));
  return chosen.length ? chosen.join(" · ") : "All conversations";
}

function nothing(query) {
  return query.size
    ? h("p", { class: "note" }, "No conversation is like that. ", h("a", { href: "#/" }, "Show all"))
    : h("p", { class: "note" }, "The store is empty. Fill it with ", h("code", null, "conversations-hub sync"), ".");
}

function table(conversations) {
  const head = ["When", "Conversation", "Length", "Ended"];
  return h(
    "table",
    { class: "rows" },
    h("thead", null, h("tr", null, head.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", null, conversations.map(row)),
  );
}

function row(conversation) {
  const at = when(conversation);
  const agent = conversation.agent?.name ?? conversation.agent?.id;
  const about = [word(conversation.provider), conversation.account !== "default" && conversation.account, agent, turnsOf(conversation)];
  return h(
    "tr",
    { "data-step": true },
    h("td", { class: "when" }, at ? h("time", { datetime: at, title: whole(at) }, h("span", null, day(at)), " ", h("span", null, time(at))) : "–"),
    h(
      "th",
      { scope: "row" },
      h("a", { href: linkTo(conversation.ref) }, titleOf(conversation)),
      h("small", null, about.filter(Boolean).join(" · ")),
      conversation.issues ? h("small", { class: "issue" }, count(conversation.issues, "issue")) : null,
    ),
    h("td", { class: "length" }, conversation.duration === null ? "–" : lengthOf(conversation)),
    h("td", { class: "ended" }, ended(conversation)),
  );
}

function turnsOf({ turns, transcript_state: state }) {
  if (turns !== null) return count(turns, "turn");
  return { pending: "transcript pending", restricted: "transcript restricted" }[state];
}

function lengthOf(conversation) {
  const text = length(conversation.duration);
  return conversation.estimated.includes("duration") ? h("abbr", { title: "estimated" }, `≈ ${text}`) : text;
}

export function ended(conversation) {
  if (conversation.end_reason) return word(conversation.end_reason);
  return h("span", { class: conversation.ended_at ? "" : "live" }, word(conversation.status));
}

function drawn({ facets, left_out: left }, query) {
  const spans = SPANS.map(([name, days]) => {
    const chosen = new URLSearchParams(query);
    chosen.delete("since");
    if (days) chosen.set("since", new Date(Math.floor(Date.now() / 864e5 - days + 1) * 864e5).toISOString().slice(0, 10));
    return choice(name, null, chosen, (query.get("since") ?? null) === (chosen.get("since") ?? null));
  });
  const groups = FACETS.filter(([name]) => Object.keys(facets[name] ?? {}).length > 1 || query.has(name)).map(([name, title]) => {
    const values = Object.entries(facets[name] ?? {}).sort(([, a], [, b]) => b - a);
    return group(
      title,
      values.slice(0, MOST_OF_A_FACET).map(([value, many]) => {
        const isChosen = query.getAll(name).includes(value);
        const chosen = new URLSearchParams(query);
        isChosen ? chosen.delete(name, value) : chosen.append(name, value);
        return choice(name === "agent" ? value : word(value), many, chosen, isChosen);
      }),
    );
  });
  const note = left.length ? h("p", { class: "quiet" }, `It would take too long to count by ${left.map(word).join(", ")}.`) : null;
  return [group("When", spans), ...groups, note].filter(Boolean);
}

function group(title, choices) {
  return h("section", null, h("h2", null, title), h("ul", null, choices));
}

function choice(name, many, query, isChosen) {
  const href = query.size ? `#/?${query}` : "#/";
  return h("li", null, h("a", { href, "aria-current": isChosen ? "true" : null }, name), many === null ? null : h("span", { class: "many" }, number(many)));
}
