"use strict";
// Overlays: one method at a time, and the truth if wanted.
for (const block of document.querySelectorAll(".overlays")) {
  const buttons = [...block.querySelectorAll("[data-method]")];
  const truth = block.querySelector("[data-truth]");
  const show = () => {
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.method === block.dataset.shown));
    }
    for (const layer of block.querySelectorAll(".layer")) {
      const wanted = layer.classList.contains("truth")
        ? Boolean(truth && truth.checked)
        : layer.dataset.layer === block.dataset.shown;
      layer.classList.toggle("shown", wanted);
    }
  };
  for (const button of buttons) {
    button.addEventListener("click", () => { block.dataset.shown = button.dataset.method; show(); });
  }
  if (truth) truth.addEventListener("change", show);
  show();
}
// A click on a picture shows it as large as the window, as it is drawn now; a click closes it.
const enlarged = document.getElementById("enlarged");
for (const button of document.querySelectorAll(".enlarge")) {
  button.addEventListener("click", () => {
    enlarged.replaceChildren(button.firstElementChild.cloneNode(true));
    enlarged.showModal();
  });
}
enlarged.addEventListener("click", () => enlarged.close());
