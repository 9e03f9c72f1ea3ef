// Who spoke when: a lane for each speaker, a bar for each turn, open where nobody knows when it ended.

import { h, svg } from "./dom.js";
import { SPEAKERS, clock } from "./words.js";

const HEIGHT = 22;
const GAP = 6;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const MOST_TICKS = 9;

export function lanes(turns, duration, choose, isPlayed) {
  const timed = turns.filter((turn) => turn.start !== null && turn.role !== "system");
  if (timed.length < 2) return null;
  const end = Math.max(duration ?? 0, ...timed.map((turn) => turn.start + (turn.duration ?? 0)));
  if (!(end > 0)) return null;
  const roles = ["assistant", "human_agent", "user", "unknown", "tool"].filter((role) => timed.some((turn) => turn.role === role));
  const share = (seconds) => `${(Math.max(0, seconds) / end) * 100}%`;
  const top = (role) => roles.indexOf(role) * (HEIGHT + GAP);
  const height = roles.length * (HEIGHT + GAP) - GAP;
  const bars = timed.map((turn, place) => {
    const next = timed.slice(place + 1).find((other) => other.start > turn.start)?.start ?? end;
    const isOpen = turn.duration === null;
    const bar = svg("rect", {
      x: share(turn.start),
      y: top(turn.role),
      width: share(isOpen ? Math.min(next - turn.start, Math.max(end / 100, 1)) : turn.duration),
      height: HEIGHT,
      class: `bar ${turn.role}${isOpen ? " open" : ""}`,
      "data-turn": turn.index,
      onclick: () => choose(turn.index),
    });
    bar.append(svg("title", null, `${clock(turn.start)} ${SPEAKERS[turn.role]}: ${turn.text.slice(0, 120)}`));
    return bar;
  });
  const step = STEPS.find((seconds) => end / seconds <= MOST_TICKS) ?? Math.ceil(end / MOST_TICKS / 3600) * 3600;
  const ticks = Array.from({ length: Math.floor(end / step) + 1 }, (_, number) => number * step);
  const labels = ticks.map((at) => {
    const isLast = at > end * 0.97;
    const label = h("span", { class: at === 0 ? "first" : isLast ? "last" : null }, clock(at));
    label.style[isLast ? "right" : "left"] = share(isLast ? end - at : at);
    return label;
  });
  return h(
    "figure",
    { class: "lanes" },
    h("div", { class: "names", "aria-hidden": "true" }, roles.map((role) => h("span", { class: role }, SPEAKERS[role]))),
    h(
      "div",
      null,
      svg(
        "svg",
        { height, role: "img", "aria-label": `Who spoke when, from 0:00 to ${clock(end)}` },
        ticks.map((at) => svg("line", { x1: share(at), x2: share(at), y1: 0, y2: height, class: "tick" })),
        bars,
        isPlayed ? svg("line", { x1: 0, x2: 0, y1: 0, y2: height, class: "now", id: "now" }) : null,
      ),
      h("div", { class: "ticks", "aria-hidden": "true" }, labels),
    ),
  );
}

/** Move the line that says where the recording is. */
export function moveTo(seconds, duration) {
  const line = document.getElementById("now");
  const x = `${Math.min(1, seconds / duration) * 100}%`;
  line?.setAttribute("x1", x);
  line?.setAttribute("x2", x);
}
