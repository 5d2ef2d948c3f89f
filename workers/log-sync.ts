/**
 * Syncs a store's write-ahead log to the disk in the background, so that its thread goes on with other turns
 * meanwhile: a sync costs more than a turn, and one covers all turns that were committed before it began.
 *
 * Invariants:
 * 1. One sync at a time. A commit counts as synced only by a sync that began after it.
 * 2. A sync that failed is never tried again: the system may have dropped what it could not write.
 */
import fs from 'node:fs';

/** Told how the syncs end. */
export interface LogSyncListener {
  /** All commits up to this number are on the disk. */
  onSynced(commitNumber: number): void;
  /** The sync failed; there will be no other. */
  onFailed(error: Error): void;
}

export class LogSync {
  private readonly descriptor: number;
  private readonly listener: LogSyncListener;
  private wantedNumber = 0;
  private state: 'idle' | 'syncing' | 'failed' = 'idle';
  private isClosed = false;

  /**
   * @param file The log; SQLite takes an empty one for none. Closing this descriptor of it drops none of SQLite's
   * locks, which are on the database file.
   */
  constructor(file: string, listener: LogSyncListener) {
    this.descriptor = fs.openSync(file, 'a+', 0o600);
    this.listener = listener;
  }

  /** Asks for a sync of everything up to a commit, which has been written. */
  request(commitNumber: number): void {
    this.wantedNumber = commitNumber;
    if (this.state === 'idle') this.sync();
  }

  /** Lets go of the file, after a sync under way has ended. Nobody is told of that one. */
  close(): void {
    this.isClosed = true;
    if (this.state !== 'syncing') fs.closeSync(this.descriptor);
  }

  private sync(): void {
    const commitNumber = this.wantedNumber;
    this.state = 'syncing';
    fs.fdatasync(this.descriptor, (error) => {
      this.state = error === null ? 'idle' : 'failed';
      if (this.isClosed) {
        fs.closeSync(this.descriptor);
      } else if (error !== null) {
        this.listener.onFailed(error);
      } else {
        if (this.wantedNumber > commitNumber) this.sync();
        this.listener.onSynced(commitNumber);
      }
    });
  }
}
