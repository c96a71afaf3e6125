/** A cluster under steady load while its processes are killed and frozen at random; afterwards everything must be right. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultScenario } from '../arguments.ts';
import { machine, type ScenarioContext } from '../scenario.ts';
import { type UnitKind, unitKinds } from './fleet.ts';
import { healingTable } from './healing.ts';
import type { Check, FaultsReport } from './report.ts';
import { type Rig, withRig } from './rig.ts';
import { type Fault, schedule } from './schedule.ts';

const linesPerBody = 500;
/** Without faults, at the beginning and at the end: what latency is compared with. */
const quietMsMax = 15_000;
/** Of the time with faults, where that is short. */
const quietShare = 1 / 4;
const healWithinMs = 60_000;

export async function faults(context: ScenarioContext): Promise<FaultsReport> {
  const { args, note } = context;
  const { seed, rate, minutes, workers } = args;
  const durationMs = minutes * 60_000;
  const quietMs = Math.min(quietMsMax, durationMs * quietShare);
  const options = {
    seed,
    ratePerSecond: rate,
    workers,
    connections: Math.min(args.connections, 32),
    linesPerBody: Math.min(linesPerBody, Math.max(20, Math.round(rate / 20))),
  };
  return withRig(
    context,
    options,
    async (rig) => {
      const units = Object.fromEntries(unitKinds.map((kind) => [kind, rig.fleet.names(kind)])) as Record<
        UnitKind,
        string[]
      >;
      const planned = schedule({ seed, faults: args.faults, durationMs, units, only: args.only });
      note(
        `Seed ${seed}. Sending ${rate} logs/s; ${planned.length} faults within ${minutes} min, after ${quietMs / 1_000} s without.`,
      );
      await rig.pause(quietMs);
      const faultsFromMs = Date.now();
      await carryOut(rig, planned);
      await allHealed(rig);
      const faultsToMs = Date.now();
      note(`The faults are over; ${quietMs / 1_000} s without.`);
      await rig.pause(quietMs);
      await rig.stopSending();
      note('Waiting until everything is stored, then checking it …');
      const checks = [
        await rig.drained(),
        ...(await rig.checkRecords()),
        await rig.checkAlerts(),
        rig.checkAnswers(),
        healedCheck(rig),
      ];
      checks.push(...(await rig.checkProofs()));
      const { probes } = rig;
      return {
        ...reportOf('faults', rig, checks, durationMs),
        alertMs: {
          before: probes.latency(0, faultsFromMs),
          during: probes.latency(faultsFromMs, faultsToMs),
          after: probes.latency(faultsToMs, Number.POSITIVE_INFINITY),
        },
      };
    },
    (report) => report?.ok !== true,
  );
}

export function reportOf(scenario: FaultScenario, rig: Rig, checks: Check[], durationMs: number): FaultsReport {
  const { fleet, stream, delivery, watch, options } = rig;
  const problems = checks.filter(({ ok }) => !ok).map(({ name, said }) => `${name}: ${said}`);
  return {
    scenario,
    ok: problems.length === 0,
    problems,
    seed: options.seed,
    seconds: Math.round(durationMs / 1_000),
    ratePerSecond: options.ratePerSecond,
    reachedPerSecond: rig.reachedPerSecond,
    heldBackSeconds: rig.heldBackSeconds,
    acknowledged: stream.acknowledgedRecords,
    requestsRetried: stream.retried,
    refusals: Object.fromEntries(delivery.refusals),
    faults: watch.all.map(({ fault, startedMs, healedMs }) => ({
      number: fault.number,
      at: new Date(startedMs).toISOString(),
      unit: fault.unit,
      how: fault.how,
      awaySeconds: fault.awayMs / 1_000,
      healedSeconds: healedMs === null ? null : (healedMs - startedMs) / 1_000,
    })),
    healing: healingTable(watch.all),
    ownEnds: fleet.ownEnds.map(({ unit, atMs, how }) => ({ unit, at: new Date(atMs).toISOString(), how })),
    alertMs: null,
    checks,
    dir: fleet.dir,
    machine: machine(),
  };
}

/** Each fault at its time, overlapping others; resolves when every unit is back. */
async function carryOut(rig: Rig, planned: readonly Fault[]): Promise<void> {
  const { fleet, watch, context } = rig;
  const { signal, note } = context;
  const startedMs = Date.now();
  const one = async (fault: Fault): Promise<void> => {
    const atMs = Date.now();
    watch.fault(fault, atMs);
    const since = ((atMs - startedMs) / 1_000).toFixed(1).padStart(6);
    note(`${since} s  #${fault.number} ${fault.how} ${fault.unit}, back in ${(fault.awayMs / 1_000).toFixed(1)} s`);
    if (fault.how === 'freeze') {
      fleet.freeze(fault.unit);
      await sleep(fault.awayMs, undefined, { signal });
      fleet.thaw(fault.unit);
    } else {
      await fleet.kill(fault.unit);
      await sleep(fault.awayMs, undefined, { signal });
      fleet.start(fault.unit);
    }
  };
  const under: Promise<void>[] = [];
  for (const fault of planned) {
    const waitMs = startedMs + fault.atMs - Date.now();
    if (waitMs > 0) await sleep(waitMs, undefined, { signal });
    under.push(one(fault));
  }
  await Promise.all(under);
}

async function allHealed(rig: Rig): Promise<void> {
  const deadline = Date.now() + healWithinMs;
  while (rig.watch.unhealed.length > 0 && Date.now() < deadline) await rig.pause(100);
}

function healedCheck({ watch }: Rig): Check {
  const { unhealed, all } = watch;
  return {
    name: 'healed',
    ok: unhealed.length === 0,
    said: `${all.length - unhealed.length} of ${all.length} faults`,
    examples: unhealed.map(({ fault }) => `#${fault.number} ${fault.how} ${fault.unit}`),
  };
}
