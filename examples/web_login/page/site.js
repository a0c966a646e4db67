// Requests to the site. A refusal becomes a Problem with the sentence of the server.

import { Problem } from "./camera.js";

const TRIES = 4;
const PAUSE_MS = 400;
const LONGEST_WAIT_MS = 5000;

export const offer = () => ask("GET", "/api/offer");
export const openSession = (wanted) => ask("POST", "/api/sessions", JSON.stringify(wanted));
export const passkeyOptions = (what, wanted) => ask("POST", `/api/passkeys/${what}`, JSON.stringify(wanted));
export const askForAnswer = (id) => ask("POST", `/api/sessions/${encodeURIComponent(id)}/sign-in`, "");
export const signOut = () => ask("POST", "/api/sign-out", "");

/** Ends a session early. That it is over needs no answer, and the service ends it by itself in the end. */
export const leave = (id) => {
  fetch(`/api/sessions/${encodeURIComponent(id)}`, { method: "DELETE", keepalive: true }).catch(() => {});
};

/** Sends frames; the same chunk may be sent again, so a lost connection loses none. */
export function sendChunk(id, number, frames, signal) {
  const body = new FormData();
  for (const { time_ms, jpeg } of frames) body.append("frames", jpeg, time_ms.toFixed(3));
  return ask("PUT", `/api/sessions/${encodeURIComponent(id)}/chunks/${number}`, body, { again: true, signal });
}

export function enrol({ photos, key, ...fields }) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  photos.forEach((photo, number) => body.append("photos", photo, `${number}.jpg`));
  return ask("POST", "/api/enrolments", body, { headers: { "Idempotency-Key": key }, again: true });
}

async function ask(method, path, body, { headers = {}, again = false, signal } = {}) {
  if (typeof body === "string") headers = { "Content-Type": "application/json", ...headers };
  for (let left = again ? TRIES : 1; ; left -= 1) {
    let response;
    try {
      response = await fetch(path, { method, body, headers, signal });
    } catch (error) {
      if (signal?.aborted) throw error;
      if (left > 1) {
        await pause(PAUSE_MS);
        continue;
      }
      throw new Problem("The connection was lost. Try again when it is back.");
    }
    if (response.ok) return response.status === 204 ? null : response.json();
    const wait_ms = 1000 * Number(response.headers.get("Retry-After") ?? NaN);
    if (left > 1 && response.status === 503 && wait_ms <= LONGEST_WAIT_MS) {
      await pause(wait_ms);
      continue;
    }
    throw new Problem(await sentence(response));
  }
}

async function sentence(response) {
  const isProblem = response.headers.get("Content-Type")?.startsWith("application/problem+json");
  const detail = isProblem ? (await response.json()).detail : null;
  return typeof detail === "string" ? detail : "The site did not understand this. Reload the page, and try again.";
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
