/**
 * One record of this browser's own database (IndexedDB): the pixels of the canvas's layers. Where there is no database, as in some
 * private windows, nothing is kept.
 */

const databaseName = 'impasto';
const storeName = 'canvas';
const key = 'pixels';

export async function readRecord(): Promise<unknown> {
  return await withStore('readonly', (store) => store.get(key));
}

export async function writeRecord(record: unknown): Promise<void> {
  await withStore('readwrite', (store) => store.put(record, key));
}

let database: Promise<IDBDatabase> | null = null;

async function withStore<Value>(
  mode: IDBTransactionMode,
  ask: (store: IDBObjectStore) => IDBRequest<Value>,
): Promise<Value> {
  database ??= open();
  const transaction = (await database).transaction(storeName, mode);
  const request = ask(transaction.objectStore(storeName));
  return await new Promise((resolve, reject) => {
    // Once it is written, not once it is asked for.
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
  });
}

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(databaseName, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(storeName);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('another window holds the database'));
  });
}
