// So that the pages open without a network: the shell and the assets it has shown are kept. What the
// API says is never kept here.

const SHELL = "yiting-shell";

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(SHELL).then((cache) => cache.add("/")).then(() => self.skipWaiting()));
});
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (pathname.startsWith("/assets/")) event.respondWith(keptFirst(request));
  else if (pathname === "/") event.respondWith(freshFirst(request));
});

/** An asset's address names its version, so what is kept is right. */
async function keptFirst(request) {
  const cache = await caches.open(SHELL);
  const kept = await cache.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request, answer.clone());
  return answer;
}

async function freshFirst(request) {
  const cache = await caches.open(SHELL);
  try {
    const answer = await fetch(request);
    if (answer.ok) {
      await cache.put("/", answer.clone());
      await forgetOthers(cache, await answer.clone().text());
    }
    return answer;
  } catch (fault) {
    const kept = await cache.match("/");
    if (kept) return kept;
    throw fault;
  }
}

/** Forget assets of versions that the page does not name any more. */
async function forgetOthers(cache, page) {
  const version = page.match(/\/assets\/([0-9a-f]{12})\//)?.[1];
  for (const request of await cache.keys()) {
    const { pathname } = new URL(request.url);
    if (version && pathname.startsWith("/assets/") && !pathname.startsWith(`/assets/${version}/`)) await cache.delete(request);
  }
}
