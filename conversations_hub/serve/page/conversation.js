// One conversation, to be read like a page of a play.

import { ask, linkTo, pathOf, read } from "./api.js";
import { h, say } from "./dom.js";
import { lanes, moveTo } from "./lanes.js";
import { ended } from "./list.js";
import { SPEAKERS, clock, count, day, length, number, time, titleOf, when, whole, word } from "./words.js";

const AT_ONCE = 400; // turns built in one go, so that the page answers meanwhile
const LONG_GAP = 1.5; // seconds before an answer that are worth a word
const OVERLAP = 0.2; // seconds
const LINE = 72; // characters of what is folded
const STATES = {
  not_loaded: "The transcript was not fetched yet.",
  pending: "The transcript is not ready yet at the provider.",
  unavailable: "The provider has no transcript of it.",
  restricted: "The account may not read the transcript.",
  truncated: "The provider cut the transcript: turns are missing.",
};

export async function show(query, ref, signal) {
  const response = await ask(pathOf(ref), { signal });
  const conversation = await response.json();
  const turns = conversation.transcript ?? [];
  const wanted = query.has("t") ? Number(query.get("t")) : null;
  const found = query.get("q")?.match(/[\p{L}\p{N}]+/gu) ?? [];
  const script = h("div", { class: "script" });
  const player = recording(response.headers.get("Link"), conversation, script);
  const drawing = lanes(turns, conversation.duration, (index) => choose(ref, turns[index], player), player !== null);
  const build = builder(conversation, script, player);
  build(wanted === null ? AT_ONCE : Math.max(AT_ONCE, turns.findIndex((turn) => turn.index === wanted) + 20));
  const title = titleOf(conversation);
  return {
    title,
    said: count(turns.length, "turn"),
    content: [
      h(
        "article",
        { class: "conversation" },
        heading(conversation, title),
        drawing,
        player,
        h("div", { class: "columns" }, h("div", { class: "reading" }, state(conversation), script), facts(conversation, signal)),
      ),
    ],
    shown: () => {
      if (wanted === null) scrollTo(0, 0);
      else reveal(wanted);
      highlight("found", ranges(script, found));
      requestAnimationFrame(function more() {
        if (!signal.aborted && build(AT_ONCE)) requestAnimationFrame(more);
        else highlight("found", ranges(script, found));
      });
    },
  };
}

// the head

function heading(conversation, title) {
  const at = when(conversation);
  const about = [
    word(conversation.provider),
    conversation.account === "default" ? null : conversation.account,
    conversation.channel === "unknown" ? null : word(conversation.channel),
    conversation.direction === "unknown" ? null : conversation.direction,
    at && h("time", { datetime: at, title: whole(at) }, `${day(at)}, ${time(at)}`),
    conversation.duration === null ? null : `${conversation.estimated.includes("duration") ? "≈ " : ""}${length(conversation.duration)}`,
    ended(conversation),
  ].filter((part) => part !== null);
  return h(
    "header",
    null,
    h("p", { class: "back" }, h("a", { href: "#/" }, "All conversations")),
    h("h1", null, title),
    h("p", { class: "about" }, about.flatMap((part, place) => (place ? [" · ", part] : [part]))),
    conversation.summary ? h("p", { class: "summary" }, conversation.summary) : null,
  );
}

function state(conversation) {
  const text = STATES[conversation.transcript_state] ?? (conversation.transcript?.length ? null : "Nobody said anything.");
  return text && h("p", { class: "note" }, text);
}

// the words

function builder(conversation, script, player) {
  const turns = conversation.transcript ?? [];
  const results = new Map(turns.filter((turn) => turn.tool_result?.call_id).map((turn) => [turn.tool_result.call_id, turn.tool_result]));
  const called = new Set(turns.flatMap((turn) => turn.tool_calls.map((call) => call.id)));
  const isShown = (turn) => turn.text.trim() || turn.tool_calls.length || !called.has(turn.tool_result?.call_id);
  const shown = turns.filter(isShown);
  let built = 0;
  let speaker = null;
  return (many) => {
    const made = shown.slice(built, built + many).map((turn, place) => {
      const name = nameOf(turn, conversation);
      const element = line(turn, name === speaker ? null : name, gapBefore(shown, built + place), results, conversation.ref, player);
      speaker = name;
      return element;
    });
    script.append(...made);
    built += made.length;
    return built < shown.length;
  };
}

function nameOf(turn, conversation) {
  const person = turn.participant === null ? null : conversation.participants[turn.participant];
  return person?.name ?? SPEAKERS[turn.role];
}

