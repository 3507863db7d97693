// The sign-in page waits for the phone: it asks now and then, and reloads when something happened.

const EVERY_MS = 2000;

async function look() {
  try {
    const answer = await fetch("/oauth2/waiting", { cache: "no-store" });
    if (answer.ok && (await answer.json()).progress !== "waiting") {
      location.reload();
      return;
    }
  } catch {
    // Offline for a moment: ask again.
  }
  setTimeout(look, EVERY_MS);
}

setTimeout(look, EVERY_MS);
