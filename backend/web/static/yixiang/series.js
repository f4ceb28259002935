// The form of a series: parts that belong to one choice are shown with it.

const form = document.getElementById("series");

function show() {
  for (const part of form?.querySelectorAll("[data-when]") ?? []) {
    const [name, value] = part.dataset.when.split("=");
    part.hidden = form.elements[name].value !== value;
  }
}

form?.addEventListener("change", show);
show();
