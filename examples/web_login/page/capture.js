// Frames of a video as JPEG, each with the time at which the camera captured it. Knows no server.

const FRAMES_PER_S = 12;
const LONGEST_WAIT_MS = 700; // older frames are dropped: an answer is worth something only soon after the question
const MOST_ENCODING = 3;
const LONGEST_SIDE = 640;
const QUALITY = 0.9;
const LIGHT_SIDE = 24;
const DARK = 45;
const BRIGHT = 225;

/** Collects frames while it runs. */
export class Capture {
  #video;
  #canvas = document.createElement("canvas");
  #frames = [];
  #encoding = 0;
  #last = -Infinity;
  #running = true;

  constructor(video) {
    this.#video = video;
    video.requestVideoFrameCallback(this.#onFrame);
  }

  /** What came since the last call: `[{time_ms, jpeg}]`, in order. */
  take() {
    const since_ms = performance.now() - LONGEST_WAIT_MS;
    const came = this.#frames.splice(0).filter(({ time_ms }) => time_ms > since_ms);
    return came.sort((one, other) => one.time_ms - other.time_ms);
  }

  stop() {
    this.#running = false;
  }

  #onFrame = (now, { captureTime }) => {
    if (!this.#running) return;
    this.#video.requestVideoFrameCallback(this.#onFrame);
    const time_ms = captureTime ?? now;
    if (time_ms - this.#last < 900 / FRAMES_PER_S || this.#encoding >= MOST_ENCODING) return;
    this.#last = time_ms;
    this.#encoding += 1;
    draw(this.#video, this.#canvas, LONGEST_SIDE);
    this.#canvas.toBlob((jpeg) => {
      this.#encoding -= 1;
      if (jpeg !== null) this.#frames.push({ time_ms, jpeg });
    }, "image/jpeg", QUALITY);
  };
}

/** One photo as JPEG, in the size in which the camera gives it. */
export async function photograph(video) {
  const canvas = document.createElement("canvas");
  draw(video, canvas, Infinity);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
}

/** What is wrong with the light in the middle of the image, in a sentence; "" when nothing is. */
export function lightHint(video) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = LIGHT_SIDE;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const { videoWidth: width, videoHeight: height } = video;
  context.drawImage(video, width / 3, height / 6, width / 3, (2 * height) / 3, 0, 0, LIGHT_SIDE, LIGHT_SIDE);
  const { data } = context.getImageData(0, 0, LIGHT_SIDE, LIGHT_SIDE);
  let sum = 0;
  for (let at = 0; at < data.length; at += 4) sum += 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
  const luma = sum / (data.length / 4);
  if (luma < DARK) return "It is dark: turn on a light before you.";
  return luma > BRIGHT ? "It is too bright: turn away from the light." : "";
}

function draw(video, canvas, longest) {
  const scale = Math.min(1, longest / Math.max(video.videoWidth, video.videoHeight));
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
}
