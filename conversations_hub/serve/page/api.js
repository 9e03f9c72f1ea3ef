// Questions to the gateway, and the token that they need.

const NAME = "conversations-hub token";
const kept = document.documentElement.dataset.tokens === "session" ? sessionStorage : localStorage;

/** What the gateway refused, or why it could not be asked. */
export class Problem extends Error {
  constructor(status, title, detail) {
    super(detail || title);
    this.status = status;
    this.title = title;
  }
}

/** Take the token out of the address, so that it is neither shown nor bookmarked. */
export function takeToken() {
  const found = /^#token=([\w.~-]+)$/.exec(location.hash);
  if (!found) return;
  kept.setItem(NAME, found[1]);
  history.replaceState(null, "", `${location.pathname}#/`);
}

export function keepToken(token) {
  kept.setItem(NAME, token);
}

/** Ask for a path and return the response. */
export async function ask(path, { query, accept = "application/json", signal } = {}) {
  const found = query?.toString();
  const token = kept.getItem(NAME);
  let response;
  try {
    response = await fetch(found ? `${path}?${found}` : path, {
      headers: { Accept: accept, ...(token ? { Authorization: `Bearer ${token}` } : {}) },
      credentials: "omit",
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "No answer", "The server does not answer. Is it still running?");
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new Problem(response.status, problem.title ?? `Error ${response.status}`, problem.detail);
}

export async function read(path, options) {
  return (await ask(path, options)).json();
}

/** Refs hold slashes and colons, which stay as they are. */
function escaped(ref) {
  return ref.split("/").map(encodeURIComponent).join("/").replaceAll("%3A", ":");
}

/** The path of a conversation. */
export function pathOf(ref, part = "") {
  return `/v1/conversations/${escaped(ref)}${part}`;
}

/** The address of a conversation on this page. */
export function linkTo(ref, turn) {
  const at = turn === undefined ? "" : `?t=${turn}`;
  return `#/c/${escaped(ref)}${at}`;
}
