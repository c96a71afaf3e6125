/** A golden corpus: one line of each shape, in our own words, and what must be read from it. */
import { describe, expect, it } from 'vitest';
import { LineParser, type ParsedRecord } from './mod.ts';

const observedMs = Date.UTC(2026, 10, 21, 12);

function parseAll(lines: readonly string[], sourceName?: string): ParsedRecord[] {
  const parser = new LineParser({ observedMs, sourceName });
  const records: ParsedRecord[] = [];
  for (const line of lines) parser.push(line, (record) => records.push(record));
  parser.flush((record) => records.push(record));
  return records;
}

interface Expected {
  format: string;
  body: string;
  /** ISO 8601; '' = none. */
  time: string;
  severity?: string;
  service?: string;
  host?: string;
  attributes?: Record<string, string>;
}

function shown(record: ParsedRecord, expected: Expected): Expected {
  const attributes: Record<string, string> = {};
  const pairs = record.attributes ?? [];
  for (let i = 0; i < pairs.length; i += 2) {
    const key = pairs[i] as string;
    if (expected.attributes !== undefined && key in expected.attributes) attributes[key] = pairs[i + 1] as string;
  }
  return {
    format: record.format,
    body: record.body,
    time: record.timeMs === undefined ? '' : new Date(record.timeMs).toISOString(),
    ...(expected.severity === undefined ? {} : { severity: record.severityText }),
    ...(expected.service === undefined ? {} : { service: record.service ?? '' }),
    ...(expected.host === undefined ? {} : { host: record.resource?.[1] ?? '' }),
    ...(expected.attributes === undefined ? {} : { attributes }),
  };
}

