// An enrolment that somebody attends: name, code and consent, then photos, each taken by pressing a button.

import { openCamera } from "./camera.js";
import { photograph } from "./capture.js";
import { makePasskey } from "./passkey.js";
import { enrol } from "./site.js";

const ASKED = [
  "Photo 1 of 3: look straight into the camera.",
  "Photo 2 of 3: turn your head a little to your left.",
  "Photo 3 of 3: turn your head a little to your right.",
];
const byId = (id) => document.getElementById(id);

/** Makes the view work; `page` lends what the views have in common. */
export function enrolment({ view, tell, problem, say, showHints, asksForPasskey }) {
  let camera = null;
  let hints = null;
  let photos = [];
  let passkey = "";

  function leave(to) {
    clearInterval(hints);
    camera?.close();
    camera = null;
    byId("photographing").hidden = true;
    byId("enrolment").hidden = false;
    view(to);
  }

  async function start(event) {
    event.preventDefault();
    try {
      passkey = asksForPasskey() ? await makePasskey(byId("new-name").value, byId("code").value) : "";
      camera = await openCamera(byId("photo-place"));
    } catch (error) {
      problem(error);
      return;
    }
    hints = showHints(camera);
    photos = [];
    byId("enrolment").hidden = true;
    byId("photographing").hidden = false;
    say(byId("photo-prompt"), ASKED[0]);
    byId("take").focus();
  }

  async function take() {
    byId("take").disabled = true;
    try {
      photos.push(await photograph(camera.video));
      if (photos.length < ASKED.length) say(byId("photo-prompt"), ASKED[photos.length]);
      else await send();
    } catch (error) {
      leave("enrol");
      problem(error);
    } finally {
      byId("take").disabled = false;
    }
  }

  async function send() {
    say(byId("photo-prompt"), "The photos are being checked.");
    const [name, code, agreed] = [byId("new-name").value, byId("code").value, byId("agreed").checked];
    const { message } = await enrol({ name, code, agreed, passkey, photos, key: crypto.randomUUID() });
    leave("enrol");
    byId("enrolment").reset();
    byId("name").value = name;
    tell("Enrolled", message, "Sign in");
  }

  byId("to-enrol").addEventListener("click", () => view("enrol"));
  byId("leave-enrolment").addEventListener("click", () => leave("start"));
  byId("leave-photos").addEventListener("click", () => leave("start"));
  byId("enrolment").addEventListener("submit", start);
  byId("take").addEventListener("click", take);
}
