// Minutes left beside an instant: <span data-until="2026-12-01T09:00:00Z" data-words="# min left" data-over="over">.

function draw() {
  for (const place of document.querySelectorAll("[data-until]")) {
    const left = Date.parse(place.dataset.until) - Date.now();
    place.textContent = left > 0 ? `· ${place.dataset.words.replace("#", Math.ceil(left / 60000))}` : `· ${place.dataset.over}`;
  }
}

draw();
setInterval(draw, 15000);
