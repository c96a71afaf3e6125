/**
 * What operations vocabulary means: each concept is a list of English words. A trailing `*` matches every word
 * that begins so; two words joined by `_` match as neighbours. Concepts let a learner carry what it knows about
 * "refused" over to "rejected", which word features cannot.
 */
export const concepts: Readonly<Record<string, string>> = {
  fail: 'fail* failure* unsuccess* not_success* did_not not_complet* could_not cannot can_not couldn unable not_able not_respond* not_operat* not_work* problem* trouble* glitch* mishap* difficult*',
  error:
    'error* err errno errored exception* fault* erroneous incorrect* wrong mistake* bug bugs defect* throwable stacktrace traceback assert assertion',
  fatal:
    'fatal* panic* crash* abort* catastroph* critical* unrecover* non_recover* irrecover* irrepar* terminal* unfix* emergenc* severe* core_dump* segfault* oops deadlock*',
  death: 'died dead kill* terminat* halted halt_ halting shutdown_unexpected* corpse oom_kill* evict*',
  warning:
    'warn* caution* attention beware suspicious_value degrad* slow* sluggish lagging exceed* threshold* overdue low nearly approaching almost',
  retry: 'retry* retri* reattempt* backoff back_off again re_try* fallback fall_back falling_back failover',
  timeout:
    'timeout* timed_out time_out deadline expire_wait* stall* hung hang hangs unresponsive no_response not_respond*',
  refuse:
    'refus* reject* deny* denied denies declin* forbid* forbidden disallow* not_allow* not_permit* blocked block_ prohibit* bounced',
  missing:
    'miss missing not_found no_such notfound absent lack* undefined unknown null nil empty none unavailable not_exist* nonexist* does_not_exist not_defin* unresolved',
  invalid:
    'invalid* malform* illegal* bad corrupt* unparse* unparsable unrecogniz* unrecognis* unexpected* unsupported improper* inconsist* mismatch* not_match* not_valid garbled ill_formed not_conform* unreadable',
  ignore: 'ignor* skip* discard* drop* suppress* omit* bypass* limit*_output defaulting',
  disconnect:
    'disconnect* broken broke reset_by severed lost losing hangup unreach* not_reach* closed_unexpected* dropped_connection eof broken_pipe',
  success:
    'success* succeed* ok okay complet* done finish* ready healthy passed pass recovered resolved established accomplish* fine',
  corrected: 'correct* repaired recover* restored healed detected_and mitigat* fixed',
  begin: 'start* begin* began launch* initial* init boot* creat* open* spawn* instantiat* enter* acquir* bring_up',
  end: 'stop* end ended ending end_ clos* destroy* destruct* releas* exit* leav* delet* remov* clean* unload* teardown finaliz* finalis* purge*',
  progress:
    'process* runn* execut* handl* perform* wait* pend* progress* continu* iterat* poll* check* verify* scan* looking try trying attempt*',
  receive: 'receiv* got get gets fetch* read* load* accept* incoming inbound download* pull* consum*',
  send: 'sent send* writ* wrote stor* sav* publish* forward* emit* outgoing outbound upload* push* transmit* transmission* deliver* dispatch* export*',
  change:
    'chang* updat* modif* set sets setting switch* transition* adjust* increas* decreas* resiz* scal* rotat* refresh* sync* renam* upgrad* patched',
  register: 'regist* subscrib* listener* callback* bind* bound attach* listen* hook* unregist* unsubscrib* detach*',
  use: 'using use uses used version* config* enabled disabled mode option* flag* parameter* property argument*',
  report: 'total* count* stat* statist* metric* summary averag* elapsed took seconds duration millis* usage rate per',
  debug:
    'debug* trace* dump* verbose internal* cach* lookup* enter* invok* call calls called callback* return* ret val value* state states stack args param* checkpoint_',
  shown:
    'visible visibility hidden screen* view* window* display* layout* render* draw* animat* paint* widget* focus* touch* gesture* keyevent scroll* cursor',
  many: 'multiple several repeat* numerous many various consecutive successive frequent* series',
  unusual:
    'unusual* abnormal* anomal* suspicious* suspect* strange* odd irregular* unexpected* unforeseen unanticipated unscheduled sudden* unplanned without_warning without_notice',
  unauthorized:
    'unauthori* unauthenti* not_authori* without_permission* without_authori* without_clearance illicit privilege* elevat* forbidden permission* entitlement*',
  attack:
    'attack* breach* intrus* intruder* compromis* malware virus* malicious* exploit* vulnerab* threat* hack* injection phish* ransom* brute_force ddos spoof* tamper* security securi* hijack* abuse* misuse* firewall* botnet',
  login:
    'login* logon* log_in logged_in sign_in signin logged_on logoff logout* log_out logged_out sign_out signout authenti* credential* password* passwd session* token* otp mfa sso',
  user: 'user users account* customer* admin* administrator* operator* member* person tenant* subscriber* profile* role roles identity',
  access: 'access* acl grant* revok* visit* entry permitted authoriz* authoris*',
  certificate:
    'ssl tls certificate* cert certs x509 handshake* cipher* signed signature* ca keystore encrypt* decrypt*',
  http: 'http https rest url uri endpoint* get post put delete head patch request* respons* header* cookie* wsgi nginx route routes webhook* 1xx 2xx 3xx 4xx 5xx rcode status_code',
  http_ok: '2xx 3xx 1xx',
  http_client: '4xx',
  http_server: '5xx bad_gateway service_unavailable gateway_timeout internal_server',
  network:
    'network* connect* socket* tcp udp ip port ports dns host* hostname* interface* packet* link links route_table gateway* router* latency bandwidth vpn proxy peer* address* subnet* vlan ethernet wifi traffic',
  database:
    'database* db sql query* queries transact* table* index* schema* row rows column* commit* rollback* replica* replicat* shard* postgres* mysql oracle mongo* cursor* deadlock* migration* tablespace* partition* key_constraint',
  storage:
    'disk* disc volume* file* filesystem* directory directories folder* path mount* block blocks inode* storage backup* snapshot* archive* bucket* raid lun array hdd ssd drive* nfs blob* object_store space',
  memory: 'memory mem heap ram oom gc garbage swap buffer* allocat* leak* pages pagefile out_of_memory',
  cpu: 'cpu* core cores vcpu* processor* load_average utiliz* utilis* throttl* thread* quota* capacity limit* usage consum* headroom gb mb kb gib mib bytes megabyte* gigabyte*',
  config:
    'config* setting* yaml properties parameter* option* environment_variable* feature_flag* profile toggles preference*',
  schedule:
    'schedul* cron* job jobs task tasks batch* queue* worker* executor* trigger* timer* alarm* interval* stage stages pipeline* run runs nightly hourly daily',
  workflow:
    'workflow* ticket* case cases lead leads approv* escalat* assign* rule rules order orders invoice* payment* process_step step steps stage opportunity prospect* customer* claim* onboarding fulfil* followup follow_up queue_item business_rule* shipment* convers*',
  deprecated:
    'deprecat* obsolete* outdated legacy discontinu* retire* retiring sunset* end_of no_longer phased_out phase_out removed_in migrate* instead superseded replaced_by unsupported_after',
  mail: 'mail* email* smtp message* inbox notification* sms newsletter* recipient* kafka topic* broker* mq amqp queue*',
  hardware:
    'hardware node nodes card* chip* sensor* temperature* fan fans power* voltage* battery* device* firmware bios parity ecc ddr dimm pci* usb motherboard chassis machine* register* interrupt* bus',
  kernel:
    'kernel* boot* os system* driver* module* syscall* init reboot* restart* shutdown* poweroff startup upgrade* install* uninstall* package* update* version patch*',
  service:
    'service* server* component* application* app daemon* process* instance* container* pod pods cluster* subsystem* unit element* engine* part core essential key vital main primary',
  impact:
    'impact* affect* outage* disrupt* interrupt* down offline downtime unavailable system_wide globally entire whole loss halted_by stopped_by crippl*',
  maintenance:
    'backup* cleanup clean_up purge* vacuum* rotat* updated upgrad* maintenance archiv* defrag* compact* housekeep* restore*',
  reason: 'because due caused cause reason owing result* led',
  not: 'not no never without non neither nor isn doesn wasn won',
  polite: 'please should consider recommend* advis* must need needs required require',
  data: 'data record* replicat* transfer* sync* import* export* dataset* payload* shard* batch content* parse* format* input* field* json xml csv schema',
};

export const conceptNames: readonly string[] = Object.keys(concepts);

const exact = new Map<string, number[]>();
const prefix = new Map<string, number[]>();
let longestPrefix = 0;
conceptNames.forEach((name, index) => {
  for (const entry of (concepts[name] ?? '').split(' ')) {
    const open = entry.endsWith('*');
    const word = (open ? entry.slice(0, -1) : entry).replaceAll('*', '');
    if (word === '') continue;
    const into = open ? prefix : exact;
    const list = into.get(word);
    if (list === undefined) into.set(word, [index]);
    else if (!list.includes(index)) list.push(index);
    if (open) longestPrefix = Math.max(longestPrefix, word.length);
  }
});

function addAll(to: number[], from: readonly number[] | undefined): void {
  if (from === undefined) return;
  for (const index of from) if (!to.includes(index)) to.push(index);
}

/** Indices into `conceptNames` of one lower-case word, or of two joined by `_`. */
export function conceptsOf(word: string): number[] {
  const found: number[] = [];
  addAll(found, exact.get(word));
  const end = Math.min(word.length, longestPrefix);
  for (let n = 2; n <= end; n++) addAll(found, prefix.get(word.slice(0, n)));
  return found;
}
