import { describe, expect, it } from 'vitest';
import { mineAll } from './mod.ts';

const masked = (line: string): string => [...mineAll([line])][0]!.template;

describe('masking', () => {
  it.each([
    ['took 12 ms', 'took <*> ms'],
    ['50% of 3.5GB', '<*>% of <*>'],
    ['offset -5 delta +6', 'offset <*> delta <*>'],
    ['id 0x1f, task_12_3; hash deadbeef01', 'id <*>; hash <*>'],
    ['from 10.0.0.1:80 to fe80::1', 'from <*> to <*>'],
    ['mac 00:1a:2b:3c:4d:5e up', 'mac <*> up'],
    ['order 1b671a64-40d5-491e-99b0-da01ff1f3341 done', 'order <*> done'],
    ['at Mon, 02 Jan 2006 15:04:05 GMT it began', 'at <*> it began'],
    ['since 2024-05-06T07:08:09.123Z idle', 'since <*> idle'],
    ['open /var/log/x.log or ./y and C:\\tmp\\z.dll', 'open <*> or <*> and <*>'],
    ['see https://a.example/b?c=d,e for more', 'see <*> for more'],
    ['mail ada@example.org sent', 'mail <*> sent'],
    ['db.local.example:5432 and Page.java:12', '<*> and <*>'],
    ['limit <1 sec or >=5', 'limit <*> or >=<*>'],
    ['list [1, 2, 3] and 4 5 6', 'list [<*>] and <*>'],
    ['ok=true and False or null', 'ok=<*> and <*> or <*>'],
  ])('%s', (line, template) => {
    expect(masked(line)).toBe(template);
  });

  it.each([
    ['user=ada role="big boss" pid = 7', 'user=<*> role="<*>" pid = <*>'],
    ['a= b= c=1', 'a=<*> b=<*> c=<*>'],
    ['p99=4ms x==y z>=w', 'p99=<*> x==y z>=w'],
    ['set=Pair{one} box=Rect(0, 1)', 'set=<*> box=Rect(<*>)'],
    ['level=warn msg="job is late" job=nightly', 'level=warn msg="job is late" job=<*>'],
    ['10.0.0.1 "GET /?page=2 HTTP/1.1" 200 "-" "Browser/5.0 (X; like y)"', '<*> "GET <*>" <*> "<*>" "<*>"'],
    ['{"msg":"job is late","user":"ada","n":4}', '{"msg":"job is late","user":"<*>","n":<*>}'],
  ])('reads keys and values: %s', (line, template) => {
    expect(masked(line)).toBe(template);
  });

  it.each([
    ['garbage collection finished', 'garbage collection finished'],
    ['eth0 is up', 'eth0 is up'],
    ['aligned....................3', 'aligned....................<*>'],
    ['load/store on n/a', 'load/store on n/a'],
    ['  spaced   out\twords ', 'spaced out words'],
    ['тест 12 строк', 'тест <*> строк'],
    ['', ''],
  ])('leaves words alone: %s', (line, template) => {
    expect(masked(line)).toBe(template);
  });

  it.each([
    ['got Seat(no=1, row=2), Seat(no=3, row=4), Seat(no=5, row=6) now', 'got Seat(no=<*>, row=<*>) now'],
    ['got Seat(no=1, row=2) now', 'got Seat(no=<*>, row=<*>) now'],
    ['states: node 1 <ok> node 2 <ok> node 3 <ok>', 'states: node <*> <ok>'],
    ['sizes: a 1, a 2, b 3', 'sizes: a <*>, b <*>'],
    ['very very long and so on and so on', 'very very long and so on and so on'],
  ])('folds lists of groups: %s', (line, template) => {
    expect(masked(line)).toBe(template);
  });

  it('cuts what is too long, and says so', () => {
    expect(masked(`head ${'x'.repeat(20_000)}`)).toMatch(/^head x+<\*>$/);
    expect(masked('a ; '.repeat(1000)).length).toBeLessThan(1200);
  });
});
