// What the page shows: one view at a time, with the focus on its heading.

import { openCamera, Problem } from "./camera.js";
import { lightHint } from "./capture.js";
import { check } from "./check.js";
import { enrolment } from "./enrolment.js";
import { showPasskey } from "./passkey.js";
import { offer } from "./site.js";

const HINT_MS = 700;
const byId = (id) => document.getElementById(id);
const tabs = new BroadcastChannel("faceauth-login");
const lessMotion = matchMedia("(prefers-reduced-motion: reduce)");
let offered = [];
let passkeys = false;

/** Shows one view, and says so to a screen reader by moving the focus. */
function view(id) {
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== id;
  byId("problem").hidden = true;
  byId(`${id}-title`).focus();
}

function problem(error) {
  if (!(error instanceof Problem)) console.error(error);
  const known = error instanceof Problem;
  byId("problem").textContent = known ? error.message : "Something went wrong. Reload the page, and try again.";
  byId("problem").hidden = false;
  byId("problem").focus();
}

/** Colours that change are motion: who asks for less is asked to turn the head instead. */
function showKinds() {
  const instead = lessMotion.matches && offered.includes("light");
  const kinds = instead ? [...new Set(offered.map((kind) => (kind === "light" ? "turn" : kind)))] : offered;
  byId("less-motion").hidden = !instead;
  for (const label of document.querySelectorAll("[data-kind]")) {
    label.hidden = !kinds.includes(label.dataset.kind);
    label.querySelector("input").disabled = label.hidden;
    label.querySelector("input").checked = label.dataset.kind === kinds[0];
  }
}

async function signIn(event) {
  event.preventDefault();
  const name = byId("name").value;
  const kind = document.querySelector("[name=kind]:checked").value;
  const stop = new AbortController();
  const onKey = ({ key }) => key === "Escape" && stop.abort();
  view("check");
  byId("prompt").textContent = passkeys ? "Show your passkey, then allow the camera." : "Allow the camera.";
  byId("progress").value = 0;
  byId("stop").onclick = () => stop.abort();
  addEventListener("keydown", onKey);
  let camera = null;
  try {
    const passkey = passkeys ? await showPasskey(name) : null;
    camera = await openCamera(byId("camera-place"));
    const hints = kind === "light" ? null : showHints(camera);
    const answer = await check(camera, { kind, name, passkey }, (prompt) => showPrompt(camera, prompt), stop.signal)
      .finally(() => clearInterval(hints));
    showAnswer(answer);
  } catch (error) {
    view("start");
    if (!stop.signal.aborted) problem(error);
  } finally {
    removeEventListener("keydown", onKey);
    camera?.close();
  }
}

function showHints(camera) {
  return setInterval(() => say(camera.guide, lightHint(camera.video)), HINT_MS);
}

function showPrompt(camera, { message, progress, obstacle }) {
  say(byId("prompt"), message);
  byId("progress").value = progress;
  camera.box.classList.toggle("seen", obstacle === null);
}

/** A live region speaks when it changes, so it is changed only by something new. */
function say(place, message) {
  if (place.textContent !== message) place.textContent = message;
}

function showAnswer({ signed_in, message }) {
  if (signed_in) {
    tabs.postMessage("signed in");
    location.replace("/welcome");
    return;
  }
  tell("You were not signed in", message, "Try again");
}

/** How something ended, and the button that leads back to the start. */
function tell(title, message, button) {
  byId("answer-title").textContent = title;
  byId("answer-message").textContent = message;
  byId("again").textContent = button;
  view("answer");
}

async function begin() {
  const { kinds, consent, signed_in, ...more } = await offer();
  if (signed_in !== null) return location.replace("/welcome");
  [offered, passkeys] = [kinds, more.passkeys];
  byId("consent").textContent = consent;
  showKinds();
  lessMotion.addEventListener("change", showKinds);
  view("start");
}

tabs.onmessage = ({ data }) => data === "signed in" && location.replace("/welcome");
byId("sign-in").addEventListener("submit", signIn);
byId("again").addEventListener("click", () => view("start"));
enrolment({ view, tell, problem, say, showHints, asksForPasskey: () => passkeys });
begin().catch(problem);
