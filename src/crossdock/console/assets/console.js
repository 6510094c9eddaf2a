// Parts of a page that fetch themselves anew. The server renders and escapes them; this only puts them in place.
"use strict";

const stale = document.getElementById("stale");

async function refresh(part) {
  if (document.hidden) return;
  try {
    const reply = await fetch(part.dataset.live, { credentials: "same-origin", cache: "no-store", redirect: "manual" });
    if (reply.status === 401) { location.reload(); return; }
    if (!reply.ok) throw new Error(String(reply.status));
    const text = await reply.text();
    if (part.dataset.last !== text) {
      part.innerHTML = text;
      part.dataset.last = text;
    }
    stale.hidden = true;
  } catch {
    stale.hidden = false;
  }
}

for (const part of document.querySelectorAll("[data-live]")) {
  const again = async () => {
    await refresh(part);
    setTimeout(again, Number(part.dataset.every));
  };
  setTimeout(again, "now" in part.dataset ? 0 : Number(part.dataset.every));
}
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) document.querySelectorAll("[data-live]").forEach(refresh);
});
