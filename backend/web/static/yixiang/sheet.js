// The form of a rule: a choice that changes which fields there are draws the form anew.
"use strict";

document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-sheet-again]")?.form;
  if (form) {
    form.requestSubmit(form.querySelector("button[value='again']"));
  }
});
