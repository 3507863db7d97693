"""Values that stand in several subjects."""

AT = "2026-11-23T09:30:00+08:00"
LATER = "2026-11-23T09:42:10+08:00"
ID = "019ab1c2-3d4e-7f50-8a9b-0c1d2e3f4a5b"
TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIwMTlhYjFjMiJ9.c2lnbmF0dXJl"  # noqa: S105 nobody's
SECRET = "k7Jm2pXr9TqW4vZs8LdN3bYh6FgC1aEu"  # noqa: S105 nobody's
