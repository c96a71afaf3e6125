/** Health check of a container: ends 0 when the role on this port says that it is ready. */
import process from 'node:process';

const [, , port = ''] = process.argv;
try {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_000) });
  process.exit(response.ok ? 0 : 1);
} catch {
  process.exit(1);
}
