/**
 * The services of the demo shop and what they log. A message is text with holes:
 * {id} hex id, {n} small integer, {big} large integer, {ms} latency, {ip} address, {user}, {sku}, {path}, {host},
 * {code} HTTP status, {table}, {city}.
 */
export type Level = 'DEBUG' | 'INFO' | 'WARN' | 'ERROR' | 'FATAL';

export interface Message {
  level: Level;
  text: string;
  /** Relative frequency within the service. */
  weight: number;
}

export interface ServiceVocabulary {
  name: string;
  /** Share of the traffic. */
  weight: number;
  /** Usual latency in ms, for {ms}. */
  latencyMs: number;
  messages: readonly Message[];
}

const m = (level: Level, weight: number, text: string): Message => ({ level, weight, text });

export const services: readonly ServiceVocabulary[] = [
  {
    name: 'edge-proxy',
    weight: 20,
    latencyMs: 45,
    messages: [
      m('INFO', 60, 'GET {path} {code} in {ms} ms from {ip}'),
      m('INFO', 20, 'POST {path} {code} in {ms} ms from {ip}'),
      m('INFO', 4, 'TLS handshake with {ip} completed in {ms} ms using TLSv1.3'),
      m('DEBUG', 6, 'upstream {host} selected for {path}'),
      m('WARN', 1, 'upstream {host} answered slowly: {ms} ms'),
      m('WARN', 0.6, 'client {ip} closed the connection early'),
      m('ERROR', 0.15, 'upstream {host} reset the connection while reading headers'),
    ],
  },
  {
    name: 'checkout',
    weight: 9,
    latencyMs: 120,
    messages: [
      m('INFO', 20, 'order {id} created for user {user} with {n} items'),
      m('INFO', 18, 'order {id} priced in {ms} ms, total {big} cents'),
      m('INFO', 16, 'order {id} confirmed'),
      m('DEBUG', 10, 'cart {id} locked for checkout'),
      m('INFO', 6, 'coupon applied to order {id}: {n} percent off'),
      m('WARN', 0.8, 'order {id} waited {ms} ms for stock confirmation'),
      m('ERROR', 0.2, 'order {id} failed: payment was not authorised'),
    ],
  },
  {
    name: 'payments',
    weight: 7,
    latencyMs: 210,
    messages: [
      m('INFO', 22, 'authorised payment {id} of {big} cents in {ms} ms'),
      m('INFO', 20, 'captured payment {id} through acquirer {host}'),
      m('INFO', 6, 'refund {id} scheduled for user {user}'),
      m('DEBUG', 8, 'idempotency record {id} written'),
      m('WARN', 1, 'acquirer {host} is slow: {ms} ms'),
      m('WARN', 0.7, 'payment {id} declined by issuer with code {n}'),
      m('ERROR', 0.15, 'acquirer {host} returned an unexpected answer for payment {id}'),
      m('ERROR', 0.06, 'connection to {host} refused after {n} attempts'),
      m('ERROR', 0.04, 'request {id} failed: upstream {host} is unavailable'),
    ],
  },
  {
    name: 'cart',
    weight: 10,
    latencyMs: 18,
    messages: [
      m('INFO', 24, 'added {sku} to cart {id}'),
      m('INFO', 8, 'removed {sku} from cart {id}'),
      m('DEBUG', 20, 'cart {id} loaded from cache in {ms} ms'),
      m('INFO', 5, 'cart {id} merged after login of user {user}'),
      m('WARN', 0.4, 'cart {id} expired with {n} items'),
      m('ERROR', 0.08, 'cart {id} could not be saved: version conflict'),
    ],
  },
  {
    name: 'catalog',
    weight: 11,
    latencyMs: 25,
    messages: [
      m('INFO', 26, 'product {sku} served in {ms} ms'),
      m('DEBUG', 14, 'cache hit for product {sku}'),
      m('DEBUG', 6, 'cache miss for product {sku}'),
      m('INFO', 2, 'price list {n} reloaded, {big} entries'),
      m('WARN', 0.3, 'image of {sku} is missing'),
      m('ERROR', 0.05, 'product {sku} has no price'),
    ],
  },
  {
    name: 'search',
    weight: 8,
    latencyMs: 65,
    messages: [
      m('INFO', 28, 'query returned {n} hits in {ms} ms'),
      m('INFO', 6, 'suggestions for user {user} built in {ms} ms'),
      m('DEBUG', 10, 'shard {n} answered in {ms} ms'),
      m('INFO', 1, 'index segment {id} merged, {big} documents'),
      m('WARN', 0.6, 'query took {ms} ms, over the slow limit'),
      m('ERROR', 0.06, 'shard {n} did not answer'),
    ],
  },
  {
    name: 'inventory',
    weight: 6,
    latencyMs: 30,
    messages: [
      m('INFO', 22, 'reserved {n} of {sku} for order {id}'),
      m('INFO', 10, 'released reservation {id}'),
      m('INFO', 4, 'stock of {sku} is now {n}'),
      m('WARN', 0.8, 'stock of {sku} is low: {n} left'),
      m('ERROR', 0.08, 'reservation {id} not found'),
    ],
  },
  {
    name: 'auth',
    weight: 8,
    latencyMs: 40,
    messages: [
      m('INFO', 26, 'login of user {user} from {ip} succeeded'),
      m('INFO', 16, 'token {id} issued to user {user}, valid {n} minutes'),
      m('DEBUG', 12, 'token {id} verified in {ms} ms'),
      m('WARN', 2, 'login of user {user} from {ip} failed: wrong password'),
      m('WARN', 0.2, 'user {user} locked after {n} failed logins'),
      m('ERROR', 0.04, 'signing key {id} is not available'),
    ],
  },
  {
    name: 'notifications',
    weight: 5,
    latencyMs: 90,
    messages: [
      m('INFO', 20, 'e-mail {id} queued for user {user}'),
      m('INFO', 18, 'e-mail {id} delivered in {ms} ms'),
      m('INFO', 5, 'push message {id} sent to {n} devices'),
      m('WARN', 0.7, 'mailbox of user {user} is full'),
      m('ERROR', 0.12, 'delivery of {id} failed: recipient rejected'),
    ],
  },
  {
    name: 'recommendations',
    weight: 5,
    latencyMs: 80,
    messages: [
      m('INFO', 20, 'ranked {n} candidates for user {user} in {ms} ms'),
      m('DEBUG', 14, 'feature vector of user {user} read in {ms} ms'),
      m('INFO', 1, 'model {id} loaded, {big} parameters'),
      m('WARN', 0.4, 'fell back to popular items for user {user}'),
    ],
  },
  {
    name: 'shipping',
    weight: 4,
    latencyMs: 150,
    messages: [
      m('INFO', 18, 'label {id} printed for order {id}'),
      m('INFO', 14, 'parcel {id} handed to carrier in {city}'),
      m('INFO', 8, 'parcel {id} scanned in {city}'),
      m('WARN', 0.6, 'carrier answered after {ms} ms'),
      m('ERROR', 0.08, 'address of order {id} could not be resolved'),
    ],
  },
  {
    name: 'orders-db',
    weight: 7,
    latencyMs: 6,
    messages: [
      m('INFO', 20, 'checkpoint complete: wrote {big} buffers in {ms} ms'),
      m('DEBUG', 20, 'statement on {table} took {ms} ms'),
      m('INFO', 6, 'connection authorised for user {user} from {ip}'),
      m('INFO', 3, 'automatic vacuum of table {table}: {n} pages removed'),
      m('WARN', 0.3, 'lock wait on {table} for {ms} ms'),
      m('ERROR', 0.04, 'deadlock detected on {table}'),
    ],
  },
];

export const people = [
  'ava',
  'ben',
  'cleo',
  'dan',
  'eli',
  'fay',
  'gus',
  'hana',
  'ivo',
  'june',
  'kim',
  'leo',
  'mia',
  'noa',
  'otto',
  'pia',
] as const;
export const paths = [
  '/',
  '/cart',
  '/checkout',
  '/search',
  '/product',
  '/account',
  '/api/v2/orders',
  '/api/v2/items',
  '/static/app.js',
  '/health',
] as const;
export const cities = ['Lyon', 'Turin', 'Graz', 'Gent', 'Porto', 'Malmö', 'Brno', 'Tartu'] as const;
export const tables = ['orders', 'order_items', 'payments', 'stock', 'users', 'sessions'] as const;
