/**
 * The material of the base model: a small grammar of operations messages, written for this project. Every line is a
 * severity letter and a pattern; `(a|b)` chooses, `(a|)` may leave out. Categories are what an operator would sort by.
 */
export const baseGrammar: Readonly<Record<string, readonly string[]>> = {
  http: [
    'I <*> "(GET|POST|PUT|DELETE|HEAD|PATCH) /(api|v1|static|users|orders|images)/<*> HTTP/<*>" (status: |status code |)2xx (len: |size |)<*> (time: <*>|)',
    'I (GET|POST|PUT) /(api|health|login|items) (200|2xx|3xx) in <*> ms',
    'W "(GET|POST) /(api|cart|search) HTTP/<*>" (status: |response code |)4xx <*>',
    'E "(GET|POST|DELETE) /(api|cart|search) HTTP/<*>" (status: |return code: |)5xx <*>',
    'I (request|call) to (endpoint|route|url) /<*> (completed|answered|served) with status 2xx',
    'E (upstream|proxy|gateway) (returned|answered) status 5xx for (request|url) <*>',
    'W (request|response) body (too large|exceeds limit|truncated) for (url|endpoint) <*>',
    'D (incoming|outgoing) (http|https) request method=(GET|POST) path=<*> headers=<*>',
    'D parsing (query string|request headers|cookies) of <*>',
    'E (webhook|rest call|http request) to <*> failed with (status|code) (4xx|5xx)',
    'I webserver access: client <*> agent <*> referer <*> bytes <*>',
  ],
  security: [
    'E (possible|potential|suspected) (intrusion|break-in|data breach|malware infection|exploit|brute force attack) (detected|found|identified) (on|from) (host|server|address|network) <*>',
    'W (suspicious|unusual|abnormal|anomalous) (activity|behavior|traffic|request pattern|access) (detected|observed|flagged|seen) (from|on|for) (ip|user|server|account) <*>',
    'W (unauthorized|unauthenticated|illegal|forbidden) (access|attempt to access|request|api call|export of data|download) (to|by|from) (user|resource|account|client) <*> (was blocked|logged|intercepted|)',
    'W (multiple|repeated|several|too many) (failed|unsuccessful|invalid|incorrect) (login|sign-in|password|authentication) (attempts|tries) (for|by|from) (user|account|ip) <*>',
    'W user <*> (gained|elevated|escalated|obtained) (admin|root|administrator|superuser) (privileges|rights|permissions|role)',
    'E (privilege|admin rights|role) (escalation|elevation|abuse|misuse) (detected|suspected) for (user|account) <*>',
    'W (access|permission|login) (denied|refused|rejected) for (user|account|token|key) <*>: (insufficient rights|restricted resource|locked|)',
    'W (firewall|waf|intrusion prevention) (blocked|dropped|rejected) (packet|connection|request) from <*>',
    'E (signature|checksum|token) (verification|validation) failed, (possible|) tampering with <*>',
    'W (server|host|node|ip) <*> (may be|is possibly|appears to be) (compromised|vulnerable|at risk|under attack)',
    'W security (alert|warning|incident|policy violation|audit): <*> on (server|account) <*>',
    'E failed password for (invalid user|root|admin) <*> from <*> port <*>',
    'W (rejected|invalid|failed) (login|logon|sign-in) (attempt|) (on|to) (locked|disabled|protected|secured) account <*>',
    'W attempt to (bypass|circumvent|evade) (security|access) (checks|controls) by (user|client) <*>',
  ],
  'user action': [
    'I user <*> (logged in|signed in|logged on|authenticated) (successfully|from <*>|)',
    'I user <*> (logged out|signed out|logged off)',
    'I session (opened|closed|started|ended) for user <*>',
    'I (user|account|member) <*> (created|updated|changed|renamed|deleted) (profile|password|email address|avatar|preferences)',
    'I (customer|user) <*> (added|removed|viewed|selected) item <*> (to|from|in) (cart|wishlist|page)',
    'I account <*> was (created|registered|activated|closed) by (admin|user) <*>',
    'D user <*> (clicked|opened|visited|scrolled) (page|button|menu|tab) <*>',
    'I password (changed|reset) for user <*>',
  ],
  database: [
    'E (could not|cannot|failed to|unable to) (connect to|open|reach|query) (database|postgres|mysql|oracle|mongo) <*>: (connection refused|timeout|too many clients|)',
    'E (duplicate key|foreign key|unique) (value violates|constraint violation) on (table|index) <*>',
    'E deadlock (detected|found) (in|while executing) transaction <*>',
    'W slow query (took|of) <*> ms: select <*> from <*>',
    'I (checkpoint|vacuum|analyze|reindex) of table <*> (complete|finished|started)',
    'I (schema|database) migration <*> (applied|complete|started)',
    'E (replication|replica|shard|data sync) (failed|broken|error|did not complete|stopped) (for|on) (shard|replica|node) <*>',
    'W replica <*> (lags|is behind) primary by <*> (seconds|bytes)',
    'D executing (sql|statement|prepared query): select <*> where <*>',
    'D (acquired|returned|borrowed) connection <*> (from|to) pool, active=<*> idle=<*>',
    'I transaction <*> (committed|rolled back|prepared)',
    'E syntax error (in|near) (sql|query|statement) <*>',
    'I copied <*> rows into table <*>',
  ],
  network: [
    'E (connection|socket|link) to <*> (refused|reset by peer|lost|timed out|broken|closed unexpectedly)',
    'W (connection|channel|socket|session) (broken|closed|dropped|interrupted|lost) (to|for|with) (peer|host|id|client) <*>, (retrying|reconnecting|error|)',
    'W (cannot|could not|unable to) (open|establish) (channel|connection|socket) to (host|peer|server) <*> (at address <*>|)',
    'I (accepted|received|established|opened) (connection|socket connection|connection request) (from|to) <*>',
    'I (closed|closing|disconnected) (connection|socket) (for|from|to) (client|peer|host) <*>',
    'E (no route to host|network is unreachable|host is down|name or service not known|dns lookup failed) <*>',
    'I (listening|bound|serving) on (port|address|interface) <*>',
    'I (interface|link|port) <*> (is up|came up|up at <*>)',
    'W (interface|link|port) <*> (is down|flapping|went down|has errors)',
    'D (sending|received) (packet|ping|heartbeat|frame|datagram) (to|from) <*> (len=<*>|seq=<*>|)',
    'W (packet loss|high latency|retransmissions|timeouts) (on|to) (link|peer|network) <*>',
    'I (client|peer) <*> (renewed|obtained|released) (lease|address) <*>',
    'I proxy <*> (open|close) through <*>, <*> bytes sent, <*> bytes received, lifetime <*>',
    'D resolved host <*> to address <*>',
  ],
  storage: [
    'E (disk|filesystem|volume|partition) <*> (is full|has no space left|failed|is read-only|reports errors)',
    'E (I/O error|read error|write error|bad sector|corruption) (on|at) (device|disk|block|sector|file) <*>',
    'W (disk|filesystem|volume) <*> (is|at) <*> percent (used|full|of capacity)',
    'E (multiple|two|several) (disks|drives) (failed|missing|offline|degraded) in (array|raid set|pool) <*>',
    'I (mounted|unmounted) (filesystem|volume|share) <*> (on|from) <*>',
    'E mount of <*> failed: (no such file or directory|permission denied|input/output error)',
    'I (receiving|received|served|deleting|replicated|stored) (block|blob|object|file) <*> (of size <*>|from <*>|to <*>|)',
    'W (got|received) exception while (serving|writing|reading) (block|file) <*> to <*>',
    'I (opened|closed|renamed|rotated|created) (file|directory|segment|log) <*>',
    'W file <*> (not found|is missing|already exists|could not be removed), skipping',
    'D (reading|seeking|flushing|caching) (chunk|page|segment|file) <*> offset <*>',
    'I (image|snapshot|base file) <*> (checked|in use|removed|uploaded)',
  ],
  resource: [
    'I (total|free|used|available) (memory|disk|vcpus|cpu): <*> (MB|GB|), (used|allocated|limit): <*> (MB|GB|)',
    'I (cpu|memory|disk|heap) usage (is|at) <*> (percent|MB|GB)',
    'I (attempting claim|resource claim|quota|allocation): memory <*> MB, disk <*> GB, (vcpus|cpus) <*>',
    'I (memory|vcpu|disk|cpu) limit (not specified, unlimited|: <*> MB, free: <*> MB)',
    'W (memory|cpu|disk|heap|thread pool) usage (above|exceeds|over|reached) (threshold|limit|quota|<*> percent)',
    'E out of memory: (killed process|cannot allocate|java heap space|failed to allocate) <*>',
    'W (gc|garbage collection) (pause|took) <*> ms, heap <*> of <*>',
    'I (block|broadcast|value) <*> stored (in memory|as bytes) (estimated size <*>, free <*>)',
    'E (quota|file descriptor limit|process limit|connection pool) (exceeded|exhausted) for <*>',
    'D (allocating|freeing|reserved) (buffer|pages|memory) size=<*>',
    'I (resource|hypervisor|node) view: ram <*> used <*> vcpus <*> total <*>',
  ],
  configuration: [
    'I (loaded|reloaded|reading|using) (configuration|config|settings|properties) (from|file) <*>',
    'E (invalid|missing|unknown|malformed) (configuration|config|setting|option|parameter|property) <*>',
    'W (configuration|option|setting|property) <*> (not set|is missing|ignored|is not valid), using default <*>',
    'E (configuration|settings) (corrupted|damaged|inconsistent) (across|on|in) (the system|all nodes|host <*>)',
    'I (setting|changed|changing) (option|parameter|acl|flag|level) <*> to <*>',
    'D (config|property|option) <*>=<*>',
    'W (environment variable|feature flag) <*> (is undefined|has no value)',
  ],
  deprecation: [
    'W <*> is deprecated(, use <*> instead| and will be removed in (version|release) <*>|)',
    'W (the|) (feature|function|module|endpoint|api|option|method|library) <*> is (obsolete|outdated|deprecated|retired|legacy), (please|) (migrate|switch|move) to <*> (before|by|) <*>',
    'W support for (legacy|old|obsolete) (clients|protocols|drivers|versions|authentication|formats) (will end|ends|will be dropped|will be discontinued|is going away) (in|after|on) <*>',
    'W (version|release|api) <*> (reaches|reached) end of (life|support) (on|in) <*>, (upgrade|migrate) to <*>',
    'W (using|call to) deprecated (method|api|parameter|syntax) <*>',
    'W (module|plugin|tool) <*> will be (retired|sunset|removed|phased out) (in|by|after) <*>',
  ],
  workflow: [
    'E (approval|escalation|assignment|onboarding|order|ticket|case|claim) (workflow|process|step|rule|request) (failed|could not complete|did not finish|was rejected) (for|of) (ticket|case|order|customer|lead) <*> (due to|because of|-) (missing|invalid|undefined|inactive) (field|owner|agent|level|approver|status)',
    'E (conversion|assignment|routing|fulfilment|follow-up) of (lead|ticket|task|order|opportunity) <*> failed (due to|because) (missing|incomplete|invalid) (data|information|contact|priority|team)',
    'I (ticket|case|order|task|invoice|claim) <*> (assigned|moved|routed|escalated|approved|closed|submitted) (to|by) (team|agent|manager|queue) <*>',
    'W (ticket|order|approval|task) <*> (is overdue|has been waiting|breaches its sla|has no owner)',
    'E business rule <*> (could not be evaluated|failed|has no outcome) for (order|case|request) <*>',
    'I workflow <*> (started|finished|advanced to step <*>|completed)',
    'D workflow <*> (entering|leaving) (state|step) <*>',
  ],
  scheduling: [
    'I (job|task|batch|cron job|stage|attempt) <*> (started|finished|submitted|scheduled|succeeded|completed|is done|committed) (in <*> ms|on host <*>|)',
    'I (running|starting|launching|got assigned|finished) (task|job|stage) <*> (in stage <*>|on executor <*>|)',
    'E (job|task|batch|cron job|pipeline) <*> (failed|aborted|crashed|exited with code <*>) (after <*> attempts|)',
    'W (job|task|stage) <*> (is late|overran|missed its schedule|will be retried|was skipped|lost)',
    'D (scheduling|rescheduling|queueing|polling) (job|task|timer|alarm) <*> (in <*> ms|)',
    'I (progress|event times) of (attempt|task|job) <*> is <*>',
    'I (container|executor|worker) <*> (transitioned|changed|moved) from (NEW|RUNNING|ASSIGNED) to (RUNNING|SUCCEEDED|COMPLETED)',
    'I (next run|timer) of <*> (at|in) <*>',
  ],
  messaging: [
    'E (email|mail|message|notification|sms) (delivery|sending|transmission) (failed|problem|error) (for|to) (recipient|provider|address) <*>',
    'E (mail|smtp|email) (server|service|provider) (had trouble|faced a problem|reported an error) (sending|delivering) (mail|messages)',
    'I (email|message|notification|event) <*> (sent|queued|delivered|published|consumed) (to|from) (topic|queue|recipient|subscriber) <*>',
    'W (queue|topic|consumer|partition) <*> (is lagging|backlog grows|has <*> pending messages|rebalanced)',
    'E (broker|queue|topic) <*> (unavailable|rejected message|is not the leader|dead letter)',
    'D (polling|acknowledged|prefetched) (message|offset|delivery) <*> (from|in) (queue|topic) <*>',
  ],
  hardware: [
    'E (machine check|parity error|uncorrectable memory error|ecc error|bus error) (on|at|in) (cpu|dimm|bank|node|card) <*>',
    'I <*> (correctable|ecc|parity) (errors|error) detected and corrected (on|at) (rank|bank|address) <*>',
    'W (temperature|fan speed|voltage|battery) of (sensor|node|cpu|power supply) <*> (out of range|too high|too low|abnormal)',
    'E (fan|power supply|drive|controller|module|node card) <*> (failed|is missing|not functional|not responding)',
    'I (device|usb device|card|chip|module) <*> (inserted|attached|detected|registered|removed)',
    'E (register|address|status|instruction|data) (dump|state|fault): <*>=<*> <*>=<*>',
    'D (battery|brightness|light|sensor) (level|state|value) (changed|update) <*>',
    'E (hardware|device|firmware) (error|fault|failure) code <*>',
  ],
  critical: [
    'E (critical|vital|key|core|essential) (system|application|service) (component|module|part|unit|element) (failed|is down|crashed|is not operating|stopped working): <*>',
    'E (kernel panic|fatal error|unrecoverable error|catastrophic failure|system crash) (during|in|while) (boot|startup|init|operation) (of <*>|)',
    'E (severe|fatal|unrecoverable|irreparable) (error|fault|failure|bug|malfunction) (in|detected in|found in) (core|main|primary) (application|module|component|system)',
    'E (complete|total|major|global) (outage|loss of service|system failure|disruption) (of|in) (service|site|region|cluster) <*>',
    'E (service|system) (disrupted|interrupted|affected|brought down) by (failure|crash|error) of <*>',
    'E panic: <*>, stopping (execution|system)',
  ],
  system: [
    'I (system|service|application|server|daemon|agent) <*> (started|starting|is ready|initialized|running|up) (in <*> seconds|on port <*>|version <*>|)',
    'I (system|service|application|server|daemon) <*> (stopped|stopping|shutting down|exited normally|restarting as requested)',
    'I (backup|cleanup|maintenance|archive|restore|purge) (of <*>|) (completed successfully|finished|started|ended at <*>)',
    'I (system|package|software|firmware) <*> (updated|upgraded|installed|patched) to version <*>',
    'E (server|service|host|node|instance) <*> (restarted unexpectedly|went down|shut down abnormally|rebooted without notice|is offline|crashed)',
    'W (scheduling|attempting) restart of (crashed|failed) (service|process) <*> (in <*> ms|)',
    'I (instance|vm|container|pod) <*> (spawned|created|started|paused|resumed|destroyed|terminated) (successfully|)',
    'W (service|process|node) <*> (is not responding|is degraded|slow to answer|missed heartbeat), (retrying|waiting|)',
    'E (health check|readiness probe|liveness check) (failed|unsuccessful) for (service|pod) <*> (due to|:) (timeout|invalid certificate|connection refused|expired certificate)',
    'I (process|child) <*> (forked|found in slot <*>|init ok|spawned)',
    'E (child|worker|process) <*> (in error state|died|killed by signal|exited with status) <*>',
    'I (loading|unloading|registered|initialized) (module|driver|plugin|extension|signal handlers) <*>',
    'D (service|component|receiver) <*> (state|status)=<*> (enabled|ready|mode)=(true|false)',
    'I leader (elected|election took <*>|following|leading)',
  ],
  application: [
    'E (unhandled|uncaught|unexpected) exception (in|while) (processing|handling|executing) <*>',
    'E (NullPointerException|IllegalStateException|RuntimeException|ClassCastException|TypeError|IOException): <*>',
    'E (failed to|could not|unable to|error while) (process|parse|handle|load|create|execute|complete|convert) (request|input|record|message|document|operation) <*>',
    'E (module|function|component) <*> (failed to|was unable to) (process|parse|validate) (its input|malformed data|the payload) (due to format error|)',
    'E (invalid|malformed|corrupt|unexpected) (input|data|format|payload|argument) (in|for|received by) (module|function|service) <*>',
    'W (unknown|unrecognized|unsupported|unexpected) (value|attribute|type|message|option|state) <*>, (ignored|skipping|ignoring|using default|)',
    'W (retrying|will retry|giving up for now|falling back) after (error|failure|exception|timeout) <*>',
    'W interrupted while waiting for <*>',
    'W (failed to|cannot|could not) <*> (will retry|retrying|ignored|ignoring|continuing)',
    'W bad <*>: (expected <*>|ignored|)',
    'W caller <*> does not (hold|have) (permission|right) <*>; (limiting|restricting) result',
    'W <*> called from (wrong|another|non-ui) (thread|context)',
    'D (entering|leaving|calling|returning from|invoked) (method|function|handler) <*>',
    'D get<*>: value=<*> size=<*>',
    'D is<*>Enabled...',
    'D <*>: state=<*>, flags=<*>, enabled=(true|false), mode=<*>',
    'D handle<*>Update id=<*> type=<*>',
    'D skipping <*>, not (needed|visible|changed)',
    'D (dump|trace|debug) <*>: <*>=<*>, <*>=<*>, <*>=<*>',
    'D cache (hit|miss|lookup) for key <*>',
    'D received (broadcast|event|signal|callback) <*>',
    'D (query|register|unregister|release|acquire|lookup)<*> id=<*> flags=<*>',
    'I (operation|request|transaction) <*> (completed|succeeded|finished) in <*> (ms|seconds)',
    'I <*> (finished|done|ok|complete)',
    'I on<*>Started called',
    'I (creating|deleting|updating|removed|added|registered) <*> <*>',
    'I (using|version|id|name|mode): <*>',
  ],
};

