// The camera, for one tab at a time: opened into a place on the page, and let go of.

const LOCK = "faceauth-camera";
const WANTED = { audio: false, video: { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 720 } } };

const SENTENCES = {
  NotAllowedError: "The camera was not allowed. Allow it in the address bar of the browser, and try again.",
  NotFoundError: "No camera was found. Connect one and try again, or sign in another way.",
  NotReadableError: "The camera is in use by another program. Close that program, and try again.",
};

/** Something went wrong, in a sentence for people. */
export class Problem extends Error {}

/**
 * Opens the camera and shows it in `place`.
 * @returns {Promise<{video: HTMLVideoElement, box: HTMLElement, guide: HTMLElement, lost: AbortSignal, close: () => void}>}
 * @throws {Problem} it cannot be opened, or another tab has it.
 */
export async function openCamera(place) {
  if (!navigator.mediaDevices || !HTMLVideoElement.prototype.requestVideoFrameCallback) {
    throw new Problem("This browser opens no camera for this page. Use a current browser, and an address with https.");
  }
  const unlock = await lockOut();
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia(WANTED);
  } catch (error) {
    unlock();
    throw new Problem(SENTENCES[error.name] ?? "The camera cannot be opened. Restart the browser, and try again.");
  }
  place.replaceChildren(document.getElementById("camera").content.cloneNode(true));
  const video = place.querySelector("video");
  const lost = new AbortController();
  stream.getVideoTracks()[0].addEventListener("ended", () => lost.abort());
  const close = () => {
    stream.getTracks().forEach((track) => track.stop());
    place.replaceChildren();
    unlock();
  };
  try {
    video.srcObject = stream;
    await video.play();
  } catch {
    close();
    throw new Problem("The camera gives no image. Connect it again, and try again.");
  }
  return { video, box: place.querySelector(".camera"), guide: place.querySelector(".guide"), lost: lost.signal, close };
}

/** Two tabs would feed two sessions with one face, and each would hear the other's prompts. */
async function lockOut() {
  return new Promise((resolve, reject) => {
    navigator.locks.request(LOCK, { ifAvailable: true }, (lock) => {
      if (lock === null) {
        reject(new Problem("Another tab of this page uses the camera. Close that tab, and try again."));
        return undefined;
      }
      return new Promise(resolve);
    });
  });
}
