// Colours that stay apart for colour-blind readers and in grey: years from dark to light, gain and loss by hue,
// lightness and the kind of line.

const RAMP = ["#3b0f70", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725"]; // of the viridis family

export const CHANGE = {
  gain: { fill: "#d55e00", line: "#7a3500", words: "gained since the year before" },
  loss: { fill: "#56b4e9", line: "#0b4f7d", words: "no longer mapped; its outline is dashed" },
  stable: { fill: "#8a8f98", line: "#4b5563", words: "mapped in both years" },
};

export const INK = "#1f2937";

/** A colour for each year, the first one dark and the last one light. */
export function yearColours(years) {
  const last = Math.max(1, years.length - 1);
  return new Map(years.map((year, place) => [year, mixed((place / last) * (RAMP.length - 1))]));
}

export const UNKNOWN = "#b6bcc4";

/** A MapLibre expression: the colour of the property `first`; years before the record have that of its first. */
export function firstYearExpression(years) {
  const colours = [...yearColours(years)];
  const known = ["step", ["get", "first"], colours[0][1], ...colours.slice(1).flat()];
  return ["case", ["has", "first"], colours.length > 1 ? known : colours[0][1], UNKNOWN];
}

function mixed(place) {
  const low = Math.min(Math.floor(place), RAMP.length - 2);
  const share = place - low;
  const parts = [1, 3, 5].map((start) => {
    const [a, b] = [RAMP[low], RAMP[low + 1]].map((colour) => parseInt(colour.slice(start, start + 2), 16));
    return Math.round(a + (b - a) * share).toString(16).padStart(2, "0");
  });
  return `#${parts.join("")}`;
}
