// Jupyter's wire protocol 5.3: messages as frames [identities..., delimiter, signature, header, parent, metadata,
// content, buffers...], signed with HMAC-SHA256 (https://jupyter-client.readthedocs.io, "Messaging in Jupyter").
const { createHmac, randomUUID, timingSafeEqual } = require('node:crypto');

const delimiter = '<IDS|MSG>';
const protocolVersion = '5.3';

/** @throws Error if the frames are not a message or their signature is not that of the key */
function parseMessage(frames, key) {
  const at = frames.findIndex((frame) => frame.toString() === delimiter);
  if (at < 0) throw new Error('a message without a delimiter');
  const [signature, ...rest] = frames.slice(at + 1);
  const parts = rest.slice(0, 4);
  if (key && !sameBytes(signature, Buffer.from(sign(parts, key)))) throw new Error('a message with a wrong signature');
  const [header, parent, metadata, content] = parts.map((part) => JSON.parse(part.toString()));
  return { identities: frames.slice(0, at), header, parent, metadata, content };
}

/** The frames of a message of this type that answers `request`. */
function answerFrames(request, type, content, key, identities) {
  const header = {
    msg_id: randomUUID(),
    session: request.header.session,
    username: request.header.username,
    date: new Date().toISOString(),
    msg_type: type,
    version: protocolVersion,
  };
  const parts = [header, request.header, {}, content].map((part) => JSON.stringify(part));
  return [...identities, delimiter, key ? sign(parts, key) : '', ...parts];
}

function sign(parts, key) {
  const hash = createHmac('sha256', key);
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

function sameBytes(one, other) {
  return one.length === other.length && timingSafeEqual(one, other);
}

/** tslab's fault: zeromq allows one send in flight, and rejects the others. Here they wait in a queue. */
class SendQueue {
  #socket;
  #sent = Promise.resolve();

  constructor(socket) {
    this.#socket = socket;
  }

  send(frames) {
    // Whoever still asks while the kernel ends gets no answer.
    this.#sent = this.#sent.then(() => (this.#socket.closed ? undefined : this.#socket.send(frames)));
    return this.#sent;
  }

  /** Resolves once all that was given so far is sent. */
  get sent() {
    return this.#sent;
  }
}

module.exports = { parseMessage, answerFrames, SendQueue, protocolVersion };
