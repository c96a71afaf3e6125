/** Tail probabilities, and the one scale on which every detector's surprise becomes a score. */

/** Most negative power of ten that is told apart; what is rarer scores the same. */
const exponentMax = 300;

/**
 * −log10 P(X ≥ count) of a count with this mean and variance: negative binomial, which tends to Poisson as the
 * variance falls to the mean. P(X ≥ k) = I(mean / (mean + size); k, size), the regularised incomplete beta function.
 */
export function upperTailExponent(count: number, mean: number, variance: number): number {
  const k = Math.ceil(count);
  if (k <= 0 || k <= mean) return 0;
  if (mean <= 0) return exponentMax;
  const size = sizeOf(mean, variance);
  return exponentOf(logIncompleteBeta(mean / (mean + size), size / (mean + size), k, size));
}

/** −log10 P(X ≤ count), for counts below the mean; 0 from the mean on. */
export function lowerTailExponent(count: number, mean: number, variance: number): number {
  const k = Math.floor(count);
  if (k >= mean) return 0;
  const size = sizeOf(mean, variance);
  if (k === 0) return exponentOf(-size * Math.log1p(mean / size));
  return exponentOf(logIncompleteBeta(size / (mean + size), mean / (mean + size), size, k + 1));
}

/** Smallest count above the mean whose upper tail is at most 10^−exponent. */
export function upperTailCount(exponent: number, mean: number, variance: number): number {
  let low = Math.floor(mean);
  let high = Math.ceil(mean) + 1;
  while (upperTailExponent(high, mean, variance) < exponent && high < 1e12) {
    low = high;
    high = high * 2 + 1;
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (upperTailExponent(middle, mean, variance) >= exponent) high = middle;
    else low = middle;
  }
  return high;
}

/** −log10 P(X ≥ count) of `trials` with this chance each; neither need be whole. 0 up to the mean. */
export function binomialTailExponent(count: number, trials: number, chance: number): number {
  if (count <= trials * chance || chance >= 1) return 0;
  if (chance <= 0) return exponentMax;
  // P(X ≥ k) = I(chance; k, n − k + 1)
  return exponentOf(logIncompleteBeta(chance, 1 - chance, count, Math.max(0, trials - count) + 1));
}

/** −log10 of the upper tail of a standard normal: Q(z) ≈ φ(z) / (z + 1 / (z + 2 / (z + 3 / …))). */
export function normalTailExponent(z: number): number {
  if (z <= 0) return 0;
  let fraction = z;
  for (let i = 12; i >= 1; i--) fraction = z + i / fraction;
  return exponentOf((-z * z) / 2 - Math.log(Math.sqrt(2 * Math.PI) * fraction));
}

/** −log10 of the upper tail of chi squared with `degrees` degrees of freedom (Wilson and Hilferty's cube root). */
export function chiSquaredTailExponent(value: number, degrees: number): number {
  const spread = 2 / (9 * degrees);
  return normalTailExponent((Math.cbrt(value / degrees) - (1 - spread)) / Math.sqrt(spread));
}

/** 0–100: a chance of 1 in 10^7 gives 50, 10^14 gives 75, 10^28 gives 94. One scale for all detectors. */
export function scoreOf(exponent: number): number {
  return Math.round(1000 * (1 - 2 ** (-exponent / 7))) / 10;
}

/** Size parameter of the negative binomial. A variance at or under the mean is taken as just above it: Poisson. */
function sizeOf(mean: number, variance: number): number {
  return (mean * mean) / (Math.max(variance, mean * 1.0001) - mean);
}

function exponentOf(log: number): number {
  return Math.min(exponentMax, Math.max(0, -log / Math.LN10));
}

/** Natural logarithm of I(x; a, b), where y = 1 − x and x < a / (a + b): Lentz's continued fraction. */
function logIncompleteBeta(x: number, y: number, a: number, b: number): number {
  const front = a * Math.log(x) + b * Math.log(y) + logGamma(a + b) - logGamma(a) - logGamma(b) - Math.log(a);
  let c = 1;
  let d = 1 / (1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= 2000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / (1 + even * d);
    c = 1 + even / c;
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + odd * d);
    c = 1 + odd / c;
    const step = d * c;
    fraction *= step;
    if (Math.abs(step - 1) < 1e-10) break;
  }
  return front + Math.log(fraction);
}

/** Lanczos' approximation, g = 7, n = 9; relative error under 1e-13 for x > 0. */
function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const y = x - 1;
  let sum = 0.9999999999998099;
  for (let i = 0; i < lanczos.length; i++) sum += (lanczos[i] as number) / (y + i + 1);
  const t = y + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (y + 0.5) * Math.log(t) - t + Math.log(sum);
}

const lanczos = [
  676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905,
  -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
];
