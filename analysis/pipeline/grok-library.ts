/**
 * Named patterns that `%{NAME}` stands for. The names are those that people know from grok, the patterns our own: RE2 has
 * neither look-around nor atomic groups.
 */
export const grokLibrary: Readonly<Record<string, string>> = {
  // Words and quoted texts
  WORD: String.raw`\b\w+\b`,
  NOTSPACE: String.raw`\S+`,
  SPACE: String.raw`\s*`,
  DATA: String.raw`.*?`,
  GREEDYDATA: String.raw`.*`,
  QUOTEDSTRING: String.raw`(?:"(?:\\.|[^\\"])*"|'(?:\\.|[^\\'])*')`,
  QS: '%{QUOTEDSTRING}',
  USERNAME: String.raw`[a-zA-Z0-9._-]+`,
  USER: '%{USERNAME}',
  UUID: String.raw`[A-Fa-f0-9]{8}-(?:[A-Fa-f0-9]{4}-){3}[A-Fa-f0-9]{12}`,
  URN: String.raw`urn:[0-9A-Za-z][0-9A-Za-z-]{0,31}:[\w%()+,.:=@;$!*'/?#-]+`,
  TRACEID: String.raw`\b[0-9a-f]{32}\b`,
  SPANID: String.raw`\b[0-9a-f]{16}\b`,

  // Numbers
  INT: String.raw`[+-]?\d+`,
  POSINT: String.raw`\b[1-9]\d*\b`,
  NONNEGINT: String.raw`\b\d+\b`,
  BASE10NUM: String.raw`[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?`,
  NUMBER: '%{BASE10NUM}',
  BASE16NUM: String.raw`[+-]?(?:0x)?[0-9A-Fa-f]+`,
  BASE16FLOAT: String.raw`[+-]?(?:0x)?(?:[0-9A-Fa-f]+(?:\.[0-9A-Fa-f]*)?|\.[0-9A-Fa-f]+)`,
  BOOLEAN: '(?i:true|false|yes|no)',
  DURATION: String.raw`\d+(?:\.\d+)?\s?(?:ns|us|µs|ms|s|m|h|d)\b`,
  BYTES: String.raw`\d+(?:\.\d+)?\s?(?:[KMGT]i?)?B\b`,

  // Networks
  MAC: '(?:%{CISCOMAC}|%{WINDOWSMAC}|%{COMMONMAC})',
  CISCOMAC: String.raw`(?:[A-Fa-f0-9]{4}\.){2}[A-Fa-f0-9]{4}`,
  WINDOWSMAC: String.raw`(?:[A-Fa-f0-9]{2}-){5}[A-Fa-f0-9]{2}`,
  COMMONMAC: String.raw`(?:[A-Fa-f0-9]{2}:){5}[A-Fa-f0-9]{2}`,
  IPV4: String.raw`(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)`,
  IPV6: String.raw`(?:(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?::(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?(?::%{IPV4})?)(?:%[\w.-]+)?`,
  IP: '(?:%{IPV6}|%{IPV4})',
  HOSTNAME: String.raw`\b[0-9A-Za-z][\w-]*(?:\.[0-9A-Za-z][\w-]*)*\.?`,
  HOST: '%{HOSTNAME}',
  IPORHOST: '(?:%{IP}|%{HOSTNAME})',
  HOSTPORT: '%{IPORHOST}:%{POSINT}',
  PORT: String.raw`\b\d{1,5}\b`,
  EMAILLOCALPART: String.raw`[\w!#$%&'*+/=?^{|}~-]+(?:\.[\w!#$%&'*+/=?^{|}~-]+)*`,
  EMAILADDRESS: '%{EMAILLOCALPART}@%{HOSTNAME}',

  // Paths and addresses of things
  PATH: '(?:%{UNIXPATH}|%{WINPATH})',
  UNIXPATH: String.raw`/(?:[\w%!$@:.,+~=-]|/)*`,
  WINPATH: String.raw`(?:[A-Za-z]:|\\)(?:\\[^\\?*\s]*)+`,
  URIPROTO: String.raw`[A-Za-z][A-Za-z0-9+.-]*`,
  URIHOST: '%{IPORHOST}(?::%{POSINT})?',
  URIPATH: String.raw`(?:/[\w$.+!*'(){},~:;=@#%&|<>^-]*)+`,
  URIQUERY: String.raw`[\w$.+!*'|(){},~@#%&/=:;?\[\]<>^-]*`,
  URIPARAM: String.raw`\?%{URIQUERY}`,
  URIPATHPARAM: '%{URIPATH}(?:%{URIPARAM})?',
  URI: String.raw`%{URIPROTO}://(?:[^\s:@/]*(?::[^\s@/]*)?@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?`,
  HTTPMETHOD: '(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PROPFIND)',
  TTY: String.raw`/dev/(?:pts|tty[pq]?)\w?/?\d+`,

  // Dates and times
  MONTH: String.raw`\b(?:[Jj]an(?:uary)?|[Ff]eb(?:ruary)?|[Mm]ar(?:ch)?|[Aa]pr(?:il)?|[Mm]ay|[Jj]une?|[Jj]uly?|[Aa]ug(?:ust)?|[Ss]ep(?:tember)?|[Oo]ct(?:ober)?|[Nn]ov(?:ember)?|[Dd]ec(?:ember)?)\b`,
  MONTHNUM: '(?:0?[1-9]|1[0-2])',
  MONTHNUM2: '(?:0[1-9]|1[0-2])',
  MONTHDAY: String.raw`(?:0[1-9]|[12]\d|3[01]|[1-9])`,
  DAY: '(?:Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)',
  YEAR: String.raw`(?:\d\d){1,2}`,
  HOUR: '(?:2[0123]|[01]?[0-9])',
  MINUTE: '(?:[0-5][0-9])',
  SECOND: '(?:(?:[0-5]?[0-9]|60)(?:[:.,][0-9]+)?)',
  TIME: '%{HOUR}:%{MINUTE}(?::%{SECOND})?',
  DATE_US: '%{MONTHNUM}[/-]%{MONTHDAY}[/-]%{YEAR}',
  DATE_EU: '%{MONTHDAY}[./-]%{MONTHNUM}[./-]%{YEAR}',
  DATE: '(?:%{DATE_US}|%{DATE_EU})',
  DATESTAMP: '%{DATE}[- ]%{TIME}',
  TZ: '(?:[A-Z]{3,4})',
  ISO8601_TIMEZONE: String.raw`(?:Z|[+-]\d{2}:?\d{2})`,
  ISO8601_SECOND: '%{SECOND}',
  TIMESTAMP_ISO8601: String.raw`%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?\s?%{ISO8601_TIMEZONE}?`,
  DATESTAMP_RFC822: '%{DAY} %{MONTH} %{MONTHDAY} %{YEAR} %{TIME} %{TZ}',
  DATESTAMP_RFC2822: '%{DAY}, %{MONTHDAY} %{MONTH} %{YEAR} %{TIME} %{ISO8601_TIMEZONE}',
  DATESTAMP_OTHER: '%{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{TZ} %{YEAR}',
  DATESTAMP_EVENTLOG: '%{YEAR}%{MONTHNUM2}%{MONTHDAY}%{HOUR}%{MINUTE}%{SECOND}',
  HTTPDATE: '%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} %{INT}',
  SYSLOGTIMESTAMP: '%{MONTH} +%{MONTHDAY} %{TIME}',
  UNIXTIME: String.raw`\b\d{9,10}(?:\.\d{1,9})?\b`,
  UNIXTIME_MS: String.raw`\b\d{13}\b`,

  // Syslog
  PROG: String.raw`[\x21-\x5a\x5c\x5e-\x7e]+`,
  SYSLOGPROG: String.raw`%{PROG:process.name}(?:\[%{POSINT:process.pid}\])?`,
  SYSLOGHOST: '%{IPORHOST}',
  SYSLOGFACILITY: String.raw`<%{NONNEGINT:syslog.facility}\.%{NONNEGINT:syslog.priority}>`,
  SYSLOGBASE: '%{SYSLOGTIMESTAMP:timestamp} (?:%{SYSLOGFACILITY} )?%{SYSLOGHOST:host} %{SYSLOGPROG}:',
  SYSLOGLINE: '%{SYSLOGBASE} %{GREEDYDATA:message}',
  CRON_ACTION: '[A-Z ]+',

  // Programs
  LOGLEVEL:
    '(?i:\\b(?:trace|debug|dbg|info(?:rmation)?|notice|warn(?:ing)?|err(?:or)?|severe|crit(?:ical)?|fatal|alert|emerg(?:ency)?|panic)\\b)',
  JAVACLASS: String.raw`(?:[a-zA-Z$_][\w$]*\.)*[a-zA-Z$_][\w$]*`,
  JAVAFILE: String.raw`[a-zA-Z$_0-9. -]+`,
  JAVAMETHOD: String.raw`(?:<(?:cl)?init>|[a-zA-Z$_][\w$]*)`,
  JAVASTACKTRACEPART: String.raw`\s*at %{JAVACLASS:code.namespace}\.%{JAVAMETHOD:code.function}\(%{JAVAFILE:code.filepath}(?::%{INT:code.lineno})?\)`,
  JAVATHREAD: String.raw`[A-Z]{2}-[\w-]+`,
  LOG4J: String.raw`%{TIMESTAMP_ISO8601:timestamp} +%{LOGLEVEL:level} +\[%{DATA:thread.name}\] %{JAVACLASS:logger} *[:-] %{GREEDYDATA:message}`,

  // Web servers
  HTTPDUSER: '(?:%{EMAILADDRESS}|%{USER})',
  COMMONAPACHELOG: String.raw`%{IPORHOST:client.address} (?:-|%{DATA:client.identity}) (?:-|%{HTTPDUSER:user.name}) \[%{HTTPDATE:timestamp}\] "(?:%{WORD:http.request.method} %{NOTSPACE:url.original}(?: HTTP/%{NUMBER:network.protocol.version})?|%{DATA:http.request.line})" (?:-|%{INT:http.response.status_code:int}) (?:-|%{INT:http.response.body.size:int})`,
  COMBINEDAPACHELOG: String.raw`%{COMMONAPACHELOG} "(?:-|%{DATA:http.request.header.referer})" "(?:-|%{DATA:user_agent.original})"`,
  HTTPD_COMMONLOG: '%{COMMONAPACHELOG}',
  HTTPD_COMBINEDLOG: '%{COMBINEDAPACHELOG}',
  NGINXACCESS: '%{COMBINEDAPACHELOG}',
  HAPROXYTIME: String.raw`%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME}`,
  HAPROXYHTTP: String.raw`%{IP:client.address}:%{INT:client.port:int} \[%{HAPROXYTIME:timestamp}\] %{NOTSPACE:haproxy.frontend} %{NOTSPACE:haproxy.backend}/%{NOTSPACE:haproxy.server} %{INT:haproxy.time_request_ms:int}/%{INT:haproxy.time_queue_ms:int}/%{INT:haproxy.time_connect_ms:int}/%{INT:haproxy.time_response_ms:int}/%{NOTSPACE:haproxy.time_total_ms} %{INT:http.response.status_code:int} %{NOTSPACE:http.response.body.size} %{GREEDYDATA:haproxy.rest}`,

  // Databases and others
  POSTGRESQL: String.raw`%{TIMESTAMP_ISO8601:timestamp} (?:%{TZ:postgresql.zone} )?\[%{POSINT:process.pid}\] (?:%{NOTSPACE:postgresql.session} )?%{WORD:level}: +%{GREEDYDATA:message}`,
  REDISTIMESTAMP: '%{MONTHDAY} %{MONTH} (?:%{YEAR} )?%{TIME}',
  REDISLOG: String.raw`%{POSINT:process.pid}:%{WORD:redis.role} %{REDISTIMESTAMP:timestamp} %{NOTSPACE:redis.level} %{GREEDYDATA:message}`,
};
