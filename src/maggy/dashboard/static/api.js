// Questions to the server. What has not changed is not sent again.

const known = new Map();

export class Refused extends Error {}

/** Ask for something; `changed` is false where it is as it was when it was last asked for. */
export async function ask(path, signal) {
  const had = known.get(path);
  const headers = had ? { "If-None-Match": had.tag } : {};
  const response = await fetch(`api/${path}`, { headers, signal, cache: "no-store", credentials: "same-origin" });
  if (response.status === 304 && had) return { value: had.value, changed: false };
  if (!response.ok) throw new Refused(await reason(response));
  const value = await response.json();
  known.delete(path);
  known.set(path, { tag: response.headers.get("ETag"), value });
  if (known.size > 60) known.delete(known.keys().next().value);
  return { value, changed: true };
}

/** Have something done. */
export async function tell(path, value) {
  const response = await fetch(`api/${path}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value), credentials: "same-origin",
  });
  if (!response.ok) throw new Refused(await reason(response));
}

async function reason(response) {
  const body = await response.text();
  try {
    return JSON.parse(body).error;
  } catch {
    return body.trim() || `The server answered ${response.status}.`;
  }
}
