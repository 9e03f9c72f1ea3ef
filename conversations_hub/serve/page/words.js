// How values are written for people.

const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const NUMBER = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });

export const number = (value) => NUMBER.format(value);
export const day = (instant) => DAY.format(new Date(instant));
export const time = (instant) => TIME.format(new Date(instant));
export const whole = (instant) => WHOLE.format(new Date(instant));

/** Count things: 1 turn, 2 turns. */
export function count(many, one, more = `${one}s`) {
  return `${number(many)} ${many === 1 ? one : more}`;
}

/** A place in a recording: 0:07, 12:40, 1:02:09. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (!parts[0]) parts.shift();
  return parts.map((part, place) => (place ? String(part).padStart(2, "0") : part)).join(":");
}

/** A length: 7 s, 3 min 20 s, 1 h 5 min. */
export function length(seconds) {
  if (seconds < 10) return `${number(Math.round(seconds * 10) / 10)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (hours) return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  if (minutes) return rest ? `${minutes} min ${rest} s` : `${minutes} min`;
  return `${rest} s`;
}

const NAMES = {
  anam: "Anam",
  anyreach: "AnyReach",
  assemblyai: "AssemblyAI",
  beyond_presence: "Beyond Presence",
  api_ended: "Ended over the API",
  elevenlabs: "ElevenLabs",
  fish_audio: "Fish Audio",
  liveavatar: "LiveAvatar",
  openai: "OpenAI",
  sms: "SMS",
  ai_agent: "Agent",
};

/** A name of the schema as a word: no_answer is "No answer". */
export function word(name) {
  return NAMES[name] ?? name.replaceAll("_", " ").replace(/^./, (first) => first.toUpperCase());
}

export const SPEAKERS = {
  user: "Customer",
  assistant: "Agent",
  human_agent: "Colleague",
  system: "System",
  tool: "Tool",
  unknown: "Somebody",
};

const CHANNELS = { phone: "Call", web: "Web call", video: "Video call", chat: "Chat", sms: "Text messages", email: "E-mails" };

/** The instant that a conversation is sorted by. */
export const when = (conversation) => conversation.created_at ?? conversation.started_at;

/** A line that names a conversation which has no title. */
export function titleOf(conversation) {
  if (conversation.title) return conversation.title;
  const channel = CHANNELS[conversation.channel] ?? "Conversation";
  const person = conversation.participants?.find((one) => one.kind === "customer");
  const name = person?.name ?? person?.phone ?? conversation.agent?.name;
  return name ? `${channel} with ${name}` : `${channel} ${conversation.id.slice(-8)}`;
}
