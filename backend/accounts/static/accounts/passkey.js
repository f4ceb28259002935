// Shows the buttons for keys where the browser has them, and says so when a key was not accepted.
(function () {
  const usable = window.isSecureContext && "PublicKeyCredential" in window;
  for (const one of document.querySelectorAll("[data-passkey]")) one.hidden = !usable;
  for (const one of document.querySelectorAll("[data-passkey-missing]")) one.hidden = usable;
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    for (const one of document.querySelectorAll("[data-passkey-failed]")) one.hidden = false;
  });
})();
