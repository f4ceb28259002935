// Light or dark: the reader's choice, else that of their system. Loaded before the page is painted, so it never flashes.
(() => {
  const key = "theme";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // storage is switched off
    }
  };
  const apply = () => {
    const theme = chosen() ?? (dark.matches ? "dark" : "light");
    document.documentElement.setAttribute("data-bs-theme", theme);
    document.dispatchEvent(new CustomEvent("theme:change", { detail: theme }));
  };
  apply();
  dark.addEventListener("change", apply);
  window.addEventListener("storage", apply);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    const now = document.documentElement.getAttribute("data-bs-theme");
    try {
      localStorage.setItem(key, now === "dark" ? "light" : "dark");
    } catch {
      return;
    }
    apply();
  });
})();
