// Before anything is drawn: the colours that were chosen here, or those of the system.
"use strict";
try {
  const chosen = localStorage.getItem("maggy-theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch { /* storage is switched off */ }
