// A file that is too large is named before it is sent for nothing.

document.addEventListener("change", (event) => {
  const field = event.target.closest("input[type=file][data-most-bytes]");
  if (!field) return;
  const { mostFiles, mostBytes, tooMany, tooLarge } = field.dataset;
  const large = [...field.files].find((file) => file.size > Number(mostBytes));
  const problem = field.files.length > Number(mostFiles) ? tooMany : large ? `${large.name}: ${tooLarge}` : "";
  field.setCustomValidity(problem);
  if (problem) field.reportValidity();
});
