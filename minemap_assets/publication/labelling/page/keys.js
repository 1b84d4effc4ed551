// Which key does what. Digits lie together on a number pad; the letters are the first of the words.

export const KEYS = [
  { keys: ["1", "m"], shown: "1 or M", does: "mine", words: "Mine" },
  { keys: ["0", "n"], shown: "0 or N", does: "not mine", words: "Not a mine" },
  { keys: ["2", "u"], shown: "2 or U", does: "cannot tell", words: "Cannot tell" },
  { keys: ["Enter"], shown: "Enter", does: "rest", words: "The last answer holds for the years that follow" },
  { keys: ["4"], shown: "4", does: "high", words: "Sure: high" },
  { keys: ["5"], shown: "5", does: "medium", words: "Sure: medium" },
  { keys: ["6"], shown: "6", does: "low", words: "Sure: low" },
  { keys: ["t"], shown: "T", does: "note", words: "Write a note; Esc leaves it" },
  { keys: ["ArrowLeft"], shown: "←", does: "back", words: "Point before" },
  { keys: ["ArrowRight"], shown: "→", does: "next", words: "Point after" },
  { keys: ["ArrowUp"], shown: "↑", does: "earlier", words: "Look at the year before" },
  { keys: ["ArrowDown"], shown: "↓", does: "later", words: "Look at the year after" },
  { keys: ["b"], shown: "B", does: "bright", words: "Brighter pictures, all years alike, and back" },
  { keys: ["g"], shown: "G", does: "open", words: "Next point without an answer" },
  { keys: ["Backspace", "z"], shown: "⌫ or Z", does: "undo", words: "Take the last answer back" },
  { keys: ["?", "h"], shown: "? or H", does: "help", words: "This list" },
];

export function listen(act, on) {
  document.addEventListener("keydown", (event) => {
    if (event.target instanceof HTMLTextAreaElement) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (document.querySelector("dialog[open]") || event.altKey || event.metaKey || event.repeat) return;
    if (event.ctrlKey && event.key.toLowerCase() !== "z") return;
    const pressed = event.target.closest("button, input, summary");
    if (pressed && (event.key === "Enter" || event.key === " ")) return;
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.target instanceof HTMLInputElement && name.startsWith("Arrow")) return;
    const found = KEYS.find((one) => one.keys.includes(name));
    if (!found || (!on() && event.key.length === 1)) return;
    event.preventDefault();
    act(found.does);
  });
}
