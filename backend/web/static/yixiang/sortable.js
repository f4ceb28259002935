// A list whose members are dragged by a handle: what is dropped elsewhere is sent as move|from|to.
// With the keyboard and on a phone the buttons of each member move it.
"use strict";

document.querySelectorAll("[data-sortable]").forEach((list) => {
  let dragged = null;
  const members = () => [...list.querySelectorAll("[data-place]")];
  list.addEventListener("pointerdown", (event) => {
    const member = event.target.closest("[data-handle]")?.closest("[data-place]");
    if (member) {
      member.draggable = true;
    }
  });
  list.addEventListener("dragstart", (event) => {
    dragged = event.target.closest("[data-place]");
    dragged?.classList.add("dragged");
    event.dataTransfer.effectAllowed = "move";
  });
  list.addEventListener("dragover", (event) => {
    if (!dragged) {
      return;
    }
    event.preventDefault();
    const over = event.target.closest("[data-place]");
    if (over && over !== dragged) {
      const box = over.getBoundingClientRect();
      over[event.clientY < box.top + box.height / 2 ? "before" : "after"](dragged);
    }
  });
  list.addEventListener("dragend", () => {
    if (!dragged) {
      return;
    }
    dragged.draggable = false;
    dragged.classList.remove("dragged");
    const from = dragged.dataset.place;
    const to = members().indexOf(dragged);
    const form = dragged.querySelector("form");
    dragged = null;
    if (form && String(to) !== from) {
      const button = document.createElement("button");
      button.type = "submit";
      button.name = "do";
      button.value = `move|${from}|${to}`;
      button.hidden = true;
      form.append(button);
      form.requestSubmit(button);
    }
  });
});
