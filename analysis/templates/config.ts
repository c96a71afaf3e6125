/** Settings of a miner. One configuration serves all logs; every number here is a bound or a count, none a pattern. */
export interface TemplateConfig {
  /** Templates kept at a time (merged ones included until their slot is needed). At the bound the least recently seen are evicted. */
  maxTemplates: number;
  /** Tokens of a line that are looked at; what follows is one `<*>`. */
  maxTokens: number;
  /** Bytes of a line that are looked at; what follows is one `<*>`. */
  maxLineBytes: number;
  /** Entries of the line cache, a power of two. A pure memo: its size never changes a result. */
  cacheEntries: number;
  /** Different plain words seen at one place, all else equal, from which on the place is a variable. */
  wordValues: number;
  /** The same for names (dotted, underscored, camel case, with a digit), which are variables more often. */
  nameValues: number;
  /** Lines between two reviews of young templates, where places with few, rare values are decided. */
  reviewLines: number;
}

export const templateDefaults: TemplateConfig = {
  maxTemplates: 2000,
  maxTokens: 256,
  maxLineBytes: 8192,
  cacheEntries: 16_384,
  wordValues: 5,
  nameValues: 4,
  reviewLines: 1024,
};
