// Suggestions below a search field: a combobox with a list, by arrows, pointer or touch. Without this the field just searches.

const WAIT = 150;
let answers = new Map();

function start(input) {
  const list = document.createElement("ul");
  list.id = `${input.id}-suggestions`;
  list.className = "suggestions";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", input.dataset.suggestLabel);
  input.after(list);
  for (const [name, value] of Object.entries({
    role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id,
  })) input.setAttribute(name, value);

  let timer = 0;
  let active = -1;
  let typed = input.value;

  function close() {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function mark(place) {
    const options = [...list.children];
    active = place;
    options.forEach((option, n) => option.setAttribute("aria-selected", String(n === place)));
    if (place < 0) {
      input.removeAttribute("aria-activedescendant");
      input.value = typed;
    } else {
      input.setAttribute("aria-activedescendant", options[place].id);
      options[place].scrollIntoView({ block: "nearest" });
      input.value = options[place].dataset.words;
    }
  }

  function take(words) {
    input.value = words;
    close();
    input.form.requestSubmit();
  }

  function show(found) {
    list.replaceChildren(...found.map((one, n) => {
      const option = document.createElement("li");
      option.id = `${list.id}-${n}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.dataset.words = one.words;
      option.dataset.kind = one.kind;
      option.textContent = one.label;
      return option;
    }));
    active = -1;
    input.removeAttribute("aria-activedescendant");
    list.hidden = !found.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
  }

  async function ask() {
    const words = typed.trim();
    if (!words) return close();
    if (!answers.has(words)) {
      const url = new URL(input.dataset.suggest, location.origin);
      url.searchParams.set("q", words);
      try {
        const answer = await fetch(url, { headers: { Accept: "application/json" } });
        if (!answer.ok) return;
        if (answers.size > 100) answers = new Map();
        answers.set(words, await answer.json());
      } catch {
        return; // no network: the field still searches
      }
    }
    // Meanwhile something else may have been typed, or the field left.
    if (typed.trim() === words && document.activeElement === input) show(answers.get(words));
  }

  input.addEventListener("input", (event) => {
    typed = input.value;
    clearTimeout(timer);
    if (!event.isComposing) timer = setTimeout(ask, WAIT);
  });
  input.addEventListener("compositionend", () => {
    typed = input.value;
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT);
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const count = list.children.length;
    if (event.key === "Escape" && !list.hidden) {
      mark(-1);
      close();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && !list.hidden) {
      // The field itself is one of the places.
      const step = event.key === "ArrowDown" ? 1 : count;
      mark(((active + 1 + step) % (count + 1)) - 1);
    } else if (event.key === "Enter") {
      clearTimeout(timer);
      close();
      return;
    } else {
      return;
    }
    event.preventDefault();
  });
  input.addEventListener("blur", () => {
    clearTimeout(timer);
    close();
  });
  // Before the field loses the focus, which would close the list.
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) take(option.dataset.words);
  });
}

for (const input of document.querySelectorAll("input[data-suggest]")) start(input);