function line(turn, name, gap, results, ref, player) {
  const text = h("p", { class: "text" }, turn.text, turn.interrupted ? h("span", { class: "cut" }, " — cut off") : null);
  return h(
    "section",
    { class: `turn ${turn.role}${turn.visibility === "internal" ? " internal" : ""}${name ? " first" : ""}`, id: `t${turn.index}`, "data-step": true },
    h(
      "p",
      { class: "who" },
      name ? h("b", null, name) : null,
      h(
        "span",
        null,
        gap,
        h(
          "a",
          { class: "at", href: linkTo(ref, turn.index), onclick: (event) => follow(event, ref, turn, player), title: "Link to this turn" },
          turn.start === null ? `${turn.index + 1}` : clock(turn.start),
        ),
      ),
    ),
    turn.visibility === "internal" && turn.role !== "system" ? h("p", { class: "quiet" }, "Internal note") : null,
    !turn.text.trim() ? null : turn.role === "system" ? folded(turn.text, text) : text,
    turn.tool_calls.map((call) => tool(call.name, call.arguments, results.get(call.id))),
    turn.tool_result && !turn.text.trim() ? tool("Result", null, turn.tool_result) : null,
  );
}

/** Fold what nobody said: instructions, and what the provider notes. */
function folded(text, whole) {
  const start = text.length > LINE ? `${text.slice(0, LINE)} …` : text;
  return h("details", { class: "system" }, h("summary", null, start), whole);
}

/** Say how long an answer took, or that both spoke at once, where the times of both turns are known. */
function gapBefore(turns, place) {
  const [before, turn] = [turns.slice(0, place).findLast((one) => one.text.trim() && one.role !== "system"), turns[place]];
  if (!before || before.role === turn.role || turn.start === null || before.start === null || before.duration === null) return null;
  const gap = turn.start - before.start - before.duration;
  const seconds = `${number(Math.abs(Math.round(gap * 10) / 10))} s`;
  if (gap < -OVERLAP) return h("span", { class: "gap" }, `${seconds} at once `);
  return gap > LONG_GAP && turn.role === "assistant" ? h("span", { class: "gap" }, `after ${seconds} `) : null;
}

function tool(name, sent, result) {
  return h(
    "details",
    { class: `tool${result?.is_error ? " failed" : ""}` },
    h("summary", null, h("code", null, name), result?.is_error ? " failed" : null),
    sent ? [h("h3", null, "Asked"), h("pre", null, pretty(sent))] : null,
    result ? [h("h3", null, "Answered"), h("pre", null, pretty(result.content))] : null,
  );
}

function pretty(text) {
  try {
    return typeof text === "string" ? JSON.stringify(JSON.parse(text), null, 2) : JSON.stringify(text, null, 2);
  } catch {
    return text;
  }
}

/** Go to a turn without showing the conversation anew, so that the sound goes on. */
function follow(event, ref, turn, player) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  choose(ref, turn, player);
}

function choose(ref, turn, player) {
  history.replaceState(null, "", linkTo(ref, turn.index));
  reveal(turn.index);
  player?.seek(turn.start);
}

/** Scroll to a turn. Heights are guesses until it is drawn, so it is looked for once more in the next frame. */
function reveal(index) {
  const turn = document.getElementById(`t${index}`);
  if (!turn) return;
  document.querySelector(".turn.wanted")?.classList.remove("wanted");
  turn.classList.add("wanted");
  turn.scrollIntoView({ block: "center" });
  requestAnimationFrame(() => turn.scrollIntoView({ block: "center" }));
  turn.querySelector("a").focus({ preventScroll: true });
}

function* ranges(script, words) {
  if (!words.length) return;
  const wanted = words.map((one) => one.toLowerCase());
  for (const text of script.querySelectorAll(".text")) {
    const node = text.firstChild;
    const lower = node?.data?.toLowerCase();
    for (const one of lower ? wanted : []) {
      for (let at = lower.indexOf(one); at >= 0; at = lower.indexOf(one, at + one.length)) yield rangeOf(node, at, one.length);
    }
  }
}

function rangeOf(node, at, many) {
  const range = new Range();
  range.setStart(node, Math.min(at, node.length));
  range.setEnd(node, Math.min(at + many, node.length));
  return range;
}

function highlight(name, found) {
  if (globalThis.CSS?.highlights) CSS.highlights.set(name, new Highlight(...found));
}

// the sound

