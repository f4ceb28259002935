// Asks before an element with data-confirm does what it does: a link, a submit button, anything with hx-….

const dialog = document.getElementById("ask");
const yes = dialog.querySelector("[data-ask-yes]");
const no = dialog.querySelector("[data-ask-no]");
const usual = { yes: yes.textContent, no: no.textContent };
const agreed = new WeakSet();

/** Shows the question; resolves to true if the reader agrees. */
function ask({ confirm, confirmYes, confirmNo, confirmTone }) {
  document.getElementById("ask-text").textContent = confirm;
  yes.textContent = confirmYes || usual.yes;
  no.textContent = confirmNo || usual.no;
  yes.classList.toggle("btn-danger", confirmTone === "danger");
  yes.classList.toggle("btn-primary", confirmTone !== "danger");
  dialog.returnValue = "";
  dialog.showModal();
  (confirmTone === "danger" ? no : yes).focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

function intercept(event, element, repeat) {
  if (agreed.delete(element)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  ask(element.dataset).then((answer) => {
    if (!answer) return;
    agreed.add(element);
    repeat();
  });
}

// In the capture phase, so that neither the browser nor HTMX has acted yet.
document.addEventListener(
  "click",
  (event) => {
    const element = event.target.closest("[data-confirm]:not(form)");
    if (element) intercept(event, element, () => element.click());
  },
  true,
);
document.addEventListener(
  "submit",
  (event) => {
    const form = event.target.closest("form[data-confirm]");
    if (form) intercept(event, form, () => form.requestSubmit(event.submitter));
  },
  true,
);
// A click beside the dialog means no.
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close("");
});
