/**
 * Traces and records in the words of a scenario: no incarnation is shown as it was drawn, no partition, no bucket.
 *
 * Invariant: a name stands for one incarnation throughout a script. Names count a node's incarnations in the order in which
 * they wrote: a1, a2.
 */
import { bucketPrefix, type RecordKey, recordKey } from '../../lib/address.ts';
import { describeRecord } from '../../lib/protocol/describe.ts';
import { CORRUPT, type StoredRecord } from '../../lib/store/contract.ts';

/** The bucket that all keys of scripts are in. */
const BUCKET = 'b';

export function scenarioKey(key: string): RecordKey {
  return recordKey(bucketPrefix(BUCKET), key);
}

/** A node's name and the end of an incarnation, as descriptions show a dot. */
const DOT = /\b([a-z]|n\d+)\.([0-9a-f]{2}):/g;

const PLACE = new RegExp(` p\\d+ ${BUCKET}/`, 'g');

export class ScenarioNames {
  private readonly names = new Map<string, string>();
  private readonly counts = new Map<string, number>();

  /** Puts the names of scripts into a line of a trace. */
  rename(text: string): string {
    return text
      .replace(PLACE, ' ')
      .replace(DOT, (_, node: string, incarnation: string) => `${this.nameOf(node, incarnation)}:`);
  }

  /** A replica's record: its siblings by dot, and what else it knows. */
  record(record: StoredRecord): string {
    return record === CORRUPT ? 'damaged' : this.rename(describeRecord(record));
  }

  private nameOf(node: string, incarnation: string): string {
    const shown = `${node}.${incarnation}`;
    let name = this.names.get(shown);
    if (name === undefined) {
      const count = (this.counts.get(node) ?? 0) + 1;
      this.counts.set(node, count);
      name = `${node}${count}`;
      this.names.set(shown, name);
    }
    return name;
  }
}