const corpus: [string, Expected][] = [
  // JSON
  [
    '{"timestamp":"2026-05-02T03:04:05.678901Z","level":"warn","service":"till","message":"drawer open","n":3,"ok":true,"tags":["a"],"user":{"id":7}}',
    {
      format: 'json',
      body: 'drawer open',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'warn',
      service: 'till',
      attributes: { n: '3', ok: 'true', tags: '["a"]', 'user.id': '7' },
    },
  ],
  [
    '{"level":50,"time":1777691045678,"pid":4,"hostname":"k1","msg":"lost the key"}',
    { format: 'json', body: 'lost the key', time: '2026-05-02T03:04:05.678Z', severity: '50', host: 'k1' },
  ],
  [
    '{"@timestamp":"2026-05-02T03:04:05Z","log.level":"error","service":{"name":"oven"},"message":"too hot"}',
    { format: 'json', body: 'too hot', time: '2026-05-02T03:04:05.000Z', severity: 'error', service: 'oven' },
  ],
  // logfmt
  [
    'time=2026-05-02T03:04:05Z level=info msg="bread \\"rye\\" sold" app=till price=4.20',
    {
      format: 'logfmt',
      body: 'bread "rye" sold',
      time: '2026-05-02T03:04:05.000Z',
      severity: 'info',
      service: 'till',
      attributes: { price: '4.20' },
    },
  ],
  // syslog
  [
    '<165>1 2026-05-02T03:04:05.003Z mill.example grinder 1234 ID47 [grain@32473 kind="rye" note="a \\"b\\""] stone turning',
    {
      format: 'syslog5424',
      body: 'stone turning',
      time: '2026-05-02T03:04:05.003Z',
      severity: 'notice',
      service: 'grinder',
      host: 'mill.example',
      attributes: { 'grain@32473.kind': 'rye', 'grain@32473.note': 'a "b"', 'process.pid': '1234' },
    },
  ],
  [
    '1 2026-05-02T03:04:05Z mill grinder - - - stone stopped',
    { format: 'syslog5424', body: 'stone stopped', time: '2026-05-02T03:04:05.000Z', service: 'grinder', host: 'mill' },
  ],
  [
    '<34>May  2 03:04:05 mill su: no entry for baker on pts/8',
    {
      format: 'syslog3164',
      body: 'no entry for baker on pts/8',
      time: '2026-05-02T03:04:05.000Z',
      severity: 'crit',
      service: 'su',
      host: 'mill',
    },
  ],
  [
    'Dec 31 23:59:59 mill sshd(pam_unix)[311]: session opened for user baker by (uid=0)',
    {
      format: 'syslog3164',
      body: 'session opened for user baker by (uid=0)',
      time: '2025-12-31T23:59:59.000Z',
      service: 'sshd',
      attributes: { 'process.pid': '311', 'syslog.tag': 'sshd(pam_unix)' },
    },
  ],
  [
    'May 12 03:04:05 mill syslogd 1.5.0: restart.',
    { format: 'syslog3164', body: 'restart.', time: '2026-05-12T03:04:05.000Z', host: 'mill' },
  ],
  [
    'May 12 03:04:05 bakery-laptop Bread Sorter Helper[99]: loaf 4: sorted',
    { format: 'syslog3164', body: 'loaf 4: sorted', time: '2026-05-12T03:04:05.000Z', service: 'Bread Sorter Helper' },
  ],
  [
    'May 12 03:04:05 bakery-laptop com.example.launch[1] (com.example.oven): Service exited',
    {
      format: 'syslog3164',
      body: 'Service exited',
      time: '2026-05-12T03:04:05.000Z',
      service: 'com.example.launch',
      attributes: { 'syslog.detail': 'com.example.oven' },
    },
  ],
  [
    'May 12 03:04:05 bakery-laptop --- last message repeated 3 times ---',
    {
      format: 'syslog3164',
      body: '--- last message repeated 3 times ---',
      time: '2026-05-12T03:04:05.000Z',
      host: 'bakery-laptop',
    },
  ],
  [
    '2026-05-02T05:04:05.123456+02:00 mill-2 grinder[77]: belt slips',
    { format: 'syslog3164', body: 'belt slips', time: '2026-05-02T03:04:05.123Z', service: 'grinder', host: 'mill-2' },
  ],
  [
    'May 12 2025 03:04:05 switch-1 ports[7]: port 3 is up',
    {
      format: 'syslog3164',
      body: 'port 3 is up',
      time: '2025-05-12T03:04:05.000Z',
      service: 'ports',
      host: 'switch-1',
    },
  ],
  [
    'May 12, 2025 3:04:05 PM org.bakery.Oven start',
    { format: 'stamped', body: 'org.bakery.Oven start', time: '2025-05-12T15:04:05.000Z' },
  ],
  // web
  [
    '192.0.2.7 - anna [02/May/2026:05:04:05 +0200] "GET /bread?kind=rye HTTP/1.1" 404 153 "https://example.org/" "Browser/1.0 (X)"',
    {
      format: 'access',
      body: 'GET /bread?kind=rye HTTP/1.1 404 153',
      time: '2026-05-02T03:04:05.000Z',
      severity: 'WARN',
      attributes: {
        'client.address': '192.0.2.7',
        'user.name': 'anna',
        'http.request.method': 'GET',
        'url.path': '/bread?kind=rye',
        'http.response.status_code': '404',
        'user_agent.original': 'Browser/1.0 (X)',
        'http.request.header.referer': 'https://example.org/',
      },
    },
  ],
  [
    '2001:db8::1 - - [02/May/2026:03:04:05 +0000] "\\x16\\x03" 503 -',
    { format: 'access', body: '\\x16\\x03 503 -', time: '2026-05-02T03:04:05.000Z', severity: 'ERROR' },
  ],
  [
    '[Sat May 02 03:04:05 2026] [error] [client 192.0.2.7] no such loaf: /srv/rye',
    {
      format: 'apache-error',
      body: '[client 192.0.2.7] no such loaf: /srv/rye',
      time: '2026-05-02T03:04:05.000Z',
      severity: 'error',
      attributes: { 'client.address': '192.0.2.7' },
    },
  ],
  [
    '[Sat May 02 03:04:05.123456 2026] [core:notice] [pid 12:tid 34] AH00094: ready',
    {
      format: 'apache-error',
      body: 'AH00094: ready',
      time: '2026-05-02T03:04:05.123Z',
      severity: 'notice',
      attributes: { logger: 'core', 'process.pid': '12:tid 34' },
    },
  ],
  [
    '2026/05/02 03:04:05 [error] 12#34: *56 open() "/srv/rye" failed (2: No such file), client: 192.0.2.7',
    {
      format: 'nginx-error',
      body: 'open() "/srv/rye" failed (2: No such file), client: 192.0.2.7',
      time: '2026-05-02T03:04:05.000Z',
      severity: 'error',
    },
  ],
  // Java and its kin
  [
    '26/05/02 03:04:05 INFO bakery.OvenManager: Heating oven 7',
    {
      format: 'stamped',
      body: 'Heating oven 7',
      time: '2026-05-02T03:04:05.000Z',
      severity: 'INFO',
      attributes: { logger: 'bakery.OvenManager' },
    },
  ],
  [
    '260502 030405 143 WARN flour.Store$Sack: Sack sck_17 of size 4 from /192.0.2.7',
    {
      format: 'stamped',
      body: 'Sack sck_17 of size 4 from /192.0.2.7',
      time: '2026-05-02T03:04:05.000Z',
      severity: 'WARN',
      attributes: { logger: 'flour.Store$Sack', 'process.pid': '143' },
    },
  ],
  [
    '2026-05-02 03:04:05,678 INFO [main] org.bakery.v2.Oven: Created Oven for order_14 (auth:SIMPLE)',
    {
      format: 'stamped',
      body: 'Created Oven for order_14 (auth:SIMPLE)',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'INFO',
      attributes: { logger: 'org.bakery.v2.Oven', thread: 'main' },
    },
  ],
  [
    '2026-05-02 03:04:05,678 - WARN  [Peer[id=1]/0:0:0:0:0:0:0:0:2181:Chooser@774] - Vote timed out: 3200',
    {
      format: 'stamped',
      body: 'Vote timed out: 3200',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'WARN',
      attributes: { thread: 'Peer[id=1]/0:0:0:0:0:0:0:0:2181:Chooser@774' },
    },
  ],
  [
    '03:04:05.678 [main] DEBUG com.bakery.Oven - Door closed',
    {
      format: 'stamped',
      body: 'Door closed',
      time: '2026-11-21T03:04:05.678Z',
      severity: 'DEBUG',
      attributes: { logger: 'com.bakery.Oven', thread: 'main' },
    },
  ],
  [
    '2026-05-02 03:04:05.678  INFO 4711 --- [nio-8080-exec-1] c.bakery.OvenController   : Door opened',
    {
      format: 'stamped',
      body: 'Door opened',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'INFO',
      attributes: { logger: 'c.bakery.OvenController', 'process.pid': '4711', thread: 'nio-8080-exec-1' },
    },
  ],
  [
    '2026-05-02T03:04:05.678+02:00 ERROR 4711 --- [shop] [main] c.b.Till : Drawer stuck',
    {
      format: 'stamped',
      body: 'Drawer stuck',
      time: '2026-05-02T01:04:05.678Z',
      severity: 'ERROR',
      attributes: { logger: 'c.b.Till' },
    },
  ],
  [
    'INFO  [Pool-1] 2026-05-02 03:04:05,678 Oven.java:123 - Compacted crumbs',
    {
      format: 'stamped',
      body: 'Compacted crumbs',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'INFO',
      attributes: { thread: 'Pool-1', 'code.location': 'Oven.java:123' },
    },
  ],
  [
    '[2026-05-02T03:04:05,678][WARN ][o.b.t.Transport         ] [node-1] handshake failed',
    { format: 'stamped', body: 'handshake failed', time: '2026-05-02T03:04:05.678Z', severity: 'WARN' },
  ],
  [
    '[2026-05-02 03:04:05,678] INFO [Oven id=0] Starting up (bakery.server.Oven)',
    { format: 'stamped', body: 'Starting up (bakery.server.Oven)', time: '2026-05-02T03:04:05.678Z', severity: 'INFO' },
  ],
  // Python, OpenStack
  [
    '2026-05-02 03:04:05,678 - bakery.till - ERROR - drawer stuck',
    {
      format: 'stamped',
      body: 'drawer stuck',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'ERROR',
      attributes: { logger: 'bakery.till' },
    },
  ],
  [
    '2026-05-02 03:04:05,678 ERROR    till:till.py:42 drawer stuck',
    {
      format: 'stamped',
      body: 'drawer stuck',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'ERROR',
      attributes: { 'code.location': 'till:till.py:42' },
    },
  ],
  [
    'WARNING:bakery.till:drawer stuck',
    { format: 'levelled', body: 'drawer stuck', time: '', severity: 'WARNING', attributes: { logger: 'bakery.till' } },
  ],
  [
    '[2026-05-02 03:04:05,678: WARNING/MainProcess] drawer stuck',
    { format: 'stamped', body: 'drawer stuck', time: '2026-05-02T03:04:05.678Z', severity: 'WARNING' },
  ],
  [
    'bread-api.log.1.2026-05-02_13:53:08 2026-05-02 03:04:05.678 2931 INFO bread.osapi.wsgi [req-1a 2b - - -] 192.0.2.7 "GET /v2 HTTP/1.1" status: 200 len: 1893',
    {
      format: 'stamped',
      body: '192.0.2.7 "GET /v2 HTTP/1.1" status: 200 len: 1893',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'INFO',
      service: 'bread-api',
      attributes: { logger: 'bread.osapi.wsgi', 'process.pid': '2931', thread: 'req-1a 2b - - -' },
    },
  ],
  [
    '2026-05-02 03:04:05.678 2931 INFO bread.compute [req-1a 2b - - -] [instance: 7f-11] Oven started',
    { format: 'stamped', body: '[instance: 7f-11] Oven started', time: '2026-05-02T03:04:05.678Z', severity: 'INFO' },
  ],
  [
    '2026-05-02 03:04:05,678 - ERROR - [Errno 2] no such loaf: rye',
    { format: 'stamped', body: '[Errno 2] no such loaf: rye', time: '2026-05-02T03:04:05.678Z', severity: 'ERROR' },
  ],
  [
    '2026-05-02 03:04:05,678 - INFO - bakery.till - drawer open',
    {
      format: 'stamped',
      body: 'drawer open',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'INFO',
      attributes: { logger: 'bakery.till' },
    },
  ],
  [
    '2026-05-02 03:04:05.678 | WARNING  | bakery.till:open:12 - drawer stuck',
    { format: 'stamped', body: 'drawer stuck', time: '2026-05-02T03:04:05.678Z', severity: 'WARNING' },
  ],
  [
    'Jul  1 03:04:05 mill  -- root[2421]: ROOT LOGIN ON tty2',
    {
      format: 'syslog3164',
      body: 'ROOT LOGIN ON tty2',
      time: '2026-07-01T03:04:05.000Z',
      service: 'root',
      host: 'mill',
    },
  ],
  [
    '2026-05-02 03:04:05,678 [pool-1] ERROR com.bakery.Oven (Oven.java:42) - no heat',
    {
      format: 'stamped',
      body: 'no heat',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'ERROR',
      attributes: { logger: 'com.bakery.Oven', 'code.location': 'Oven.java:42' },
    },
  ],
  [
    '02-May-2026 03:04:05.678 INFO [main] org.bakery.Oven.start Oven is hot in 123 ms',
    {
      format: 'stamped',
      body: 'Oven is hot in 123 ms',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'INFO',
      attributes: { logger: 'org.bakery.Oven.start' },
    },
  ],
  [
    '2026-05-02 03:04:05.678 2931 ERROR bread.compute no heat',
    { format: 'stamped', body: 'bread.compute no heat', time: '2026-05-02T03:04:05.678Z', severity: 'ERROR' },
  ],
  [
    '[2026-05-02 03:04:05] shop.ERROR: drawer stuck {"id":1}',
    {
      format: 'stamped',
      body: 'drawer stuck {"id":1}',
      time: '2026-05-02T03:04:05.000Z',
      severity: 'ERROR',
      attributes: { logger: 'shop' },
    },
  ],
  [
    'type=SYSCALL msg=audit(1777691045.678:24287): arch=c000003e success=no exit=-13',
    {
      format: 'audit',
      body: 'type=SYSCALL arch=c000003e success=no exit=-13',
      time: '2026-05-02T03:04:05.678Z',
      attributes: { type: 'SYSCALL', 'audit.serial': '24287' },
    },
  ],
  [
    '03:04:05,678 INFO  [org.bakery.oven] (Oven thread 1-2) BRD0049: started',
    {
      format: 'stamped',
      body: 'BRD0049: started',
      time: '2026-11-21T03:04:05.678Z',
      severity: 'INFO',
      attributes: { thread: 'org.bakery.oven' },
    },
  ],
  [
    '2026-05-02 03:04:05 INFO     (MainThread) [bakery.core] Starting',
    { format: 'stamped', body: 'Starting', time: '2026-05-02T03:04:05.000Z', severity: 'INFO' },
  ],
  [
    '[2026-05-02 03:04:05] [Server thread/WARN]: Oven is late',
    {
      format: 'stamped',
      body: 'Oven is late',
      time: '2026-05-02T03:04:05.000Z',
      severity: 'WARN',
      attributes: { thread: 'Server thread' },
    },
  ],
  [
    '[WARN] 2026-05-02 03:04:05 - oven is late',
    { format: 'stamped', body: 'oven is late', time: '2026-05-02T03:04:05.000Z', severity: 'WARN' },
  ],
  [
    'W 2026-05-02 03:04:05 oven.cc:12 oven is late',
    {
      format: 'stamped',
      body: 'oven is late',
      time: '2026-05-02T03:04:05.000Z',
      severity: 'W',
      attributes: { 'code.location': 'oven.cc:12' },
    },
  ],
  [
    '<166>%OVEN-6-302013: Built outbound tray',
    {
      format: 'syslog3164',
      body: 'Built outbound tray',
      time: '',
      severity: 'info',
      service: 'unknown_service',
      attributes: { 'syslog.msgid': 'OVEN-6-302013' },
    },
  ],
  [
    '2026-05-02T03:04:05.678901+00:00 oven[tray.1]: Heat is up',
    { format: 'stamped', body: 'Heat is up', time: '2026-05-02T03:04:05.678Z', attributes: { logger: 'oven' } },
  ],
  // databases and others
  [
    '2026-05-02 03:04:05.678 UTC [123] LOG:  checkpoint starting: time',
    {
      format: 'stamped',
      body: 'checkpoint starting: time',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'LOG',
      attributes: { 'process.pid': '123' },
    },
  ],
  [
    '2026-05-02T03:04:05.678901Z 8 [Warning] [MY-010055] [Server] IP address could not be resolved',
    {
      format: 'stamped',
      body: 'IP address could not be resolved',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'Warning',
    },
  ],
  [
    '2026-05-02T03:04:05.678+0000 I NETWORK  [conn12] received client metadata',
    {
      format: 'stamped',
      body: 'received client metadata',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'I',
      attributes: { logger: 'NETWORK', thread: 'conn12' },
    },
  ],
  [
    '1:M 02 May 2026 03:04:05.678 # Server initialized',
    { format: 'stamped', body: 'Server initialized', time: '2026-05-02T03:04:05.678Z', severity: 'warning' },
  ],
  [
    '2026-05-02 03:04:05.678 [info] <0.33.0> accepting connection',
    { format: 'stamped', body: 'accepting connection', time: '2026-05-02T03:04:05.678Z', severity: 'info' },
  ],
  [
    'I, [2026-05-02T03:04:05.678901 #77]  INFO -- : Started GET "/"',
    {
      format: 'stamped',
      body: 'Started GET "/"',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'INFO',
      attributes: { 'process.pid': '77' },
    },
  ],
  [
    '2026-05-02 03:04:05, Info                  PKG    Loaded stack v6.1 with core: C:\\Windows\\core.dll',
    {
      format: 'stamped',
      body: 'Loaded stack v6.1 with core: C:\\Windows\\core.dll',
      time: '2026-05-02T03:04:05.000Z',
      severity: 'Info',
      attributes: { logger: 'PKG' },
    },
  ],
  [
    '[05.02 03:04:05] baker.exe - proxy.example.org:5070 close, 0 bytes sent',
    {
      format: 'stamped',
      body: 'proxy.example.org:5070 close, 0 bytes sent',
      time: '2026-05-02T03:04:05.000Z',
      attributes: { logger: 'baker.exe' },
    },
  ],
  [
    '[05.02 03:04:05] baker.exe *64 - proxy.example.org:5070 error : could not connect',
    {
      format: 'stamped',
      body: 'proxy.example.org:5070 error : could not connect',
      time: '2026-05-02T03:04:05.000Z',
      attributes: { logger: 'baker.exe *64' },
    },
  ],
  // Go, Rust, .NET
  [
    '2026/05/02 03:04:05 main.go:23: listening on :80',
    {
      format: 'stamped',
      body: 'listening on :80',
      time: '2026-05-02T03:04:05.000Z',
      attributes: { 'code.location': 'main.go:23' },
    },
  ],
  [
    '2026-05-02T03:04:05.678Z\tinfo\toven\toven/door.go:12\tdoor opened\t{"id": 3}',
    {
      format: 'stamped',
      body: 'door opened\t{"id": 3}',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'info',
      attributes: { logger: 'oven', 'code.location': 'oven/door.go:12' },
    },
  ],
  [
    'W0502 03:04:05.678901    4711 door.go:118] hinge is loose',
    {
      format: 'glog',
      body: 'hinge is loose',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'W',
      attributes: { 'code.location': 'door.go:118', 'thread.id': '4711' },
    },
  ],
  [
    '2026-05-02T03:04:05.678901Z  INFO bakery::oven: door opened id=3',
    {
      format: 'stamped',
      body: 'door opened id=3',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'INFO',
      attributes: { logger: 'bakery::oven' },
    },
  ],
  [
    '[2026-05-02T03:04:05Z WARN  bakery::oven] hinge is loose',
    {
      format: 'stamped',
      body: 'hinge is loose',
      time: '2026-05-02T03:04:05.000Z',
      severity: 'WARN',
      attributes: { logger: 'bakery::oven' },
    },
  ],
  [
    '2026-05-02 03:04:05.678 +02:00 [INF] Door opened',
    { format: 'stamped', body: 'Door opened', time: '2026-05-02T01:04:05.678Z', severity: 'INF' },
  ],
  // phones, machines
  [
    '05-02 03:04:05.678  1702  2395 D DoorManager: hinge=3, wake=true',
    {
      format: 'logcat',
      body: 'hinge=3, wake=true',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'D',
      attributes: { logger: 'DoorManager', 'process.pid': '1702', 'thread.id': '2395' },
    },
  ],
  [
    'W/DoorManager( 1702): hinge is loose',
    {
      format: 'logcat',
      body: 'hinge is loose',
      time: '',
      severity: 'W',
      attributes: { logger: 'DoorManager', 'process.pid': '1702' },
    },
  ],
  [
    '- 1777691045 2026.05.02 R02-M1-N0 2026-05-01-20.04.05.678901 R02-M1-N0 RAS KERNEL FATAL data cache parity error',
    {
      format: 'event-log',
      body: 'data cache parity error',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'FATAL',
      host: 'R02-M1-N0',
      attributes: { logger: 'KERNEL', type: 'RAS' },
    },
  ],
  [
    '- 1777691045 2026.05.02 dn228 May 1 20:04:05 dn228/dn228 crond(pam_unix)[2915]: session closed for user baker',
    {
      format: 'event-log',
      body: 'session closed for user baker',
      time: '2026-05-02T03:04:05.000Z',
      service: 'crond',
      host: 'dn228',
      attributes: { location: 'dn228/dn228' },
    },
  ],
  [
    '134681 node-246 unix.hw state_change.unavailable 1777691045 1 Component disk0 is gone',
    {
      format: 'event-columns',
      body: 'Component disk0 is gone',
      time: '2026-05-02T03:04:05.000Z',
      host: 'node-246',
      attributes: { logger: 'unix.hw', state: 'state_change.unavailable', 'event.id': '134681' },
    },
  ],
  [
    '20260502-3:4:5:67|Step_Door|30002312|onOpened 3579',
    {
      format: 'bars',
      body: 'onOpened 3579',
      time: '2026-05-02T03:04:05.067Z',
      attributes: { logger: 'Step_Door', 'process.pid': '30002312' },
    },
  ],
  // free text
  [
    '2026-05-02T03:04:05Z the oven was opened twice',
    { format: 'stamped', body: 'the oven was opened twice', time: '2026-05-02T03:04:05.000Z', severity: '' },
  ],
  [
    '2026-05-02 03:04:05 Error opening the oven',
    { format: 'stamped', body: 'Error opening the oven', time: '2026-05-02T03:04:05.000Z', severity: '' },
  ],
  [
    '2026-05-02 03:04:05 ERROR opening the oven',
    { format: 'stamped', body: 'opening the oven', time: '2026-05-02T03:04:05.000Z', severity: 'ERROR' },
  ],
  [
    '2026-05-02 03:04:05 42 loaves sold',
    { format: 'stamped', body: '42 loaves sold', time: '2026-05-02T03:04:05.000Z', severity: '' },
  ],
  [
    '2026-05-02T03:04:05.678Z stdout F {"level":"error","msg":"drawer stuck"}',
    {
      format: 'cri+json',
      body: 'drawer stuck',
      time: '2026-05-02T03:04:05.678Z',
      severity: 'error',
      attributes: { 'log.iostream': 'stdout' },
    },
  ],
  ['[ERROR] drawer stuck', { format: 'levelled', body: 'drawer stuck', time: '', severity: 'ERROR' }],
  ['ERROR: drawer stuck', { format: 'levelled', body: 'drawer stuck', time: '', severity: 'ERROR' }],
  [
    '[   12.345678] usb 1-1: new device',
    { format: 'kernel', body: 'usb 1-1: new device', time: '', service: 'kernel' },
  ],
  [
    '\u001b[2m2026-05-02T03:04:05.678901Z\u001b[0m \u001b[32m INFO\u001b[0m bakery::oven: door opened',
    { format: 'stamped', body: 'door opened', time: '2026-05-02T03:04:05.678Z', severity: 'INFO' },
  ],
  [
    '{"log":"drawer stuck\\n","stream":"stderr","time":"2026-05-02T03:04:05.678901234Z"}',
    {
      format: 'docker',
      body: 'drawer stuck',
      time: '2026-05-02T03:04:05.678Z',
      attributes: { 'log.iostream': 'stderr' },
    },
  ],
  [
    '1777691045.678 310 192.0.2.16 MISS/200',
    { format: 'stamped', body: '310 192.0.2.16 MISS/200', time: '2026-05-02T03:04:05.678Z' },
  ],
  // what no format fits
  ['987654321 loaves sold', { format: 'plain', body: '987654321 loaves sold', time: '' }],
  [
    'Started at 2026-05-02 03:04:05 by hand',
    { format: 'plain', body: 'Started at 2026-05-02 03:04:05 by hand', time: '' },
  ],
  ['Error while opening', { format: 'plain', body: 'Error while opening', time: '' }],
  ['{"broken": ', { format: 'plain', body: '{"broken": ', time: '' }],
];

describe('formats', () => {
  it.each(corpus)('%s', (line, expected) => {
    const records = parseAll([line]);
    expect(records).toHaveLength(1);
    expect(shown(records[0] as ParsedRecord, expected)).toEqual(expected);
  });

  it('reads the whole corpus as one mixed source alike', () => {
    const records = parseAll(corpus.map(([line]) => line));
    expect(records).toHaveLength(corpus.length);
    for (const [i, [line, expected]] of corpus.entries()) {
      // A time of day is on the day of the line before it; a logger may be known by then.
      if (line.startsWith('03:04:05') || line.includes('bread.compute no heat')) continue;
      expect(shown(records[i] as ParsedRecord, expected)).toEqual(expected);
    }
  });
});
