// The page in slow motion: its clock, its timers and the capture times of its camera. SLOWER is filled in.

(() => {
  const [now, later, often] = [performance.now.bind(performance), setTimeout.bind(window), setInterval.bind(window)];
  const whenPainted = HTMLVideoElement.prototype.requestVideoFrameCallback;
  performance.now = () => now() / SLOWER;
  window.setTimeout = (callback, ms = 0) => later(callback, ms * SLOWER);
  window.setInterval = (callback, ms = 0) => often(callback, ms * SLOWER);
  HTMLVideoElement.prototype.requestVideoFrameCallback = function (callback) {
    return whenPainted.call(this, (at_ms, { captureTime, ...metadata }) =>
      callback(at_ms / SLOWER, { ...metadata, captureTime: captureTime && captureTime / SLOWER }),
    );
  };
})();
