// A camera that a test draws: a photo that moves as asked, under the light of the page, with a sensor's noise.
// Reads what to do from the page, as a person does. PHOTO is filled in: base64 of a JPEG.

(() => {
  const TURN_DEG = 30;
  const DEG_PER_S = 45;
  const DRAW_MS = 100;
  const often = setInterval.bind(window); // real time, whatever the page's clock does
  const canvas = document.createElement("canvas");
  const noise = document.createElement("canvas");
  const [width, height] = [(canvas.width = 640), (canvas.height = 480)];
  const context = canvas.getContext("2d");
  const lit = document.createElement("canvas");
  [lit.width, lit.height] = [width, height];
  let photo = null;
  let yaw_deg = 0;
  let last_s = 0;
  let swayed_s = 0;

  function makeNoise() {
    [noise.width, noise.height] = [width + 64, height + 64];
    const grain = noise.getContext("2d").createImageData(noise.width, noise.height);
    for (let at = 0; at < grain.data.length; at += 4) {
      grain.data.fill(Math.random() * 255, at, at + 3);
      grain.data[at + 3] = 255;
    }
    noise.getContext("2d").putImageData(grain, 0, 0);
  }

  function drawPhoto(to) {
    const scale = (height / photo.height) * (1 + 0.3 * Math.sin(2 * swayed_s));
    to.save();
    to.translate(width / 2 + 0.04 * width * Math.sin(1.7 * swayed_s), height / 2);
    to.rotate(0.1 * Math.sin(1.5 * swayed_s));
    to.drawImage(photo, (-photo.width * scale) / 2, (-photo.height * scale) / 2, photo.width * scale, photo.height * scale);
    to.restore();
  }

  /** The screen adds its light to the face, which is near, and to nothing behind it. */
  function light(left, right) {
    context.fillStyle = "rgb(150 150 150)";
    context.globalCompositeOperation = "multiply";
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = "source-over";
    const own = lit.getContext("2d");
    own.globalCompositeOperation = "source-over";
    drawPhoto(own);
    const sides = own.createLinearGradient(width * (FACE[0] - FACE[2] / 2), 0, width * (FACE[0] + FACE[2] / 2), 0); // not mirrored: the person's left is right
    sides.addColorStop(0, right);
    sides.addColorStop(1, left);
    own.globalCompositeOperation = "multiply";
    own.fillStyle = sides;
    own.fillRect(0, 0, width, height);
    own.globalCompositeOperation = "destination-in";
    own.beginPath();
    own.ellipse(width * FACE[0], height * FACE[1], width * FACE[2], height * FACE[3], 0, 0, 7);
    own.fill();
    context.globalCompositeOperation = "lighter";
    context.globalAlpha = 0.4;
    context.drawImage(lit, 0, 0);
    context.globalAlpha = 1;
    context.globalCompositeOperation = "source-over";
  }

  function draw() {
    const now_s = performance.now() / 1000;
    const asked = document.getElementById("prompt")?.textContent ?? "";
    const wanted_deg = /your left/.test(asked) ? TURN_DEG : /your right/.test(asked) ? -TURN_DEG : 0;
    const step_deg = DEG_PER_S * (now_s - last_s);
    yaw_deg += Math.min(step_deg, Math.max(-step_deg, wanted_deg - yaw_deg));
    const halves = [...document.querySelectorAll("#light > div")].map((half) => half.style.background);
    const lamp = document.body?.classList.contains("lit");
    if (!lamp || /move/.test(asked)) swayed_s += now_s - last_s;
    last_s = now_s;
    context.fillStyle = "rgb(110 100 90)";
    context.fillRect(0, 0, width, height);
    drawPhoto(context);
    if (lamp && ANSWERS) light(...halves);
    context.globalAlpha = 0.02;
    context.drawImage(noise, -Math.random() * 64, -Math.random() * 64);
    context.globalAlpha = 1;
    const grey = Math.round(128 + 3 * yaw_deg); // for a stand-in of the face mesh
    context.fillStyle = `rgb(${grey} ${grey} ${grey})`;
    context.fillRect(0, height - 32, 32, 32);
  }

  async function open() {
    const bytes = Uint8Array.from(atob(PHOTO), (character) => character.charCodeAt(0));
    photo = await createImageBitmap(new Blob([bytes]));
    makeNoise();
    const stream = canvas.captureStream(0); // a frame for each drawing: at a rate the browser may repeat one
    const [track] = stream.getVideoTracks();
    const drawing = often(() => {
      track.requestFrame();
      draw();
    }, DRAW_MS);
    const stop = track.stop.bind(track);
    track.stop = () => {
      clearInterval(drawing);
      stop();
    };
    return stream;
  }

  if (navigator.mediaDevices) navigator.mediaDevices.getUserMedia = open;
})();
