import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { encodePreview } from '../../contract/preview-frame.ts';
import type { Push } from '../handlers/event-relay.ts';

/** Windows that listen at a time. */
const mostListeners = 64;
/** Bytes that a slow listener may owe before previews are left out for it, and before it is let go. */
const slow = 2 ** 20;
const hopeless = 64 * 2 ** 20;
const pingEvery = 30_000;
/** Pings that a listener may send between two of ours. */
const mostPings = 60;

interface Listener {
  socket: WebSocket;
  alive: boolean;
  pings: number;
}

/**
 * Tells every window what happens: news as text frames of JSON, previews as binary frames. It only tells: requests come
 * over HTTP, and a listener that sends anything is let go.
 */
export class EventsSocket {
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: 1024, perMessageDeflate: false });
  readonly #listeners = new Set<Listener>();
  readonly #heart: NodeJS.Timeout;

  constructor() {
    this.#heart = setInterval(() => this.#beat(), pingEvery).unref();
  }

  /** Takes over a connection whose right to be here has been checked. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#listeners.size >= mostListeners) {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n');
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (opened) => this.#add(opened));
  }

  push(push: Push): void {
    if (this.#listeners.size === 0) return;
    const frame = push.kind === 'preview' ? encodePreview(push.preview) : JSON.stringify(push.event);
    const mayMiss = push.kind === 'preview' || push.event.event === 'queue.progress';
    for (const { socket } of this.#listeners) {
      if (socket.bufferedAmount > hopeless) socket.terminate();
      else if (!mayMiss || socket.bufferedAmount < slow) socket.send(frame);
    }
  }

  close(): void {
    clearInterval(this.#heart);
    for (const { socket } of this.#listeners) socket.close(1001, 'Impasto is closing');
    this.#server.close();
    setTimeout(() => {
      for (const { socket } of this.#listeners) socket.terminate();
    }, 1000).unref();
  }

  #add(socket: WebSocket): void {
    const listener: Listener = { socket, alive: true, pings: 0 };
    this.#listeners.add(listener);
    socket.on('close', () => this.#listeners.delete(listener));
    // A malformed or oversized frame: ws closes the connection itself, with the code that says why.
    socket.on('error', () => {});
    socket.on('message', () => socket.close(1008, 'this socket only tells'));
    socket.on('pong', () => {
      listener.alive = true;
    });
    socket.on('ping', () => {
      listener.pings += 1;
      if (listener.pings > mostPings) socket.terminate();
    });
  }

  #beat(): void {
    for (const listener of this.#listeners) {
      if (!listener.alive) {
        listener.socket.terminate();
        continue;
      }
      listener.alive = false;
      listener.pings = 0;
      listener.socket.ping();
    }
  }
}
