// Follows what happens: fetches the same page again and puts its <main> in place of this one.
"use strict";

const EVERY_MS = 2000;
// Not the document's own address: that may hold a password, which fetch refuses.
const HERE = location.origin + location.pathname + location.search;

async function look() {
  const main = document.querySelector("main[data-live]");
  if (!main) return;
  if (!document.hidden && !isInUse(main)) {
    try {
      const answer = await fetch(HERE, { headers: { Accept: "text/html" } });
      if (answer.ok) replace(main, await answer.text());
    } catch {
      // The server is away; the next look may find it.
    }
  }
  setTimeout(look, EVERY_MS);
}

// Whoever types or copies is not disturbed.
function isInUse(main) {
  const focused = document.activeElement;
  return (main.contains(focused) && focused.matches("input, select")) || String(getSelection()) !== "";
}

function replace(main, text) {
  const next = new DOMParser().parseFromString(text, "text/html");
  const fresh = next.querySelector("main");
  if (!fresh || fresh.innerHTML === main.innerHTML) return;
  const focused = main.contains(document.activeElement) && document.activeElement.getAttribute("href");
  document.title = next.title;
  main.replaceWith(document.adoptNode(fresh));
  if (focused) fresh.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

setTimeout(look, EVERY_MS);