const severityOf: Readonly<Record<string, string>> = { D: 'DEBUG', I: 'INFO', W: 'WARN', E: 'ERROR' };

export interface MaterialRecord {
  body: string;
  severity: string;
  category: string;
}

/** Sentences made of one pattern. */
const sentencesPerPattern = 8;

function expand(pattern: string, next: () => number): string {
  let text = pattern;
  for (let open = text.lastIndexOf('('); open >= 0; open = text.lastIndexOf('(', open - 1)) {
    const close = text.indexOf(')', open);
    const inside = close < 0 ? '' : text.slice(open + 1, close);
    if (!inside.includes('|')) {
      if (open === 0) break;
      continue;
    }
    const choices = inside.split('|');
    text = text.slice(0, open) + (choices[next() % choices.length] ?? '') + text.slice(close + 1);
    if (open === 0) break;
  }
  return text.replace(/ +/g, ' ').trim();
}

/** All sentences, in a fixed order: the choices come from a generator with a constant seed. */
export function* baseMaterial(): Generator<MaterialRecord> {
  let state = 20_240_601;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 9;
  };
  for (const [category, patterns] of Object.entries(baseGrammar)) {
    for (const line of patterns) {
      for (let i = 0; i < sentencesPerPattern; i++) {
        const text = expand(line.slice(2), next);
        const capital = next() % 2 === 0 ? text.charAt(0).toUpperCase() + text.slice(1) : text;
        yield { body: capital, severity: severityOf[line.charAt(0)] ?? 'INFO', category };
      }
    }
  }
}
