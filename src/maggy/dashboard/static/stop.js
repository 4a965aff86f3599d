// Asking a driver to stop something, after a question.
import { tell } from "./api.js";
import { el, say } from "./dom.js";

const PATIENCE_MS = 30_000; // after which it may be asked for again: that driver may have died before it looked

/** A button that stops a trial or, without one, its experiment. `may` says whether that is possible, and why not. */
export function stopButton(id, trial, may) {
  const what = trial === null ? "the experiment" : `trial ${trial}`;
  const asked = Date.now() - Number(sessionStorage.getItem(`asked-${id}-${trial}`)) < PATIENCE_MS;
  if (!may.ok) sessionStorage.removeItem(`asked-${id}-${trial}`);
  const button = el("button.danger", { type: "button", "data-key": "stop", "aria-describedby": "stop-why", onclick: () => question(id, trial, what) },
    `Stop ${trial === null ? "experiment" : "trial"}`);
  if (!may.ok || asked) button.disabled = true;
  const why = may.ok ? (asked ? "Asked to stop; the driver obeys within seconds." : "") : may.why;
  return el("div.stop", {}, button, el("span.sub", { id: "stop-why" }, why));
}

function question(id, trial, what) {
  const dialog = document.getElementById("confirm");
  const opener = document.activeElement;
  document.getElementById("confirm-title").textContent = `Stop ${what}?`;
  document.getElementById("confirm-text").textContent = trial === null
    ? "Trials that run are told to stop, and nothing new begins. What has finished is kept; maggy resume goes on later."
    : "It is told to stop at its next report. What it has reported by then counts as its result.";
  dialog.returnValue = "no";
  dialog.onclose = async () => {
    opener?.focus();
    if (dialog.returnValue !== "yes") return;
    try {
      await tell(`experiments/${id}/stop`, { trial });
      sessionStorage.setItem(`asked-${id}-${trial}`, String(Date.now()));
      say(`Asked to stop ${what}.`);
    } catch (error) {
      sessionStorage.removeItem(`asked-${id}-${trial}`);
      say(error.message);
      const note = el("p.note.bad", { role: "alert" }, error.message);
      document.getElementById("main").prepend(note);
    }
    dispatchEvent(new Event("maggy-refresh"));
  };
  dialog.showModal();
}
