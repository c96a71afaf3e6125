/** Before the first log: what to do to see one. */
import { useState } from 'preact/hooks';

/** The gateway's usual port, where the API does not know better. */
const gatewayPort = 8081;

export function NoLogs({ ingestUrl }: { ingestUrl: string | null }) {
  const url = ingestUrl ?? `http://${location.hostname}:${gatewayPort}/ingest`;
  const command = `curl -d '{"service":"hello","severity":"ERROR","body":"first log"}' ${url}`;
  const [copied, setCopied] = useState(false);
  const copy = (): void => {
    void navigator.clipboard.writeText(command).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  };
  return (
    <div class="welcome">
      <h1>No logs yet</h1>
      <p>Everything runs. Send the first log and it shows up here within a second or two:</p>
      <div class="command">
        <pre tabIndex={0}>{command}</pre>
        <button type="button" class="button" onClick={copy} aria-live="polite">
          {copied ? 'Copied' : 'Copy'}
        </button>
      </div>
      <p>
        Or read files with <code>./logweir ingest FILE…</code>, or watch a made-up shop for a while with{' '}
        <code>npm run demo</code>.
      </p>
    </div>
  );
}
