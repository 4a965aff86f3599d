// Light and dark: the system's choice until somebody chooses here.

const system = matchMedia("(prefers-color-scheme: dark)");

export function theme() {
  return document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light");
}

export function setUpTheme(changed) {
  const button = document.getElementById("theme");
  const show = () => {
    button.textContent = theme() === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Show the page in ${theme() === "dark" ? "light" : "dark"} colours`);
  };
  button.addEventListener("click", () => {
    const next = theme() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("maggy-theme", next);
    } catch { /* storage is switched off */ }
    show();
    changed();
  });
  system.addEventListener("change", () => { show(); changed(); });
  show();
}
