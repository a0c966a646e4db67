// One check, from the open camera to the answer of the site: frames out, prompts in. Decides nothing.

import { Problem } from "./camera.js";
import { Capture } from "./capture.js";
import { Lamp } from "./lamp.js";
import { askForAnswer, leave, openSession, sendChunk } from "./site.js";

const CHUNK_MS = { passive: 300, turn: 300, light: 150 }; // the next colour has to be known before it is due
const SILENCE_MS = 5000;

/**
 * @param {{video: HTMLVideoElement, lost: AbortSignal}} camera
 * @param {{kind: string, name: string, passkey: string | null}} wanted passive, turn or light, and who it is said to be
 * @param {(prompt: object) => void} show called with each prompt of the service
 * @param {AbortSignal} stopped by the person
 * @returns {Promise<{signed_in: boolean, message: string}>}
 * @throws {Problem} it could not be finished.
 */
export async function check(camera, wanted, show, stopped) {
  const { id, prompt } = await openSession(wanted);
  const capture = new Capture(camera.video);
  const lamp = new Lamp();
  const tell = (asked) => {
    lamp.follow(asked);
    show(asked);
  };
  try {
    tell(prompt);
    await sendFrames(id, CHUNK_MS[wanted.kind], capture, tell, camera.lost, stopped);
    return await askForAnswer(id);
  } catch (error) {
    leave(id);
    throw error;
  } finally {
    capture.stop();
    lamp.off();
  }
}

/** Until the service has seen enough. One chunk is on its way at a time, so chunks arrive in order. */
async function sendFrames(id, chunk_ms, capture, tell, lost, stopped) {
  let heard = performance.now();
  for (let number = 0; ; ) {
    await new Promise((resolve) => setTimeout(resolve, chunk_ms));
    if (lost.aborted) throw new Problem("The camera is gone. Connect it again, and try again.");
    if (document.hidden) throw new Problem("The page was hidden, so the check was stopped. Try again.");
    stopped.throwIfAborted();
    const frames = capture.take();
    if (frames.length === 0) {
      if (performance.now() - heard > SILENCE_MS) throw new Problem("The camera gives no more images. Try again.");
      continue;
    }
    heard = performance.now();
    const { state, prompt } = await sendChunk(id, number, frames, stopped);
    number += 1;
    tell(prompt);
    if (state === "ended") return;
  }
}
