/**
 * Alerts: a transition is the same however often it was published, an alert's transitions have no hole, all are stored;
 * every finding that should raise an alert did; receivers were told everything, and again only where an answer was lost.
 */
import { type AlertTransition, decodeAlerts, decodeAnomalies, streams } from '#protocol/mod.ts';
import { textOf } from '../native.ts';
import { Broken, type Checker } from './checker.ts';

/** Findings under it raise no alert: alerting's default. */
const scoreMin = 50;

export const alerts: Checker = {
  name: 'alerts',
  judge: ({ cluster }) => {
    const { server, clickHouse, delivery } = cluster;
    const transitions = new Map<string, AlertTransition>();
    for (const { data } of server.stream(streams.alerts).history) {
      for (const one of decodeAlerts(data).transitions) {
        const id = `${one.alertId}/${one.transition}`;
        const known = transitions.get(id);
        if (known !== undefined && JSON.stringify(known) !== JSON.stringify(one))
          throw new Broken('alerts', `Transition ${id} was ${JSON.stringify(known)} and is ${JSON.stringify(one)}.`);
        transitions.set(id, one);
      }
    }
    const stored = new Set(clickHouse.rows('alerts_versions').map((row) => textOf(row, ['AlertId', 'Transition'])));
    const raised = new Set<string>();
    for (const [id, one] of transitions) {
      if (!stored.has(JSON.stringify([one.alertId, one.transition])))
        throw new Broken('alerts', `Transition ${id} is not stored: ${JSON.stringify(one)}.`);
      if (one.transition > 1 && !transitions.has(`${one.alertId}/${one.transition - 1}`))
        throw new Broken('alerts', `Transition ${id} has none before it.`);
      raised.add(aboutOf(one));
    }
    const found = new Set<string>();
    for (const { data } of server.stream(streams.anomalies).history)
      for (const anomaly of decodeAnomalies(data).anomalies) {
        found.add(aboutOf(anomaly));
        if (anomaly.score >= scoreMin && !raised.has(aboutOf(anomaly)))
          throw new Broken('alerts', `Nothing was raised for ${JSON.stringify(anomaly)}.`);
      }
    for (const about of raised)
      if (!found.has(about)) throw new Broken('alerts', `An alert about ${about}, and no finding.`);
    for (const [id, { count, text }] of delivery.told) {
      const excused = delivery.unrecorded.get(id) ?? 0;
      if (count > 1 + excused) throw new Broken('alerts', `Notification ${id} was told ${count} times: ${text}.`);
    }
  },
};

function aboutOf(one: { service: string; lane: string; detector: string; subject: string }): string {
  return `${one.service}/${one.lane}/${one.detector}/${one.subject}`;
}
