/** The few words this page needs for building elements and for asking the API. No text ever becomes markup. */

/** element('li', { class: 'x' }, 'text', otherElement) */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

export const byId = (id) => document.getElementById(id);

/** What the node answered instead of a result; `code` is the API's, 0 when nobody answered. */
export class Refusal extends Error {
  constructor(code, message, status) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

async function reach(path, options) {
  try {
    return await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(10_000), ...options });
  } catch {
    throw new Refusal(0, 'The node does not answer.', 0);
  }
}

/** One call of the API: GET without a body, POST with one. Gives the result, or throws a Refusal. */
export async function call(path, body) {
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await reach(path, body === undefined ? {} : post);
  const envelope = await response.json().catch(() => null);
  if (envelope === null) throw new Refusal(0, `The node answered ${response.status} without a word.`, response.status);
  if (envelope.E !== null) throw new Refusal(envelope.E.c, envelope.E.m, response.status);
  return envelope.r;
}

/** A page of the API that is no call: its status and text. */
export async function page(path) {
  const response = await reach(path, {});
  return { status: response.status, text: await response.text() };
}

const grouped = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const count = (value) => (value < 100_000 ? grouped.format(Math.round(value)) : short.format(value));

export function bytes(value) {
  if (value < 1024) return `${value} B`;
  if (value < 1024 * 1024) return `${(value / 1024).toFixed(1)} KiB`;
  return `${(value / 1024 / 1024).toFixed(1)} MiB`;
}

export function duration(ms) {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}
