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
