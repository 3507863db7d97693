"""Single sign-on for departments' systems: an OpenID Connect provider."""
