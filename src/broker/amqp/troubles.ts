import { messageOf, WherryError } from '../../errors.js';

/** What went wrong with the broker, in our words. amqplib tells most of it in text only, so that text is read here. */

/** Why there is no connection. @param place the broker's address, without a password */
export function connectionTrouble(error: unknown, place: string): WherryError {
  if (error instanceof WherryError) return error;
  const { code = '' } = error as NodeJS.ErrnoException;
  const text = messageOf(error);
  const trouble = (message: string, hint: string, transient = false) =>
    new WherryError('broker-unavailable', message, { hint, transient, cause: error });

  if (text.includes('ACCESS_REFUSED') || text.includes('ACCESS-REFUSED')) {
    return trouble(
      `the broker refused the login at ${place}`,
      'check user and password; guest may log in locally only',
    );
  }
  // The broker says which of the two it is; amqplib keeps that for itself.
  if (text.includes('Expected ConnectionOpenOk; got <ConnectionClose')) {
    const hint = 'rabbitmqctl add_vhost VHOST; rabbitmqctl set_permissions -p VHOST USER ".*" ".*" ".*"';
    return trouble(`the broker has no such virtual host, or the user may not use it: ${place}`, hint);
  }
  if (/certificate|CERT|TLS|SSL|EPROTO/.test(`${code} ${text}`)) {
    const hint =
      'amqps: needs the port for TLS, and cacertfile= when the certificate is not signed by a known authority';
    return trouble(`no secure connection with the broker at ${place}: ${firstLine(text)}`, hint);
  }
  if (/ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|ETIMEDOUT/.test(`${code} ${text}`)) {
    return trouble(`no broker can be reached at ${place}`, 'is it running, and are host and port right?', true);
  }
  if (/abruptly|ECONNRESET|Unexpected close|frame|Expected/i.test(`${code} ${text}`)) {
    const hint = 'is this the port for AMQP 0-9-1, and of RabbitMQ?';
    return trouble(`what answers at ${place} does not speak AMQP 0-9-1`, hint, true);
  }
  return trouble(
    `no connection with the broker at ${place}: ${firstLine(text)}`,
    'look into the log of the broker',
    true,
  );
}

/** Why an operation failed on a connection that is still there. */
export function operationTrouble(error: unknown): WherryError {
  if (error instanceof WherryError) return error;
  const { code } = error as { code?: unknown };
  const text = firstLine(messageOf(error));
  const details = { transient: code !== 403 && code !== 406, cause: error };
  const hint =
    code === 403
      ? 'the user needs the rights to configure, write and read the names of this profile'
      : code === 406
        ? 'somebody made it with other properties; rename or delete it'
        : undefined;
  return new WherryError('broker-unavailable', `the broker refused: ${text}`, { ...details, ...(hint && { hint }) });
}

export function lostError(cause?: unknown): WherryError {
  const message = 'the connection to the broker broke before the answer came';
  return new WherryError('broker-lost', message, { transient: true, hint: 'it connects again by itself', cause });
}

export function unavailableError(): WherryError {
  const hint = 'is it running, and does it have memory and disk left?';
  return new WherryError('broker-unavailable', 'the broker did not take it in time', { transient: true, hint });
}

export function closedError(): WherryError {
  return new WherryError('communicator-closed', 'the communicator was closed');
}

/** Refuses what cannot be worked with, before anything is made. */
export function checkServer(server: { readonly product?: unknown; readonly version?: unknown }, place: string): void {
  const { product, version } = server;
  const hint = 'Wherry needs RabbitMQ 3.10 or later';
  if (product !== 'RabbitMQ') {
    throw new WherryError('broker-unavailable', `the broker at ${place} is no RabbitMQ`, { hint });
  }
  const [major = 0, minor = 0] = String(version).split('.').map(Number);
  if (major > 3 || (major === 3 && minor >= 10)) return;
  const shown = String(version).slice(0, 40);
  throw new WherryError('broker-unavailable', `the broker at ${place} is RabbitMQ ${shown}, which is too old`, {
    hint,
  });
}

function firstLine(text: string): string {
  return (text.split('\n')[0] ?? '').slice(0, 300);
}
