"""Sign-ins of citizens and staff: tokens, refresh, sign-out."""
