import { describe, expect, it } from 'vitest';
import { clickHouseError, unavailable } from '../engine/error.ts';
import { faultCodes, faultOf } from './faults.ts';

describe('faultOf', () => {
  it('lists each number once', () => {
    const codes = Object.values(faultCodes).flatMap((list) => Object.values<number>(list));
    expect(new Set(codes).size).toBe(codes.length);
  });

  it.each([
    ['Code: 210. DB::NetException: Connection refused (NETWORK_ERROR)', 'wait'],
    ['Code: 241. DB::Exception: (total) memory limit exceeded (MEMORY_LIMIT_EXCEEDED)', 'wait'],
    ['Code: 252. DB::Exception: Too many parts (3000). Merges are processing significantly slower', 'wait'],
    ['Code: 252. DB::Exception: Too many partitions for single INSERT block (more than 100)', 'split'],
    ['Code: 319. DB::Exception: Unknown status, client must retry (UNKNOWN_STATUS_OF_INSERT)', 'wait'],
    ['Code: 159. DB::Exception: Timeout exceeded (TIMEOUT_EXCEEDED)', 'wait'],
    ['Code: 60. DB::Exception: Table logweir.otel_logs does not exist (UNKNOWN_TABLE)', 'person'],
    ['Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space (NOT_ENOUGH_SPACE)', 'person'],
    ['Code: 469. DB::Exception: Constraint `c` for table is violated at row 1 (VIOLATED_CONSTRAINT)', 'data'],
    ['Code: 117. DB::Exception: Incorrect data (INCORRECT_DATA)', 'data'],
    ['Code: 9999. DB::Exception: Something new', 'unknown'],
    ['<html>502 Bad Gateway</html>', 'wait'],
  ] as const)('%s is %s', (text, fault) => {
    expect(faultOf(clickHouseError(text))).toBe(fault);
  });

  it('waits for a server that does not answer', () => {
    expect(faultOf(unavailable('http://127.0.0.1:1', new Error('ECONNREFUSED')))).toBe('wait');
  });
});
