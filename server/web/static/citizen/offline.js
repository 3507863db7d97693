// The last that was known of an open ticket, for when there is no network. No token is kept.

const DAY_MS = 24 * 3600 * 1000;

/** Keep it as of the business moment `at`, in Unix milliseconds. */
export function keep(name, value, at) {
  try {
    localStorage.setItem(`yiting ${name}`, JSON.stringify({ kept: Date.now(), at, value }));
  } catch {
    // A full or forbidden store only means that nothing is there offline.
  }
}

/** `{at, value}` as it was kept, or null when nothing is kept or it is of another day. */
export function kept(name) {
  try {
    const found = JSON.parse(localStorage.getItem(`yiting ${name}`));
    return found && Date.now() - found.kept < DAY_MS ? found : null;
  } catch {
    return null;
  }
}

/** Forget everything, as when she signs out. */
export function forget() {
  try {
    for (const name of Object.keys(localStorage)) if (name.startsWith("yiting ")) localStorage.removeItem(name);
  } catch {
    // Nothing was kept.
  }
}
