"""Getting a number: who may, where, when, and by which rules; on a phone and at the hall."""