function recording(links, conversation, script) {
  const [, source] = /<([^>]+)>; *rel="enclosure"/.exec(links ?? "") ?? [];
  if (!source) return null;
  const audio = h("audio", { controls: true, preload: "none", src: source, "aria-label": "Recording" });
  const turns = (conversation.transcript ?? []).filter((turn) => turn.start !== null);
  let current = null;
  audio.seek = (seconds) => {
    if (seconds !== null) audio.currentTime = seconds;
  };
  audio.addEventListener("timeupdate", () => {
    const now = audio.currentTime;
    const turn = turns.findLast((one) => one.start <= now + 0.05);
    moveTo(now, audio.duration || conversation.duration || 1);
    highlight("spoken", turn ? spoken(script, turn, now) : []);
    if (turn === current) return;
    script.querySelector("[aria-current]")?.removeAttribute("aria-current");
    current = turn;
    document.getElementById(`t${turn?.index}`)?.setAttribute("aria-current", "true");
  });
  return audio;
}

/** Find the word that is being said, where the provider says when words are. */
function* spoken(script, turn, now) {
  const node = script.querySelector(`#t${turn.index} .text`)?.firstChild;
  if (!node) return;
  let at = 0;
  for (const one of turn.words) {
    const found = node.data.indexOf(one.text, at);
    if (found < 0) continue;
    at = found + one.text.length;
    if (one.start <= now && now < one.start + (one.duration ?? 0.4)) yield rangeOf(node, found, one.text.length);
  }
}

// the margin

function facts(conversation, signal) {
  const { agent, cost, analysis } = conversation;
  const rows = [
    ["Agent", agent && [agent.name ?? agent.id, agent.version && h("small", null, ` ${agent.version}`)]],
    ...conversation.participants.filter((one) => one.name !== agent?.name && (one.name || one.phone)).map((one) => [word(one.kind), [one.name, one.phone].filter(Boolean).join(", ")]),
    ["Language", conversation.language],
    ["Cost", cost && `${cost.amount} ${cost.unit}`],
    ["Success", analysis?.success === null || analysis?.success === undefined ? null : analysis.success ? "yes" : "no"],
    ["Sentiment", analysis?.sentiment],
    ["Tags", conversation.tags.join(", ")],
    ["Ended by", conversation.provider_end_reason],
    ["Estimated", conversation.estimated.join(", ")],
  ].filter(([, value]) => value);
  return h(
    "aside",
    { class: "facts", "aria-label": "Facts" },
    rows.length ? h("dl", null, rows.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value)))) : null,
    conversation.issues.length
      ? h("section", { class: "issues" }, h("h2", null, "Issues"), h("ul", null, conversation.issues.map((one) => h("li", null, h("code", null, one.place), ` ${one.reason}`))))
      : null,
    later("Measures", () => measures(conversation.ref, signal)),
    Object.keys(analysis?.collected ?? {}).length ? later("Collected", async () => h("pre", null, pretty(analysis.collected))) : null,
    Object.keys(conversation.metadata).length ? later("Metadata", async () => h("pre", null, pretty(conversation.metadata))) : null,
    later("As the provider sent it", async () => h("pre", null, pretty(await (await ask(pathOf(conversation.ref, "/raw"), { signal })).text()))),
    h("p", { class: "copies" }, "Copy as", copies(conversation.ref, signal)),
  );
}

/** Make a part that is asked for when it is opened. */
function later(title, make) {
  const place = h("div", null, h("p", { class: "quiet" }, "Loading …"));
  let isAsked = false;
  const open = async (event) => {
    if (!event.target.open || isAsked) return;
    isAsked = true;
    place.replaceChildren(await make().catch((error) => h("p", { class: "note" }, error.message)));
  };
  return h("details", { ontoggle: open }, h("summary", null, title), place);
}

async function measures(ref, signal) {
  const found = await read(pathOf(ref, "/measures"), { signal });
  const rows = Object.entries(found.measures).map(([name, one]) =>
    h("tr", null, h("th", { scope: "row" }, word(name)), h("td", { class: one.value === null ? "reason" : "" }, one.value === null ? one.reason : valueOf(one)), h("td", { class: "quiet" }, one.basis)),
  );
  return h("table", { class: "measures" }, h("tbody", null, rows));
}

function valueOf({ value, unit }) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return [number(Number(value)), unit && unit !== "1" && unit !== "0-1" ? ` ${unit}` : ""].join("");
}

function copies(ref, signal) {
  const kinds = [
    ["text", "text/plain"],
    ["JSON", "application/json"],
    ["VTT", "text/vtt"],
  ];
  return kinds.map(([name, accept]) => {
    const copy = async () => {
      try {
        await navigator.clipboard.writeText(await (await ask(pathOf(ref), { accept, signal })).text());
        say(`Copied as ${name}.`);
      } catch (error) {
        say(error.message);
      }
    };
    return h("button", { type: "button", onclick: copy }, name);
  });
}
