// The page's time goes on by one frame at a time, and stands still while anything is encoded or on its way: what is
// tested does not depend on how fast the machine is. Loaded after whatever draws the camera, which needs real time.

(() => {
  const FRAME_MS = 1000 / 12;
  const later = setTimeout.bind(window);
  const painted = HTMLVideoElement.prototype.requestVideoFrameCallback;
  const [encode, ask] = [HTMLCanvasElement.prototype.toBlob, fetch.bind(window)];
  let now_ms = 1000;
  let busy = 0;
  let timers = [];

  performance.now = () => now_ms;
  window.setTimeout = (callback, ms = 0) => timers.push({ callback, due_ms: now_ms + ms, every_ms: null }) && timers.at(-1);
  window.setInterval = (callback, ms) => timers.push({ callback, due_ms: now_ms + ms, every_ms: ms }) && timers.at(-1);
  window.clearTimeout = window.clearInterval = (timer) => {
    timers = timers.filter((one) => one !== timer);
  };

  function goOn() {
    now_ms += FRAME_MS;
    for (const timer of timers.filter(({ due_ms }) => due_ms <= now_ms)) {
      if (timer.every_ms === null) window.clearTimeout(timer);
      else timer.due_ms = now_ms + timer.every_ms;
      timer.callback();
    }
  }

  HTMLVideoElement.prototype.requestVideoFrameCallback = function (callback) {
    // A frame is looked at when it comes or not at all: later the page would see the next one, and then see it again.
    const onFrame = () => {
      if (busy > 0) return painted.call(this, onFrame);
      goOn();
      return callback(now_ms, { captureTime: now_ms });
    };
    return painted.call(this, onFrame);
  };
  HTMLCanvasElement.prototype.toBlob = function (callback, ...how) {
    busy += 1;
    encode.call(this, (blob) => {
      busy -= 1;
      callback(blob);
    }, ...how);
  };
  window.fetch = (...given) => {
    busy += 1;
    return ask(...given).finally(() => {
      later(() => (busy -= 1), 30); // until the page has read the answer
    });
  };
})();
