// Passkeys: the device verifies its user and signs; the site checks what it signed.

import { Problem } from "./camera.js";
import { passkeyOptions } from "./site.js";

const REFUSED = "No passkey was used. Try again, or sign in another way.";

/** Makes a passkey for who has the code; returns what the device answered, as text. */
export async function makePasskey(name, code) {
  const options = await passkeyOptions("creation", { name, code });
  return answered(() =>
    navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) }),
  );
}

/** Asks the device for the passkey of that name; returns what it answered, as text. */
export async function showPasskey(name) {
  const options = await passkeyOptions("request", { name });
  return answered(() =>
    navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) }),
  );
}

async function answered(ask) {
  try {
    return JSON.stringify((await ask()).toJSON());
  } catch {
    throw new Problem(REFUSED); // refused, timed out, or none there: the browser does not tell which
  }
}
