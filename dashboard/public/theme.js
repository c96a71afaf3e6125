// Runs before the first paint, so that a chosen theme does not flash. A file, as the page allows no inline script.
try {
  const chosen = localStorage.getItem('logweir.theme');
  if (chosen === 'dark' || chosen === 'light') document.documentElement.dataset.theme = chosen;
} catch {
  // Storage may be blocked; the system's preference then decides.
}
