// The store in numbers. Every chart is a table with bars in it, so that it can be read without seeing them.

import { read } from "./api.js";
import { h, svg } from "./dom.js";
import { count, day, length, number, word } from "./words.js";

const DAYS = 30;

export async function show(query, signal) {
  const [days, providers, facets, missing] = await Promise.all([
    read("/v1/stats", { query: new URLSearchParams({ by: "day" }), signal }),
    read("/v1/stats", { query: new URLSearchParams({ by: "provider" }), signal }),
    read("/v1/facets", { query: new URLSearchParams({ field: "end_reason" }), signal }),
    read("/v1/missing", { signal }),
  ]);
  const groups = [...providers.groups].sort((a, b) => b.conversations - a.conversations);
  const gaps = missing.accounts.filter((one) => one.pending || one.failing || one.given_up || one.restricted);
  return {
    title: "Numbers",
    said: "Numbers",
    content: [
      h(
        "div",
        { class: "numbers" },
        h("h1", null, count(providers.conversations, "conversation")),
        providers.complete ? null : h("p", { class: "note" }, `These are the newest; those before ${day(providers.oldest)} were not measured.`),
        section("Per day", columns(days.groups)),
        section("How long they take", bars(groups, figure("duration"), length, "Half take longer than this; the mark is what one in twenty exceeds.")),
        section("How quickly the agent answers", bars(groups, figure("response_latency"), length, "Seconds from the customer's last word to the agent's first.")),
        section("How they end", shares(facets.facets.end_reason ?? {})),
        gaps.length ? section("What is missing", lacking(gaps)) : null,
      ),
    ],
  };
}

function section(title, content) {
  return content && h("section", null, h("h2", null, title), content);
}

/** A column for each of the last days; the numbers are in a table below. */
function columns(groups) {
  const days = groups.filter((one) => one.group.day).sort((a, b) => (a.group.day < b.group.day ? -1 : 1)).slice(-DAYS);
  if (!days.length) return null;
  const most = Math.max(...days.map((one) => one.conversations));
  const width = 100 / Math.max(days.length, 10);
  const drawing = svg(
    "svg",
    { class: "columns-chart", role: "img", "aria-label": `Conversations per day, at most ${number(most)}` },
    days.map((one, place) => {
      const share = (one.conversations / most) * 100;
      const label = `${day(one.group.day)}: ${count(one.conversations, "conversation")}`;
      return svg("rect", { x: `${place * width + width * 0.1}%`, width: `${width * 0.8}%`, y: `${100 - share}%`, height: `${share}%`, class: "bar assistant" }, svg("title", null, label));
    }),
  );
  const table = h(
    "table",
    null,
    h("thead", null, h("tr", null, ["Day", "Conversations", "Half take longer than"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", null, [...days].reverse().map((one) => h("tr", null, h("th", { scope: "row" }, day(one.group.day)), h("td", null, number(one.conversations)), h("td", null, known(one.metrics.duration?.p50, length))))),
  );
  return [drawing, h("p", { class: "ends quiet" }, h("span", null, day(days[0].group.day)), h("span", null, day(days.at(-1).group.day))), h("details", null, h("summary", null, "As a table"), table)];
}

const figure = (name) => (group) => group.metrics[name];
const known = (value, write) => (value === null || value === undefined ? "–" : write(value));

function bars(groups, figure, write, note) {
  const found = groups.filter((one) => figure(one)?.n);
  if (!found.length) return null;
  const most = Math.max(...found.map((one) => figure(one).p95));
  const rows = found.map((one) => {
    const { p50, p95, n } = figure(one);
    return h(
      "tr",
      null,
      h("th", { scope: "row" }, word(one.group.provider ?? "unknown")),
      h("td", { class: "drawn", "aria-hidden": "true" }, bar(p50 / most, p95 / most)),
      h("td", null, write(p50)),
      h("td", null, write(p95)),
      h("td", { class: "quiet" }, number(n)),
    );
  });
  const head = ["", "", "Half", "1 in 20", "Of"];
  return [
    h("p", { class: "quiet" }, note),
    h("table", { class: "bars" }, h("thead", null, h("tr", null, head.map((name, place) => h("th", { scope: "col", "aria-hidden": place === 1 ? "true" : null }, place === 0 ? h("span", { class: "unseen" }, "Provider") : name)))), h("tbody", null, rows)),
  ];
}

function bar(share, mark) {
  return svg(
    "svg",
    { height: 14 },
    svg("rect", { x: 0, y: 1, width: `${share * 100}%`, height: 12, class: "bar assistant" }),
    mark === undefined ? null : svg("line", { x1: `${mark * 100}%`, x2: `${mark * 100}%`, y1: 0, y2: 14, class: "mark" }),
  );
}

function shares(counts) {
  const found = Object.entries(counts).sort(([, a], [, b]) => b - a);
  if (!found.length) return null;
  const [[, most]] = found;
  const rows = found.map(([name, many]) =>
    h("tr", null, h("th", { scope: "row" }, word(name)), h("td", { class: "drawn", "aria-hidden": "true" }, bar(many / most)), h("td", null, number(many))),
  );
  return h("table", { class: "bars" }, h("tbody", null, rows));
}

function lacking(accounts) {
  const parts = [
    ["pending", "Not ready yet"],
    ["failing", "Failing"],
    ["given_up", "Given up"],
    ["restricted", "Restricted"],
  ].filter(([name]) => accounts.some((one) => one[name]));
  return h(
    "table",
    { class: "bars" },
    h("thead", null, h("tr", null, h("th", { scope: "col" }, h("span", { class: "unseen" }, "Account")), parts.map(([, title]) => h("th", { scope: "col" }, title)))),
    h("tbody", null, accounts.map((one) => h("tr", null, h("th", { scope: "row" }, accountOf(one.account)), parts.map(([name]) => h("td", null, one[name] === null ? "–" : number(one[name])))))),
  );
}

function accountOf(name) {
  const [provider, account] = name.split("/");
  return account === "default" ? word(provider) : `${word(provider)}, ${account}`;
}
