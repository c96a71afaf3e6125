/** Light or dark; the system's preference until one is chosen. */
import { useState } from 'preact/hooks';

export const themeEvent = 'logweir:theme';

function isDark(): boolean {
  const chosen = document.documentElement.dataset['theme'];
  return chosen === undefined ? matchMedia('(prefers-color-scheme: dark)').matches : chosen === 'dark';
}

export function ThemeButton() {
  const [dark, setDark] = useState(isDark);
  const toggle = (): void => {
    const theme = dark ? 'light' : 'dark';
    document.documentElement.dataset['theme'] = theme;
    try {
      localStorage.setItem('logweir.theme', theme);
    } catch {
      // Storage may be blocked; the choice then lasts as long as the page.
    }
    setDark(!dark);
    dispatchEvent(new Event(themeEvent));
  };
  const label = dark ? 'Use the light theme' : 'Use the dark theme';
  return (
    <button type="button" class="icon" onClick={toggle} aria-label={label} title={label}>
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
        <circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" stroke-width="1.4" />
        <path d="M8 2.5a5.5 5.5 0 0 1 0 11z" fill="currentColor" />
      </svg>
    </button>
  );
}
