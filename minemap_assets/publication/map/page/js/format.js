// Numbers and years in words. What is null was not observed, and is never shown as zero.

export const NOT_OBSERVED = "not observed";

/** An area with as many digits as mean something. */
export function km2(value) {
  if (value === null || value === undefined) return NOT_OBSERVED;
  const digits = value === 0 ? 0 : value < 0.1 ? 3 : value < 100 ? 2 : 0;
  return `${value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })} km²`;
}

export function percent(share) {
  return share === null || share === undefined ? null : `${(100 * share).toFixed(share === 1 ? 0 : 1)} %`;
}

export const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

/** When ground was first mined: the interval of the posterior, and what lies beyond the record. */
export function firstYear(mine) {
  const { first_low: low, first_high: high } = mine;
  if (low === null && high === null) return `${mine.first} or earlier; no year of the record makes it sure`;
  if (low === null) return `${high} or earlier (it may be older than the record)`;
  if (high === null) return `${low} or later; no year of the record makes it sure`;
  return low === high ? `${low} (95 % interval)` : `${low} to ${high} (95 % interval)`;
}

/** The last year that shows a mine. One that is no longer visible may still be at work. */
export function lastYear(mine) {
  return mine.visible ? `${mine.last}, still visible then` : `${mine.last}; no longer visible, which is not closed`;
}

export const statusWord = (provisional) => (provisional ? "provisional" : "final");

/** Short form of a hash. */
export const short = (hash) => (hash ? hash.slice(0, 12) : null);
