"""Following a ticket that is not hers: by a code, or on a family member's phone."""
