// Keeps the operations page up to date. What comes is HTML that the site's own
// templates have escaped.
"use strict";
const rows = document.getElementById("alerts"), live = document.getElementById("live");
const newest = rows.firstElementChild ? rows.firstElementChild.dataset.id : 0;
const stream = new EventSource("/operations/events?after=" + newest);
stream.addEventListener("open", () => { live.textContent = "Live"; live.classList.add("on"); });
stream.addEventListener("error", () => { live.textContent = "Reconnecting…"; live.classList.remove("on"); });
stream.addEventListener("alert", e => {
  rows.insertAdjacentHTML("afterbegin", e.data);
  rows.firstElementChild.classList.add("new");
  while (rows.children.length > 200) rows.lastElementChild.remove();
});
for (const part of ["panel", "alarms"])
  stream.addEventListener(part, e => { const at = document.getElementById(part); if (at) at.innerHTML = e.data; });
addEventListener("pagehide", () => stream.close());
