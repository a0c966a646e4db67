// The page as a lamp: paints both halves of the window as the service asks, at the times that it asks for.

/** Dark until it is told a colour. */
export class Lamp {
  #place = document.getElementById("light");
  #due = null;

  /** Takes the `screen` of a prompt, and its `next_screen`, which is due at a capture time. */
  follow({ screen, next_screen }) {
    if (!screen) return;
    clearTimeout(this.#due);
    const left_ms = next_screen ? next_screen.at_ms - performance.now() : Infinity;
    // a prompt was made for the last frame that it knows: meanwhile its next colours may be those of now
    this.#paint(left_ms <= 0 ? next_screen : screen);
    if (left_ms > 0 && next_screen) this.#due = setTimeout(() => this.#paint(next_screen), left_ms);
  }

  off() {
    clearTimeout(this.#due);
    this.#place.hidden = true;
    document.body.classList.remove("lit");
  }

  #paint({ left, right }) {
    document.body.classList.add("lit");
    this.#place.hidden = false;
    [left, right].forEach((rgb, half) => {
      this.#place.children[half].style.background = `rgb(${rgb.join(" ")})`;
    });
  }
}
