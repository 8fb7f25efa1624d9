// Numbers and times as text. A value that is missing is a dash.

const NONE = "–";
const WHOLE = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

// Three digits at most: 0.04, 1.2, 12, 123.
function digits(value) {
  const places = value >= 10 || value === 0 ? 0 : value >= 1 ? 1 : 2;
  return String(Number(value.toFixed(places)));
}

// A value with the largest unit of `units` (names and sizes, the largest first) that it reaches.
function scaled(value, units) {
  // 999.6 counts as 1000, as it would be shown.
  const found = units.find(([, size]) => value >= size * 0.9995) ?? units[units.length - 1];
  return digits(value / found[1]) + found[0];
}

function count(value) {
  return WHOLE.format(value);
}

function rate(value) {
  if (value == null) return NONE;
  return scaled(value, [["\u202fM/s", 1e6], ["\u202fk/s", 1e3], ["\u202f/s", 1]]);
}

function bytes(value) {
  if (value == null) return NONE;
  const units = ["GiB", "MiB", "KiB"].map((name, at) => [`\u202f${name}`, 2 ** (30 - 10 * at)]);
  return scaled(value, [...units, ["\u202fB", 1]]);
}

function seconds(value) {
  if (value == null) return NONE;
  const units = [["\u202fd", 86400], ["\u202fh", 3600], ["\u202fmin", 60], ["\u202fs", 1]];
  return scaled(value, [...units, ["\u202fms", 1e-3]]);
}

// A length of time in its two largest units: 3 d 4 h, 5 min 12 s, 8 s.
function lasting(value) {
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  let left = Math.max(0, Math.floor(value));
  const first = units.findIndex(([, size]) => left >= size);
  if (first < 0) return "0\u202fs";
  const parts = [];
  for (const [name, size] of units.slice(first, first + 2)) {
    const whole = Math.floor(left / size);
    left -= whole * size;
    if (whole > 0) parts.push(`${whole}\u202f${name}`);
  }
  return parts.join(" ");
}

// How far `at` is from `now`, both in milliseconds.
function relative(at, now) {
  const away = (now - at) / 1000;
  if (Math.abs(away) < 1) return "just now";
  const length = lasting(Math.abs(away)).split(" ")[0];
  return away > 0 ? `${length} ago` : `in ${length}`;
}

// The time of day here.
function clock(at) {
  return new Date(at).toLocaleTimeString("en-GB");
}

// The whole moment, for a title: here, with the zone.
function moment(at) {
  return new Date(at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "long" });
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}

function percent(part, whole) {
  return whole > 0 ? Math.min(100, (100 * part) / whole) : 0;
}
