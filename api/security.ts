/** What every answer carries, and which Host names a loopback server answers to. */

/**
 * No inline script or style, nothing from elsewhere, no framing. The page's own scripts and styles are files; what
 * it sets on elements goes through the CSSOM, which `style-src` does not touch.
 */
export const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** True for the addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** Name of a Host header without its port, lower case; '' when it is no host. */
export function hostName(header: string | undefined): string {
  const match = /^(\[[\da-fA-F:.]+\]|[\w.-]+)(?::\d{1,5})?$/.exec(header ?? '');
  return match?.[1]?.toLowerCase() ?? '';
}

/**
 * A page elsewhere can point its own name at 127.0.0.1 (DNS rebinding) and would then read everything here; its
 * requests still carry that name. So on loopback only loopback names (any port: tunnels change it) are answered.
 */
export function hostAllowed(header: string | undefined, boundTo: string, further: readonly string[]): boolean {
  if (!isLoopback(boundTo)) return true;
  const name = hostName(header);
  return isLoopback(name) || name.endsWith('.localhost') || further.includes(name);
}
