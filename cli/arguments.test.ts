import { describe, expect, it } from 'vitest';
import { parseArguments } from './arguments.ts';
import type { Command } from './command.ts';

const command: Command = {
  about: 'A command for tests.',
  usage: 'FILE…',
  positionals: { min: 1, max: 2 },
  options: {
    json: { type: 'boolean', about: 'json' },
    limit: { type: 'string', short: 'n', value: 'N', about: 'limit' },
    label: { type: 'string', multiple: true, about: 'label' },
  },
  run: () => Promise.resolve(0),
};
const parse = (...argv: string[]) => parseArguments('sample', command, argv);

describe('command lines', () => {
  it('reads options and positionals in any order', () => {
    const args = parse('a.log', '--json', '-n', '5', '--label=x', '--label', 'y', '-');
    expect(args.positionals).toEqual(['a.log', '-']);
    expect(args.flag('json')).toBe(true);
    expect(args.integer('limit')).toBe(5);
    expect(args.strings('label')).toEqual(['x', 'y']);
    expect(args.string('missing')).toBeUndefined();
  });

  it('takes what follows -- as it is', () => {
    expect(parse('--', '--json').positionals).toEqual(['--json']);
  });

  it('asks for nothing else once --help is given', () => {
    expect(parse('--help', '--nonsense').help).toBe(true);
  });

  it.each([
    [['a', '--jsn'], /no option --jsn.*Did you mean "--json"/],
    [['a', '--limit'], /--limit needs a value \(N\)/],
    [['a', '--limit', '--json'], /--limit needs a value/],
    [['a', '--limit', '1', '--limit', '2'], /given twice/],
    [['a', '--json=yes'], /takes no value/],
    [[], /needs FILE…/],
    [['a', 'b', 'c'], /does not know what to do with "c"/],
  ])('refuses %j in one sentence', (argv, message) => {
    expect(() => parse(...argv)).toThrow(message);
  });

  it('names the range of a number', () => {
    expect(() => parse('a', '-n', '5x').integer('limit')).toThrow('must be a whole number 0 or more, not "5x"');
    expect(() => parse('a', '--limit=9').integer('limit', { min: 1, max: 8 })).toThrow('from 1 to 8');
  });
});
