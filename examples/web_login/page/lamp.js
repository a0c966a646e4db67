// The page as a lamp: paints both halves of the window as the service asks, at the times that it asks for.

/** Dark until it is told a colour. */
export class Lamp {
  #place = document.getElementById("light");
  #due = null;

  /** Takes the `screen` of a prompt, and the `next_screen`, which is due at a capture time. */
  follow({ screen, next_screen }) {
    if (!screen) return;
    clearTimeout(this.#due);
    this.#paint(screen);
    if (next_screen) {
      const [due_s, next] = next_screen;
      this.#due = setTimeout(() => this.#paint(next), 1000 * due_s - performance.now());
    }
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
